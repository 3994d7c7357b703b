//! Claims that were judged, before the signature over them was.

use std::sync::{Arc, OnceLock};

use crate::clock::UnixTime;
use crate::confirmation::Confirmation;
use crate::ident::{ClientId, OrganizationId, Subject, TenantId};
use crate::issuer::Issuer;
use crate::principal::{Actor, Facts, Principal, PrincipalKind};
use crate::rejection::{Reason, Rejection};
use crate::scope::ScopeSet;

/// A token whose claims passed every rule; its signature has not been looked at.
#[derive(Debug)]
pub(crate) struct Unverified {
    pub(super) subject: Subject,
    pub(super) client: Option<ClientId>,
    pub(super) kind: PrincipalKind,
    pub(super) scopes: ScopeSet,
    pub(super) expires_at: UnixTime,
    pub(super) issued_at: Option<UnixTime>,
    pub(super) authenticated_at: Option<UnixTime>,
    pub(super) authentication_class: Option<Box<str>>,
    pub(super) authentication_methods: Box<[Box<str>]>,
    pub(super) actor: Option<Box<Actor>>,
    pub(super) token_id: Option<Box<str>>,
    pub(super) roles: Box<[Box<str>]>,
    pub(super) groups: Box<[Box<str>]>,
    pub(super) entitlements: Box<[Box<str>]>,
    pub(super) organization: Option<OrganizationId>,
    pub(super) tenant: Option<TenantId>,
    pub(super) confirmation: Option<Box<Confirmation>>,
}

impl Unverified {
    /// The evidence, once a key of the issuer verified the signature.
    ///
    /// The organization is judged only here: nobody learns what this server knows about
    /// organizations without a good token.
    pub(crate) fn verified(
        self,
        issuer: &Issuer,
        name: Arc<str>,
        key_id: Option<Arc<str>>,
        payload: Vec<u8>,
    ) -> Result<(Principal, OrganizationId), Rejection> {
        // A claim must not pose as the organization of the issuers that name none (T19).
        let named = self.organization.filter(|named| !named.is_implicit());
        let organization = match (named, &issuer.organization_claim) {
            (Some(organization), _) => organization,
            (None, None) => OrganizationId::implicit(),
            (None, Some(claim)) => {
                return Err(Rejection::new(Reason::UnknownOrganization).with_note(claim.clone()));
            }
        };
        let principal = Principal::new(Facts {
            kind: self.kind,
            issuer: name,
            subject: self.subject,
            client: self.client,
            tenant: self.tenant,
            scopes: self.scopes,
            expires_at: self.expires_at,
            issued_at: self.issued_at,
            authenticated_at: self.authenticated_at,
            authentication_class: self.authentication_class,
            authentication_methods: self.authentication_methods,
            actor: self.actor,
            key_id,
            token_id: self.token_id,
            email: None,
            created_by: None,
            roles: self.roles,
            groups: self.groups,
            entitlements: self.entitlements,
            confirmation: self.confirmation,
            payload,
            claims: OnceLock::new(),
        });
        Ok((principal, organization))
    }
}
