//! One record per decision, for whoever has to answer "who did what" (EDGE-8).
//!
//! Every request that was let in or refused gives one [`AuditRecord`] to an [`AuditSink`], whatever
//! its method of authentication. Records hold ids, never credentials, and no text in them can break
//! a line or drive a terminal ([`AuditText`]). Of API tokens the same sink hears when they are issued,
//! rolled, revoked and found leaked; of policies and settings, when they change; and of every revocation.
//!
//! | sink | for |
//! | --- | --- |
//! | [`TracingAudit`] | whoever collects logs anyway: one event per record |
//! | [`JsonLinesAudit`] | a file or a pipe of its own: one JSON object per line |
//! | `testing::MemoryAudit` | your tests |
//!
//! ```
//! use tower_mcp_auth::audit::{AuditEvent, AuditRecord, AuditSink};
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! /// A gauge of refusals.
//! #[derive(Default)]
//! struct Refusals(AtomicU64);
//!
//! impl AuditSink for Refusals {
//!     fn record(&self, record: &AuditRecord) {
//!         if record.event != AuditEvent::AuthOk {
//!             self.0.fetch_add(1, Ordering::Relaxed);
//!         }
//!     }
//! }
//! ```

mod event;
mod json_lines;
mod ocsf;
mod parts;
mod record;
mod state;
mod text;
pub(crate) mod trail;

use std::sync::Arc;

pub use event::{AuditEvent, AuditOutcome};
pub use json_lines::JsonLinesAudit;
pub use ocsf::AuditFormat;
pub(crate) use parts::AuditOperation;
pub use parts::{
    AuditCredential, AuditNet, AuditPolicy, AuditPrincipal, AuditRevocation, AuditTarget,
};
pub use record::AuditRecord;
pub use state::SinkState;
pub use text::AuditText;

/// Takes audit records.
///
/// Called on the path of every request, so it must neither block nor do I/O: hand the record to a
/// queue, as [`JsonLinesAudit`] does. A panic in it is caught and does not touch the request.
///
/// ```
/// use tower_mcp_auth::audit::{AuditRecord, AuditSink};
///
/// /// Hands records to whatever ships them.
/// struct Shipping(tokio::sync::mpsc::Sender<AuditRecord>);
///
/// impl AuditSink for Shipping {
///     fn record(&self, record: &AuditRecord) {
///         let _ = self.0.try_send(record.clone()); // full: count it
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no place for audit records",
    note = "implement `AuditSink`: `fn record(&self, record: &AuditRecord)`, which must not block; or use `TracingAudit` or `JsonLinesAudit`"
)]
pub trait AuditSink: Send + Sync + 'static {
    /// Takes one record, which is complete and safe to write as it is.
    fn record(&self, record: &AuditRecord);

    /// Whether it takes records now, as far as it knows: for
    /// [`health`](crate::Authenticator::health) and
    /// [`audit_required`](crate::authenticator::AuthenticatorBuilder::audit_required). Must not block.
    /// Default: always.
    fn state(&self) -> SinkState {
        SinkState::Ready
    }

    /// Takes the record of a request that is let in only if it is taken
    /// ([`audit_required`](crate::authenticator::AuthenticatorBuilder::audit_required)); every other
    /// record comes through [`record`](Self::record). Default: by [`state`](Self::state). A sink
    /// whose room can be gone between the two says so here, where it takes the place.
    ///
    /// # Errors
    ///
    /// It is not taken, and not lost either: the request is answered with 503, and the record of that
    /// comes through [`record`](Self::record) under the same number.
    fn offer(&self, record: &AuditRecord) -> Result<(), SinkState> {
        match self.state() {
            SinkState::Ready => {
                self.record(record);
                Ok(())
            }
            state => Err(state),
        }
    }

    /// How many records were lost so far, for metrics: never less than before. Default: none, as far as
    /// known.
    fn dropped(&self) -> u64 {
        0
    }
}

impl<S: AuditSink + ?Sized> AuditSink for Arc<S> {
    fn record(&self, record: &AuditRecord) {
        S::record(self, record);
    }

    fn state(&self) -> SinkState {
        S::state(self)
    }

    fn offer(&self, record: &AuditRecord) -> Result<(), SinkState> {
        S::offer(self, record)
    }

    fn dropped(&self) -> u64 {
        S::dropped(self)
    }
}

/// Makes each record one event of level `INFO`, target `tower_mcp_auth::audit`.
///
/// The whole record stands in the field `record` as JSON; `event`, `outcome` and `reason` stand
/// beside it, to filter by. It is [unheard](SinkState::Unheard) where no subscriber takes such events;
/// what a subscriber does with them, or drops, it cannot know: where records are
/// [required](crate::authenticator::AuthenticatorBuilder::audit_required), [`JsonLinesAudit`] is the
/// sink for it.
///
/// ```
/// use tower_mcp_auth::audit::{AuditEvent, AuditRecord, AuditSink, TracingAudit};
/// use tower_mcp_auth::clock::UnixTime;
///
/// TracingAudit::new().record(&AuditRecord::new(AuditEvent::AuthOk, UnixTime::from_secs(0)));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingAudit(());

impl TracingAudit {
    /// The sink.
    ///
    /// ```
    /// let sink = tower_mcp_auth::audit::TracingAudit::new();
    /// # let _ = sink;
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl AuditSink for TracingAudit {
    fn record(&self, record: &AuditRecord) {
        tracing::info!(
            target: "tower_mcp_auth::audit",
            event = record.event.name(),
            outcome = record.outcome.name(),
            reason = record.reason.map(crate::rejection::Reason::code),
            record = record.to_json(),
            "audit"
        );
    }

    fn state(&self) -> SinkState {
        if tracing::enabled!(target: "tower_mcp_auth::audit", tracing::Level::INFO) {
            SinkState::Ready
        } else {
            SinkState::Unheard
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::clock::UnixTime;
    use crate::rejection::Reason;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn t49_a_record_is_one_event_on_one_line() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let mut record = AuditRecord::refused(UnixTime::from_secs(0), &Reason::Expired.into());
        record.request_id = Some("a\nforged\u{1b}[2J\u{202e}".into());
        tracing::subscriber::with_default(subscriber, || TracingAudit::new().record(&record));
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        for part in [
            " INFO tower_mcp_auth::audit: audit event=\"auth.fail\" outcome=\"refused\"",
            "reason=\"expired\"",
            "forged",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
