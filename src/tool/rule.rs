//! What one tool needs.

use std::time::Duration;

use super::claim::Claim;
use crate::error::Problems;
use crate::method::AuthMethod;
use crate::policy::{Intent, PermissionGroup};
use crate::scope::ScopeSet;

/// What a credential needs for one tool, prompt, resource or method. Every condition counts; each
/// can only take away.
///
/// ```
/// use std::time::Duration;
/// use tower_mcp_auth::AuthMethod;
/// use tower_mcp_auth::policy::Intent;
/// use tower_mcp_auth::tool::{ToolRule, ToolRules};
///
/// let rules = ToolRules::new().tool(
///     "deleteIssue",
///     ToolRule::scopes(["delete:issues", "read:issues"]) // both
///         .or_scopes(["admin:issues"]) // or this one
///         .group("jira", Intent::Delete)
///         .methods([AuthMethod::OAuth])
///         .max_age(Duration::from_secs(900))
///         .claim("department", ["support", "engineering"]) // one of these
///         .tenant_argument("cloudId"),
/// );
/// assert!(rules.check().is_ok());
/// ```
///
/// Anything that lists scopes is a rule that asks for all of them: `["read:issues"]`.
#[derive(Clone, Debug, Default)]
pub struct ToolRule {
    /// `None`: no scope is asked for. Empty: no scopes are enough.
    pub(super) alternatives: Option<Vec<ScopeSet>>,
    pub(super) group: Option<PermissionGroup>,
    pub(super) methods: Option<Vec<AuthMethod>>,
    pub(super) acr_values: Vec<String>,
    /// In seconds.
    pub(super) max_age: Option<u64>,
    pub(super) claims: Vec<Claim>,
    pub(super) tenant_argument: Option<String>,
    pub(super) tenant_required: bool,
    pub(super) always_on: bool,
    mistakes: Vec<Mistake>,
}

/// Found where a setter was called, told where the rule is used.
#[derive(Clone, Debug)]
struct Mistake {
    field: &'static str,
    value: String,
    remedy: &'static str,
}

const SCOPE: &str =
    "write scopes as whole words of printable ASCII without space, quote or backslash, at most 256";
const NO_SCOPES: &str = "list at least one scope; ToolRule::always_on() asks for none";
const AGAIN: &str = "set this once; a second call would undo the first";

impl ToolRule {
    /// No condition yet; add at least one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All of these scopes.
    #[must_use]
    pub fn scopes<I>(scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self::new().or_scopes(scopes)
    }

    /// For every proven credential: no scopes, and outside the permission groups (POL-13), such as
    /// a tool that says who the caller is. Other conditions may be added.
    #[must_use]
    pub fn always_on() -> Self {
        Self {
            always_on: true,
            ..Self::default()
        }
    }

    /// All of these scopes will do as well. The first alternative is what a client is told to ask
    /// for.
    #[must_use]
    pub fn or_scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let words: Vec<I::Item> = scopes.into_iter().collect();
        if words.is_empty() {
            self.mistake("scopes", "[]", NO_SCOPES);
        }
        let alternatives = self.alternatives.get_or_insert_default();
        match ScopeSet::from_words(&words) {
            Some(scopes) if !scopes.is_empty() => alternatives.push(scopes),
            Some(_) => {}
            None => {
                let bad = |word: &&I::Item| ScopeSet::from_words([word.as_ref()]).is_none();
                match words.iter().find(bad) {
                    Some(word) => self.mistake("scopes", word.as_ref(), SCOPE),
                    None => self.mistake("scopes", words.len().to_string(), SCOPE),
                }
            }
        }
        self
    }

    /// The permission group it belongs to: the organization may switch that off (POL-13), and where
    /// the directory lists what a user may do, this must be among it (POL-16).
    #[must_use]
    pub fn group(mut self, product: impl Into<String>, intent: Intent) -> Self {
        let product = product.into();
        if product.trim().is_empty() || product.chars().any(char::is_control) {
            self.mistake(
                "group",
                &product,
                "name a product, without control characters",
            );
        }
        let again = self.group.replace(PermissionGroup::new(product, intent));
        self.once(again.is_some(), "group");
        self
    }

    /// The ways of authenticating that it is for. Default: every one (POL-14).
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = AuthMethod>) -> Self {
        let methods: Vec<AuthMethod> = methods.into_iter().collect();
        if methods.is_empty() {
            self.mistake(
                "methods",
                "[]",
                "list at least one of oauth2, api_token, service_account_key",
            );
        }
        let again = self.methods.replace(methods);
        self.once(again.is_some(), "methods");
        self
    }

    /// The login must be of one of these authentication classes (`acr`), the preferred one first
    /// (RFC 9470 §3). Only a person by OAuth can meet this.
    #[must_use]
    pub fn acr_values<I>(mut self, values: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.once(!self.acr_values.is_empty(), "acr_values");
        self.acr_values = values.into_iter().map(Into::into).collect();
        if self.acr_values.is_empty() {
            self.mistake("acr_values", "[]", "list at least one authentication class");
        }
        // They stand in a list with spaces, in a quoted string.
        let unusable = |value: &&String| ScopeSet::from_words([value]).is_none();
        if let Some(value) = self.acr_values.iter().find(unusable).cloned() {
            self.mistake(
                "acr_values",
                value,
                "write a class as printable ASCII without space, quote or backslash",
            );
        }
        self
    }

    /// The login must not be older than this, in whole seconds, by the token's `auth_time` (RFC 9470
    /// §3). Only a person by OAuth can meet this.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        if age.subsec_nanos() > 0 {
            self.mistake("max_age", format!("{age:?}"), "use whole seconds");
        }
        let again = self.max_age.replace(age.as_secs());
        self.once(again.is_some(), "max_age");
        self
    }

    /// The claim must be one of these strings, or an array that holds one. The claim is named as
    /// those of an [`Issuer`](crate::Issuer) are: by its name, or by a JSON pointer that begins with
    /// `/` (RFC 6901). Several conditions must all be met.
    #[must_use]
    pub fn claim<I>(mut self, claim: impl Into<String>, values: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let claim = Claim::new(claim.into(), values.into_iter().map(Into::into).collect());
        if claim.path().trim_start_matches('/').is_empty() {
            self.mistake(
                "claims",
                claim.path(),
                "name a claim, e.g. \"department\" or \"/org/unit\"",
            );
        }
        if claim.is_impossible() {
            self.mistake(
                "claims",
                claim.path(),
                "list at least one value that the claim may have",
            );
        }
        self.claims.push(claim);
        self
    }

    /// The call names the site it acts on in this argument, a string: a member of the arguments, or
    /// a JSON pointer that begins with `/`. The credential must be allowed there (POL-15). A call
    /// may leave it out only if its credential is bound to a site.
    #[must_use]
    pub fn tenant_argument(mut self, argument: impl Into<String>) -> Self {
        let argument = argument.into();
        if argument.trim_start_matches('/').is_empty() {
            self.mistake(
                "tenant_argument",
                &argument,
                "name an argument, e.g. \"cloudId\"",
            );
        }
        let again = self.tenant_argument.replace(argument);
        self.once(again.is_some(), "tenant_argument");
        self
    }

    /// The credential itself must be bound to a site. API tokens never are.
    #[must_use]
    pub fn tenant_required(mut self) -> Self {
        self.tenant_required = true;
        self
    }

    pub(super) fn mistake(
        &mut self,
        field: &'static str,
        value: impl Into<String>,
        remedy: &'static str,
    ) {
        self.mistakes.push(Mistake {
            field,
            value: value.into(),
            remedy,
        });
    }

    fn once(&mut self, again: bool, field: &'static str) {
        if again {
            self.mistake(field, "", AGAIN);
        }
    }

    /// Conditions that cannot go together, or are none at all.
    fn whole(&self) -> Option<Mistake> {
        let mistake = |field, remedy| {
            Some(Mistake {
                field,
                value: String::new(),
                remedy,
            })
        };
        let anything = self.alternatives.is_some()
            || self.group.is_some()
            || self.methods.is_some()
            || self.asks_login()
            || !self.claims.is_empty()
            || self.tenant_argument.is_some()
            || self.tenant_required;
        if self.always_on && (self.alternatives.is_some() || self.group.is_some()) {
            return mistake(
                "always_on",
                "a rule that is always on has neither scopes nor a group",
            );
        }
        if !self.always_on && !anything && self.mistakes.is_empty() {
            return mistake("scopes", NO_SCOPES);
        }
        None
    }

    pub(super) fn examine(&self, field: &str, problems: &mut Problems) {
        for mistake in self.mistakes.iter().chain(&self.whole()) {
            problems.add(
                format!("{field}.{}", mistake.field),
                &mistake.value,
                mistake.remedy,
            );
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.mistakes.is_empty() && self.whole().is_none()
    }

    /// The scopes a client is told to ask for.
    pub(super) fn first_scopes(&self) -> Option<&ScopeSet> {
        self.alternatives.as_ref()?.first()
    }

    pub(super) fn asks_login(&self) -> bool {
        !self.acr_values.is_empty() || self.max_age.is_some()
    }
}

impl<S: AsRef<str>, const N: usize> From<[S; N]> for ToolRule {
    fn from(scopes: [S; N]) -> Self {
        Self::scopes(scopes)
    }
}

impl<S: AsRef<str>, const N: usize> From<&[S; N]> for ToolRule {
    fn from(scopes: &[S; N]) -> Self {
        Self::scopes(scopes)
    }
}

impl<S: AsRef<str>> From<&[S]> for ToolRule {
    fn from(scopes: &[S]) -> Self {
        Self::scopes(scopes)
    }
}

impl<S: AsRef<str>> From<Vec<S>> for ToolRule {
    fn from(scopes: Vec<S>) -> Self {
        Self::scopes(scopes)
    }
}

impl From<ScopeSet> for ToolRule {
    fn from(scopes: ScopeSet) -> Self {
        Self::scopes(scopes.iter())
    }
}
