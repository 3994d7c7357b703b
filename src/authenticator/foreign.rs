//! API tokens of foreign formats: whose one is, and what its maker says about it.

use std::sync::Arc;
use std::time::Duration;

use super::held::Held;
use super::need::{Asked, Need};
use super::tokens::{Guard, LIFETIME, serves};
use crate::api_token::foreign::{DynForeignTokens, ForeignCredential, Mark, Marked, Marker};
use crate::api_token::{ApiTokens, Email, LocalPart, TokenKind};
use crate::cache::{Known, Loader};
use crate::clock::{Clock, UnixTime};
use crate::error::{BackendError, Problems};
use crate::jose::compact::is_token_shaped;
use crate::pulse::Vitals;
use crate::rejection::{Reason, Rejection};
use crate::secret::SecretText;
use crate::telemetry::{Cached, Call, Meter};

/// A format with the name an operator gave it.
#[derive(Clone)]
pub(super) struct Format {
    pub(super) name: Arc<str>,
    pub(super) tokens: DynForeignTokens,
}

/// A good token: its facts, and whose address belongs to it.
struct Verified {
    held: Arc<Held>,
    email: Option<Email>,
}

type Answer = Option<Arc<Verified>>;

/// A credential on its way to whoever knows. It lives as long as the load does.
struct Question {
    format: Format,
    kind: TokenKind,
    text: SecretText,
    email: Option<Email>,
}

impl Question {
    async fn ask(&self) -> Result<Answer, BackendError> {
        let credential = ForeignCredential::new(self.kind, self.text.expose(), self.email.as_ref());
        let answer = self.format.tokens.verify(credential).await;
        let token = answer.map_err(|error| {
            let name = &self.format.name;
            BackendError::with_source(format!("foreign tokens {name:?} cannot be verified"), error)
        })?;
        Ok(token.map(|token| {
            Arc::new(Verified {
                email: token.owner().email().cloned(),
                held: Arc::new(Held::foreign(token, &self.format.name)),
            })
        }))
    }
}

/// Whose a credential is, by its shape.
#[derive(Clone, Copy)]
pub(super) struct Claim<'f> {
    pub(super) format: &'f Format,
    pub(super) kind: TokenKind,
}

/// Several formats claim one credential: an operator's mistake, and nobody is asked.
pub(super) struct Quarrel(pub(super) String);

/// What is needed to judge tokens of foreign formats.
pub(super) struct Foreign {
    formats: Vec<Format>,
    marker: Marker,
    answers: Loader<Mark, Answer, Arc<Question>>,
}

impl Foreign {
    pub(super) fn new(formats: Vec<Format>, marker: Marker, clock: Arc<dyn Clock>) -> Self {
        let load = |_, question: Arc<Question>| async move { question.ask().await };
        Self {
            formats,
            marker,
            answers: Loader::asking(LIFETIME, serves, clock, load),
        }
    }

    /// How the makers of the formats have answered lately, and how long answers serve while they fail.
    pub(super) fn vitals(&self, now: Duration) -> (Vitals, Duration) {
        self.answers.vitals(now)
    }

    pub(super) fn observe(&self, meter: &Meter) {
        let (cache, call) = (Cached::ForeignTokens, Call::VerifyForeign);
        self.answers.observe(meter, cache, Some(call));
    }

    #[cfg(feature = "metrics")]
    pub(super) fn report_entries(&self) {
        self.answers.report_entries();
    }

    pub(super) fn flush(&self) {
        self.answers.invalidate_all();
    }

    /// Which format a credential is of. A signed token is nobody's here (T33): no recogniser ever
    /// sees one.
    pub(super) fn claim(&self, credential: &str) -> Result<Option<Claim<'_>>, Quarrel> {
        if credential.starts_with("eyJ") && is_token_shaped(credential) {
            return Ok(None);
        }
        let mut claims = self.formats.iter().filter_map(|format| {
            let kind = format.tokens.recognise(credential)?;
            Some(Claim { format, kind })
        });
        let first = claims.next();
        let others: Vec<_> = claims.map(|claim| claim.format.name.clone()).collect();
        match first {
            Some(first) if !others.is_empty() => Err(Quarrel(format!(
                "claimed by {} and {}",
                first.format.name,
                others.join(" and ")
            ))),
            first => Ok(first),
        }
    }

    /// A token of a format, presented with the scheme of its kind.
    pub(super) fn token(
        &self,
        claim: Claim<'_>,
        (text, sent): (&str, Option<&str>),
        guard: &Guard,
        asked: Asked<'_>,
    ) -> Result<Arc<Held>, Need> {
        let Claim { format, kind } = claim;
        let address = sent.map(|sent| format.tokens.address(sent));
        let email = address.as_ref().and_then(Option::as_ref);
        let marks = self.marker.mark(Marked {
            format: &format.name,
            kind,
            text,
            email,
        });
        let name = marks.credential.name();
        let name = std::str::from_utf8(&name).unwrap_or_default();
        guard.check(asked.sender, Some(name))?;
        let judged = if address.is_some() && email.is_none() {
            Err("NoAddress")
        } else {
            let question = || Question {
                format: format.clone(),
                kind,
                text: SecretText::new(text),
                email: email.cloned(),
            };
            let answer = self.answer(&marks.presented, question, asked)?;
            judge(answer, email, format.tokens.local_part(), asked.now)
        };
        judged.map_err(|fault| {
            guard.failed(asked, Some(name));
            let note = format!("{}: {fault}", format.name);
            let rejection = Rejection::new(Reason::InvalidApiToken);
            rejection.with_note(note).into()
        })
    }

    fn answer(
        &self,
        mark: &Mark,
        question: impl FnOnce() -> Question,
        asked: Asked<'_>,
    ) -> Result<Answer, Need> {
        let question = || Arc::new(question());
        match self
            .answers
            .ask(mark, question, asked.when(asked.waited.record))
        {
            Known::Value(answer) => Ok(answer),
            Known::Wait(wait) => Err(Need::Record(wait)),
            Known::Unavailable { retry_after, cause } => {
                let reason = Reason::StoreUnavailable;
                Err(Rejection::unavailable(reason, retry_after, cause).into())
            }
        }
    }
}

/// The facts, or what is wrong, for the operator.
fn judge(
    answer: Answer,
    email: Option<&Email>,
    rule: LocalPart,
    now: UnixTime,
) -> Result<Arc<Held>, &'static str> {
    let verified = answer.ok_or("Unknown")?;
    // Asked again here: whoever verifies may have looked at the token only.
    let same = match (&verified.email, email) {
        (Some(known), Some(sent)) => known.matches(sent, rule),
        (known, sent) => known.is_none() && sent.is_none(),
    };
    if !same {
        return Err("WrongEmail");
    }
    if now >= verified.held.principal.expires_at() {
        return Err("Expired");
    }
    Ok(verified.held.clone())
}

/// Checks the names of all formats. `None` if there is no format, or with a problem.
pub(super) fn examine(
    formats: &[Format],
    issued: Option<&ApiTokens>,
    problems: &mut Problems,
) -> Option<Marker> {
    for (index, Format { name, .. }) in formats.iter().enumerate() {
        let field = || format!("foreign_tokens[{index}]");
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            let remedy = "give the format a name, without control characters, e.g. its maker's";
            problems.add(field(), name, remedy);
        }
        if formats.iter().take(index).any(|other| other.name == *name) {
            let remedy = "another format has this name; two makers' ids and people must not mix";
            problems.add(field(), name, remedy);
        }
        if issued.is_some_and(|issued| issued.issuer() == name) {
            let remedy = "the authority of api_tokens(…) has this name; use another, and ForeignToken's authority(…) where the people are the same";
            problems.add(field(), name, remedy);
        }
    }
    if formats.is_empty() {
        return None;
    }
    match Marker::new() {
        Ok(marker) => Some(marker),
        Err(error) => {
            let remedy = "the operating system gives no random bytes, and credentials cannot be told apart without";
            problems.add("foreign_tokens", error, remedy);
            None
        }
    }
}
