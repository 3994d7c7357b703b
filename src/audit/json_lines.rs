//! Audit records as lines of JSON, written by a thread of their own.

use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::{AuditEvent, AuditOutcome, AuditRecord, AuditSink};
use crate::clock::{Clock, SystemClock};
use crate::error::BackendError;

/// Target of every event about the writing.
const TARGET: &str = "tower_mcp_auth::audit";

/// Most records waiting, unless configured.
const CAPACITY: usize = 65_536;

/// How long closing waits for a writer that does not come to an end.
const CLOSE: Duration = Duration::from_secs(5);

/// Writes each record as one line of JSON, from a background thread behind a bounded queue.
///
/// Requests never wait for the writer. While it is slower than the requests, records wait: 65,536
/// at most, and the last quarter of the queue is kept for everything else, so that a flood of
/// good requests cannot hide bad ones. What does not fit is lost and counted, and so is what cannot
/// be written; the next record that is written says how many in
/// [`dropped`](AuditRecord::dropped).
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

/// What both ends of the queue know. The channel itself is unbounded; this is its bound.
struct Gate {
    waiting: AtomicUsize,
    /// For any record.
    capacity: usize,
    /// For records of requests that were let in.
    ordinary: usize,
    lost: AtomicU64,
    /// Since the beginning.
    ever_lost: AtomicU64,
    closed: AtomicBool,
}

impl Gate {
    fn new(capacity: usize) -> Self {
        let capacity = capacity.max(4);
        Self {
            waiting: AtomicUsize::new(0),
            capacity,
            ordinary: capacity - capacity / 4,
            lost: AtomicU64::new(0),
            ever_lost: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Takes a place in the queue, if there is one for records that end like this.
    fn enter(&self, outcome: AuditOutcome) -> bool {
        let limit = match outcome {
            AuditOutcome::Allowed => self.ordinary,
            AuditOutcome::Refused | AuditOutcome::Done | AuditOutcome::Error => self.capacity,
        };
        let one_more = |waiting: usize| (waiting < limit).then(|| waiting.saturating_add(1));
        !self.closed.load(Ordering::Acquire)
            && self
                .waiting
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
                .is_ok()
    }

    fn leave(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// Those whose loss no line has reported.
    fn lose(&self, records: u64) {
        self.lost.fetch_add(records, Ordering::AcqRel);
    }

    /// Those that were not lost before.
    fn lose_new(&self, records: u64) {
        self.ever_lost.fetch_add(records, Ordering::AcqRel);
        self.lose(records);
    }
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
        let (sender, inbox) = channel();
        let gate = Arc::new(Gate::new(records));
        let lines = Lines {
            writer,
            gate: gate.clone(),
            torn: false,
            failing: false,
        };
        std::thread::Builder::new()
            .name("mcp-auth-audit".to_owned())
            .spawn(move || lines.run(&inbox))
            .map_err(|error| BackendError::with_source("no thread for audit records", error))?;
        Ok(Self(Arc::new(Inner { sender, gate })))
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
        let Inner { sender, gate } = &*self.0;
        if !gate.enter(record.outcome) {
            gate.lose_new(1);
        } else if sender
            .send(Message::Record(Box::new(record.clone())))
            .is_err()
        {
            gate.leave();
            gate.lose_new(1);
        }
    }

    fn dropped(&self) -> u64 {
        self.0.gate.ever_lost.load(Ordering::Acquire)
    }
}

impl Inner {
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

/// The thread's side.
struct Lines<W> {
    writer: W,
    gate: Arc<Gate>,
    /// A part of a line may have been written; the next one must not continue it.
    torn: bool,
    /// Said so already.
    failing: bool,
}

impl<W: Write> Lines<W> {
    fn run(mut self, inbox: &Receiver<Message>) {
        while let Ok(message) = inbox.recv() {
            let mut next = Some(message);
            while let Some(message) = next {
                match message {
                    Message::Record(record) => self.take(*record),
                    Message::Close(answer) => return self.end(inbox, &answer),
                }
                next = inbox.try_recv().ok();
            }
            self.flush();
        }
    }

    /// Records that entered while the gate was being closed come after the message that closed it.
    fn end(mut self, inbox: &Receiver<Message>, answer: &Sender<Closing>) {
        while let Ok(message) = inbox.try_recv() {
            if let Message::Record(record) = message {
                self.take(*record);
            }
        }
        let mut lost = 0;
        if self.gate.lost.load(Ordering::Acquire) > 0 {
            let now = SystemClock::new().now();
            lost = self.write(AuditRecord::new(AuditEvent::AuditDropped, now));
        }
        let flushed = self.flush();
        drop(self.writer);
        let _ = answer.send(Closing { lost, flushed });
    }

    fn take(&mut self, record: AuditRecord) {
        self.gate.leave();
        self.write(record);
    }

    /// Writes one line, and says how many records this line was to report as lost.
    fn write(&mut self, mut record: AuditRecord) -> u64 {
        record.dropped = self.gate.lost.swap(0, Ordering::AcqRel);
        let start = if self.torn { "\n" } else { "" };
        let line = format!("{start}{}\n", record.to_json());
        self.torn = !self.guarded(|writer| writer.write_all(line.as_bytes()));
        if self.torn {
            self.gate.lose(record.dropped);
            self.gate.lose_new(1);
        }
        record.dropped
    }

    fn flush(&mut self) -> bool {
        self.guarded(Write::flush)
    }

    /// Does something with the writer, whose panics count as failures: nobody else would hear.
    fn guarded(&mut self, work: impl FnOnce(&mut W) -> std::io::Result<()>) -> bool {
        let writer = &mut self.writer;
        let done = catch_unwind(AssertUnwindSafe(|| work(writer)));
        let problem = match done {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it panicked".to_owned()),
        };
        match (&problem, self.failing) {
            (Some(problem), false) => {
                tracing::error!(target: TARGET, problem, "audit records cannot be written");
            }
            (None, true) => tracing::info!(target: TARGET, "audit records are written again"),
            _ => {}
        }
        self.failing = problem.is_some();
        problem.is_none()
    }
}

#[cfg(test)]
mod tests;
