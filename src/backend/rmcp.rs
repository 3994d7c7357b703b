//! [`AuthContext`] as a parameter of rmcp's tools and prompts.

use http::request::Parts;
use rmcp::ErrorData;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};

use crate::context::AuthContext;

/// rmcp keeps the head of the HTTP request as one extension of every message in it, and the context
/// is an extension of that head. A tool simply takes it:
///
/// ```
/// use rmcp::{tool, tool_router};
/// use tower_mcp_auth::AuthContext;
///
/// struct Issues;
///
/// #[tool_router]
/// impl Issues {
///     #[tool(description = "Who is asking")]
///     async fn whoami(&self, auth: AuthContext) -> String {
///         auth.principal().subject().to_string()
///     }
/// }
/// # let _ = Issues::tool_router();
/// ```
///
/// Over another transport than HTTP, or on a route that is not behind
/// [`McpAuthLayer`](crate::McpAuthLayer), the call ends with an internal error.
impl<C: AsRequestContext> FromContextPart<C> for AuthContext {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        let head = context.as_request_context().extensions.get::<Parts>();
        let auth = head.and_then(|head| head.extensions.get::<Self>()).cloned();
        auth.ok_or_else(|| {
            ErrorData::internal_error("this server is not behind McpAuthLayer", None)
        })
    }
}
