//! Nobody is let in without a record of it, where that is wanted (R26).

use std::sync::Arc;
use std::time::Duration;

use super::Head;
use super::sender::Arrival;
use super::slot::Current;
use crate::audit::{AuditEvent, AuditOperation, AuditOutcome, AuditRecord, SinkState};
use crate::context::AuthContext;
use crate::error::BackendError;
use crate::rejection::{Reason, Rejection};

/// When a client may try again: about as often as a sink that fails is tried.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Current {
    /// Puts it on record that a request is let in, if there is a sink.
    ///
    /// # Errors
    ///
    /// It is not to be let in: its record is required, and not taken. That is on record instead, as
    /// far as there is room for it.
    pub(crate) fn admit_on_record(
        &self,
        head: Head<'_>,
        context: Option<&AuthContext>,
        (operation, request_id): (Option<AuditOperation>, Option<&str>),
        arrival: Arrival,
    ) -> Result<(), Rejection> {
        let Some(audit) = &self.0.ground.audit else {
            return Ok(());
        };
        let decision = (Ok(context), (operation, request_id));
        let record = self.decided(audit, head, decision, arrival);
        if !audit.required {
            audit.trail.record(record);
            return Ok(());
        }
        audit.trail.offer(record).map_err(|(record, state)| {
            audit.trail.hand_in(&unavailable(record));
            rejection(state, context)
        })
    }

    /// The refusal that [`admit_on_record`](Self::admit_on_record) would end in now.
    pub(crate) fn foresee_record(&self, context: Option<&AuthContext>) -> Result<(), Rejection> {
        let required = self.0.ground.audit.as_ref().filter(|audit| audit.required);
        match required.map_or(SinkState::Ready, |audit| audit.trail.state()) {
            SinkState::Ready => Ok(()),
            state => Err(rejection(state, context)),
        }
    }
}

/// What becomes of the request whose record was not taken, under the same number.
fn unavailable(mut record: Box<AuditRecord>) -> Box<AuditRecord> {
    let reason = Reason::AuditUnavailable;
    record.event = AuditEvent::AuthUnavailable;
    record.outcome = AuditOutcome::Error;
    record.reason = Some(reason);
    record.status = Some(reason.status().as_u16());
    record
}

fn rejection(state: SinkState, context: Option<&AuthContext>) -> Rejection {
    let state = state.name();
    let cause = BackendError::new(format!("the audit sink takes no records: it is {state}"));
    let reason = Reason::AuditUnavailable;
    let rejection = Rejection::unavailable(reason, RETRY_AFTER, Some(Arc::new(cause)));
    match context {
        Some(context) => context.refused(rejection),
        None => rejection,
    }
}
