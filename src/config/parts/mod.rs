//! Every setting there is, by section.

pub(super) mod audit;
pub(super) mod binding;
pub(super) mod edge;
pub(super) mod introspection;
pub(super) mod issuer;
pub(super) mod policies;
pub(super) mod resource;
pub(super) mod stores;
pub(super) mod throttle;
pub(super) mod tokens;
pub(super) mod tools;

use audit::{Audit, Telemetry};
use binding::{ClientCertificates, Dpop};
use edge::{Http, Limits, Network, Sessions, Streams};
use issuer::Issuer;
use policies::Policies;
use resource::{Resource, Scopes};
use stores::{Database, Redis};
use throttle::Throttle;
use tokens::ApiTokens;
use tools::Tools;

use super::kinds::{List, Text};
use super::read::table;

table! {
    /// A server is a resource and the issuers it trusts; every other section may be left out.
    struct Settings {
        /// The MCP endpoint as OAuth sees it.
        resource: Resource,
        /// The authorization servers whose access tokens are accepted, one at least.
        issuers: List<Issuer>,
        /// What clients should ask for, and what every request needs.
        scopes: Option<Scopes>,
        /// What each tool, prompt, resource and method needs. With this section the layer reads the body of
        /// every message, and a tool without a rule is refused. Without it a credential is enough.
        tools: Option<Tools>,
        /// Takes API tokens too, kept in the `database`. An organization's policy decides whether its tokens count.
        api_tokens: Option<ApiTokens>,
        /// The rules of organizations' administrators: a list of them here, or `store = "database"`. An
        /// organization without one is OAuth only. Policies in the list may change while the server runs; where they
        /// are may not.
        [restart] policies: Option<Policies>,
        /// Where tokens, policies and revocations are kept, shared by the processes of a server. With it, every
        /// process hears of the revocations of the others.
        [restart] database: Option<Database>,
        /// A Redis in which processes tell each other what is new. Correct without.
        [restart] redis: Option<Redis>,
        /// How failed API tokens are slowed down.
        throttle: Option<Throttle>,
        /// Proxies in front of this server.
        network: Option<Network>,
        /// The OAuth clients this server supports, for organizations that allow "supported clients" as a whole:
        /// patterns such as `https://*.example.com/**`.
        supported_clients: List<Text>,
        /// How session ids are bound to the caller they were made for.
        sessions: Option<Sessions>,
        /// What happens to responses that go on for long.
        streams: Option<Streams>,
        /// How much is looked at, and remembered.
        limits: Option<Limits>,
        /// Access tokens bound to a key of their client (RFC 9449). Feature `dpop`.
        dpop: Option<Dpop>,
        /// Access tokens bound to a client certificate (RFC 8705). Feature `mtls`.
        client_certificates: Option<ClientCertificates>,
        /// How metadata and keys are fetched from issuers. Feature `client`.
        [restart] http: Option<Http>,
        /// Where a record of every decision goes.
        [restart] audit: Option<Audit>,
        /// What logs and traces say. Metrics are for the program: `config.open().await?.metrics(Metrics::new())`.
        telemetry: Option<Telemetry>,
        /// Leaves `Authorization` in the request given to the service behind. An attacker gains: every
        /// service behind this one, and every log it writes, may hold a live credential.
        insecure_forward_credential: bool,
    }
}
