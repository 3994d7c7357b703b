//! Where the rest of the crate hands in its records.

use std::fmt;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::text::AuditText;
use super::{AuditRecord, AuditSink, SinkState};

/// Bytes of a hash that are written: no two emails of one server share them by chance.
const HASH_BYTES: usize = 16;

/// A sink with the numbers of its records. Cloning shares both.
#[derive(Clone)]
pub(crate) struct AuditTrail(Arc<Inner>);

struct Inner {
    sink: Box<dyn AuditSink>,
    instance: Option<AuditText>,
    /// `None` where the operating system gave no random bytes: then no hash is written.
    key: Option<Zeroizing<Vec<u8>>>,
    next: AtomicU64,
    warned: AtomicBool,
    /// Records with which the sink panicked.
    lost: AtomicU64,
}

impl AuditTrail {
    /// A trail without a name, hashing with a key of this process.
    pub(crate) fn new(sink: impl AuditSink) -> Self {
        Self::with(Box::new(sink), None, None)
    }

    pub(crate) fn with(
        sink: Box<dyn AuditSink>,
        instance: Option<AuditText>,
        key: Option<Zeroizing<Vec<u8>>>,
    ) -> Self {
        Self(Arc::new(Inner {
            sink,
            instance,
            key: key.or_else(random_key),
            next: AtomicU64::new(1),
            warned: AtomicBool::new(false),
            lost: AtomicU64::new(0),
        }))
    }

    /// Whether this is the name of the process in its records.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.0.instance == Some(AuditText::new(name))
    }

    /// Whether emails are hashed with this key.
    pub(crate) fn has_key(&self, key: &[u8]) -> bool {
        let known = self.0.key.as_deref();
        known.is_some_and(|known| known.ct_eq(key).into())
    }

    /// Numbers the record and hands it to the sink. Whatever the sink does, the request goes on
    /// (R15).
    pub(crate) fn record(&self, mut record: AuditRecord) {
        self.number(&mut record);
        self.hand_in(&record);
    }

    /// Numbers the record and offers it to the sink. One that is not taken comes back with its number,
    /// to be handed in as what becomes of the request: a gap in the numbers would be a loss.
    pub(crate) fn offer(
        &self,
        mut record: AuditRecord,
    ) -> Result<(), (Box<AuditRecord>, SinkState)> {
        self.number(&mut record);
        let taken = catch_unwind(AssertUnwindSafe(|| self.0.sink.offer(&record)));
        let taken = taken.unwrap_or_else(|_| {
            self.warn(&record);
            Err(SinkState::Failing)
        });
        taken.map_err(|state| (Box::new(record), state))
    }

    /// Hands a numbered record to the sink.
    pub(crate) fn hand_in(&self, record: &AuditRecord) {
        if catch_unwind(AssertUnwindSafe(|| self.0.sink.record(record))).is_err() {
            self.warn(record);
        }
    }

    /// How the sink stands. One that panics when asked is not to be relied on.
    pub(crate) fn state(&self) -> SinkState {
        catch_unwind(AssertUnwindSafe(|| self.0.sink.state())).unwrap_or(SinkState::Failing)
    }

    fn number(&self, record: &mut AuditRecord) {
        record.seq = self.0.next.fetch_add(1, Ordering::Relaxed);
        record.instance.clone_from(&self.0.instance);
    }

    fn warn(&self, record: &AuditRecord) {
        self.0.lost.fetch_add(1, Ordering::Relaxed);
        if !self.0.warned.swap(true, Ordering::Relaxed) {
            tracing::error!(
                target: "tower_mcp_auth::audit",
                seq = record.seq,
                "the audit sink panicked: this record is lost, later ones may be; said once"
            );
        }
    }

    /// How many records were handed in, and how many of them are lost.
    #[cfg(feature = "metrics")]
    pub(crate) fn counts(&self) -> (u64, u64) {
        let handed = self.0.next.load(Ordering::Relaxed).saturating_sub(1);
        let dropped = catch_unwind(AssertUnwindSafe(|| self.0.sink.dropped()));
        let lost = self.0.lost.load(Ordering::Relaxed);
        (handed, lost.saturating_add(dropped.unwrap_or(0)))
    }

    /// What stands for an email: the same for every spelling that differs in the case of ASCII
    /// letters only.
    pub(crate) fn email_hash(&self, email: &str) -> Option<AuditText> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.key.as_deref()?).ok()?;
        mac.update(email.to_ascii_lowercase().as_bytes());
        let mut text = String::with_capacity(2 * HASH_BYTES);
        for byte in mac.finalize().into_bytes().iter().take(HASH_BYTES) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Some(AuditText::new(text))
    }
}

fn random_key() -> Option<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; 32]);
    getrandom::fill(&mut key).ok()?;
    Some(key)
}

impl fmt::Debug for AuditTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditTrail")
            .field("next", &self.0.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::audit::AuditEvent;
    use crate::clock::UnixTime;

    /// Panics at every second record.
    #[derive(Default)]
    struct Fragile(Mutex<Vec<u64>>);

    impl AuditSink for Fragile {
        fn record(&self, record: &AuditRecord) {
            assert!(record.seq % 2 == 1, "fragile");
            self.0.lock().unwrap().push(record.seq);
        }
    }

    #[test]
    fn edge_08_a_panicking_sink_hurts_nobody_and_records_are_numbered() {
        let sink = Arc::new(Fragile::default());
        let trail = AuditTrail::new(sink.clone());
        for _ in 0..5 {
            trail.record(AuditRecord::new(AuditEvent::AuthOk, UnixTime::from_secs(0)));
        }
        assert_eq!(*sink.0.lock().unwrap(), [1, 3, 5]);
    }

    fn keyed(key: &[u8]) -> AuditTrail {
        let key = Some(Zeroizing::new(key.to_vec()));
        AuditTrail::with(Box::new(Fragile::default()), None, key)
    }

    #[test]
    fn edge_08_an_email_is_hashed_under_a_key() {
        // RFC 4231 §4.3, test case 2, cut to 16 bytes.
        let known = keyed(b"Jefe")
            .email_hash("what do ya want for nothing?")
            .unwrap();
        assert_eq!(known, "5bdcc146bf60754e6a042426089575c7");
        let hash = |trail: &AuditTrail, email| trail.email_hash(email).unwrap();
        let (one, other) = (keyed(&[1; 32]), keyed(&[2; 32]));
        assert_eq!(hash(&one, "ada@x.io"), hash(&one, "ADA@X.io"));
        assert_ne!(hash(&one, "ada@x.io"), hash(&one, "eve@x.io"));
        assert_ne!(hash(&one, "ada@x.io"), hash(&other, "ada@x.io"));
        // Without a key of the operator, one that nobody knows.
        let [first, second] = [(); 2].map(|()| AuditTrail::new(Fragile::default()));
        assert_eq!(hash(&first, "ada@x.io"), hash(&first.clone(), "ada@x.io"));
        assert_ne!(hash(&first, "ada@x.io"), hash(&second, "ada@x.io"));
    }
}
