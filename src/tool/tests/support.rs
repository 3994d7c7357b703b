//! Whom the rules are asked about.

use serde_json::{Value, json};

use crate::clock::UnixTime;
use crate::enrich::Enrichment;
use crate::ident::{OrganizationId, TenantId};
use crate::method::AuthMethod;
use crate::operation::Operation;
use crate::policy::{OrganizationPolicy, Permitted, PolicySubject, evaluate};
use crate::principal::{Facts, Principal, PrincipalKind};
use crate::rejection::{Reason, Rejection};
use crate::scope::ScopeSet;
use crate::tool::{Subject, ToolRules};

pub(super) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// A credential and what is known about it; a person by OAuth without any scope at first.
#[derive(Clone, Debug)]
pub(super) struct Who {
    scopes: ScopeSet,
    method: AuthMethod,
    kind: PrincipalKind,
    tenant: Option<TenantId>,
    tenants: Vec<TenantId>,
    login: Option<i64>,
    class: Option<&'static str>,
    claims: Value,
    policy: Option<OrganizationPolicy>,
    enrichment: Option<Enrichment>,
    known: ScopeSet,
}

pub(super) fn who(scopes: &str) -> Who {
    Who {
        scopes: ScopeSet::parse(scopes).unwrap(),
        method: AuthMethod::OAuth,
        kind: PrincipalKind::User,
        tenant: None,
        tenants: Vec::new(),
        login: None,
        class: None,
        claims: json!({}),
        policy: None,
        enrichment: None,
        known: ScopeSet::empty(),
    }
}

pub(super) fn site(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub(super) fn policy() -> OrganizationPolicy {
    OrganizationPolicy::new(OrganizationId::new("acme").unwrap()).api_tokens(true)
}

impl Who {
    pub(super) fn by(mut self, method: AuthMethod) -> Self {
        self.method = method;
        self
    }

    pub(super) fn kind(mut self, kind: PrincipalKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) fn bound_to(mut self, tenant: &str) -> Self {
        self.tenant = Some(site(tenant));
        self
    }

    pub(super) fn listing(mut self, tenant: &str) -> Self {
        self.tenants.push(site(tenant));
        self
    }

    /// Logged in this many seconds ago.
    pub(super) fn login(mut self, ago: i64) -> Self {
        self.login = Some(ago);
        self
    }

    pub(super) fn class(mut self, class: &'static str) -> Self {
        self.class = Some(class);
        self
    }

    pub(super) fn claims(mut self, claims: Value) -> Self {
        self.claims = claims;
        self
    }

    pub(super) fn policy(mut self, policy: OrganizationPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    pub(super) fn enriched(mut self, enrichment: Enrichment) -> Self {
        self.enrichment = Some(enrichment);
        self
    }

    pub(super) fn known(mut self, scopes: &str) -> Self {
        self.known = ScopeSet::parse(scopes).unwrap();
        self
    }

    fn principal(&self) -> Principal {
        Principal::new(Facts {
            kind: self.kind,
            tenant: self.tenant.clone(),
            scopes: self.scopes.clone(),
            expires_at: NOW.plus_secs(600),
            issued_at: Some(NOW.plus_secs(-60)),
            authenticated_at: self.login.map(|ago| NOW.plus_secs(-ago)),
            authentication_class: self.class.map(Into::into),
            payload: serde_json::to_vec(&self.claims).unwrap(),
            ..Facts::of_user("https://auth.example.com", "alice")
        })
    }

    fn permitted(&self) -> Option<Permitted> {
        let policy = self.policy.as_ref()?;
        let mut subject = PolicySubject::new(self.method, NOW);
        subject.tenant = self.tenant.as_ref();
        subject.tenants = &self.tenants;
        Some(evaluate(policy, &subject).unwrap())
    }

    fn ask<T>(&self, question: impl FnOnce(&Subject<'_>) -> T) -> T {
        let (principal, permitted) = (self.principal(), self.permitted());
        question(&Subject {
            principal: &principal,
            method: self.method,
            permitted: permitted.as_ref(),
            enrichment: self.enrichment.as_ref(),
            known: &self.known,
            now: NOW,
        })
    }

    pub(super) fn may(&self, rules: &ToolRules, operation: Operation<'_>) -> Result<(), Rejection> {
        self.ask(|subject| rules.decide(operation, None, subject))
    }

    pub(super) fn call(&self, rules: &ToolRules, tool: &str) -> Result<(), Rejection> {
        self.may(rules, call_of(tool))
    }

    pub(super) fn call_with(
        &self,
        rules: &ToolRules,
        tool: &str,
        arguments: &str,
    ) -> Result<(), Rejection> {
        self.ask(|subject| rules.decide(call_of(tool), Some(arguments.as_bytes()), subject))
    }

    pub(super) fn sees(&self, rules: &ToolRules, tool: &str) -> bool {
        self.ask(|subject| rules.visible(call_of(tool), subject))
    }
}

pub(super) fn call_of(tool: &str) -> Operation<'_> {
    Operation::new("tools/call", Some(tool))
}

/// The rules, which must be without mistakes.
pub(super) fn good(rules: ToolRules) -> ToolRules {
    rules.check().unwrap();
    rules
}

#[track_caller]
pub(super) fn refused(outcome: Result<(), Rejection>, reason: Reason) -> Rejection {
    let rejection = outcome.expect_err("should be refused");
    assert_eq!(rejection.reason(), reason, "{rejection:?}");
    rejection
}
