//! What an MCP request asks to do: its method, and the tool, prompt or resource it names.

use std::fmt;

/// One MCP operation, borrowed from the request that asks for it.
///
/// ```
/// use tower_mcp_auth::operation::{Operation, Target};
///
/// let call = Operation::new("tools/call", Some("createIssue"));
/// assert_eq!(call.target(), Some(Target::Tool("createIssue")));
/// assert_eq!(call.to_string(), "tools/call createIssue");
/// assert_eq!(Operation::new("tools/list", None).target(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation<'a> {
    method: &'a str,
    target: Option<Target<'a>>,
}

/// What an operation acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target<'a> {
    /// A tool, by its name.
    Tool(&'a str),
    /// A prompt, by its name.
    Prompt(&'a str),
    /// A resource, by its URI.
    Resource(&'a str),
    /// A task of this server, by its id (MCP-8): no name that a rule could be about.
    Task(&'a str),
}

impl<'a> Operation<'a> {
    /// The operation of this method on what it names: the `name`, `uri` or `taskId` among its
    /// parameters, the same that `Mcp-Name` repeats. A name means nothing for other methods and is
    /// left out.
    #[must_use]
    pub fn new(method: &'a str, name: Option<&'a str>) -> Self {
        let target = name.and_then(|name| {
            Some(match method {
                "tools/call" => Target::Tool(name),
                "prompts/get" => Target::Prompt(name),
                "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                    Target::Resource(name)
                }
                "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => {
                    Target::Task(name)
                }
                _ => return None,
            })
        });
        Self { method, target }
    }

    /// An operation whose target does not follow from its method, such as `completion/complete`
    /// about a prompt.
    #[must_use]
    pub fn on(method: &'a str, target: Target<'a>) -> Self {
        Self {
            method,
            target: Some(target),
        }
    }

    /// The JSON-RPC method, such as `tools/call`. Case-sensitive (MCP-5).
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// What it acts on, if it names something.
    #[must_use]
    pub fn target(&self) -> Option<Target<'a>> {
        self.target
    }
}

impl<'a> Target<'a> {
    /// The name, URI or id.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match *self {
            Self::Tool(name) | Self::Prompt(name) | Self::Resource(name) | Self::Task(name) => name,
        }
    }
}

impl fmt::Display for Operation<'_> {
    /// The method and the name, with whatever is not printable ASCII left to the caller to escape.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method)?;
        match &self.target {
            Some(target) => write!(f, " {}", target.name()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcp_08_a_task_id_is_not_a_tool_name() {
        let asked = Operation::new("tasks/cancel", Some("createIssue"));
        assert_eq!(asked.target(), Some(Target::Task("createIssue")));
    }

    #[test]
    fn mcp_05_methods_are_case_sensitive() {
        assert_eq!(Operation::new("TOOLS/CALL", Some("x")).target(), None);
    }
}
