//! The limits a credential carries itself: its scopes, and the networks of an API token.

use super::Inner;
use super::decide::Proven;
use super::sender::Sender;
use crate::method::AuthMethod;
use crate::policy::{Permitted, with_help};
use crate::rejection::{Reason, Rejection};

/// Most scopes listed to whoever has none.
const MAX_SHOWN: usize = 64;

impl Inner {
    pub(super) fn check_scopes(&self, proven: &Proven) -> Result<(), Rejection> {
        let granted = proven.principal.scopes();
        if proven.token.is_some() && granted.is_empty() {
            let none: Vec<&str> = Vec::new();
            let known: Vec<&str> = self.known_scopes.iter().take(MAX_SHOWN).collect();
            return Err(Rejection::new(Reason::UnscopedToken)
                .with_detail("granted_scopes", none)
                .with_detail("scopes_supported", known));
        }
        if granted.covers(&self.required_scopes) {
            return Ok(());
        }
        let reason = match proven.method {
            AuthMethod::OAuth => Reason::InsufficientScope,
            // A new login would not change what an API token may do (SCP-8).
            _ => Reason::ApiTokenLacksScope,
        };
        Err(Rejection::insufficient_scope(
            reason,
            granted,
            &self.required_scopes,
        ))
    }
}

/// An API token may be bound to networks of its own.
pub(super) fn check_networks(
    proven: &Proven,
    sender: &Sender,
    permitted: Option<&Permitted>,
) -> Result<(), Rejection> {
    let Some(token) = &proven.token else {
        return Ok(());
    };
    let networks = &token.held.networks;
    let inside = |address| networks.iter().any(|network| network.contains(&address));
    if networks.is_empty() || sender.address.is_some_and(inside) {
        return Ok(());
    }
    let rejection = Rejection::new(Reason::NetworkNotAllowed)
        .with_message("This API token may not be used from this network.")
        .with_detail("rule", "token_networks");
    Err(match permitted.map(Permitted::policy) {
        Some(policy) => with_help(rejection, policy),
        None => rejection,
    })
}
