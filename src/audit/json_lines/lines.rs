//! The thread that writes.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::gate::Gate;
use super::{CLOSE, Closing, Message, TARGET};
use crate::audit::{AuditEvent, AuditFormat, AuditRecord};
use crate::clock::{Clock, SystemClock};

/// The thread's side.
pub(super) struct Lines<W> {
    writer: W,
    gate: Arc<Gate>,
    /// How long it waits for a record, while the writer fails, before it tries the writer again.
    retry: Duration,
    /// A part of a line may have been written; the next one must not continue it.
    torn: bool,
    /// Said so already.
    failing: bool,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(writer: W, gate: Arc<Gate>, retry: Duration) -> Self {
        Self {
            writer,
            gate,
            retry,
            torn: false,
            failing: false,
        }
    }

    pub(super) fn run(mut self, inbox: &Receiver<Message>) {
        loop {
            let mut next = match self.wait(inbox) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => {
                    self.try_again();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
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

    fn wait(&self, inbox: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        if self.failing {
            return inbox.recv_timeout(self.retry);
        }
        inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
    }

    /// Nobody brings a record, perhaps because none is let in before this works again.
    fn try_again(&mut self) {
        if self.torn {
            self.write(dropped());
        }
        self.flush();
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
            lost = self.write(dropped());
        }
        let mut flushed = self.flush();
        // A thread that was interrupted has its record's place in the queue, and is about to send it.
        while self.gate.waiting.load(Ordering::Acquire) > 0
            && let Ok(Message::Record(record)) = inbox.recv_timeout(CLOSE)
        {
            self.take(*record);
            flushed = self.flush();
        }
        drop(self.writer);
        let _ = answer.send(Closing { lost, flushed });
    }

    fn take(&mut self, record: AuditRecord) {
        self.gate.leave();
        self.write(record);
        // A buffer takes what its file does not: only a flush says that it works again.
        if self.failing && !self.torn {
            self.flush();
        }
    }

    /// Writes one line, and says how many records this line was to report as lost.
    fn write(&mut self, mut record: AuditRecord) -> u64 {
        record.dropped = self.gate.lost.swap(0, Ordering::AcqRel);
        let start = if self.torn { "\n" } else { "" };
        let json = match self.gate.format() {
            AuditFormat::Native => record.to_json(),
            AuditFormat::Ocsf => record.to_ocsf().to_string(),
        };
        let line = format!("{start}{json}\n");
        self.torn = !self.guarded(|writer| writer.write_all(line.as_bytes()));
        if self.torn {
            self.gate.owe(record.dropped);
            // A report that is lost is made again.
            if record.event != AuditEvent::AuditDropped {
                self.gate.lose(1);
            }
        }
        record.dropped
    }

    fn flush(&mut self) -> bool {
        let flushed = self.guarded(Write::flush);
        if flushed && !self.torn && self.failing {
            self.failing = false;
            self.gate.failing.store(false, Ordering::Release);
            tracing::info!(target: TARGET, "audit records are written again");
        }
        flushed
    }

    /// Does something with the writer, whose panics count as failures: nobody else would hear.
    fn guarded(&mut self, work: impl FnOnce(&mut W) -> std::io::Result<()>) -> bool {
        let writer = &mut self.writer;
        self.gate.begin();
        let done = catch_unwind(AssertUnwindSafe(|| work(writer)));
        self.gate.end();
        let problem = match done {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it panicked".to_owned(),
        };
        self.gate.failing.store(true, Ordering::Release);
        if !self.failing {
            self.failing = true;
            tracing::error!(target: TARGET, problem, "audit records cannot be written");
        }
        false
    }
}

/// What reports losses where no other record does.
fn dropped() -> AuditRecord {
    AuditRecord::new(AuditEvent::AuditDropped, SystemClock::new().now())
}
