//! Audit records as lines of JSON, written by a thread of their own.

mod gate;
mod lines;

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::{AuditFormat, AuditRecord, AuditSink, SinkState};
use crate::clock::{Clock, SystemClock};
use crate::error::BackendError;
use gate::Gate;
use lines::Lines;

/// Target of every event about the writing.
const TARGET: &str = "tower_mcp_auth::audit";

/// Most records waiting, unless configured.
const CAPACITY: usize = 65_536;

/// How long closing waits for a writer that does not come to an end.
const CLOSE: Duration = Duration::from_secs(5);

/// How often a writer that fails is tried again where no record comes.
const RETRY: Duration = Duration::from_secs(1);

/// Writes each record as one line of JSON, from a background thread behind a bounded queue.
///
/// Requests never wait for the writer. While it is slower than the requests, records wait: 65,536
/// at most, and the last quarter of the queue is kept for everything else, so that a flood of
/// good requests cannot hide bad ones. What does not fit is lost and counted, and so is what cannot
/// be written; the next record that is written says how many in
/// [`dropped`](AuditRecord::dropped).
///
/// With [`audit_required`](crate::authenticator::AuthenticatorBuilder::audit_required) no request is
/// let in while the queue has no room for its record, while the last write or flush failed, or while
/// one takes longer than 5 seconds. A writer that fails is tried again with every record, and every
/// second where none comes.
///
/// Cloning shares queue and thread. When the last clone goes, the queue is written out, for 5
/// seconds at most; [`close`](Self::close) does the same at a moment of your choice and tells how it
/// went. Give it a [`BufWriter`](std::io::BufWriter): it is flushed whenever the queue is empty.
///
/// ```
/// use tower_mcp_auth::audit::{AuditEvent, AuditRecord, AuditSink, JsonLinesAudit};
/// use tower_mcp_auth::clock::UnixTime;
///
/// # fn main() -> Result<(), tower_mcp_auth::BackendError> {
/// let audit = JsonLinesAudit::new(std::io::sink())?; // a File in real life
/// audit.record(&AuditRecord::new(AuditEvent::AuthOk, UnixTime::from_secs(0)));
/// audit.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct JsonLinesAudit(Arc<Inner>);

struct Inner {
    sender: Sender<Message>,
    gate: Arc<Gate>,
}

enum Message {
    Record(Box<AuditRecord>),
    /// Write what is left, answer, end.
    Close(Sender<Closing>),
}

/// How the end went.
struct Closing {
    lost: u64,
    flushed: bool,
}

impl JsonLinesAudit {
    /// Starts the thread, with room for 65,536 records.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::JsonLinesAudit;
    /// let audit = JsonLinesAudit::new(std::io::stderr())?;
    /// # Ok::<(), tower_mcp_auth::BackendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system starts no more threads.
    pub fn new<W: Write + Send + 'static>(writer: W) -> Result<Self, BackendError> {
        Self::with_capacity(writer, CAPACITY)
    }

    /// Starts the thread, with room for `records` records, at least 4. Each takes about a
    /// kilobyte while it waits.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::JsonLinesAudit;
    /// let audit = JsonLinesAudit::with_capacity(std::io::stderr(), 1000)?;
    /// # Ok::<(), tower_mcp_auth::BackendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The system starts no more threads.
    pub fn with_capacity<W: Write + Send + 'static>(
        writer: W,
        records: usize,
    ) -> Result<Self, BackendError> {
        Self::start(writer, records, (Arc::new(SystemClock::new()), RETRY))
    }

    fn start<W: Write + Send + 'static>(
        writer: W,
        records: usize,
        (clock, retry): (Arc<dyn Clock>, Duration),
    ) -> Result<Self, BackendError> {
        let (sender, inbox) = channel();
        let gate = Arc::new(Gate::new(records, clock));
        let lines = Lines::new(writer, gate.clone(), retry);
        std::thread::Builder::new()
            .name("mcp-auth-audit".to_owned())
            .spawn(move || lines.run(&inbox))
            .map_err(|error| BackendError::with_source("no thread for audit records", error))?;
        Ok(Self(Arc::new(Inner { sender, gate })))
    }

    /// What the lines written from now on look like. Default: [`AuditFormat::Native`].
    ///
    /// ```
    /// # use tower_mcp_auth::audit::{AuditFormat, JsonLinesAudit};
    /// let audit = JsonLinesAudit::new(std::io::stderr())?.format(AuditFormat::Ocsf);
    /// # Ok::<(), tower_mcp_auth::BackendError>(())
    /// ```
    #[must_use]
    pub fn format(self, format: AuditFormat) -> Self {
        self.0.gate.set_format(format);
        self
    }

    /// How many records were lost since the start, for want of room or of a writer that works: a
    /// counter for metrics. A request that was not let in because its record found no room is not
    /// one of them.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::JsonLinesAudit;
    /// assert_eq!(JsonLinesAudit::new(std::io::stderr())?.lost(), 0);
    /// # Ok::<(), tower_mcp_auth::BackendError>(())
    /// ```
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.gate.lost_ever()
    }

    /// How many records wait to be written now: a gauge. The last quarter of the queue is not for
    /// requests that were let in.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::JsonLinesAudit;
    /// assert_eq!(JsonLinesAudit::new(std::io::stderr())?.waiting(), 0);
    /// # Ok::<(), tower_mcp_auth::BackendError>(())
    /// ```
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.gate.waiting.load(Ordering::Acquire)
    }

    /// Writes what waits, flushes, and ends the thread; later records are lost. Blocks while it
    /// writes, 5 seconds at most, so call it from `spawn_blocking` in async code. Again: nothing.
    ///
    /// ```
    /// # use tower_mcp_auth::audit::JsonLinesAudit;
    /// let audit = JsonLinesAudit::new(Vec::new())?;
    /// audit.close()?;
    /// # Ok::<(), tower_mcp_auth::BackendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Records were lost since the last one that was written, the writer could not be flushed, or
    /// it did not come to an end in time.
    pub fn close(&self) -> Result<(), BackendError> {
        self.0.close()
    }
}

impl AuditSink for JsonLinesAudit {
    fn record(&self, record: &AuditRecord) {
        if !self.0.send(record) {
            self.0.gate.lose(1);
        }
    }

    fn state(&self) -> SinkState {
        self.0.gate.state()
    }

    fn offer(&self, record: &AuditRecord) -> Result<(), SinkState> {
        match self.state() {
            // Whether there is room for this one, the queue itself says.
            SinkState::Ready | SinkState::Full if self.0.send(record) => Ok(()),
            SinkState::Ready => Err(SinkState::Full),
            state => Err(state),
        }
    }

    fn dropped(&self) -> u64 {
        self.lost()
    }
}

impl Inner {
    /// Whether the record is in the queue now.
    fn send(&self, record: &AuditRecord) -> bool {
        if !self.gate.enter(record) {
            return false;
        }
        let message = Message::Record(Box::new(record.clone()));
        let sent = self.sender.send(message).is_ok();
        if !sent {
            // The thread is gone.
            self.gate.leave();
            self.gate.closed.store(true, Ordering::Release);
        }
        sent
    }

    fn close(&self) -> Result<(), BackendError> {
        if self.gate.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let (answer, closing) = channel();
        // A thread that is gone does not answer either.
        let _ = self.sender.send(Message::Close(answer));
        match closing.recv_timeout(CLOSE) {
            Ok(Closing {
                lost: 0,
                flushed: true,
            }) => Ok(()),
            Ok(closing) => Err(BackendError::new(format!(
                "audit records lost at the end: {}{}",
                closing.lost,
                if closing.flushed {
                    ""
                } else {
                    ", and those not flushed"
                }
            ))),
            Err(error) => Err(BackendError::with_source(
                "the audit writer did not come to an end",
                error,
            )),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(target: TARGET, error = error.report(), "audit not written out");
        }
    }
}

impl fmt::Debug for JsonLinesAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLinesAudit")
            .field("waiting", &self.0.gate.waiting)
            .field("capacity", &self.0.gate.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
