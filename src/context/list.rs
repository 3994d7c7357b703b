//! Lists without what their reader may not use.

use serde_json::{Map, Value};

use super::AuthContext;
use crate::operation::Operation;

/// The kinds of lists: the member that holds the items, and the member of an item that names it.
const LISTS: [(&str, &str, Listed); 4] = [
    ("tools", "name", Listed::Tool),
    ("prompts", "name", Listed::Prompt),
    ("resources", "uri", Listed::Resource),
    ("resourceTemplates", "uriTemplate", Listed::Template),
];

/// What a list is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Listed {
    Tool,
    Prompt,
    Resource,
    Template,
}

impl AuthContext {
    /// Filters the result of `tools/list`, `prompts/list`, `resources/list` or
    /// `resources/templates/list` in place, so that the client sees only what it
    /// [`may`](Self::may) use, and marks it `"cacheScope": "private"` (MCP-18). Whether anything was
    /// removed.
    ///
    /// On a server without [tool rules](crate::ToolRules) nothing changes. With them every list is
    /// marked, also one that nothing was removed from: another credential may get another one. An
    /// item that is no object or names nothing is removed, and so is whatever stands in place of the
    /// array. All other members stay as they are, `nextCursor` among them. What only needs a fresher
    /// or stronger login stays, because the client can get one. A template stays if the rules let
    /// its party read the resources that it stands for, as for `completion/complete`.
    ///
    /// Hand it the *result*, not the whole JSON-RPC response, and **every page** of it: each is a
    /// result of its own. A page may come out empty with a `nextCursor`; that is not the end of the
    /// list. A caller who needs no credential ([`ToolRules::public_method`](crate::ToolRules::public_method))
    /// has no `AuthContext`: what they may see is up to you, and the two lists must not be one cache
    /// entry, so mark theirs private too.
    ///
    /// It hides and protects nothing: a hidden tool is refused by its rule, not by the list.
    ///
    /// ```
    /// use serde_json::{Map, Value, json};
    /// use tower_mcp_auth::AuthContext;
    ///
    /// fn list_tools(auth: &AuthContext) -> Map<String, Value> {
    ///     let mut result = Map::new();
    ///     result.insert("tools".into(), json!([{"name": "createIssue"}, {"name": "whoami"}]));
    ///     auth.filter_list(&mut result);
    ///     result
    /// }
    /// # let _ = list_tools;
    /// ```
    pub fn filter_list(&self, result: &mut Map<String, Value>) -> bool {
        if !self.filters() {
            return false;
        }
        let mut removed = false;
        for (member, naming, listed) in LISTS {
            removed |= result
                .get_mut(member)
                .is_some_and(|list| self.filter(list, naming, listed));
        }
        result.insert("cacheScope".into(), "private".into());
        removed
    }

    /// Whether lists depend on the credential.
    pub(crate) fn filters(&self) -> bool {
        self.0.operations.is_some()
    }

    /// Whether a list shows this.
    pub(crate) fn sees(&self, listed: Listed, name: &str) -> bool {
        let method = match listed {
            Listed::Tool => "tools/call",
            Listed::Prompt => "prompts/get",
            Listed::Resource => "resources/read",
            Listed::Template => return self.sees_template(name),
        };
        self.may(Operation::new(method, Some(name)))
    }

    fn sees_template(&self, template: &str) -> bool {
        self.0.operations.as_ref().is_none_or(|operations| {
            let subject = self.subject(&operations.known, self.0.admitted.at);
            operations.rules.visible_template(template, &subject)
        })
    }

    fn filter(&self, list: &mut Value, naming: &str, listed: Listed) -> bool {
        let Value::Array(items) = list else {
            *list = Value::Array(Vec::new());
            return true;
        };
        let before = items.len();
        items.retain(|item| {
            let name = item.get(naming).and_then(Value::as_str);
            name.is_some_and(|name| self.sees(listed, name))
        });
        items.len() < before
    }
}
