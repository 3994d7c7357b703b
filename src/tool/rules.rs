//! All rules of a server.

use std::collections::BTreeSet;

use super::dispatch::{Dispatch, Dispatcher, ToolCall};
use super::hierarchy::Hierarchy;
use super::rule::ToolRule;
use super::table::{Entry, Table};
use crate::error::Problems;
use crate::scope::ScopeSet;

/// What each tool, prompt, resource and method needs. See the [module](super) for an example and for
/// how patterns work.
///
/// No setter fails. Every mistake is reported, together with all others, when the
/// [`Authenticator`](crate::Authenticator) is built, or by [`check`](Self::check).
///
/// # From a file
///
/// Every member may be left out; an unknown one is an error. Names and patterns are the keys of
/// tables, and a rule is a table, a list of scopes, or `"always_on"`. As TOML:
///
/// ```toml
/// public_methods = ["server/discover"]
/// unknown_tools = "deny"                 # or a rule
/// unknown_methods = "deny"
/// max_body_bytes = 4194304
/// trust_mirrored_headers = false
///
/// [tools]
/// createIssue = ["write:issues"]
/// whoami = "always_on"                   # or { always_on = true }
///
/// [tools."jira_*"]
/// any_of = [["read:jira"], ["read:all"]] # or scopes = ["read:jira"]
/// group = "jira:read"                    # or { product = "jira", intent = "read" }
/// methods = ["oauth2", "api_token"]
/// acr_values = ["phr"]
/// max_age = 900                          # seconds
/// claims = { department = ["finance"] }
/// tenant_argument = "cloudId"
/// tenant_required = false
///
/// [prompts]
/// release-notes = ["read:issues"]
///
/// [resources]
/// "file:///projects/**" = ["read:files"]
///
/// [methods]
/// "logging/setLevel" = ["admin:server"]
///
/// [scope_includes]
/// "admin:issues" = ["write:issues", "read:issues"]
/// ```
///
/// A rule that cannot be one, such as one with a broken scope, is no error of the reader: it is kept
/// and reported with all others. So is a name that a table has twice, where the format allows that.
///
/// ```
/// use tower_mcp_auth::ToolRules;
///
/// let text = r#"{ "tools": { "createIssue": ["write issues"], "x": [], "x": ["read"] } }"#;
/// let rules: ToolRules = serde_json::from_str(text).unwrap();
/// let found = rules.check().unwrap_err();
/// let fields: Vec<_> = found.problems().iter().map(|problem| problem.field.as_str()).collect();
/// assert_eq!(fields, ["tools.createIssue.scopes", "tools.x.scopes", "tools.x"]);
/// ```
#[derive(Clone, Debug)]
pub struct ToolRules {
    pub(super) tools: Table,
    pub(super) prompts: Table,
    pub(super) resources: Table,
    pub(super) methods: Table,
    pub(super) public: BTreeSet<Box<str>>,
    pub(super) unknown_tools: Option<ToolRule>,
    pub(super) unknown_methods: Option<ToolRule>,
    pub(super) hierarchy: Hierarchy,
    pub(super) max_body_bytes: usize,
    pub(super) trusts_headers: bool,
    pub(super) mistakes: Problems,
}

/// What happens to what no rule names.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is a rule or there is none")]
pub enum Unknown {
    /// It is refused.
    Deny,
    /// It has to meet this rule, which must ask for scopes (MCP-9).
    Rule(ToolRule),
}

impl<R: Into<ToolRule>> From<R> for Unknown {
    fn from(rule: R) -> Self {
        Self::Rule(rule.into())
    }
}

impl Default for ToolRules {
    fn default() -> Self {
        Self::new()
    }
}

impl ToolRules {
    const DEFAULT_BODY: usize = 4 * 1024 * 1024;

    /// No rule yet: the protocol's own methods work, and no tool, prompt or resource does.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tools: Table::default(),
            prompts: Table::default(),
            resources: Table::default(),
            methods: Table::default(),
            public: BTreeSet::new(),
            unknown_tools: None,
            unknown_methods: None,
            hierarchy: Hierarchy::default(),
            max_body_bytes: Self::DEFAULT_BODY,
            trusts_headers: false,
            mistakes: Problems::default(),
        }
    }

    /// A tool by its name, or several by a pattern.
    #[must_use]
    pub fn tool(mut self, name: impl AsRef<str>, rule: impl Into<ToolRule>) -> Self {
        self.add(Kind::Tool, name.as_ref(), rule.into(), None);
        self
    }

    /// A prompt, likewise.
    #[must_use]
    pub fn prompt(mut self, name: impl AsRef<str>, rule: impl Into<ToolRule>) -> Self {
        self.add(Kind::Prompt, name.as_ref(), rule.into(), None);
        self
    }

    /// A resource by its URI or the template of its URIs, or several by a pattern: for reading,
    /// subscribing and completing. See the [module](super) for the form of URIs.
    #[must_use]
    pub fn resource(mut self, uri: impl AsRef<str>, rule: impl Into<ToolRule>) -> Self {
        self.add(Kind::Resource, uri.as_ref(), rule.into(), None);
        self
    }

    /// A JSON-RPC method, such as `logging/setLevel`. For methods about a tool, prompt or resource
    /// the rule comes on top of the one about that.
    #[must_use]
    pub fn method(mut self, name: impl AsRef<str>, rule: impl Into<ToolRule>) -> Self {
        self.add(Kind::Method, name.as_ref(), rule.into(), None);
        self
    }

    /// A tool whose name does not say what a call of it does (MCP-10): for each call, `rule_of`
    /// finds the rule by name and arguments. It is listed to everybody; see
    /// [`dispatcher_within`](Self::dispatcher_within).
    ///
    /// The callback runs on the request path: it should look, not ask anybody. If it panics, the
    /// call is refused with 500.
    #[must_use]
    pub fn dispatcher<D: Into<Dispatch>>(
        self,
        name: impl AsRef<str>,
        rule_of: impl Fn(&ToolCall<'_>) -> D + Send + Sync + 'static,
    ) -> Self {
        self.dispatcher_within(name, ToolRule::always_on(), rule_of)
    }

    /// The same with a rule that every call has to meet besides its own, and by which the tool is
    /// listed.
    #[must_use]
    pub fn dispatcher_within<D: Into<Dispatch>>(
        mut self,
        name: impl AsRef<str>,
        every_call: impl Into<ToolRule>,
        rule_of: impl Fn(&ToolCall<'_>) -> D + Send + Sync + 'static,
    ) -> Self {
        let dispatcher = Dispatcher::new(rule_of);
        self.add(
            Kind::Tool,
            name.as_ref(),
            every_call.into(),
            Some(dispatcher),
        );
        self
    }

    /// A method that needs no credential (MCP-15), by its exact name. None is public by itself, not
    /// even `server/discover`.
    #[must_use]
    pub fn public_method(mut self, name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        let of_a_target = super::methods::needs_target(name) || name.starts_with("tasks/");
        let remedy = if of_a_target {
            "calls and reads cannot be public; leave this server without authentication, or use another one for what is public"
        } else if name.trim().is_empty() || name.contains('*') || name.chars().any(char::is_control)
        {
            "write the exact name of a method, e.g. server/discover"
        } else if self.public.insert(name.into()) {
            return self;
        } else {
            "this method is public already"
        };
        self.mistakes.add("public_methods", name, remedy);
        self
    }

    /// A broad scope that stands for narrower ones (SCP-4), over any number of steps. Scopes that
    /// include each other are equal.
    #[must_use]
    pub fn scope_includes<I>(mut self, broad: impl AsRef<str>, narrow: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let broad = broad.as_ref();
        let field = format!("scope_includes.{}", broad.escape_debug());
        let mut any = false;
        for narrow in narrow {
            let narrow = narrow.as_ref();
            any = true;
            let unusable = |scope: &&str| ScopeSet::from_words([scope]).is_none();
            match [broad, narrow].into_iter().find(unusable) {
                Some(word) => self.mistakes.add(
                    field.as_str(),
                    word,
                    "write scopes as whole words of printable ASCII without space, quote or backslash",
                ),
                None => self.hierarchy.add(broad, narrow),
            }
        }
        if !any {
            self.mistakes
                .add(field, "[]", "list the scopes that it includes");
        }
        self.hierarchy.close();
        self
    }

    /// What a tool needs that no rule names. Default: it is refused (MCP-9).
    #[must_use]
    pub fn unknown_tools(mut self, unknown: impl Into<Unknown>) -> Self {
        self.unknown_tools = self.unknown("unknown_tools", unknown.into());
        self
    }

    /// What a method needs that is not of the protocol and that no rule names. Default: it is
    /// refused (MCP-9).
    #[must_use]
    pub fn unknown_methods(mut self, unknown: impl Into<Unknown>) -> Self {
        self.unknown_methods = self.unknown("unknown_methods", unknown.into());
        self
    }

    /// The longest request body that is read to decide, in bytes: 1 KiB to 64 MiB, default 4 MiB. A
    /// longer one is refused with 413.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Decides by `Mcp-Method` and `Mcp-Name` alone, without reading bodies: for gateways that must
    /// not buffer, in front of servers that compare the headers with the body (MCP-3). Whoever can
    /// reach a server that does not compare them calls any tool in the name of another. A request
    /// without a credential for a [`public_method`](Self::public_method) is read all the same. Rules
    /// about arguments cannot be used with it.
    #[must_use]
    pub fn trust_mirrored_headers(mut self) -> Self {
        self.trusts_headers = true;
        self
    }

    pub(crate) fn body_limit(&self) -> usize {
        self.max_body_bytes
    }

    /// Whether anything may be done without a credential.
    pub(crate) fn has_public(&self) -> bool {
        !self.public.is_empty()
    }

    pub(crate) fn trusts_headers(&self) -> bool {
        self.trusts_headers
    }

    pub(super) fn add(
        &mut self,
        kind: Kind,
        name: &str,
        rule: ToolRule,
        dispatcher: Option<Dispatcher>,
    ) {
        let field = format!("{}.{}", kind.field(), name.escape_debug());
        rule.examine(&field, &mut self.mistakes);
        let has_arguments = matches!(kind, Kind::Tool | Kind::Prompt);
        if rule.tenant_argument.is_some() && !has_arguments {
            self.mistakes.add(
                format!("{field}.tenant_argument"),
                "",
                "this has no arguments; use tenant_required",
            );
        }
        let entry = Entry { rule, dispatcher };
        let inserted = match kind {
            Kind::Tool => self.tools.insert(name, entry),
            Kind::Prompt => self.prompts.insert(name, entry),
            Kind::Resource => self.resources.insert_uri(name, entry),
            Kind::Method => self.methods.insert(name, entry),
        };
        if let Err(remedy) = inserted {
            self.mistakes.add(field, name, remedy);
        }
    }

    fn unknown(&mut self, field: &str, unknown: Unknown) -> Option<ToolRule> {
        let Unknown::Rule(rule) = unknown else {
            return None;
        };
        let before = rule.is_sound();
        rule.examine(field, &mut self.mistakes);
        if before && rule.alternatives.is_none() {
            self.mistakes.add(
                field,
                "",
                "ask for at least one scope of what no rule names; a rule about \"**\" can be always on",
            );
        }
        Some(rule)
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Tool,
    Prompt,
    Resource,
    Method,
}

impl Kind {
    fn field(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Prompt => "prompts",
            Self::Resource => "resources",
            Self::Method => "methods",
        }
    }
}
