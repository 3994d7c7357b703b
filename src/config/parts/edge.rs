//! Where requests come from and issuers are reached, and how much of everything.

use crate::config::kinds::{List, Size, Span, Text};
use crate::config::read::table;
use crate::config::secret::Secret;

table! {
    /// What stands between clients and this server.
    struct Network {
        /// The proxies whose forwarded headers count: addresses and ranges. List the proxies, not the network they stand in.
        trusted_proxies: List<Text>,
    }
}

table! {
    /// An MCP server that keeps sessions knows a client by its `Mcp-Session-Id` alone, so this layer seals it.
    struct Sessions {
        /// The key of the seals: base64 of at least 32 random bytes, for processes that share sessions. Left out: a key of
        /// this process.
        [restart] key: Option<Secret>,
        /// Leaves ids of sessions and of events alone. An attacker gains: with a credential of their own and somebody
        /// else's session id they read and speak in that session, and with the id of an event they read what follows
        /// it, unless the server behind binds both itself.
        [restart] insecure_unbound_sessions: bool,
    }
}

table! {
    /// Event streams and gRPC responses.
    struct Streams {
        /// Whether they end with the credential that opened them.
        close: Option<bool> = true,
    }
}

table! {
    /// Limits. The one of messages is `tools.max_body_bytes`.
    struct Limits {
        /// The longest `Authorization` value looked at.
        max_credential_bytes: Option<Size<1024, 16_384>> = "8KiB",
        /// How much is remembered of verified credentials; 0 verifies every one every time.
        verified_token_bytes: Option<Size<0, 17_179_869_184>> = "32MiB",
    }
}

table! {
    /// The client that fetches metadata and keys.
    struct Http {
        /// Reaches every issuer, except on loopback, through an HTTP CONNECT proxy: `http://user:password@host:3128`. A
        /// secret, because a password may stand in it. The proxy has to refuse private addresses.
        [restart] proxy: Option<Secret>,
        /// A file of certificates (PEM) of authorities that are trusted as well.
        [restart] root_certificates: Option<Text>,
        /// Trusts those only, not Mozilla's.
        [restart] without_default_roots: bool,
        /// How long opening a connection may take.
        [restart] connect_timeout: Option<Span<1, 60>> = "2s",
        /// Networks that are dialled although they are not public: an issuer inside your own. What an attacker gains:
        /// whoever controls the DNS of an issuer can point a GET at any HTTPS server there.
        [restart] allow_addresses: List<Text>,
    }
}
