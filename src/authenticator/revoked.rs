//! What is revoked in this process, and who hears of it.

use std::sync::Arc;

use crate::audit::trail::AuditTrail;
use crate::audit::{AuditEvent, AuditRecord, AuditRevocation, AuditText};
use crate::clock::{Clock, UnixTime};
use crate::revocation::{Epoch, Epochs, RevocationEntry, RevocationTarget};
use crate::signal::{Causes, Signal};

/// A revocation from a clock that is further ahead than this counts from here on: it would otherwise
/// refuse every login until that time comes.
const MOST_AHEAD: i64 = 300;

/// What is revoked, and who hears of it.
pub(super) struct Table {
    pub(super) epochs: Epochs,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) signal: Arc<Signal>,
    pub(super) trail: Option<AuditTrail>,
}

impl Table {
    /// What this process revokes.
    pub(super) fn revoke(&self, target: &RevocationTarget, entry: &RevocationEntry) {
        let now = self.clock.now();
        self.add(target, entry, now);
        self.signal.raise(Causes::REVOCATION, None);
        self.record(target, now);
    }

    pub(super) fn add(
        &self,
        target: &RevocationTarget,
        entry: &RevocationEntry,
        now: UnixTime,
    ) -> bool {
        let at = UnixTime::from_secs(entry.revoked_at).min(now.plus_secs(MOST_AHEAD));
        let until = entry.until();
        self.epochs.add(target, Epoch { at, until }, now)
    }

    pub(super) fn record(&self, target: &RevocationTarget, now: UnixTime) {
        if let Some(trail) = &self.trail {
            let mut record = AuditRecord::new(AuditEvent::RevocationApplied, now);
            if let RevocationTarget::User { organization, .. } = target {
                record.organization = Some(AuditText::new(organization));
            }
            record.revocation = Some(on_record(target));
            trail.record(record);
        }
    }
}

fn on_record(target: &RevocationTarget) -> AuditRevocation {
    let (issuer, id) = match target {
        RevocationTarget::Token { issuer, id } => (Some(issuer), id.as_str()),
        RevocationTarget::TokenOf {
            issuer, subject, ..
        } => (Some(issuer), subject.as_str()),
        RevocationTarget::Principal(key) => (None, key.as_str()),
        RevocationTarget::User { subject, .. } => (None, subject.as_str()),
        RevocationTarget::Client { issuer, client } => (Some(issuer), client.as_str()),
        RevocationTarget::Key { issuer, key_id } => (Some(issuer), key_id.as_str()),
        RevocationTarget::Organization(organization) => (None, organization.as_str()),
        RevocationTarget::Issuer(issuer) => (None, issuer.as_str()),
    };
    let mut revocation = AuditRevocation::new(target.kind(), id);
    revocation.issuer = issuer.map(AuditText::new);
    revocation
}
