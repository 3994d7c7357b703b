//! What a request asks to do, judged by the tool rules.

use std::panic::{AssertUnwindSafe, catch_unwind};

use http::HeaderMap;

use super::{Current, Inner};
use crate::clock::UnixTime;
use crate::context::AuthContext;
use crate::operation::Operation;
use crate::rejection::{Reason, Rejection};
use crate::resource::Resource;
use crate::rpc::mirrored;
use crate::scope::ScopeSet;
use crate::step_up::StepUp;
use crate::tool::ToolRules;

/// Which scopes the challenge of a first 401 names (SCP-5).
///
/// Clients ask for exactly these. Fewer mean a step-up later; but a client that registers itself
/// with the scopes of its first challenge can never step up at a strict authorization server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengeScopes {
    /// The resource's baseline scopes.
    Baseline,
    /// The baseline, and what the attempted operation needs if the headers of the request name it
    /// (protocol 2026-07-28). The default.
    #[default]
    Operation,
    /// The baseline, and every scope any tool rule asks for.
    Everything,
}

impl Current {
    /// The tool rules, if operations are judged.
    pub(crate) fn tool_rules(&self) -> Option<&ToolRules> {
        Some(&self.0.operations.as_ref()?.rules)
    }

    /// Judges an operation for a party that has been let in.
    pub(crate) fn judge(
        &self,
        context: &AuthContext,
        operation: Operation<'_>,
        arguments: Option<&[u8]>,
    ) -> Result<(), Rejection> {
        let Some(operations) = &self.0.operations else {
            return Ok(());
        };
        let subject = context.subject(&operations.known, self.now()?);
        operations
            .rules
            .decide(operation, arguments, &subject)
            .map_err(|rejection| context.refused(rejection))
    }

    /// The clock is the user's and may panic (R15).
    fn now(&self) -> Result<UnixTime, Rejection> {
        let clock = AssertUnwindSafe(|| self.0.ground.clock.now());
        catch_unwind(clock).map_err(|_| Reason::Internal.into())
    }

    /// What a handler asked for, as the refusal it leads to.
    pub(crate) fn judge_step_up(&self, context: &AuthContext, step_up: &StepUp) -> Rejection {
        let now = match self.now() {
            Ok(now) => now,
            Err(rejection) => return context.refused(rejection),
        };
        let subject = context.subject(&self.0.known_scopes, now);
        let plain = ToolRules::new();
        let rules = self.tool_rules().unwrap_or(&plain);
        context.refused(step_up.refusal(rules, &subject))
    }

    /// The same of nobody, who needs a credential first.
    pub(crate) fn ask_for_credential(&self) -> Rejection {
        self.0.ask(Reason::MissingCredential)
    }
}

/// The scopes that mean something here: the resource's, those of every request, those of rules.
pub(super) fn known_scopes(
    resource: &Resource,
    required: &ScopeSet,
    rules: Option<&ToolRules>,
) -> ScopeSet {
    let known = resource.baseline_scopes().union(required);
    match rules {
        Some(rules) => known.union(&rules.scopes()),
        None => known,
    }
}

impl Inner {
    /// Words the refusal of a request without a credential for what it attempted (SCP-5).
    pub(super) fn word(&self, rejection: Rejection, headers: &HeaderMap) -> Rejection {
        let Some(operations) = &self.operations else {
            return rejection;
        };
        let more = match self.challenge_scopes {
            ChallengeScopes::Baseline => return rejection,
            ChallengeScopes::Everything => operations.rules.scopes(),
            // A header is enough to word an answer by; nothing is decided on it.
            ChallengeScopes::Operation => mirrored(headers)
                .ok()
                .and_then(|mirrored| Some(operations.rules.scopes_of(mirrored.operation()?)))
                .unwrap_or_default(),
        };
        if more.is_empty() {
            return rejection; // which asks for the baseline
        }
        rejection.with_challenge_scopes(self.resource.baseline_scopes().union(&more))
    }
}
