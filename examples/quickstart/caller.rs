//! Who calls a tool.

use http::request::Parts;
use rmcp::ErrorData;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use tower_mcp_auth::AuthContext;

/// A parameter for tools: the [`AuthContext`] of the request the call came in.
///
/// rmcp keeps the head of the HTTP request as one extension of every message in it; the context is
/// an extension of that head.
pub(crate) struct Caller(pub(crate) AuthContext);

impl<C: AsRequestContext> FromContextPart<C> for Caller {
    fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
        let head = context.as_request_context().extensions.get::<Parts>();
        head.and_then(|head| head.extensions.get::<AuthContext>())
            .cloned()
            .map(Self)
            .ok_or_else(|| ErrorData::internal_error("not behind McpAuthLayer", None))
    }
}
