//! Who acts for a principal.

use std::iter::successors;

use crate::ident::{ClientId, Subject};

/// One who acts for a principal (`act`, RFC 8693 §4.1): the party that presents the token, or one
/// that did before it.
///
/// Named by the token's issuer, unless [`issuer`](Self::issuer) says another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub(crate) issuer: Option<Box<str>>,
    pub(crate) subject: Option<Subject>,
    pub(crate) client: Option<ClientId>,
    pub(crate) before: Option<Box<Actor>>,
}

impl Actor {
    /// Who names the actor (`iss`), if not the token's issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Who (`sub`).
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Which OAuth client (`client_id`).
    #[must_use]
    pub fn client(&self) -> Option<&ClientId> {
        self.client.as_ref()
    }

    /// Who acted before, and handed on to this one. For the record only: RFC 8693 §4.1 forbids to
    /// decide by it.
    #[must_use]
    pub fn before(&self) -> Option<&Self> {
        self.before.as_deref()
    }

    /// This one and everybody before, the latest first: at most four.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        successors(Some(self), |actor| actor.before())
    }

    /// Bytes it takes, roughly.
    pub(super) fn size(&self) -> usize {
        let one = |actor: &Self| {
            let texts = [
                actor.issuer(),
                actor.subject().map(Subject::as_str),
                actor.client().map(ClientId::as_str),
            ];
            let texts: usize = texts.iter().flatten().map(|text| text.len() + 24).sum();
            size_of::<Self>() + 24 + texts
        };
        self.chain().map(one).sum()
    }
}
