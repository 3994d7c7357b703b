//! OAuth 2.1 and API-token authentication and authorization for MCP servers, as a Tower layer.
//!
//! One line protects a server: every request that reaches it then carries a typed [`AuthContext`],
//! and every other request gets an answer that a client can act on and a person understands.
//!
//! ```
//! use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource};
//!
//! # fn main() -> Result<(), tower_mcp_auth::ConfigError> {
//! let auth = Authenticator::builder(
//!     ProtectedResource::new("https://mcp.example.com/mcp")
//!         .issuer(Issuer::new("https://auth.example.com/t1").organization_claim("org_id"))
//!         .baseline_scopes(["read:issues"]),
//! )
//! .build()?; // every mistake above is reported here, all at once
//!
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::any};
//! use tower_mcp_auth::AuthContext;
//!
//! async fn mcp(auth: AuthContext) -> String {
//!     format!("{} of {}", auth.principal().subject(), auth.organization())
//! }
//!
//! let app: Router = Router::new().route("/mcp", any(mcp)).layer(McpAuthLayer::new(auth));
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a request
//!
//! ```text
//! GET /.well-known/oauth-protected-resource/mcp  ->  the metadata document, to anyone
//! CORS preflight                                 ->  204, never challenged
//! Origin or Host not on the list                 ->  403
//! no credential                                  ->  401 that leads the client to the issuer
//! two Authorization lines, or one too long       ->  400, 431
//! a bad token                                    ->  401 invalid_token, with the class of fault
//! a bad API token                                ->  401, one answer for whatever is wrong
//! too many bad API tokens from one address       ->  429 + Retry-After
//! a kind of credential the organization disabled ->  401 with the kinds that work
//! a network, client, issuer or site not allowed  ->  403 with the rule and whom to ask
//! a bound token without its proof, or with       ->  401 on the DPoP line; `cnf` is never ignored
//! another key's, another URL's, or a used one
//! a good token, a scope missing                  ->  403 with the scopes it lacks
//! a deactivated account                          ->  403
//! a session id that was not made for this party  ->  404
//! a message that two readers read differently    ->  400, as JSON-RPC error -32020
//! an operation no tool rule allows               ->  403 with the rule and what is missing
//! a login too old or too weak for an operation   ->  401 with acr_values and max_age
//! the issuer out of reach, no keys at hand;
//! a store or the directory out of reach          ->  503 + Retry-After, never 401
//! a good token                                   ->  your service, with an AuthContext,
//!                                                    without the token
//! ```
//!
//! A request whose issuer's keys, token record, policy and user facts are at hand is decided inside
//! `call`: no await, no lock, no clone of your service. With tool rules the body is read first. Keys are fetched at the first need, refreshed before they grow old, and kept
//! through an outage of the issuer ([`Freshness`]). `docs/errors.md` lists every [`Reason`] with its
//! answer and who can do something about it.
//!
//! # API tokens and policies
//!
//! ```
//! use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, Peppers};
//! use tower_mcp_auth::audit::TracingAudit;
//! use tower_mcp_auth::policy::MemoryPolicyStore;
//! use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate()?); // issue, roll, revoke
//! let policies = MemoryPolicyStore::new(); // every organization is OAuth only until a put
//! let auth = Authenticator::builder(
//!     ProtectedResource::new("https://mcp.example.com/mcp")
//!         .issuer(Issuer::new("https://auth.example.com/t1")),
//! )
//! .api_tokens(tokens.clone())
//! .policies(policies.clone())
//! .audit(TracingAudit::new())
//! .build()?;
//!
//! let handle = auth.handle(); // revokes access tokens, people, organizations, issuers
//! # Ok(())
//! # }
//! ```
//!
//! What is written through `tokens`, `policies` and `handle` holds from the next request of this
//! process on; what other processes write, when the copies below have aged.
//!
//! # Where things are
//!
//! - [`guide`]: page by page, from the first server to operating several, with every provider's settings.
//! - [`ProtectedResource`], [`Issuer`], [`Profile`]: what you configure.
//! - [`Authenticator`]: the decision. [`McpAuthLayer`]: the decision as a Tower layer, with metadata,
//!   origin and host. [`ResourceMetadataLayer`], [`OriginLayer`], [`AuthenticateLayer`]: its parts.
//! - [`AuthContext`], [`Principal`]: what your service reads. [`AuthContext::filter_list`]: lists of
//!   what a caller may use.
//! - [`RequireScopesLayer`], [`StepUp`], `backend::Scoped` (feature `axum`): scopes that a route, a gRPC
//!   service or a handler asks for by itself.
//! - [`Reason`], [`Rejection`]: why a request was refused; in the extensions of the answer.
//! - [`ToolRules`]: what each tool, prompt, resource and method needs; [`AuthorizeToolLayer`] for
//!   routers where only some routes take messages. [`StepUp`]: a handler asks for more.
//! - [`api_token`]: personal tokens and service-account keys; [`api_token::ApiTokens`] issues, rolls
//!   and revokes them, an [`api_token::ApiTokenStore`] keeps them. [`api_token::foreign`]: tokens of
//!   a format you have already.
//! - [`Introspection`]: opaque access tokens, by asking their issuer.
//! - [`OrganizationPolicy`]: an organization administrator's switches. [`policy::PolicyStore`]: where
//!   they are kept.
//! - [`enrich`]: what your directory knows about a user. [`throttle`]: how failed API tokens are
//!   slowed down. [`audit`]: a record of every decision. [`telemetry`]: metrics and spans.
//! - [`Authenticator::reload`]: new settings while the server runs.
//! - [`authenticator::AuthHandle`]: revocation while the server runs. [`revocation`]: what it covers, and a
//!   log for servers of several processes. `events` (feature `events`): revocation by security event tokens.
//! - [`fetch::Fetch`], [`clock::Clock`], [`api_token::ApiTokenStore`], [`policy::PolicyStore`],
//!   [`revocation::RevocationLog`], [`throttle::SharedFailures`], [`enrich::ContextEnricher`],
//!   `dpop::ReplayStore`, [`audit::AuditSink`],
//!   [`api_token::foreign::ForeignTokens`]: the ports. `HttpClient` is the default `Fetch`.
//!
//! # Features
//!
//! | feature | default | what |
//! | --- | --- | --- |
//! | `client` | yes | `HttpClient`: metadata and keys over HTTPS |
//! | `aws-lc-rs` | yes | signatures by aws-lc-rs |
//! | `rust-crypto` | | signatures in pure Rust, slower; with both on, aws-lc-rs is used |
//! | `axum` | | [`AuthContext`], `Option<AuthContext>` and `Scoped` as extractors |
//! | `rmcp` | | [`AuthContext`] as a parameter of rmcp's tools and prompts, `FilterList`, `RequestAuth` |
//! | `events` | | [`SecurityEventReceiver`](events): revocation by what an identity provider reports |
//! | `cors` | | `cors()`: a tower-http `CorsLayer` set up for browser clients |
//! | `dpop` | | `dpop::Dpop`: access tokens bound to a key of their client (RFC 9449) |
//! | `mtls` | | `mtls::ClientCertificates`: access tokens bound to a client certificate (RFC 8705) |
//! | `sqlite`, `postgres` | | `backend::SqlStore`: tokens, policies and the log in a database that processes share |
//! | `config` | | `config::Config`: the whole configuration from TOML, YAML, JSON and the environment |
//! | `metrics` | | `telemetry::Metrics`: counters, gauges and histograms through the `metrics` facade |
//! | `testing` | | `testing::TestIssuer`: an authorization server on loopback for your tests |
//!
//! # Limits and defaults
//!
//! | what | default | bounds |
//! | --- | --- | --- |
//! | `Authorization` value | 8,192 bytes | 1,024 – 16,384 |
//! | leeway | 30 s | 0 – 300 s |
//! | remaining life of a token | 24 h | 1 s – 366 d |
//! | keys: lifetime; beyond it while the issuer is down | 5 min; 24 h | 1 – 60 min; 0 – 7 d |
//! | key fetches | 10 s apart, 6 a minute per issuer | fixed |
//! | waiting for keys, per request | 2 s | fixed |
//! | verified credentials remembered | 32 MiB | 0 – 16 GiB |
//! | one fetch: connect; in all | 2 s; 5 s | |
//! | metadata or key document | 256 KiB, 100 keys | fixed |
//! | API token record; beyond it while the store fails | 30 s; 30 s (60 s in all) | fixed |
//! | an id no store knows | 2 s | fixed |
//! | token of a foreign format: facts; beyond them while `verify` fails; that there is none | 30 s; 30 s; 2 s | fixed |
//! | what an issuer says of an opaque token; that it is not active | min(30 s, `exp`); 5 s | 1 – 30 s; fixed |
//! | one introspection call; under way; waiting, per issuer; its answer | 2 s; 64; 256; 64 KiB | fixed |
//! | failures in a row that stop it; until the next attempt | 5; 1 – 25 s | fixed |
//! | opaque tokens known per issuer; as many that are not active | 10,000 | fixed |
//! | policy; beyond it while the store fails | 30 s; 5 min | fixed |
//! | user facts; beyond it while the directory fails | 30 s; 5 min | fixed |
//! | one read: token record or `verify`; policy or user facts | 500 ms; 2 s | fixed |
//! | reads of one store at a time; waiting for their turn | 64; 256 | fixed |
//! | revocations kept | 367 days | fixed |
//! | shared log of revocations and changed records: read every; after a hint; API tokens served without it | 2 s ± 20 %; at once, 100 ms apart; 60 s | fixed |
//! | `SqlStore`: one call; waiting for a connection; connections | 500 ms; 200 ms; 16 | fixed; fixed; 1 – 1,000 |
//! | `SqlStore`: hints sent; migrations | 10 a second; 60 s | fixed |
//! | security event token: bytes; age; ids remembered | 64 KiB; 7 days; 10,000 | fixed |
//! | an open stream is looked at again | every 60 s, and at every change | on or off |
//! | records, foreign tokens, policies, user facts held; as many unknown keys beside each | 50,000; 50,000; 100,000; 50,000 | fixed |
//! | failed API tokens, per address (IPv6 /64) | 20 at once, 20 a minute | or off |
//! | failed API tokens, per id and address | 5 at once, 5 a minute | or off |
//! | failures told to other processes: every; one call; buckets a call; buckets known | 1 s while anybody fails; 500 ms; 1,000; 10,000 | fixed |
//! | waiting because of failures at other processes | up to 60 s | fixed |
//! | life of an API token | 90 days | 1 s – 365 d |
//! | message read for tool rules | 4 MiB, depth 64 | 1 KiB – 64 MiB; fixed |
//! | message read without a credential | 64 KiB | fixed |
//! | tool rules | 20,000 a table, 1,000 patterns of 127 bytes | fixed |
//! | chain of actors (`act`) | 4 | fixed |
//! | DPoP proof: length; age, and how far ahead; `jti` | 8 KiB; 300 s; 256 bytes | fixed; 5 – 300 s; fixed |
//! | DPoP nonce | serves 2 – 4 min | fixed |
//! | used DPoP proofs kept; one claim at a `ReplayStore` | about 1,000,000; 500 ms | fixed, or a store of yours; fixed |
//! | token JSON | depth 8 (header), 16 (payload), 256 values | fixed |
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
compile_error!(
    "tower-mcp-auth needs one implementation of signatures: enable the feature `aws-lc-rs` (default) or `rust-crypto`"
);

// Modules in rank order: each imports only from ranks above it in this list.
// Rank 0, vocabulary.
mod address;
pub mod algorithm;
pub mod clock;
mod confirmation;
pub mod error;
pub mod ident;
mod keyed_hash;
mod method;
pub mod operation;
pub mod scope;
mod secret;
// Rank 1, nouns.
pub mod issuer;
pub mod principal;
pub mod profile;
pub mod rejection;
pub mod resource;
// Rank 2, wire.
mod rpc;
mod wire;
// Rank 3, ports and machinery.
pub mod audit;
mod cache;
pub mod enrich;
pub mod fetch;
mod jose;
mod pulse;
pub mod revocation;
mod session;
mod signal;
mod stage;
pub mod telemetry;
pub mod throttle;
// Rank 4, verifiers.
pub mod api_token;
#[cfg(feature = "dpop")]
pub mod dpop;
#[cfg(feature = "mtls")]
pub mod mtls;
mod oauth;
// Rank 5, the decision.
pub mod authenticator;
pub mod context;
pub mod policy;
mod step_up;
pub mod tool;
// Rank 6, response.
mod response;
// Rank 7, edge.
#[cfg(feature = "events")]
pub mod events;
pub mod explain;
pub mod middleware;
// Rank 8, adapters.
#[cfg(any(
    feature = "client",
    feature = "axum",
    feature = "postgres",
    feature = "redis",
    feature = "rmcp",
    feature = "sqlite"
))]
pub mod backend;
#[cfg(feature = "cors")]
mod cors;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "testing")]
pub mod testing;
// Rank 9, the whole in a file.
#[cfg(feature = "config")]
pub mod config;
// Rank 9, pages without code.
pub mod guide;

#[doc(inline)]
pub use algorithm::SigningAlgorithm;
#[doc(inline)]
pub use authenticator::Authenticator;
#[cfg(feature = "client")]
#[doc(inline)]
pub use backend::{HttpClient, HttpClientBuilder};
#[doc(inline)]
pub use context::{AuthContext, AuthMethod};
#[cfg(feature = "cors")]
#[doc(inline)]
pub use cors::cors;
#[doc(inline)]
pub use error::{BackendError, ConfigError};
#[doc(inline)]
pub use explain::Explanation;
#[doc(inline)]
pub use issuer::{Freshness, Introspection, Issuer};
#[doc(inline)]
pub use middleware::auth::{AuthenticateLayer, AuthorizeToolLayer, McpAuthLayer};
#[doc(inline)]
pub use middleware::{OriginLayer, RequireScopesLayer, ResourceMetadataLayer};
#[doc(inline)]
pub use policy::OrganizationPolicy;
#[doc(inline)]
pub use principal::{Principal, PrincipalKind};
#[doc(inline)]
pub use profile::Profile;
#[doc(inline)]
pub use rejection::{Reason, Rejection};
#[doc(inline)]
pub use resource::{ProtectedResource, Resource};
#[doc(inline)]
pub use scope::ScopeSet;
#[doc(inline)]
pub use step_up::StepUp;
#[doc(inline)]
pub use tool::ToolRules;

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
