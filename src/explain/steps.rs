//! From what a decision told to steps that people read.

use super::guard::Guard;
use super::{Step, StepResult};
use crate::context::AuthContext;
use crate::ident::OrganizationId;
use crate::method::AuthMethod;
use crate::middleware::auth::Foreseen;
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};
use crate::stage::{Reached, Stage};

/// The steps that every request has before it, whatever its credential.
const COMMON: [Stage; 10] = [
    Stage::Edge,
    Stage::Credential,
    Stage::Binding,
    Stage::Revocation,
    Stage::Policy,
    Stage::Network,
    Stage::Scopes,
    Stage::Directory,
    Stage::Session,
    Stage::Operation,
];

pub(super) fn of(foreseen: &Foreseen, reached: &[Reached], guard: &Guard) -> Vec<Step> {
    let end = End::of(foreseen);
    // That a credential is missing is said late: some operations need none.
    let missing = |step: &Reached| step.stage == Stage::Credential && end.is_missing();
    let last = reached.iter().position(missing);
    let reached = last
        .and_then(|last| reached.get(..=last))
        .unwrap_or(reached);
    let mut steps = Vec::new();
    for (at, step) in reached.iter().enumerate() {
        if step.stage == Stage::Binding {
            steps.extend(end.party(guard));
        }
        let is_last = at + 1 == reached.len();
        steps.push(end.step(step, is_last, guard));
    }
    let farthest = reached.last().map(|step| step.stage);
    let answered = matches!(foreseen, Foreseen::Answered(_));
    let later = COMMON.iter().filter(|stage| Some(**stage) > farthest);
    if !answered {
        steps.extend(later.map(|stage| Step {
            name: name(*stage),
            result: StepResult::NotReached,
            text: "decided before".to_owned(),
        }));
    }
    steps
}

/// What is known at the end.
struct End<'f> {
    foreseen: &'f Foreseen,
    /// The refusal, if it is one, or would be without a public operation.
    rejection: Option<&'f Rejection>,
    party: Option<(&'f Principal, &'f OrganizationId, AuthMethod)>,
}

impl<'f> End<'f> {
    fn of(foreseen: &'f Foreseen) -> Self {
        let known = |context: &'f AuthContext| {
            (
                context.principal(),
                context.organization(),
                context.method(),
            )
        };
        let (rejection, context) = match foreseen {
            Foreseen::Refused(rejection, _) => (Some(&**rejection), None),
            Foreseen::Unread(Err(due)) => (Some(&**due), None),
            Foreseen::LetIn(context) => (None, context.as_ref()),
            Foreseen::Unread(Ok(context)) => (None, Some(context)),
            Foreseen::Answered(_) => (None, None),
        };
        let proven = rejection.and_then(Rejection::proven);
        let proven =
            proven.map(|(principal, organization, method)| (principal, organization, *method));
        Self {
            foreseen,
            rejection,
            party: proven.or(context.map(known)),
        }
    }

    /// Whether it is refused for want of a credential.
    fn is_missing(&self) -> bool {
        let reason = self.rejection.map(Rejection::reason);
        let refused = matches!(self.foreseen, Foreseen::Refused(..));
        refused && reason == Some(Reason::MissingCredential)
    }

    /// Who it is, where that was proved.
    fn party(&self, guard: &Guard) -> Option<Step> {
        let (principal, organization, method) = self.party?;
        let client = principal.client();
        let client = client.map(|client| format!("client {client}; "));
        let text = format!(
            "{} of {organization}, by {}, vouched for by {}; {}until {}",
            principal.subject(),
            method.name(),
            principal.issuer(),
            client.unwrap_or_default(),
            principal.expires_at().to_rfc3339()
        );
        Some(Step {
            name: "party",
            result: StepResult::Fact,
            text: guard.clean(&text),
        })
    }

    fn step(&self, reached: &Reached, is_last: bool, guard: &Guard) -> Step {
        let stage = reached.stage;
        let failed = is_last && matches!(self.foreseen, Foreseen::Refused(..));
        let absent = !failed && self.is_without_credential(stage);
        // A store of the user's, which can only be asked by using the proof up.
        let unasked = !failed && stage == Stage::Proof && !reached.facts.is_empty();
        let text = match self.rejection {
            Some(rejection) if failed => failure(rejection),
            _ if absent => "there is none, which some operations do not need".to_owned(),
            _ if unasked => "good, and whether it was used before is not known".to_owned(),
            _ => self.passed(stage),
        };
        let facts = reached.facts.iter().map(String::as_str);
        let told: Vec<&str> = [text.as_str()].into_iter().chain(facts).collect();
        Step {
            name: name(stage),
            result: match (failed, absent || unasked) {
                (true, _) => StepResult::Failed,
                (_, true) => StepResult::Fact,
                _ => StepResult::Passed,
            },
            text: guard.clean(&told.join("; ")),
        }
    }

    /// Whether the request came as far as it did without a credential.
    fn is_without_credential(&self, stage: Stage) -> bool {
        let nobody = matches!(
            self.foreseen,
            Foreseen::LetIn(None) | Foreseen::Unread(Err(_))
        );
        nobody && stage == Stage::Credential
    }

    /// What a step that let the request pass has seen.
    fn passed(&self, stage: Stage) -> String {
        let confirmation = self.party.and_then(|(who, ..)| who.confirmation());
        let scopes = self.party.map(|(who, ..)| who.scopes().to_string());
        let text = match stage {
            Stage::Edge => match self.foreseen {
                Foreseen::Answered(_) => "metadata or a CORS preflight, which need no credential",
                _ => "Origin and Host are listed, or absent",
            },
            Stage::Credential => "one credential, where it should stand",
            Stage::ApiToken => "its secret, email and times are good, and its owner may act",
            Stage::Introspection => "its issuer says that it is active",
            Stage::Form => "a signed token whose header asks for nothing unknown",
            Stage::Issuer => "trusted, and allowed to sign like this",
            Stage::Type => "an access token by its typ",
            Stage::Claims => "kind, times, client, audience and all other claims are in order",
            Stage::Signature => "made by a key that the issuer publishes",
            Stage::Organization => "known",
            Stage::Binding if confirmation.is_some() => {
                "bound, and its sender has shown what it is bound to"
            }
            Stage::Binding => "bound to nothing, and need not be",
            Stage::Revocation => "nothing that covers it is revoked",
            Stage::Policy => "no rule of its organization stands against it",
            Stage::Network => "bound to no network of its own, or used inside",
            Stage::Scopes => {
                let granted = scopes.unwrap_or_default();
                return format!("enough for any request at all; granted: {granted}");
            }
            Stage::Directory => "nothing stands against the user",
            Stage::Proof => "not used before",
            Stage::Session => "none is named, or one of this party",
            Stage::Operation => match self.foreseen {
                Foreseen::Unread(_) => "the rules for tools decide by the message",
                _ => "allowed, or no rule is about it",
            },
        };
        text.to_owned()
    }
}

/// What stood in the way.
fn failure(rejection: &Rejection) -> String {
    let reason = rejection.reason();
    let note = rejection.note().map(|note| format!(" ({note})"));
    let (code, means) = (reason.code(), reason.means());
    format!("{code}: {means}{}", note.unwrap_or_default())
}

const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Edge => "edge",
        Stage::Credential => "credential",
        Stage::ApiToken => "api_token",
        Stage::Introspection => "introspection",
        Stage::Form => "form",
        Stage::Issuer => "issuer",
        Stage::Type => "type",
        Stage::Claims => "claims",
        Stage::Signature => "signature",
        Stage::Organization => "organization",
        Stage::Binding => "binding",
        Stage::Revocation => "revocation",
        Stage::Policy => "policy",
        Stage::Network => "network",
        Stage::Scopes => "scopes",
        Stage::Directory => "directory",
        Stage::Proof => "proof",
        Stage::Session => "session",
        Stage::Operation => "operation",
    }
}
