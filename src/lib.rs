//! OAuth 2.1 and API-token authentication and authorization for MCP servers, as a Tower layer.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
compile_error!(
    "tower-mcp-auth needs one implementation of signatures: enable the feature `aws-lc-rs` (default) or `rust-crypto`"
);

// Modules in rank order: each imports only from ranks above it in this list.
// Rank 0, vocabulary.
pub mod algorithm;
pub mod clock;
pub mod error;
pub mod ident;
pub mod scope;
// Rank 1, nouns.
pub mod issuer;
pub mod profile;
pub mod rejection;
pub mod resource;
// Rank 3, ports and machinery.
pub mod fetch;
mod jose;
// Rank 4, verifiers.
mod oauth;
// Rank 8, adapters.
#[cfg(feature = "client")]
pub mod backend;
#[cfg(feature = "testing")]
pub mod testing;

#[doc(inline)]
pub use algorithm::SigningAlgorithm;
#[cfg(feature = "client")]
#[doc(inline)]
pub use backend::{HttpClient, HttpClientBuilder};
#[doc(inline)]
pub use error::{BackendError, ConfigError};
#[doc(inline)]
pub use issuer::{Freshness, Issuer};
#[doc(inline)]
pub use profile::Profile;
#[doc(inline)]
pub use rejection::{Reason, Rejection};
#[doc(inline)]
pub use resource::{ProtectedResource, Resource};
#[doc(inline)]
pub use scope::ScopeSet;
