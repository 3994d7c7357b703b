//! Whether new settings accept whom earlier ones let in.

use super::Inner;
use super::decide::Proven;
use crate::clock::UnixTime;
use crate::context::AuthContext;
use crate::ident::OrganizationId;
use crate::method::AuthMethod;
use crate::oauth::jwt::accept;
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};

/// A party that was let in and may go on.
pub(super) struct StillGood {
    /// Until when, if that was looked at.
    pub(super) until: Option<UnixTime>,
    pub(super) principal: Principal,
}

impl Proven {
    /// A party that was let in, as its principal is seen by now.
    pub(super) fn of(context: &AuthContext, principal: &Principal) -> Self {
        Self {
            principal: principal.clone(),
            organization: context.organization().clone(),
            method: context.method(),
            token: context.token().cloned(),
            remembered: None,
        }
    }
}

impl Inner {
    /// Judges a party by the claims and scopes of its credential, as a request with it would be, and
    /// takes its principal as these settings see it. What else there is, such as its policy, is judged
    /// for every stream after every change. Of an `opaque` token the claims are asked for again, and
    /// judged then.
    ///
    /// The text of a token is gone, and with it its signature: that was judged once.
    pub(super) fn accept(
        &self,
        party: &mut Proven,
        opaque: bool,
        now: UnixTime,
    ) -> Result<(), Rejection> {
        if party.method != AuthMethod::OAuth {
            return self.check_scopes(party);
        }
        let before = &party.principal;
        let issuer = self.trust.get(before.issuer());
        let issuer = issuer.ok_or(Reason::UnknownIssuer)?;
        if opaque {
            return Ok(());
        }
        let seen = accept(before, issuer, &self.resource, now)?;
        self.adopt(party, seen)
    }

    /// Takes a principal for what a party is by now, if it is still the same one and would be let in.
    pub(super) fn adopt(
        &self,
        party: &mut Proven,
        (principal, organization): (Principal, OrganizationId),
    ) -> Result<(), Rejection> {
        let note = "another one by now";
        if organization != party.organization {
            return Err(Rejection::new(Reason::UnknownOrganization).with_note(note));
        }
        if principal.key() != party.principal.key() {
            return Err(Rejection::new(Reason::InactiveToken).with_note(note));
        }
        party.principal = principal;
        self.check_bound(party)?;
        self.check_scopes(party)
    }
}
