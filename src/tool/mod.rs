//! What each tool, prompt, resource and method of an MCP server needs of a proven credential.
//!
//! ```
//! use tower_mcp_auth::policy::Intent;
//! use tower_mcp_auth::tool::{Dispatch, ToolRule, ToolRules};
//!
//! let rules = ToolRules::new()
//!     .tool("createIssue", ["write:issues"])
//!     .tool("jira_*", ToolRule::scopes(["read:jira"]).group("jira", Intent::Read))
//!     .tool("whoami", ToolRule::always_on())
//!     .dispatcher("execute", |call| match call.text("action") {
//!         Some("list") => ["read:issues"].into(),
//!         Some("close") => ["write:issues"].into(),
//!         _ => Dispatch::Deny,
//!     })
//!     .prompt("release-notes", ["read:issues"])
//!     .resource("file:///projects/**", ["read:files"])
//!     .scope_includes("admin:issues", ["write:issues", "read:issues"]);
//! assert!(rules.check().is_ok()); // every mistake at once, else
//! ```
//!
//! What no rule names is refused: tools, prompts, resources and methods that are not of the protocol
//! (MCP-9). The rules come after the organization's policy and can only take away (POL-16). A tool's
//! effective right is what the credential's scopes, the organization's groups and the user's own
//! permissions all give.
//!
//! # Names and patterns
//!
//! Names are compared whole and with case (MCP-5). In a pattern, `*` is any run of characters except
//! `/`, and `**` any run of characters; either may stand for nothing. An exact name beats every
//! pattern. Of patterns the most specific wins: the one with the longest text before its first
//! wildcard, then the one with the most text in all, then the one with the fewest `**`, then with the
//! fewest wildcards. The order in which rules are written never matters.
//!
//! A rule about a method, such as `tools/call` or `**`, comes on top of the rule about the tool: both
//! have to be met.
//!
//! # Resources
//!
//! A pattern is about the text of a URI, a server acts on what it means. So a URI meets a pattern only
//! in plain form: with no dot or empty segments (hence no final `/`), no fragment, no user name, no
//! default port, small letters in scheme and host, and nothing escaped that need not be, in
//! particular no slash, dot or percent sign. One with a query meets patterns that contain a `?`
//! only. Everything else is refused, unless a rule spells it out.
//!
//! `completion/complete` needs what the prompt or resource needs that it is about; a resource named
//! by a template is judged as if each `{expression}` were one letter.
//!
//! # Other protocols
//!
//! What is said in a WebSocket is no request, and no rule is about it. So the server behind never sees
//! the header `Upgrade`, and an extended `CONNECT` of HTTP/2 is refused. A WebSocket of another kind
//! belongs on a route outside, behind an [`AuthenticateLayer`](crate::AuthenticateLayer).
//!
//! # From a file
//!
//! [`ToolRules`] can be deserialized; see there.

mod arguments;
mod claim;
mod config;
mod decide;
mod dispatch;
mod examine;
mod hierarchy;
mod login;
mod methods;
mod pattern;
mod place;
mod rule;
mod rules;
mod table;
mod uri;

pub use dispatch::{Dispatch, ToolCall};
pub use rule::ToolRule;
pub use rules::{ToolRules, Unknown};

pub(crate) use decide::Subject;

#[cfg(test)]
mod tests;
