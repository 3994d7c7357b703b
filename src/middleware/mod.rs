//! The Tower layers. Each decides with a pure function and answers by itself, or hands the request
//! to the inner service untouched.
//!
//! Outermost first, the only safe order is: tracing and CORS (`tower_mcp_auth::cors`), resource
//! metadata, origin, authentication, your service. A CORS layer *inside* authentication is a trap:
//! preflights carry no credential, would get a 401, and browsers would report a network error.

pub mod auth;
pub(crate) mod metadata;
pub(crate) mod origin;
pub(crate) mod require_scopes;
mod respond;

pub use auth::RequestBody;
pub use metadata::{ResourceMetadata, ResourceMetadataLayer};
pub use origin::{Origin, OriginLayer};
pub use require_scopes::{RequireScopes, RequireScopesFuture, RequireScopesLayer};
pub use respond::ResponseFuture;

pub use crate::response::ResponseBody;
