//! A good API token, whoever made its format: what every request is judged by.

use std::sync::{Arc, OnceLock};

use ipnet::IpNet;

use crate::api_token::foreign::ForeignToken;
use crate::api_token::{Owner, TokenKind, TokenRecord};
use crate::clock::UnixTime;
use crate::ident::{OrganizationId, Subject, TenantId};
use crate::method::AuthMethod;
use crate::principal::{Facts, Principal, PrincipalKind};
use crate::scope::ScopeSet;

/// The facts of a token, and the principal made of them once.
pub(super) struct Held {
    pub(super) principal: Principal,
    pub(super) organization: OrganizationId,
    pub(super) method: AuthMethod,
    pub(super) networks: Box<[IpNet]>,
    pub(super) tenants: Box<[TenantId]>,
}

/// What both makers say of a token's principal.
struct Said {
    kind: TokenKind,
    authority: Arc<str>,
    id: Box<str>,
    owner: Owner,
    created_by: Option<Subject>,
    scopes: ScopeSet,
    created_at: UnixTime,
    expires_at: UnixTime,
}

impl Held {
    /// Of a token of ours.
    pub(super) fn issued(record: &TokenRecord, authority: &Arc<str>) -> Self {
        let said = Said {
            kind: record.kind(),
            authority: authority.clone(),
            id: record.id().as_str().into(),
            owner: record.owner().clone(),
            created_by: Some(record.created_by().clone()),
            scopes: record.scopes().clone(),
            created_at: record.created_at(),
            expires_at: record.expires_at(),
        };
        Self {
            method: method_of(said.kind),
            principal: said.principal(),
            organization: record.organization().clone(),
            networks: record.networks().into(),
            tenants: record.tenants().into(),
        }
    }

    /// Of a token of the foreign format with this name.
    pub(super) fn foreign(token: ForeignToken, format: &Arc<str>) -> Self {
        let said = Said {
            kind: token.kind,
            authority: token.authority.unwrap_or_else(|| format.clone()),
            id: token.id,
            owner: token.owner,
            created_by: token.created_by,
            scopes: token.scopes,
            created_at: token.created_at,
            expires_at: token.expires_at,
        };
        Self {
            method: method_of(said.kind),
            principal: said.principal(),
            organization: token.organization,
            networks: token.networks.into(),
            tenants: token.tenants.into(),
        }
    }
}

/// How somebody authenticates with a token of this kind.
pub(super) fn method_of(kind: TokenKind) -> AuthMethod {
    match kind {
        TokenKind::Personal => AuthMethod::ApiToken,
        TokenKind::ServiceAccount => AuthMethod::ServiceAccountKey,
    }
}

impl Said {
    fn principal(self) -> Principal {
        Principal::new(Facts {
            kind: match self.kind {
                TokenKind::Personal => PrincipalKind::User,
                TokenKind::ServiceAccount => PrincipalKind::ServiceAccount,
            },
            issuer: self.authority,
            subject: self.owner.subject().clone(),
            client: None,
            tenant: None,
            scopes: self.scopes,
            expires_at: self.expires_at,
            issued_at: Some(self.created_at),
            authenticated_at: None,
            authentication_class: None,
            authentication_methods: Box::default(),
            actor: None,
            key_id: None,
            token_id: Some(self.id),
            email: self.owner.email().map(|email| email.as_str().into()),
            created_by: self.created_by,
            roles: Box::default(),
            groups: Box::default(),
            entitlements: Box::default(),
            confirmation: None,
            payload: Vec::new(),
            claims: OnceLock::new(),
        })
    }
}
