//! Asking the client for more than its credential has, from inside.

use std::borrow::Cow;
use std::time::Duration;

use crate::rejection::{Reason, Rejection};
use crate::tool::{Subject, ToolRule, ToolRules};

/// What a handler needs of the credential after all: more scopes, or a fresher or stronger login.
///
/// Hand it to [`AuthContext::step_up`](crate::AuthContext::step_up), or put it into the extensions
/// of the response. The layer then answers with the challenge from which clients start a step-up,
/// whatever the response was: 403 with the scopes (MCP), or 401 with `acr_values` and `max_age`
/// (RFC 9470). For a credential that cannot step up, an API token say, it is a 403 without a
/// challenge; for a request that needed no credential and has none, a 401 that asks for one. It works
/// for gRPC too.
///
/// It has to come before the response begins. An event stream begins at once: rmcp answers so while it
/// keeps sessions (its default), before it runs the tool, and the client then gets what the tool says. Put
/// what can be known beforehand into [`ToolRules`], or have rmcp answer with plain JSON:
/// `with_legacy_session_mode(false).with_json_response(true)`.
///
/// Ask only for what is lacking: a step-up to what the credential has already, or to a word that
/// cannot be a scope, is answered with 500 and logged, because the client would come back for ever.
/// [`AuthContext::covers`](crate::AuthContext::covers) tells. For a whole route,
/// [`RequireScopesLayer`](crate::RequireScopesLayer) asks only then.
///
/// ```
/// use std::time::Duration;
/// use tower_mcp_auth::{AuthContext, StepUp};
///
/// fn transfer(auth: &AuthContext, amount: u64) -> Result<(), &'static str> {
///     if amount > 1_000 && !auth.covers(["transfer:large"]) {
///         auth.step_up(StepUp::scopes(["transfer:large"]).max_age(Duration::from_secs(300)));
///         return Err("step up first"); // the client never sees this
///     }
///     Ok(())
/// }
/// # let _ = transfer;
/// ```
#[derive(Clone, Debug)]
pub struct StepUp {
    rule: ToolRule,
    message: Option<Cow<'static, str>>,
}

impl StepUp {
    /// All of these scopes.
    #[must_use]
    pub fn scopes<I>(scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self {
            rule: ToolRule::scopes(scopes),
            message: None,
        }
    }

    /// A login of one of these classes (`acr`), the preferred one first.
    #[must_use]
    pub fn acr_values<I>(values: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            rule: ToolRule::new().acr_values(values),
            message: None,
        }
    }

    /// And a login that is no older than this, in whole seconds.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.rule = self.rule.max_age(age);
        self
    }

    /// What a person reads, in place of the usual sentence.
    #[must_use]
    pub fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Whether the party has all of it; else what it lacks.
    pub(crate) fn check(&self, rules: &ToolRules, subject: &Subject<'_>) -> Result<(), Rejection> {
        rules.demand(&self.rule, subject)
    }

    /// The answer to it. What the credential has already cannot be asked for: the client would come
    /// back with the same, for ever.
    pub(crate) fn refusal(&self, rules: &ToolRules, subject: &Subject<'_>) -> Rejection {
        let Err(rejection) = self.check(rules, subject) else {
            return Rejection::new(Reason::Internal)
                .with_note("a handler asked for a step-up to what the credential has already");
        };
        match &self.message {
            Some(message) if rejection.reason() != Reason::Internal => {
                rejection.with_message(message.clone())
            }
            _ => rejection,
        }
    }
}
