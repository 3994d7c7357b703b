//! Tokens that are worth nothing to whoever has stolen them.

use crate::algorithm::SigningAlgorithm;
use crate::config::kinds::{List, Span};
use crate::config::read::table;
use crate::config::secret::Secret;

table! {
    /// How DPoP proofs are judged. Used proofs are kept in this process, or in `redis`; to add this section where
    /// they are kept there takes a restart.
    struct Dpop {
        /// Refuses access tokens without a proof.
        required: bool,
        /// The algorithms of proofs, the preferred one first.
        algorithms: Option<List<SigningAlgorithm>> = ["ES256", "EdDSA"],
        /// How long ago a proof may have been made, and how far ahead.
        max_age: Option<Span<5, 300>> = "300s",
        /// Asks for a nonce of this server in every proof, by a key of this process unless there is a `nonce_key`.
        nonces: bool,
        /// The key of nonces, for processes that share it: base64 of at least 32 random bytes.
        nonce_key: Option<Secret>,
    }
}

table! {
    /// Where the client's certificate is found.
    struct ClientCertificates {
        /// In the extensions of a request, as `PeerCertificate`: this server terminates TLS itself.
        from_connection: bool,
        /// In the header `Client-Cert` of requests that come from `network.trusted_proxies`.
        from_proxy: bool,
    }
}
