//! What a credential says about itself, for the record alone: nothing here is proved.

use http::HeaderMap;

use super::Inner;
use super::held::method_of;
use super::sender::Sender;
use super::tokens::Tokens;
use crate::api_token::TokenId;
use crate::audit::trail::AuditTrail;
use crate::audit::{AuditCredential, AuditRecord, AuditText};
use crate::method::AuthMethod;
use crate::wire::authorization::{Presented, read};
use crate::wire::basic::{BasicCredential, read_basic};

/// How a request tried to authenticate. Read once more from its headers, and only where there is a
/// sink, so that the way of a request carries nothing for it.
#[derive(Default)]
pub(super) struct Evidence {
    method: Option<AuthMethod>,
    /// The public part of an API token whose checksum fits.
    token: Option<TokenId>,
    basic: Option<BasicCredential>,
}

impl Evidence {
    pub(super) fn of(inner: &Inner, headers: &HeaderMap) -> Self {
        let presented = read(headers, inner.credential_limit, inner.api_key_header());
        match (presented, &inner.shared.tokens) {
            (Ok(Presented::Basic(text)), Some(tokens)) => {
                let basic = read_basic(text).ok();
                let secret = basic.as_ref().map_or("", |basic| basic.secret());
                let token = Self::token(tokens, secret);
                Self {
                    method: token.method.or(Some(AuthMethod::ApiToken)),
                    basic,
                    ..token
                }
            }
            (Ok(Presented::ApiKey(text)), Some(tokens)) => {
                let token = Self::token(tokens, text);
                Self {
                    method: token.method.or(Some(AuthMethod::ServiceAccountKey)),
                    ..token
                }
            }
            (Ok(Presented::Bearer(text)), Some(tokens)) if tokens.kind_of(text).is_some() => {
                Self::token(tokens, text)
            }
            (Ok(Presented::Bearer(text) | Presented::Dpop(text)), _)
                if inner.is_access_token(text) =>
            {
                Self {
                    method: Some(AuthMethod::OAuth),
                    ..Self::default()
                }
            }
            _ => Self::default(),
        }
    }

    fn token(tokens: &Tokens, text: &str) -> Self {
        Self {
            method: tokens.kind_of(text).map(method_of),
            token: tokens.id_of(text),
            basic: None,
        }
    }

    /// What was proved stands; the rest is filled in.
    pub(super) fn describe(
        &self,
        record: &mut AuditRecord,
        sender: Option<&Sender>,
        trail: &AuditTrail,
    ) {
        record.method = record.method.or(self.method.map(AuthMethod::name));
        record.email_hash = self
            .basic
            .as_ref()
            .and_then(|basic| trail.email_hash(basic.email()));
        let Some(id) = &self.token else {
            return;
        };
        let claimed = || AuditCredential {
            id: Some(AuditText::new(id.as_str())),
            ..AuditCredential::default()
        };
        let credential = record.credential.get_or_insert_with(claimed);
        credential.exposed = sender.is_some_and(|sender| sender.in_the_clear);
    }
}
