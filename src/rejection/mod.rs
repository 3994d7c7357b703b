//! A refusal as a value: what happened, and what the client may know of it.

mod answer;
mod login;
mod page;
mod prepared;
mod reason;
mod table;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use crate::error::BackendError;
use crate::ident::OrganizationId;
use crate::method::AuthMethod;
use crate::principal::Principal;
use crate::scope::ScopeSet;

pub(crate) use answer::{Answer, ChallengeKind, GrpcCode};
pub use login::Login;
pub(crate) use prepared::{Prepared, PreparedAnswers};
pub use reason::Reason;

/// A refused request. Also put into the extensions of the answer, so that an outer layer can
/// render its own body with `map_response`.
#[derive(Clone, Debug)]
pub struct Rejection {
    reason: Reason,
    forbidden: bool,
    message: Option<Cow<'static, str>>,
    note: Option<Cow<'static, str>>,
    more: Option<Arc<More>>,
}

/// What most refusals have nothing of.
#[derive(Clone, Debug, Default)]
struct More {
    required: ScopeSet,
    missing: ScopeSet,
    challenge_scopes: ScopeSet,
    login: Option<Login>,
    retry_after: Option<Duration>,
    cause: Option<Arc<BackendError>>,
    proven: Option<Arc<(Principal, OrganizationId, AuthMethod)>>,
    details: Map<String, Value>,
    message_id: Option<Box<str>>,
    /// The same for every request that is refused for this reason, message included.
    standing: bool,
    dpop_nonce: Option<HeaderValue>,
}

static NOTHING: LazyLock<More> = LazyLock::new(More::default);

impl Rejection {
    pub(crate) fn new(reason: Reason) -> Self {
        Self {
            reason,
            forbidden: false,
            message: None,
            note: None,
            more: None,
        }
    }

    fn more(&self) -> &More {
        self.more.as_deref().unwrap_or(&NOTHING)
    }

    fn more_mut(&mut self) -> &mut More {
        let more = Arc::make_mut(self.more.get_or_insert_default());
        more.standing = false;
        more
    }

    /// Says that a server refuses every request with this reason by a clone of this, until it is
    /// changed: such an answer is made once.
    pub(crate) fn standing(mut self) -> Self {
        self.more_mut().standing = true;
        self
    }

    /// A detail for the operator, such as the name of the claim. Never a claim's value.
    pub(crate) fn with_note(mut self, note: impl Into<Cow<'static, str>>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Replaces the table's message for the client.
    pub(crate) fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(message.into());
        if self.more().standing {
            self.more_mut();
        }
        self
    }

    /// Something of ours did not answer, so nobody can say whether the credential is good.
    pub(crate) fn unavailable(
        reason: Reason,
        retry_after: Duration,
        cause: Option<Arc<BackendError>>,
    ) -> Self {
        let rejection = Self::new(reason).with_retry_after(retry_after);
        match cause {
            Some(cause) => rejection.with_cause(cause),
            None => rejection,
        }
    }

    pub(crate) fn with_cause(mut self, cause: Arc<BackendError>) -> Self {
        self.more_mut().cause = Some(cause);
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Self {
        self.more_mut().retry_after = Some(wait);
        self
    }

    /// A further member of the body: which rule, whom to ask.
    pub(crate) fn with_detail(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.more_mut()
            .details
            .insert(member.to_owned(), value.into());
        self
    }

    /// The JSON text of the id of the JSON-RPC message that is refused, to be repeated in the answer.
    pub(crate) fn with_message_id(mut self, id: &str) -> Self {
        self.more_mut().message_id = Some(id.into());
        self
    }

    /// The nonce that the next proof has to contain (RFC 9449 §9).
    #[cfg(feature = "dpop")]
    pub(crate) fn with_dpop_nonce(mut self, nonce: HeaderValue) -> Self {
        self.more_mut().dpop_nonce = Some(nonce);
        self
    }

    pub(crate) fn dpop_nonce(&self) -> Option<&HeaderValue> {
        self.more().dpop_nonce.as_ref()
    }

    pub(crate) fn message_id(&self) -> Option<&str> {
        self.more().message_id.as_deref()
    }

    /// 403 without a challenge instead of 401 (POL-2): for operators whose clients should not start
    /// a login.
    pub(crate) fn forbidding(mut self) -> Self {
        self.forbidden = true;
        self
    }

    /// Refused after proof: whose request it was, for the audit record.
    pub(crate) fn about(
        mut self,
        principal: Principal,
        organization: OrganizationId,
        method: AuthMethod,
    ) -> Self {
        self.more_mut().proven = Some(Arc::new((principal, organization, method)));
        self
    }

    pub(crate) fn proven(&self) -> Option<&(Principal, OrganizationId, AuthMethod)> {
        self.more().proven.as_deref()
    }

    /// Whether a client hears nothing that belongs to this request, and which of two answers: that of
    /// the reason alone, or the standing one of this server.
    fn general(&self) -> Option<bool> {
        match &self.more {
            _ if self.forbidden => None,
            None => self.message.is_none().then_some(false),
            Some(more) => more.standing.then_some(true),
        }
    }

    /// This refusal's row of the table.
    pub(crate) fn answer(&self) -> Answer {
        let answer = self.reason.answer();
        if !self.forbidden {
            return answer;
        }
        Answer {
            status: StatusCode::FORBIDDEN,
            challenge: ChallengeKind::None,
            grpc: GrpcCode::PermissionDenied,
            ..answer
        }
    }

    /// The token has `granted`, the request needs `required`.
    pub(crate) fn insufficient_scope(
        reason: Reason,
        granted: &ScopeSet,
        required: &ScopeSet,
    ) -> Self {
        let missing = granted.missing(required);
        // A login brings an access token with more; an API token keeps what it was issued with.
        let (credential, remedy) = match reason {
            Reason::InsufficientScope => ("access token", ""),
            _ => ("API token", "; make a new one that has it"),
        };
        Self {
            message: Some(
                format!("This request needs {required}; the {credential} lacks {missing}{remedy}")
                    .into(),
            ),
            more: Some(Arc::new(More {
                required: required.clone(),
                missing,
                ..More::default()
            })),
            ..Self::new(reason)
        }
    }

    /// The login is not `login`, which the operation asks for (STEP-1).
    pub(crate) fn login_too_weak(login: Login) -> Self {
        let mut rejection = Self::new(Reason::LoginTooWeak);
        if !login.acr_values.is_empty() {
            rejection = rejection.with_detail("acr_values", login.acr_values.clone());
        }
        if let Some(seconds) = login.max_age {
            rejection = rejection.with_detail("max_age", seconds);
        }
        rejection.more_mut().login = Some(login);
        rejection
    }

    /// The scopes are short as well.
    pub(crate) fn with_scopes(mut self, granted: &ScopeSet, required: &ScopeSet) -> Self {
        let more = self.more_mut();
        more.required = required.clone();
        more.missing = granted.missing(required);
        self
    }

    /// What the challenge asks for, where that is more than what is required.
    pub(crate) fn with_challenge_scopes(mut self, scopes: ScopeSet) -> Self {
        self.more_mut().challenge_scopes = scopes;
        self
    }

    /// The scopes a client should ask for: those required, and those it has and would lose by asking
    /// for these alone.
    pub(crate) fn challenge_scopes(&self) -> &ScopeSet {
        let more = self.more();
        if more.challenge_scopes.is_empty() {
            &more.required
        } else {
            &more.challenge_scopes
        }
    }

    /// Why, precisely.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What the client is told.
    #[must_use]
    pub fn message(&self) -> &str {
        match &self.message {
            Some(message) => message,
            None => self.reason.answer().message,
        }
    }

    /// A detail for the operator's log, such as the name of the claim. Not for clients.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.answer().status
    }

    /// Further members of the body, such as `help_url`, `rule` or `allowed_methods`.
    #[must_use]
    pub fn details(&self) -> &Map<String, Value> {
        &self.more().details
    }

    /// All scopes the request needs; empty unless the refusal is about scopes.
    #[must_use]
    pub fn required_scopes(&self) -> &ScopeSet {
        &self.more().required
    }

    /// Those of them the token lacks.
    #[must_use]
    pub fn missing_scopes(&self) -> &ScopeSet {
        &self.more().missing
    }

    /// The login the operation asks for, if the refusal is about that.
    #[must_use]
    pub fn required_login(&self) -> Option<&Login> {
        self.more().login.as_ref()
    }

    /// When trying again makes sense, for 503 answers.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.more().retry_after
    }

    /// The failure of ours behind a 503, for the operator's log.
    #[must_use]
    pub fn cause(&self) -> Option<&BackendError> {
        self.more().cause.as_deref()
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.code())?;
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.more()
            .cause
            .as_deref()
            .map(|cause| -> &(dyn std::error::Error + 'static) { cause })
    }
}
