//! [`McpAuthLayer`]: the whole protection of an MCP server in one layer.
//!
//! In this order, which is the only safe one:
//!
//! 1. the metadata document is served to anyone, and the slash twin of the endpoint is redirected;
//! 2. a CORS preflight is answered without a credential, because a browser never sends one with it;
//! 3. `Origin` and `Host` must be on their lists (403);
//! 4. the credential is judged (401, 403, or 503 while an issuer is out of reach);
//! 5. the inner service is called with an [`AuthContext`](crate::AuthContext) in the request's
//!    extensions and without the credential.
//!
//! Outside it belong `cors()`, tracing and request ids of tower-http, and concurrency limits: while
//! keys are being fetched this layer holds a readied inner service.
//!
//! ```
//! use http::{Request, StatusCode};
//! use http_body_util::Empty;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource};
//! # use bytes::Bytes;
//! # use http::Response;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let auth = Authenticator::builder(
//!     ProtectedResource::new("https://mcp.example.com/mcp")
//!         .issuer(Issuer::new("https://auth.example.com/t1")),
//! )
//! .build()?;
//!
//! let service = ServiceBuilder::new()
//!     .layer(McpAuthLayer::new(auth))
//!     .service_fn(|_request: Request<Empty<Bytes>>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
//!     });
//!
//! let request = Request::post("/mcp").header("host", "mcp.example.com").body(Empty::new())?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! assert!(response.headers()["www-authenticate"].to_str()?.starts_with("Bearer resource_metadata="));
//! # Ok(())
//! # }
//! ```

mod future;
mod layer;
mod service;

pub use future::ResponseFuture;
pub use layer::{AuthenticateLayer, McpAuthLayer};
pub use service::McpAuth;
