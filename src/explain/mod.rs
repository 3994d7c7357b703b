//! What would become of a request, and why: for operators, and whoever helps people to connect.
//!
//! ```
//! # use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource, explain::Verdict};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let auth = Authenticator::builder(
//! #     ProtectedResource::new("https://mcp.example.com/mcp")
//! #         .issuer(Issuer::new("https://auth.example.com/t1")),
//! # )
//! # .build()?;
//! let request = http::Request::post("/mcp").header("origin", "https://evil.test").body(())?;
//! let (parts, ()) = request.into_parts();
//! let explanation = auth.explain(&parts).await;
//! assert_eq!(explanation.verdict, Verdict::Refused);
//! assert_eq!(explanation.status, Some(403));
//! println!("{explanation}"); // or serde_json::to_string(&explanation)
//! # Ok(())
//! # }
//! ```
//!
//! # It cannot contradict the decision
//!
//! There is no second opinion: the functions that decide about a request decide here too, in the same
//! order, and say where they are. Verdict, reason and status are theirs. Only two things are not known
//! without being done: whether a [`ReplayStore`](crate::authenticator::AuthenticatorBuilder) of yours has a
//! DPoP proof already (that of this process is looked at), and what the request's message asks for
//! ([`explain`](crate::Authenticator::explain) has no message,
//! [`explain_message`](crate::Authenticator::explain_message) has). What stands around the layer, and what
//! the handler says, is not part of it.
//!
//! # It leaves nothing behind
//!
//! No failure is counted, no `last_used` written, no proof used up, no credential remembered, no record of
//! a request written. What a request may wait for is waited for: keys, records, policies, user facts and
//! introspection are fetched where they are not at hand, and kept.
//!
//! # Who may see it
//!
//! It says more than a client hears, such as whether an API token exists: show it to operators alone. With an
//! audit sink every explanation is on record as
//! [`auth.explained`](crate::audit::AuditEvent::AuthExplained). No credential, proof or session id of the
//! request is repeated, not even twelve characters of one (the id of an API token is shown: it is public), no
//! digest of them, and no email but what a credential's own claims say. Text of strangers is bounded and shows
//! what acts as `\u{1b}`.

mod guard;
mod steps;

use std::fmt;

use http::request::Parts;
use serde::{Serialize, Serializer};

use crate::authenticator::{Authenticator, Head};
use crate::middleware::auth::{Foreseen, foresee};
use crate::rejection::{Reason, Rejection};
use crate::stage::Track;
use guard::Guard;

/// What would become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It would reach the server, as its party or, for a public operation, as nobody.
    LetIn,
    /// It would be refused.
    Refused,
    /// The layer itself would answer: the metadata, or a CORS preflight.
    Answered,
    /// Its credential is good, or absent where some operations are public: its message decides, which was
    /// not given.
    DependsOnMessage,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepResult {
    /// Nothing stood in the way.
    Passed,
    /// This step decided, against the request.
    Failed,
    /// It was decided before.
    NotReached,
    /// A fact, neither good nor bad.
    Fact,
}

/// A step on the way of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// Its name: `edge`, `credential`, `api_token`, `introspection`, `form`, `issuer`, `type`, `claims`,
    /// `signature`, `organization`, `party`, `binding`, `revocation`, `policy`, `network`, `scopes`,
    /// `directory`, `proof`, `session` or `operation`. More may come.
    pub name: &'static str,
    /// How it ended.
    pub result: StepResult,
    /// What was looked at, for people.
    pub text: String,
}

/// What would become of a request, step by step.
///
/// `Display` is a table for people; as JSON it is one object without the members that are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The end of it.
    pub verdict: Verdict,
    /// The HTTP status of the answer, where the layer answers. gRPC has 200 and its own status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it would be refused.
    #[serde(serialize_with = "as_code", skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The name of the step that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<&'static str>,
    /// The rule of the organization's policy, or of the tool rules, that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What the client is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What only the log has, such as the name of a claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The failure of ours behind a 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What the reason means ([`Reason::means`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<&'static str>,
    /// Who can do something about it ([`Reason::who_can_fix_it`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who_can_fix_it: Option<&'static str>,
    /// The way of the request.
    pub steps: Vec<Step>,
}

impl Authenticator {
    /// What [`McpAuthLayer`](crate::McpAuthLayer) would do with this request, and why, with nothing of it
    /// done ([what that means](crate::explain)). Address and client certificate are read off the
    /// extensions, as of a request.
    ///
    /// On a server with [tool rules](crate::ToolRules) the message may decide:
    /// [`explain_message`](Self::explain_message).
    ///
    /// Needs a Tokio runtime, as requests do.
    pub async fn explain(&self, parts: &Parts) -> Explanation {
        self.explained(parts, None).await
    }

    /// The same of a request with this body.
    pub async fn explain_message(&self, parts: &Parts, message: &[u8]) -> Explanation {
        self.explained(parts, Some(message)).await
    }

    async fn explained(&self, parts: &Parts, message: Option<&[u8]>) -> Explanation {
        let head = Head {
            method: &parts.method,
            path: parts.uri.path(),
            headers: &parts.headers,
            extensions: &parts.extensions,
        };
        // One snapshot for all of it, as a request has.
        let auth = self.latest();
        let arrival = auth.arrival(head);
        let track = Track::default();
        let foreseen = foresee(&auth, parts, message, &track).await;
        auth.tell(head, arrival, &track);
        let decision = match &foreseen {
            Foreseen::Answered(_) => Ok(None),
            Foreseen::Refused(rejection, _) => Err(&**rejection),
            Foreseen::LetIn(context) => Ok(context.as_ref()),
            Foreseen::Unread(Ok(context)) => Ok(Some(context)),
            Foreseen::Unread(Err(due)) => Err(&**due),
        };
        auth.audit_explained(head, decision, arrival);
        let guard = Guard::new(&auth.secrets(head));
        Explanation::new(&foreseen, &track, &guard)
    }
}

impl Explanation {
    fn new(foreseen: &Foreseen, track: &Track, guard: &Guard) -> Self {
        let steps = steps::of(foreseen, &track.reached(), guard);
        let verdict = match foreseen {
            Foreseen::Answered(_) => Verdict::Answered,
            Foreseen::Refused(..) => Verdict::Refused,
            Foreseen::LetIn(_) => Verdict::LetIn,
            Foreseen::Unread(_) => Verdict::DependsOnMessage,
        };
        let failed = steps.iter().find(|step| step.result == StepResult::Failed);
        let explanation = Self {
            verdict,
            status: None,
            reason: None,
            decided_by: failed.map(|step| step.name),
            rule: None,
            message: None,
            note: None,
            cause: None,
            means: None,
            who_can_fix_it: None,
            steps,
        };
        match foreseen {
            Foreseen::Answered(status) => Self {
                status: Some(status.as_u16()),
                ..explanation
            },
            Foreseen::Refused(rejection, status) => Self {
                status: Some(status.as_u16()),
                ..explanation.refused(rejection, guard)
            },
            Foreseen::LetIn(_) | Foreseen::Unread(_) => explanation,
        }
    }

    fn refused(self, rejection: &Rejection, guard: &Guard) -> Self {
        let reason = rejection.reason();
        let rule = rejection.details().get("rule");
        let rule = rule.and_then(serde_json::Value::as_str);
        Self {
            reason: Some(reason),
            rule: rule.map(|rule| guard.clean(rule)),
            message: Some(guard.clean(rejection.message())),
            note: rejection.note().map(|note| guard.clean(note)),
            cause: rejection.cause().map(|cause| guard.clean(&cause.report())),
            means: Some(reason.means()),
            who_can_fix_it: Some(reason.who_can_fix_it()),
            ..self
        }
    }
}

impl StepResult {
    const fn word(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed => "no",
            Self::NotReached => "-",
            Self::Fact => "",
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.steps.iter().map(|step| step.name.len());
        let width = width.max().unwrap_or_default();
        for step in &self.steps {
            let (word, name) = (step.result.word(), step.name);
            writeln!(f, "{word:2}  {name:<width$}  {}", step.text)?;
        }
        let details = [
            ("rule", self.rule.as_deref()),
            ("means", self.means),
            ("who can fix it", self.who_can_fix_it),
            ("the client is told", self.message.as_deref()),
            ("cause", self.cause.as_deref()),
        ];
        for (name, text) in details {
            if let Some(text) = text {
                writeln!(f, "    {name}: {text}")?;
            }
        }
        f.write_str("VERDICT: ")?;
        match self.verdict {
            Verdict::LetIn => f.write_str("let in")?,
            Verdict::Refused => f.write_str("refused")?,
            Verdict::Answered => f.write_str("answered by the layer itself")?,
            Verdict::DependsOnMessage => f.write_str("its message decides")?,
        }
        if let Some(status) = self.status {
            write!(f, ", {status}")?;
        }
        if let Some(reason) = self.reason {
            write!(f, " {}", reason.code())?;
        }
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn as_code<S: Serializer>(reason: &Option<Reason>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(Reason::code).serialize(serializer)
}
