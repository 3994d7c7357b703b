//! Revocation while the server runs, effective on the next request.

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;

use super::decide::Proven;
use super::follower::Follower;
use super::need::{Asked, Need};
use super::news::Audience;
use super::revoked::Table;
use super::slot::Slot;
use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::ident::{ClientId, OrganizationId, Subject};
use crate::principal::{Principal, PrincipalKey};
use crate::rejection::Reason;
use crate::revocation::{DynRevocationLog, RevocationEntry, RevocationLog, RevocationTarget};
use crate::signal::Causes;
use crate::stage::Stage;
use crate::telemetry::{Call, Ended, Meter};

/// A log that has not taken an entry by then has not taken it, as far as its writer knows.
const APPEND_DEADLINE: Duration = Duration::from_secs(5);

/// What is revoked here. Free of cost until the first revocation.
pub(super) struct Revocations {
    table: Arc<Table>,
    /// How many seconds each issuer's clock was seen ahead of ours, at most its leeway.
    ahead: ArcSwapOption<HashMap<Box<str>, i64>>,
    writing: Mutex<()>,
    /// Reads what other processes revoke, if there are any.
    pub(super) follower: Option<Follower>,
}

impl Revocations {
    pub(super) fn new(table: Table, log: Option<DynRevocationLog>, audience: Audience) -> Self {
        let table = Arc::new(table);
        Self {
            follower: log.map(|log| Follower::new(log, table.clone(), audience)),
            table,
            ahead: ArcSwapOption::empty(),
            writing: Mutex::default(),
        }
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

    /// Refuses a credential that a revocation covers, and one of which that cannot be known: nobody
    /// while the shared log was never read, and no API token when that was long ago (R23).
    pub(super) fn check(&self, proven: &Proven, asked: Asked<'_>) -> Result<(), Need> {
        asked.way.reach(Stage::Revocation);
        let principal = &proven.principal;
        let ahead = || self.ahead_of(principal.issuer());
        let epochs = &self.table.epochs;
        if epochs.covers(principal, &proven.organization, ahead) {
            return Err(Reason::Revoked.into());
        }
        match &self.follower {
            Some(follower) => follower.vouch(proven.token.is_some(), asked),
            None => Ok(()),
        }
    }

    /// Whether exactly this target is revoked.
    #[cfg(feature = "events")]
    pub(super) fn has(&self, target: &RevocationTarget) -> bool {
        self.table.epochs.has(target)
    }

    pub(super) fn len(&self) -> usize {
        self.table.epochs.len()
    }
}

/// Revokes and flushes while the server runs. Everything takes effect on the next request of this
/// process, and ends the open streams it concerns; API tokens revoked through
/// [`ApiTokens`](crate::api_token::ApiTokens) need no call here.
///
/// With a shared [log](crate::authenticator::AuthenticatorBuilder::revocations) a revocation is
/// written there first, and other processes apply it within about two seconds, or at once where
/// [`notify`](Self::notify) is called. Without one it holds in this process, for as long as that
/// lives.
///
/// "Until now" is by this machine's clock, and tokens carry their issuer's. A token that was used here
/// before the revocation is covered by it even if its issuer's clock is ahead (by up to the leeway).
/// What can slip through is a token never used here before, of an issuer none of whose tokens ever
/// showed that its clock is ahead; [`revoke_token`](Self::revoke_token) ends it all the same.
///
/// ```
/// # async fn example(
/// #     auth: &tower_mcp_auth::Authenticator,
/// #     seen: &tower_mcp_auth::AuthContext,
/// # ) -> Result<(), tower_mcp_auth::BackendError> {
/// let handle = auth.handle();
/// handle.revoke_principal(&seen.key()).await?; // every credential they hold now; a new login works
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Every `revoke_…` fails only if the shared log does not take the revocation, within 5 s: nothing is
/// then revoked here, as far as known, and it is to be tried again. Without a log they cannot fail.
/// Dropping the future before it is done leaves open whether the log has it.
#[derive(Clone)]
pub struct AuthHandle(pub(super) Arc<Slot>);

impl AuthHandle {
    /// Ends one access token, by its issuer and its `jti`.
    ///
    /// # Errors
    ///
    /// The shared log did not take it.
    pub async fn revoke_token(&self, issuer: &str, token_id: &str) -> Result<(), BackendError> {
        self.revoke(RevocationTarget::Token {
            issuer: issuer.into(),
            id: token_id.into(),
        })
        .await
    }

    /// Ends the one credential behind this principal: by (`iss`, `jti`), without an id by (`iss`,
    /// `sub`, `iat`), and with neither everything of the principal.
    ///
    /// # Errors
    ///
    /// The shared log did not take it.
    pub async fn revoke_credential(&self, principal: &Principal) -> Result<(), BackendError> {
        self.revoke(RevocationTarget::credential_of(principal))
            .await
    }

    /// Ends every credential issued to this principal until now.
    ///
    /// # Errors
    ///
    /// The shared log did not take it.
    pub async fn revoke_principal(&self, principal: &PrincipalKey) -> Result<(), BackendError> {
        self.revoke(RevocationTarget::Principal(principal.clone()))
            .await
    }

    /// Ends every credential issued until now to this person of this organization, whichever issuer
    /// vouches for them, with the API tokens they own.
    ///
    /// # Errors
    ///
    /// The shared log did not take it.
    pub async fn revoke_user(
        &self,
        organization: &OrganizationId,
        subject: &Subject,
    ) -> Result<(), BackendError> {
        self.revoke(RevocationTarget::User {
            organization: organization.clone(),
            subject: subject.clone(),
        })
        .await
    }

    /// Ends every access token this issuer issued to this client until now, for whomever.
    ///
    /// # Errors
    ///
    /// The shared log did not take it; or `client` is no identifier, and there is nothing to revoke.
    pub async fn revoke_client(&self, issuer: &str, client: &str) -> Result<(), BackendError> {
        let client = ClientId::new(client)
            .ok_or_else(|| BackendError::new("not the identifier of a client"))?;
        self.revoke(RevocationTarget::Client {
            issuer: issuer.into(),
            client,
        })
        .await
    }

    /// Ends every access token that this key of this issuer verifies, now and later, whenever it says
    /// it was issued: the key is stolen. It holds for 367 days; the issuer has to withdraw the key,
    /// under every `kid` it has.
    ///
    /// # Errors
    ///
    /// The shared log did not take it.
    pub async fn revoke_key(&self, issuer: &str, key_id: &str) -> Result<(), BackendError> {
        self.revoke(RevocationTarget::Key {
            issuer: issuer.into(),
            key_id: key_id.into(),
        })
        .await
    }

    /// Ends every credential of this organization issued until now.
    ///
    /// # Errors
    ///
    /// The shared log did not take it.
    pub async fn revoke_organization(
        &self,
        organization: &OrganizationId,
    ) -> Result<(), BackendError> {
        self.revoke(RevocationTarget::Organization(organization.clone()))
            .await
    }

    /// Ends every access token this issuer issued until now.
    ///
    /// # Errors
    ///
    /// The shared log did not take it.
    pub async fn revoke_issuer(&self, issuer: &str) -> Result<(), BackendError> {
        self.revoke(RevocationTarget::Issuer(issuer.into())).await
    }

    /// Ends what the target covers until now.
    ///
    /// # Errors
    ///
    /// The shared log did not take it.
    pub async fn revoke(&self, target: RevocationTarget) -> Result<(), BackendError> {
        let entry = RevocationEntry::new(&target, self.0.ground.clock.now());
        self.revoke_by(target, entry).await
    }

    /// Ends what the target covers, as the entry says.
    pub(crate) async fn revoke_by(
        &self,
        target: RevocationTarget,
        entry: RevocationEntry,
    ) -> Result<(), BackendError> {
        let revocations = &self.0.ground.revocations;
        if let Some(follower) = &revocations.follower {
            append(&self.0.ground.meter, follower.log(), entry.clone()).await?;
        }
        revocations.table.revoke(&target, &entry);
        Ok(())
    }

    /// Says that another process has revoked something, or changed a policy or an API token in a store
    /// that says so in the log: the shared log is read now instead of within two seconds. Call it from
    /// whatever tells processes of each other; it costs nothing to call it too often, and a call that
    /// gets lost is made up for. A log with [hints](crate::revocation::RevocationLog::hinted) of its own
    /// needs no call. Without a log it does nothing.
    pub fn notify(&self) {
        if let Some(follower) = &self.0.ground.revocations.follower {
            follower.notify();
        }
    }

    /// Forgets every verified access token, introspection answer, cached token record, policy and
    /// user fact: the next request verifies again and asks the stores and the issuers.
    pub fn flush(&self) {
        let ground = &self.0.ground;
        ground.flush();
        let newest = self.0.newest.load_full();
        if let Some(memory) = &newest.shared.memory {
            memory.flush();
        }
        for introspector in &newest.shared.introspectors {
            introspector.flush();
        }
        ground.signal.raise(Causes::ALL, None);
    }
}

/// The log is foreign code: it may hang or panic (R15).
async fn append(
    meter: &Meter,
    log: &DynRevocationLog,
    entry: RevocationEntry,
) -> Result<u64, BackendError> {
    let appended = AssertUnwindSafe(log.append(entry)).catch_unwind();
    let appended = tokio::time::timeout(APPEND_DEADLINE, appended);
    let ended = |appended: &Result<Result<Result<_, _>, _>, _>| match appended {
        Ok(Ok(Ok(_))) => Ended::Well,
        Ok(_) => Ended::Badly,
        Err(_) => Ended::TooLate,
    };
    match meter.timed(Call::AppendLog, appended, ended).await {
        Ok(Ok(appended)) => appended,
        Ok(Err(_)) => Err(BackendError::new("the revocation log panicked")),
        Err(_) => Err(BackendError::new(
            "the revocation log did not answer within 5 s: the revocation may be there or not",
        )),
    }
}

impl fmt::Debug for AuthHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthHandle")
    }
}
