//! Rules about tools, as `ToolRules` reads them from any file.

use serde_json::Value;

use crate::config::kinds::{Either, List, Named, Read, Text, Whole, words};
use crate::config::read::{Path, Reader, Setting, table};
use crate::config::shape::Shape;
use crate::tool::ToolRules;

/// The rules, without a mistake.
pub(in crate::config) struct Tools(pub(in crate::config) ToolRules);

impl Setting for Tools {
    fn shape() -> Shape {
        ToolTable::shape()
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let rules = Read::<ToolTable, ToolRules>::read(value, at, reader)?.value;
        match rules.check() {
            Ok(()) => Some(Self(rules)),
            Err(error) => {
                reader.adopt(&error, |problem| {
                    (format!("{at}.{}", problem.field), problem.remedy.clone())
                });
                None
            }
        }
    }
}

table! {
    /// Names may be patterns: `*` within a name, `**` across `/` in URIs.
    struct ToolTable {
        /// What tools need: for each name a list of scopes, `"always_on"`, or a table.
        tools: Named<Rule>,
        /// What prompts need.
        prompts: Named<Rule>,
        /// What resources need, by URI.
        resources: Named<Rule>,
        /// What methods of the protocol need.
        methods: Named<Rule>,
        /// Scopes that include others: `"admin:issues" = ["write:issues", "read:issues"]`.
        scope_includes: Named<List<Text>>,
        /// Methods that need no credential.
        public_methods: List<Text>,
        /// What a tool needs that no rule names: `"deny"`, or a rule.
        unknown_tools: Option<Unknown> = "deny",
        /// What a method needs that is not of the protocol and that no rule names: `"deny"`, or a rule.
        unknown_methods: Option<Unknown> = "deny",
        /// The longest request body that is read to decide, in bytes.
        max_body_bytes: Option<Whole<1024, 67_108_864>> = 4_194_304,
        /// Decides by `Mcp-Method` and `Mcp-Name` alone, without reading bodies: for gateways in front of servers that
        /// compare the headers with the body. Whoever can reach a server that does not compare them calls any tool in
        /// the name of another.
        trust_mirrored_headers: bool,
    }
}

table! {
    /// A rule: every member that is there has to be met.
    struct RuleTable {
        /// All of these scopes.
        scopes: Option<List<Text>>,
        /// All scopes of one of these lists, in place of `scopes`.
        any_of: Option<List<List<Text>>>,
        /// The permission group it belongs to, `"product:intent"` or a table; intents are `read`, `write`, `search`,
        /// `delete` and `manage`.
        group: Option<Either<Text, GroupTable>>,
        /// The kinds of credential it takes: `oauth2`, `api_token`, `service_account_key`.
        methods: Option<List<Text>>,
        /// One of these levels of authentication (`acr`).
        acr_values: Option<List<Text>>,
        /// How long ago the login may have been, in seconds.
        max_age: Option<Whole<0, 31_622_400>>,
        /// Claims that need one of these values: `{ department = ["finance"] }`.
        claims: Named<List<Text>>,
        /// The argument of the tool that names the site it acts on, as a path.
        tenant_argument: Option<Text>,
        /// Needs a credential that is bound to a site.
        tenant_required: bool,
        /// Needs nothing but a credential.
        always_on: bool,
    }
}

table! {
    /// A permission group.
    struct GroupTable {
        /// The product, as policies spell it.
        product: Text,
        /// What the tool does to it.
        intent: Intent,
    }
}

words! {
    /// What a tool does to a product's data.
    enum Intent { Read = "read", Write = "write", Search = "search", Delete = "delete", Manage = "manage" }
}

words! {
    /// A rule that asks for nothing.
    enum AlwaysOn { AlwaysOn = "always_on" }
}

words! {
    /// What is refused, or asks for nothing.
    enum UnknownWord { Deny = "deny", AlwaysOn = "always_on" }
}

type Rule = Either<AlwaysOn, Either<List<Text>, RuleTable>>;
type Unknown = Either<UnknownWord, Either<List<Text>, RuleTable>>;
