//! The rules applied to a proven credential: pure, with the time passed in.

use serde_json::{Map, Value};

use super::login::Fault;
use super::rule::ToolRule;
use super::table::{Entry, Table};
use super::{ToolRules, arguments, login, methods, place};
use crate::clock::UnixTime;
use crate::enrich::Enrichment;
use crate::error::Problems;
use crate::method::AuthMethod;
use crate::operation::{Operation, Target};
use crate::policy::Permitted;
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};
use crate::scope::ScopeSet;

/// Most characters of an operation that are repeated to whoever asked for it.
const SHOWN: usize = 200;

/// Whom an operation is judged for: all of it verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) method: AuthMethod,
    /// What the organization's policy says, on a server with policies.
    pub(crate) permitted: Option<&'a Permitted>,
    pub(crate) enrichment: Option<&'a Enrichment>,
    /// Scopes that mean something to this resource besides those of the rules.
    pub(crate) known: &'a ScopeSet,
    pub(crate) now: UnixTime,
}

/// The rules about one operation; neither, if it is of the protocol and no rule names it.
#[derive(Clone, Copy, Default)]
struct Found<'r> {
    method: Option<&'r ToolRule>,
    target: Option<&'r ToolRule>,
    entry: Option<&'r Entry>,
}

/// All rules that a call has to meet: of its method, its target, and of this very call.
#[derive(Clone, Copy)]
struct Rules<'r>([Option<&'r ToolRule>; 3]);

impl Entry {
    pub(super) fn needs_arguments(&self) -> bool {
        self.dispatcher.is_some() || self.rule.tenant_argument.is_some()
    }
}

impl<'r> Found<'r> {
    fn needs_arguments(&self) -> bool {
        self.entry.is_some_and(Entry::needs_arguments)
            || self
                .target
                .is_some_and(|rule| rule.tenant_argument.is_some())
    }

    /// The rules known without the arguments.
    fn rules(&self) -> Rules<'r> {
        Rules([self.method, self.target, None])
    }
}

impl<'r> Rules<'r> {
    fn iter(&self) -> impl Iterator<Item = &'r ToolRule> + Clone {
        self.0.into_iter().flatten()
    }

    fn check_methods(&self, method: AuthMethod) -> Result<(), Rejection> {
        let allows = |asked: &AuthMethod| {
            self.iter()
                .filter_map(|rule| rule.methods.as_ref())
                .all(|methods| methods.contains(asked))
        };
        if allows(&method) {
            return Ok(());
        }
        let allowed: Vec<&str> = AuthMethod::ALL
            .into_iter()
            .filter(allows)
            .map(AuthMethod::name)
            .collect();
        Err(Rejection::new(Reason::AuthMethodNotAllowed)
            .with_detail("auth_method", method.name())
            .with_detail("allowed_methods", allowed))
    }

    fn check_claims(&self, principal: &Principal) -> Result<(), Rejection> {
        let mut conditions = self.iter().flat_map(|rule| &rule.claims);
        match conditions.find(|claim| !claim.is_met(principal.claims())) {
            None => Ok(()),
            Some(claim) => {
                Err(Rejection::new(Reason::ClaimNotMet).with_detail("claim", claim.path()))
            }
        }
    }
}

impl ToolRules {
    /// Whether a proven credential may do this. `arguments` is the raw JSON object of a call that has
    /// one, or `None`.
    pub(crate) fn decide(
        &self,
        operation: Operation<'_>,
        arguments: Option<&[u8]>,
        subject: &Subject<'_>,
    ) -> Result<(), Rejection> {
        self.judge(operation, arguments, subject)
            .map_err(|rejection| {
                let shown: String = operation.to_string().chars().take(SHOWN).collect();
                rejection.with_detail("operation", shown)
            })
    }

    fn judge(
        &self,
        operation: Operation<'_>,
        raw: Option<&[u8]>,
        subject: &Subject<'_>,
    ) -> Result<(), Rejection> {
        let found = self.find(operation).ok_or(Reason::OperationNotAllowed)?;
        let arguments = if found.needs_arguments() {
            arguments::read(raw)?
        } else {
            Map::new()
        };
        let dispatcher = found.entry.and_then(|entry| entry.dispatcher.as_ref());
        let name = operation.target().map_or("", |target| target.name());
        let own = dispatcher
            .map(|dispatcher| dispatcher.ask(name, &arguments))
            .transpose()?;
        let rules = Rules([found.method, found.target, own.as_ref()]);
        self.apply(rules, &arguments, subject)
    }

    /// In the order in which something can be done about it: nothing, an administrator, a login,
    /// more consent.
    fn apply(
        &self,
        rules: Rules<'_>,
        arguments: &Map<String, Value>,
        subject: &Subject<'_>,
    ) -> Result<(), Rejection> {
        rules.check_methods(subject.method)?;
        rules
            .iter()
            .try_for_each(|rule| place::check(rule, arguments, subject))?;
        rules.check_claims(subject.principal)?;
        let enough = self.has_scopes(rules, subject);
        match login::check(rules.iter(), subject) {
            Ok(()) if enough => Ok(()),
            Ok(()) => Err(self.too_few_scopes(rules, subject)),
            Err(fault) => {
                let rejection = match fault {
                    Fault::Impossible => Reason::LoginImpossible.into(),
                    Fault::TooWeak(login) => Rejection::login_too_weak(login),
                };
                if enough {
                    return Err(rejection);
                }
                // Short of scopes as well: better heard now than at the next try (SCP-8, STEP-1).
                let (granted, required) = self.shortage(rules, subject);
                Err(rejection
                    .with_scopes(&granted, &required)
                    .with_challenge_scopes(self.worth_asking(&required, subject)))
            }
        }
    }

    /// Whether one scope was granted, by name or as part of a broader one (SCP-4).
    pub(crate) fn grants(&self, granted: &ScopeSet, scope: &str) -> bool {
        self.hierarchy.holds(granted, scope)
    }

    fn has_scopes(&self, rules: Rules<'_>, subject: &Subject<'_>) -> bool {
        rules.iter().all(|rule| match &rule.alternatives {
            None => true,
            Some(alternatives) => self.met(alternatives, subject).is_some(),
        })
    }

    fn met<'r>(&self, alternatives: &'r [ScopeSet], subject: &Subject<'_>) -> Option<&'r ScopeSet> {
        let granted = subject.principal.scopes();
        alternatives
            .iter()
            .find(|scopes| self.hierarchy.covers(granted, scopes))
    }

    fn too_few_scopes(&self, rules: Rules<'_>, subject: &Subject<'_>) -> Rejection {
        let reason = match subject.method {
            AuthMethod::OAuth => Reason::InsufficientScope,
            // A new login would not change what an API token may do (SCP-8).
            _ => Reason::ApiTokenLacksScope,
        };
        let (granted, required) = self.shortage(rules, subject);
        Rejection::insufficient_scope(reason, &granted, &required)
            .with_challenge_scopes(self.worth_asking(&required, subject))
    }

    /// Everything that is required (SCP-2), and what of it or besides it is granted, counting what
    /// broader scopes include.
    fn shortage(&self, rules: Rules<'_>, subject: &Subject<'_>) -> (ScopeSet, ScopeSet) {
        let mut required = ScopeSet::empty();
        for alternatives in rules.iter().filter_map(|rule| rule.alternatives.as_ref()) {
            let chosen = self
                .met(alternatives, subject)
                .or_else(|| alternatives.first());
            if let Some(scopes) = chosen {
                required = required.union(scopes);
            }
        }
        let granted = subject.principal.scopes();
        let held = required
            .iter()
            .filter(|scope| self.hierarchy.holds(granted, scope));
        let held = ScopeSet::from_words(held).unwrap_or_default();
        (granted.union(&held), required)
    }

    /// What is required, and what the client has and would lose by asking for that alone: one client
    /// SDK asks for exactly what the challenge lists.
    fn worth_asking(&self, required: &ScopeSet, subject: &Subject<'_>) -> ScopeSet {
        let rules = self.scopes();
        let broad: Vec<&str> = self.hierarchy.words().collect();
        let kept = subject.principal.scopes().iter().filter(|scope| {
            subject.known.contains(scope) || rules.contains(scope) || broad.contains(scope)
        });
        required.union(&ScopeSet::from_words(kept).unwrap_or_default())
    }

    /// Whether a credential meets one more rule, found by whoever handles the call. One that was
    /// written wrongly is met by nobody.
    pub(crate) fn demand(&self, rule: &ToolRule, subject: &Subject<'_>) -> Result<(), Rejection> {
        let mut problems = Problems::default();
        rule.examine("step_up", &mut problems);
        if let Err(mistakes) = problems.or(Some(())) {
            return Err(Rejection::new(Reason::Internal).with_note(mistakes.to_string()));
        }
        self.apply(Rules([None, None, Some(rule)]), &Map::new(), subject)
    }

    /// The scopes to name to somebody without a credential (SCP-5). Of alternatives the first; of a
    /// dispatcher those that every call needs.
    pub(crate) fn scopes_of(&self, operation: Operation<'_>) -> ScopeSet {
        let found = self.find(operation).unwrap_or_default();
        let scopes = found.rules();
        let scopes = scopes.iter().filter_map(ToolRule::first_scopes);
        scopes.fold(ScopeSet::empty(), |all, scopes| all.union(scopes))
    }

    /// Whether this needs no credential (MCP-15).
    pub(crate) fn is_public(&self, operation: Operation<'_>) -> bool {
        operation.target().is_none() && self.public.contains(operation.method())
    }

    /// Every scope that a rule may ask for; those that dispatchers find call by call are not known.
    pub(crate) fn scopes(&self) -> ScopeSet {
        let tables = [&self.tools, &self.prompts, &self.resources, &self.methods];
        let entries = tables.into_iter().flat_map(Table::entries);
        let rules = entries
            .map(|(_, entry)| &entry.rule)
            .chain(&self.unknown_tools)
            .chain(&self.unknown_methods);
        let sets = rules
            .filter_map(|rule| rule.alternatives.as_ref())
            .flatten();
        sets.fold(ScopeSet::empty(), |all, scopes| all.union(scopes))
    }

    /// Whether a list shows this to a credential: unless something forbids it that neither the
    /// arguments of a call nor a new login could change. A dispatcher is judged by the rule of every
    /// call.
    pub(crate) fn visible(&self, operation: Operation<'_>, subject: &Subject<'_>) -> bool {
        self.find(operation)
            .is_some_and(|found| self.shows(found.rules(), subject))
    }

    /// The same of resources named by a template, which are there to be read.
    pub(crate) fn visible_template(&self, template: &str, subject: &Subject<'_>) -> bool {
        let method = self.methods.find("resources/read");
        let target = self.resources.find_template(template);
        target.is_some_and(|target| {
            let rules = [method.map(|entry| &entry.rule), Some(&target.rule), None];
            self.shows(Rules(rules), subject)
        })
    }

    fn shows(&self, rules: Rules<'_>, subject: &Subject<'_>) -> bool {
        let mut each = rules.iter();
        rules.check_methods(subject.method).is_ok()
            && each.clone().all(|rule| place::may_pass(rule, subject))
            && rules.check_claims(subject.principal).is_ok()
            && (login::is_possible(subject) || !each.any(ToolRule::asks_login))
            && self.has_scopes(rules, subject)
    }

    /// The rules about an operation; `None` if nobody may do it (MCP-9).
    fn find(&self, operation: Operation<'_>) -> Option<Found<'_>> {
        let name = operation.method();
        let method = match self.methods.find(name) {
            Some(entry) => Some(&entry.rule),
            None if methods::is_known(name) || self.is_public(operation) => None,
            None => Some(self.unknown_methods.as_ref()?),
        };
        let entry = match operation.target() {
            None if methods::needs_target(name) => return None,
            None | Some(Target::Task(_)) => {
                return Some(Found {
                    method,
                    ..Found::default()
                });
            }
            Some(Target::Tool(tool)) => self.tools.find(tool),
            Some(Target::Prompt(prompt)) => Some(self.prompts.find(prompt)?),
            Some(Target::Resource(template)) if name == "completion/complete" => {
                Some(self.resources.find_template(template)?)
            }
            Some(Target::Resource(uri)) => Some(self.resources.find_uri(uri)?),
        };
        let target = match entry {
            Some(entry) => &entry.rule,
            None => self.unknown_tools.as_ref()?,
        };
        Some(Found {
            method,
            target: Some(target),
            entry,
        })
    }
}
