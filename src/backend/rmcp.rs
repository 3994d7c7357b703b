//! [`AuthContext`] as a parameter of rmcp's tools and prompts, and lists for it.

use http::request::Parts;
use rmcp::ErrorData;
use rmcp::handler::server::common::{AsRequestContext, FromContextPart};
use rmcp::model::{
    CacheScope, Extensions, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult,
};

use crate::context::AuthContext;
use crate::context::list::Listed;

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
        context.as_request_context().extensions.auth().cloned()
    }
}

/// The caller, where rmcp hands over a context instead of parameters: in the methods of
/// `ServerHandler`, as `context.extensions.auth()?`. [`FilterList`] has an example.
pub trait RequestAuth {
    /// Whom the layer has let in.
    ///
    /// # Errors
    ///
    /// An internal error over another transport than HTTP, or on a route that is not behind
    /// [`McpAuthLayer`](crate::McpAuthLayer).
    fn auth(&self) -> Result<&AuthContext, ErrorData>;
}

impl RequestAuth for Extensions {
    fn auth(&self) -> Result<&AuthContext, ErrorData> {
        let head = self.get::<Parts>();
        let auth = head.and_then(|head| head.extensions.get::<AuthContext>());
        auth.ok_or_else(|| {
            ErrorData::internal_error("this server is not behind McpAuthLayer", None)
        })
    }
}

/// A list of rmcp that shows a client only what it may use: [`AuthContext::filter_list`] for its
/// types, with the same traps: filter every page.
///
/// ```
/// use rmcp::model::{ListToolsResult, PaginatedRequestParams};
/// use rmcp::service::RequestContext;
/// use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
/// use tower_mcp_auth::backend::{FilterList, RequestAuth};
///
/// struct Issues;
///
/// #[tool_router]
/// impl Issues {
///     #[tool(description = "Closes an issue")]
///     async fn close(&self) {}
/// }
///
/// impl ServerHandler for Issues {
///     async fn list_tools(
///         &self,
///         _: Option<PaginatedRequestParams>,
///         context: RequestContext<RoleServer>,
///     ) -> Result<ListToolsResult, ErrorData> {
///         let mut result = ListToolsResult::with_all_items(Self::tool_router().list_all());
///         result.filter_list(context.extensions.auth()?);
///         Ok(result)
///     }
/// }
/// ```
pub trait FilterList {
    /// Removes what the party may not use, and marks the list private (MCP-18) if the server has
    /// tool rules. Whether anything was removed.
    fn filter_list(&mut self, auth: &AuthContext) -> bool;
}

/// Nothing is touched on a server without tool rules.
fn filter<T>(
    auth: &AuthContext,
    items: &mut Vec<T>,
    scope: &mut Option<CacheScope>,
    mut sees: impl FnMut(&T) -> bool,
) -> bool {
    if !auth.filters() {
        return false;
    }
    let before = items.len();
    items.retain(|item| sees(item));
    *scope = Some(CacheScope::Private);
    items.len() < before
}

impl FilterList for ListToolsResult {
    fn filter_list(&mut self, auth: &AuthContext) -> bool {
        filter(auth, &mut self.tools, &mut self.cache_scope, |tool| {
            auth.sees(Listed::Tool, &tool.name)
        })
    }
}

impl FilterList for ListPromptsResult {
    fn filter_list(&mut self, auth: &AuthContext) -> bool {
        filter(auth, &mut self.prompts, &mut self.cache_scope, |prompt| {
            auth.sees(Listed::Prompt, &prompt.name)
        })
    }
}

impl FilterList for ListResourcesResult {
    fn filter_list(&mut self, auth: &AuthContext) -> bool {
        let (resources, scope) = (&mut self.resources, &mut self.cache_scope);
        filter(auth, resources, scope, |resource| {
            auth.sees(Listed::Resource, &resource.uri)
        })
    }
}

impl FilterList for ListResourceTemplatesResult {
    fn filter_list(&mut self, auth: &AuthContext) -> bool {
        let (templates, scope) = (&mut self.resource_templates, &mut self.cache_scope);
        filter(auth, templates, scope, |template| {
            auth.sees(Listed::Template, &template.uri_template)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_layer_it_is_an_error_of_the_server() {
        let (head, ()) = http::Request::new(()).into_parts();
        let mut extensions = Extensions::new();
        assert!(extensions.auth().is_err());
        extensions.insert(head);
        let error = extensions.auth().unwrap_err();
        assert!(error.message.contains("McpAuthLayer"), "{error}");
    }
}
