//! Revocation in this process, effective on the next request.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use super::Shared;
use crate::audit::{AuditEvent, AuditRecord, AuditRevocation, AuditText};
use crate::clock::UnixTime;
use crate::ident::OrganizationId;
use crate::principal::{Principal, PrincipalKey};
use crate::rejection::{Reason, Rejection};
use crate::signal::Causes;

/// What can be revoked as a whole: every credential of it issued up to a moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Target {
    /// One access token, by issuer and `jti`.
    Token(Box<str>, Box<str>),
    Principal(PrincipalKey),
    Organization(OrganizationId),
    Issuer(Box<str>),
}

impl Target {
    fn on_record(&self) -> AuditRevocation {
        match self {
            Self::Token(issuer, id) => {
                let mut revocation = AuditRevocation::new("token", id);
                revocation.issuer = Some(AuditText::new(issuer));
                revocation
            }
            Self::Principal(key) => AuditRevocation::new("principal", key.as_str()),
            Self::Organization(organization) => {
                AuditRevocation::new("organization", organization.as_str())
            }
            Self::Issuer(issuer) => AuditRevocation::new("issuer", issuer),
        }
    }
}

/// Revoked targets. Empty and free of cost until the first revocation.
#[derive(Default)]
pub(super) struct Revocations {
    dead: ArcSwapOption<HashMap<Target, UnixTime>>,
    /// How many seconds each issuer's clock was seen ahead of ours, at most its leeway.
    ahead: ArcSwapOption<HashMap<Box<str>, i64>>,
    writing: Mutex<()>,
}

/// Entries older than the longest token life an issuer may have (366 days) can bind nothing.
const KEPT_SECONDS: i64 = 367 * 86_400;

impl Revocations {
    fn add(&self, target: Target, now: UnixTime) {
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dead = self.dead.load().as_deref().cloned().unwrap_or_default();
        dead.retain(|_, at| *at > now.plus_secs(-KEPT_SECONDS));
        dead.insert(target, now);
        self.dead.store(Some(Arc::new(dead)));
    }

    /// Takes note of an issuer whose clock is ahead: a token in use before it was issued proves it.
    ///
    /// `iat` is the issuer's time, a revocation has ours. With what was seen here added, whatever was
    /// used before a revocation is covered by it, and a new login works at once with an issuer whose
    /// clock was never seen ahead.
    pub(super) fn observe(&self, principal: &Principal, now: UnixTime) {
        let Some(issued_at) = principal.issued_at().filter(|issued_at| *issued_at > now) else {
            return;
        };
        let ahead = issued_at.as_secs().saturating_sub(now.as_secs());
        if ahead <= self.ahead_of(principal.issuer()) {
            return;
        }
        let _one_writer = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.ahead.load().as_deref().cloned().unwrap_or_default();
        let known = all.entry(principal.issuer().into()).or_default();
        *known = ahead.max(*known);
        self.ahead.store(Some(Arc::new(all)));
    }

    fn ahead_of(&self, issuer: &str) -> i64 {
        let ahead = self.ahead.load();
        let known = ahead.as_deref().and_then(|all| all.get(issuer));
        known.copied().unwrap_or_default()
    }

    /// Refuses a credential issued up to the moment of a revocation that covers it. One that does
    /// not say when it was issued cannot show that it is newer.
    pub(super) fn check(
        &self,
        principal: &Principal,
        organization: &OrganizationId,
    ) -> Result<(), Rejection> {
        let dead = self.dead.load();
        let Some(dead) = dead.as_deref() else {
            return Ok(());
        };
        let issuer: Box<str> = principal.issuer().into();
        let ahead = self.ahead_of(&issuer);
        let mut targets = vec![
            Target::Principal(principal.key()),
            Target::Organization(organization.clone()),
            Target::Issuer(issuer.clone()),
        ];
        if let Some(id) = principal.token_id() {
            targets.push(Target::Token(issuer, id.into()));
        }
        let revoked = targets
            .iter()
            .filter_map(|target| Some((target, dead.get(target)?)))
            .any(|(target, revoked_at)| {
                // One token stays dead, however far ahead its issuer's clock is.
                matches!(target, Target::Token(..))
                    || principal
                        .issued_at()
                        .is_none_or(|issued_at| issued_at <= revoked_at.plus_secs(ahead))
            });
        if revoked {
            Err(Reason::Revoked.into())
        } else {
            Ok(())
        }
    }
}

/// Revokes and flushes while the server runs. Everything takes effect on the next request of this
/// process, and ends the open streams it concerns; API tokens revoked through
/// [`ApiTokens`](crate::api_token::ApiTokens) need no call here.
///
/// "Until now" is by this machine's clock, and tokens carry their issuer's. A token that was used here
/// before the revocation is covered by it even if its issuer's clock is ahead (by up to the leeway).
/// What can slip through is a token never used here before, of an issuer none of whose tokens ever
/// showed that its clock is ahead; [`revoke_token`](Self::revoke_token) ends it all the same.
///
/// ```
/// # fn example(auth: &tower_mcp_auth::Authenticator, seen: &tower_mcp_auth::AuthContext) {
/// let handle = auth.handle();
/// handle.revoke_principal(&seen.key()); // every credential they hold now; a new login works
/// # }
/// ```
#[derive(Clone)]
pub struct AuthHandle(pub(super) Arc<Shared>);

impl AuthHandle {
    /// Ends one access token, by its issuer and its `jti`.
    pub fn revoke_token(&self, issuer: &str, token_id: &str) {
        self.revoke(Target::Token(issuer.into(), token_id.into()));
    }

    /// Ends every credential issued to this principal until now.
    pub fn revoke_principal(&self, principal: &PrincipalKey) {
        self.revoke(Target::Principal(principal.clone()));
    }

    /// Ends every credential of this organization issued until now.
    pub fn revoke_organization(&self, organization: &OrganizationId) {
        self.revoke(Target::Organization(organization.clone()));
    }

    /// Ends every access token this issuer issued until now.
    pub fn revoke_issuer(&self, issuer: &str) {
        self.revoke(Target::Issuer(issuer.into()));
    }

    /// Forgets every verified access token, introspection answer, cached token record, policy and
    /// user fact: the next request verifies again and asks the stores and the issuers.
    pub fn flush(&self) {
        self.0.rules.flush();
        if let Some(memory) = &self.0.memory {
            memory.flush();
        }
        if let Some(tokens) = &self.0.tokens {
            tokens.flush();
        }
        for introspector in &self.0.introspectors {
            introspector.flush();
        }
        self.0.signal.raise(Causes::ALL, None);
    }

    fn revoke(&self, target: Target) {
        let now = self.0.clock.now();
        let revocation = self.0.audit.is_some().then(|| target.on_record());
        self.0.revocations.add(target, now);
        self.0.signal.raise(Causes::REVOCATION, None);
        if let (Some(audit), Some(revocation)) = (&self.0.audit, revocation) {
            let mut record = AuditRecord::new(AuditEvent::RevocationApplied, now);
            record.revocation = Some(revocation);
            audit.trail.record(record);
        }
    }
}

impl fmt::Debug for AuthHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthHandle")
    }
}
