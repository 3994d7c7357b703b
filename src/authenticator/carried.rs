//! Whether new settings accept whom earlier ones let in.

use super::Inner;
use super::decide::Proven;
use crate::clock::UnixTime;
use crate::context::AuthContext;
use crate::method::AuthMethod;
use crate::oauth::jwt::accept;
use crate::rejection::{Reason, Rejection};

impl Proven {
    /// A party that was let in.
    pub(super) fn of(context: &AuthContext) -> Self {
        Self {
            principal: context.principal().clone(),
            organization: context.organization().clone(),
            method: context.method(),
            token: context.token().cloned(),
            remembered: None,
        }
    }
}

impl Inner {
    /// Judges a party by the claims and scopes of its credential, as a request with it would be. What
    /// else there is, such as its policy, is judged for every stream after every change. Of an `opaque`
    /// token the claims are asked for again, and judged then.
    ///
    /// The text of a token is gone, and with it its signature: that was judged once.
    pub(super) fn accept(
        &self,
        context: &AuthContext,
        opaque: bool,
        now: UnixTime,
    ) -> Result<(), Rejection> {
        let mut proven = Proven::of(context);
        let accepted = if proven.method == AuthMethod::OAuth {
            self.accept_token(&mut proven, opaque, now)
        } else {
            Ok(())
        };
        let accepted = accepted.and_then(|()| self.check_scopes(&proven));
        accepted.map_err(|rejection| context.refused(rejection))
    }

    fn accept_token(
        &self,
        proven: &mut Proven,
        opaque: bool,
        now: UnixTime,
    ) -> Result<(), Rejection> {
        let before = &proven.principal;
        let issuer = self.trust.get(before.issuer());
        let issuer = issuer.ok_or(Reason::UnknownIssuer)?;
        if !opaque {
            let (principal, organization) = accept(before, issuer, &self.resource, now)?;
            let note = "another one by the settings of the moment";
            if organization != proven.organization {
                return Err(Rejection::new(Reason::UnknownOrganization).with_note(note));
            }
            if principal.key() != before.key() {
                return Err(Rejection::new(Reason::InactiveToken).with_note(note));
            }
            proven.principal = principal;
        }
        self.check_bound(proven)
    }
}
