//! What a request names of somebody's session.

use http::{HeaderMap, HeaderName, header};

use super::operation::Caller;
use super::visit::Visit;
use crate::context::AuthContext;
use crate::rejection::{Reason, Rejection};
use crate::session::{Seals, Sessions};
use crate::wire::only_line;

impl Visit {
    /// Binds sessions where credentials are judged, and nowhere twice.
    pub(super) fn sessions(&self) -> Option<&Sessions> {
        self.auth.sessions().filter(|_| self.stages.credential)
    }

    /// Who brings an id of a session or an event that was not made for them hears what somebody hears
    /// who made one up (T44).
    pub(super) fn check_session(
        &self,
        headers: &HeaderMap,
        caller: &Caller,
    ) -> Result<(), Rejection> {
        let Some(sessions) = self.sessions() else {
            return Ok(());
        };
        let owner = match caller {
            Caller::Party(context) => Some(context.owner()),
            Caller::Nobody(_) => None,
        };
        let is_theirs = |(name, seals): (&HeaderName, &Seals)| match only_line(headers, name) {
            Ok(id) => id.is_none_or(|id| seals.open(id, owner).is_some()),
            Err(_) => false,
        };
        if sessions.lines().into_iter().all(is_theirs) {
            return Ok(());
        }
        Err(match caller {
            Caller::Party(context) => context.refused(Reason::UnknownSession.into()),
            Caller::Nobody(due) => (**due).clone(),
        })
    }

    /// The inner service knows its own ids.
    pub(super) fn unseal_session(&self, headers: &mut HeaderMap, context: Option<&AuthContext>) {
        let Some(sessions) = self.sessions() else {
            return;
        };
        for (name, seals) in sessions.lines() {
            // Asked first, because an entry makes room for itself.
            if !headers.contains_key(name) {
                continue;
            }
            if let header::Entry::Occupied(mut line) = headers.entry(name) {
                match seals.open(line.get(), context.map(AuthContext::owner)) {
                    Some(id) => drop(line.insert(id)),
                    // Refused before.
                    None => drop(line.remove()),
                }
            }
        }
    }
}
