//! [`McpAuthLayer`]: the whole protection of an MCP server in one layer.
//!
//! In this order, which is the only safe one:
//!
//! 1. the metadata document is served to anyone, and the slash twin of the endpoint is redirected;
//! 2. a CORS preflight is answered without a credential, because a browser never sends one with it;
//! 3. `Origin` and `Host` must be on their lists (403);
//! 4. the credential is judged (401, 403, or 503 while an issuer is out of reach);
//! 5. with [`ToolRules`](crate::ToolRules), the operation is judged by the body (400, 401, 403, 413);
//!    if the body took its time, the credential once more before that;
//! 6. the inner service is called with an [`AuthContext`](crate::AuthContext) in the request's
//!    extensions and without the credential.
//!
//! Outside it belong `cors()`, tracing and request ids of tower-http, and concurrency limits: while
//! keys are being fetched and bodies read, this layer holds a readied inner service. It sets no time
//! limit for a body: `RequestBodyTimeoutLayer` of tower-http, outside, ends one that stalls.
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
//!     .service_fn(|_request: Request<_>| async {
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
//!
//! # Open streams
//!
//! A response that goes on would outlive the decision it rests on. So a `text/event-stream` or
//! `application/grpc` response (not gRPC-Web) is ended
//!
//! - at the `exp` of its access token plus the issuer's leeway; of an API token at its expiry, or when a
//!   roll ends the secret that was used;
//! - on a revocation that covers it, through [`AuthHandle`](crate::authenticator::AuthHandle), the log of
//!   [other processes](crate::revocation) or [`ApiTokens`](crate::api_token::ApiTokens);
//! - on a policy that no longer lets its holder in. A change that leaves them in is not noticed;
//! - when the issuer of an opaque token says that it is not active any more, is another party's or
//!   organization's, or lacks a scope that every request needs;
//! - on a [reload](crate::Authenticator::reload) whose settings would not let its token in.
//!
//! Changes made through this process end it at once, and those of other processes as soon as they are
//! read in the [log](crate::revocation) they share. What no log tells of, and what a directory says, is
//! looked at once a minute, so that streams outlive it by that much more than requests do. If
//! after a change, or in that minute, a store does not answer within its deadline and nothing usable is
//! held, the stream is ended too: nobody can say that it may go on. Nothing is sent from the moment a
//! change that may concern a stream is known until it is known that it does not.
//!
//! A DPoP proof is asked for with the request that opens a stream, and not again.
//!
//! The client finds out why. An event stream ends with
//!
//! ```text
//! event: authorization_ended
//! data: {"error":"invalid_token","reason":"expired","message":"The access token expired; refresh it or log in again"}
//! ```
//!
//! after a blank line should an event have been under way; in a content coding such as gzip it just ends.
//! `error` is what the same refusal has in the body of an answer, `reason` a
//! [`Reason::code`](crate::Reason::code). A gRPC response ends with trailers: `grpc-status` 16
//! (`UNAUTHENTICATED`), 7 (`PERMISSION_DENIED`) or 14 (`UNAVAILABLE`), and `grpc-message`. It ends between
//! messages: the rest of one under way is still sent if the service has it at hand and it is no longer
//! than 4 MiB. Otherwise the trailers come in the middle of it, and a client reports a broken message
//! instead of the status.
//!
//! The service's body is dropped, so that its producer notices. What costs nothing is left alone: other
//! content types, and bodies of a known length. An open stream costs one allocation and, once it has
//! nothing to send, one timer. The timer needs tokio; without it the time is looked at with each frame.
//! [`close_streams(false)`](crate::authenticator::AuthenticatorBuilder::close_streams) switches all this
//! off, [`open_streams`](crate::Authenticator::open_streams) counts.

mod after;
mod again;
mod body;
mod dry;
mod edge;
mod future;
mod layer;
mod operation;
mod refusal;
mod service;
mod sessions;
mod visit;
mod watching;

pub use body::RequestBody;
pub(crate) use dry::{Foreseen, foresee};
pub use future::ResponseFuture;
pub use layer::{AuthenticateLayer, AuthorizeToolLayer, McpAuthLayer};
pub use service::McpAuth;
