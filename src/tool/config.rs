//! Rules from a file. What can be read is read; what is wrong with it is reported with the rest.

mod group;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use self::group::GroupText;
use super::rules::Kind;
use super::{ToolRule, ToolRules, Unknown};
use crate::method::AuthMethod;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tools: Pairs<RuleText>,
    prompts: Pairs<RuleText>,
    resources: Pairs<RuleText>,
    methods: Pairs<RuleText>,
    scope_includes: Pairs<Vec<String>>,
    public_methods: Vec<String>,
    unknown_tools: RuleText,
    unknown_methods: RuleText,
    max_body_bytes: Option<usize>,
    trust_mirrored_headers: bool,
}

impl Default for File {
    fn default() -> Self {
        let deny = || RuleText::Word("deny".to_owned());
        Self {
            tools: Pairs::default(),
            prompts: Pairs::default(),
            resources: Pairs::default(),
            methods: Pairs::default(),
            scope_includes: Pairs::default(),
            public_methods: Vec::new(),
            unknown_tools: deny(),
            unknown_methods: deny(),
            max_body_bytes: None,
            trust_mirrored_headers: false,
        }
    }
}

impl<'de> Deserialize<'de> for ToolRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        // By name only: a list would fill the members in their order.
        impl<'de> Visitor<'de> for Reader {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of tool rules")
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<File, A::Error> {
                File::deserialize(MapAccessDeserializer::new(table))
            }
        }

        deserializer.deserialize_map(Reader).map(File::into_rules)
    }
}

impl File {
    fn into_rules(self) -> ToolRules {
        let mut rules = ToolRules::new();
        let tables = [
            (Kind::Tool, self.tools),
            (Kind::Prompt, self.prompts),
            (Kind::Resource, self.resources),
            (Kind::Method, self.methods),
        ];
        for (kind, table) in tables {
            for (name, rule) in table.0 {
                rules.add(kind, &name, rule.into_rule(), None);
            }
        }
        let mut named: Vec<String> = Vec::new();
        for (broad, narrow) in self.scope_includes.0 {
            if named.contains(&broad) {
                rules.mistakes.add(
                    format!("scope_includes.{}", broad.escape_debug()),
                    &broad,
                    "this scope is here twice; write one list",
                );
            }
            rules = rules.scope_includes(&broad, narrow);
            named.push(broad);
        }
        for method in self.public_methods {
            rules = rules.public_method(method);
        }
        rules = rules.unknown_tools(self.unknown_tools.into_unknown());
        rules = rules.unknown_methods(self.unknown_methods.into_unknown());
        if let Some(bytes) = self.max_body_bytes {
            rules = rules.max_body_bytes(bytes);
        }
        if self.trust_mirrored_headers {
            rules = rules.trust_mirrored_headers();
        }
        rules
    }
}

/// A table as it is written: in order, and with names that come twice.
struct Pairs<T>(Vec<(String, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Pairs<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = table.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Reader(PhantomData))
    }
}

/// A rule as it is written: a table, a list of scopes, or a word.
enum RuleText {
    Table(Box<RuleTable>),
    Scopes(Vec<String>),
    Word(String),
}

impl<'de> Deserialize<'de> for RuleText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RuleText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule: a table, a list of scopes, or a word")
            }

            fn visit_str<E>(self, word: &str) -> Result<RuleText, E> {
                Ok(RuleText::Word(word.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, scopes: A) -> Result<RuleText, A::Error> {
                let scopes = SeqAccessDeserializer::new(scopes);
                Deserialize::deserialize(scopes).map(RuleText::Scopes)
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<RuleText, A::Error> {
                let table = MapAccessDeserializer::new(table);
                Deserialize::deserialize(table).map(RuleText::Table)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl RuleText {
    fn into_rule(self) -> ToolRule {
        match self {
            Self::Table(table) => table.into_rule(),
            Self::Scopes(scopes) => scopes.into(),
            Self::Word(word) if word == "always_on" => ToolRule::always_on(),
            Self::Word(word) => {
                let mut rule = ToolRule::new();
                let remedy = "write a table, a list of scopes, or \"always_on\"";
                rule.mistake("rule", word, remedy);
                rule
            }
        }
    }

    fn into_unknown(self) -> Unknown {
        match self {
            Self::Word(word) if word == "deny" => Unknown::Deny,
            rule => Unknown::Rule(rule.into_rule()),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RuleTable {
    scopes: Option<Vec<String>>,
    any_of: Option<Vec<Vec<String>>>,
    group: Option<GroupText>,
    methods: Option<Vec<String>>,
    acr_values: Option<Vec<String>>,
    max_age: Option<u64>,
    claims: Pairs<Vec<String>>,
    tenant_argument: Option<String>,
    tenant_required: bool,
    always_on: bool,
}

impl RuleTable {
    fn into_rule(mut self) -> ToolRule {
        let mut rule = self.with_scopes();
        if let Some(group) = self.group {
            rule = group.add_to(rule);
        }
        if let Some(methods) = self.methods {
            rule = with_methods(rule, methods);
        }
        if let Some(values) = self.acr_values {
            rule = rule.acr_values(values);
        }
        if let Some(seconds) = self.max_age {
            rule = rule.max_age(Duration::from_secs(seconds));
        }
        for (claim, values) in self.claims.0 {
            rule = rule.claim(claim, values);
        }
        if let Some(argument) = self.tenant_argument {
            rule = rule.tenant_argument(argument);
        }
        if self.tenant_required {
            rule = rule.tenant_required();
        }
        rule
    }

    /// A rule with the scopes, which are taken out of the table.
    fn with_scopes(&mut self) -> ToolRule {
        let mut rule = if self.always_on {
            ToolRule::always_on()
        } else {
            ToolRule::new()
        };
        let (scopes, any_of) = (self.scopes.take(), self.any_of.take());
        if scopes.is_some() && any_of.is_some() {
            let remedy = "write all alternatives here, and no scopes beside it";
            rule.mistake("any_of", "", remedy);
        }
        if any_of.as_ref().is_some_and(Vec::is_empty) {
            let remedy = "list at least one alternative, e.g. [[\"read:issues\"]]";
            rule.mistake("any_of", "[]", remedy);
        }
        for scopes in scopes.into_iter().chain(any_of.into_iter().flatten()) {
            rule = rule.or_scopes(scopes);
        }
        rule
    }
}

fn with_methods(mut rule: ToolRule, names: Vec<String>) -> ToolRule {
    let mut methods = Vec::new();
    for name in names {
        match AuthMethod::ALL.into_iter().find(|one| one.name() == name) {
            Some(method) => methods.push(method),
            None => rule.mistake(
                "methods",
                name,
                "write oauth2, api_token or service_account_key",
            ),
        }
    }
    rule.methods(methods)
}
