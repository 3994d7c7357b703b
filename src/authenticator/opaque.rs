//! The access tokens that say nothing themselves: whose one is, and what its issuer says about it.

use std::sync::Arc;

use serde_json::Value;

use super::Inner;
use super::decide::Proven;
use super::need::{Asked, Need};
use super::remembered::Fact;
use crate::cache::{Known, Pinned};
use crate::clock::UnixTime;
use crate::ident::OrganizationId;
use crate::jose::compact::is_token_shaped;
use crate::method::AuthMethod;
use crate::oauth::introspection::{Answer, Introspector, Said, judge};
use crate::oauth::jwt::TrustedIssuer;
use crate::oauth::times::is_expired;
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};
use crate::secret::SecretText;
use crate::stage::Stage;

/// What was found out about a token, by an answer about it.
pub(super) struct Opaque {
    principal: Principal,
    organization: OrganizationId,
    issuer: Arc<TrustedIssuer>,
    answer: Arc<Answer>,
    judged_at: UnixTime,
    /// Where the answer was found.
    pin: Pinned<Said>,
}

impl Opaque {
    pub(super) fn proven(&self) -> Proven {
        Proven {
            principal: self.principal.clone(),
            organization: self.organization.clone(),
            method: AuthMethod::OAuth,
            token: None,
            remembered: None,
        }
    }

    /// Whether the token would be found good again: by the very same answer, in time. Of its times
    /// only the expiry changes as long as the clock goes forward.
    pub(super) fn holds(&self, credential: &[u8], asked: Asked<'_>) -> Result<bool, Need> {
        let (Some(introspector), Ok(text)) =
            (&self.issuer.introspector, std::str::from_utf8(credential))
        else {
            return Ok(false);
        };
        let said = known(introspector, (text, Some(&self.pin)), asked)?;
        let same = said.is_some_and(|said| Arc::ptr_eq(&said, &self.answer));
        let leeway = self.issuer.config.leeway_secs();
        let expires_at = self.principal.expires_at();
        Ok(same && asked.now >= self.judged_at && !is_expired(expires_at, leeway, asked.now))
    }

    /// Bytes it takes, roughly. The answer is the cache's.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.principal.size()
    }
}

impl Inner {
    /// An opaque token, by what its issuer says about it.
    pub(super) fn opaque_token(
        &self,
        text: &str,
        asked: Asked<'_>,
    ) -> Result<(Proven, Option<Fact>), Need> {
        let opaque = self.introspected(text, asked)?;
        Ok((opaque.proven(), Some(Fact::Opaque(opaque))))
    }

    /// Until when a token serves that a response goes on with: the same party's, and still active. Its
    /// principal is then as its issuer describes it now.
    pub(super) fn still_active(
        &self,
        text: &SecretText,
        party: &mut Proven,
        asked: Asked<'_>,
    ) -> Result<UnixTime, Need> {
        let opaque = self.introspected(text.expose(), asked)?;
        self.adopt(party, (opaque.principal, opaque.organization))?;
        self.ground.revocations.check(party, asked)?;
        Ok(self.ends_at(&party.principal))
    }

    /// When a response ends that goes on with an access token.
    pub(super) fn ends_at(&self, principal: &Principal) -> UnixTime {
        let issuer = self.trust.get(principal.issuer());
        let asked = issuer.is_some_and(|issuer| issuer.introspector.is_some());
        // The end of an answer is not the end of its token: that is asked about again in time.
        let unsaid = || principal.claims().get("exp").is_none_or(Value::is_null);
        if asked && unsaid() {
            return UnixTime::from_secs(i64::MAX);
        }
        let leeway = issuer.map_or(0, |issuer| issuer.config.leeway_secs());
        principal.expires_at().plus_secs(leeway)
    }

    /// Whether a Bearer credential that is no API token is an access token, by its shape.
    pub(super) fn is_access_token(&self, credential: &str) -> bool {
        is_token_shaped(credential) || matches!(self.trust.owner(credential), Ok(Some(_)))
    }

    fn introspected(&self, text: &str, asked: Asked<'_>) -> Result<Opaque, Need> {
        asked.way.reach(Stage::Introspection);
        let owner = self
            .trust
            .owner(text)
            .map_err(|quarrel| Rejection::new(Reason::UnrecognizedCredential).with_note(quarrel))?;
        let Some((issuer, introspector)) =
            owner.and_then(|issuer| Some((issuer, issuer.introspector.as_deref()?)))
        else {
            return Err(Reason::UnrecognizedCredential.into());
        };
        let said = known(introspector, (text, None), asked)?;
        let answer = said.ok_or(Reason::InactiveToken)?;
        asked.way.reach(Stage::Claims);
        let (principal, organization) = judge(&answer, issuer, &self.resource, asked.now)?;
        Ok(Opaque {
            principal,
            organization,
            issuer: issuer.clone(),
            answer,
            judged_at: asked.now,
            pin: Pinned::default(),
        })
    }
}

fn known(
    introspector: &Introspector,
    (text, pin): (&str, Option<&Pinned<Said>>),
    asked: Asked<'_>,
) -> Result<Said, Need> {
    match introspector.about(text, pin, asked.when(asked.waited.record)) {
        Known::Value(said) => Ok(said),
        Known::Wait(wait) => Err(Need::Record(wait)),
        Known::Unavailable { retry_after, cause } => {
            Err(Rejection::unavailable(Reason::IssuerUnavailable, retry_after, cause).into())
        }
    }
}
