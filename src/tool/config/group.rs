//! A permission group as a file writes it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::policy::Intent;
use crate::tool::ToolRule;

/// `"jira:read"`, as groups are shown, or a table.
pub(super) enum GroupText {
    Shown(String),
    Table { product: String, intent: String },
}

impl<'de> Deserialize<'de> for GroupText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            product: String,
            intent: String,
        }

        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = GroupText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a permission group, e.g. \"jira:read\"")
            }

            fn visit_str<E>(self, shown: &str) -> Result<GroupText, E> {
                Ok(GroupText::Shown(shown.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<GroupText, A::Error> {
                let Table { product, intent } =
                    Deserialize::deserialize(MapAccessDeserializer::new(table))?;
                Ok(GroupText::Table { product, intent })
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl GroupText {
    pub(super) fn add_to(self, mut rule: ToolRule) -> ToolRule {
        let (product, intent) = match &self {
            Self::Shown(shown) => shown.rsplit_once(':').unwrap_or((shown, "")),
            Self::Table { product, intent } => (product.as_str(), intent.as_str()),
        };
        if let Some(intent) = Intent::ALL.into_iter().find(|one| one.name() == intent) {
            return rule.group(product, intent);
        }
        let remedy =
            "name a product and one of read, write, search, delete, manage, e.g. \"jira:read\"";
        rule.mistake("group", format!("{product}:{intent}"), remedy);
        rule
    }
}
