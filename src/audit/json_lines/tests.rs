use std::io;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;

use serde_json::Value;

use super::*;
use crate::audit::AuditEvent;
use crate::clock::UnixTime;

/// What was written, shared with the test.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that stands still until the test lets it go on: once per line.
struct Slow {
    paper: Paper,
    started: Sender<()>,
    go: Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.started.send(());
        // Once the test has gone, as fast as it can.
        let _ = self.go.recv();
        self.paper.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn record(event: AuditEvent, seq: u64) -> AuditRecord {
    let mut record = AuditRecord::new(event, UnixTime::from_secs(0));
    record.seq = seq;
    record
}

fn seqs(lines: &[Value]) -> Vec<u64> {
    lines
        .iter()
        .map(|line| line["seq"].as_u64().unwrap())
        .collect()
}

#[test]
fn edge_08_every_record_is_one_line_in_order_and_close_writes_them_out() {
    let paper = Paper::default();
    let audit = JsonLinesAudit::new(io::BufWriter::new(paper.clone())).unwrap();
    for seq in 0..1000 {
        audit.record(&record(AuditEvent::AuthOk, seq));
    }
    audit.close().unwrap();
    let lines = paper.lines();
    assert_eq!(seqs(&lines), (0..1000).collect::<Vec<_>>());
    assert!(lines.iter().all(|line| line.get("dropped").is_none()));
    // Closed is closed.
    audit.record(&record(AuditEvent::AuthOk, 1000));
    audit.close().unwrap();
    drop(audit);
    assert_eq!(paper.lines().len(), 1000);
}

#[test]
fn edge_08_the_last_clone_writes_the_queue_out() {
    let paper = Paper::default();
    let audit = JsonLinesAudit::new(paper.clone()).unwrap();
    let other = audit.clone();
    audit.record(&record(AuditEvent::AuthOk, 1));
    drop(audit);
    other.record(&record(AuditEvent::AuthFail, 2));
    drop(other);
    assert_eq!(seqs(&paper.lines()), [1, 2]);
}

// also: R26
#[test]
fn edge_08_a_full_queue_keeps_room_for_refusals_and_counts_what_it_drops() {
    let paper = Paper::default();
    let (started, has_started) = channel();
    let (go_on, go) = channel();
    let slow = Slow {
        paper: paper.clone(),
        started,
        go,
    };
    let audit = JsonLinesAudit::with_capacity(slow, 8).unwrap();
    audit.record(&record(AuditEvent::AuthOk, 0));
    // The writer holds the first record, so the queue is empty and stays as it is.
    has_started.recv().unwrap();
    for seq in 1..=10 {
        audit.record(&record(AuditEvent::AuthOk, seq)); // six fit
    }
    for seq in 11..=15 {
        audit.record(&record(AuditEvent::AuthDenied, seq)); // two fit
    }
    drop(go_on);
    audit.close().unwrap();
    let lines = paper.lines();
    assert_eq!(seqs(&lines), [0, 1, 2, 3, 4, 5, 6, 11, 12]);
    let dropped: u64 = lines
        .iter()
        .filter_map(|line| line["dropped"].as_u64())
        .sum();
    assert_eq!(dropped, 7);
    assert_eq!(lines[1]["dropped"], 7);
}

/// Fails or panics at chosen lines, after writing a part of them.
struct Faulty {
    paper: Paper,
    line: u32,
    fails: fn(u32) -> bool,
    panics: bool,
}

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.paper.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line += 1;
        if (self.fails)(self.line) {
            self.paper.write_all(&bytes[..bytes.len() / 2])?;
            assert!(!self.panics, "a writer's mistake");
            return Err(io::Error::other("disk full"));
        }
        self.paper.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn edge_08_a_failing_or_panicking_writer_loses_its_record_only() {
    for panics in [false, true] {
        let paper = Paper::default();
        let audit = JsonLinesAudit::new(Faulty {
            paper: paper.clone(),
            line: 0,
            fails: |line| line == 2 || line == 3,
            panics,
        })
        .unwrap();
        for seq in 1..=4 {
            audit.record(&record(AuditEvent::AuthOk, seq));
        }
        audit.close().unwrap();
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        let whole: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        assert_eq!(seqs(&whole), [1, 4], "{text}");
        assert_eq!(whole[1]["dropped"], 2);
    }
}

#[test]
fn edge_08_losses_that_no_record_reports_are_reported_at_the_end() {
    let paper = Paper::default();
    let audit = JsonLinesAudit::new(Faulty {
        paper: paper.clone(),
        line: 0,
        fails: |line| line == 2,
        panics: false,
    })
    .unwrap();
    audit.record(&record(AuditEvent::AuthOk, 1));
    audit.record(&record(AuditEvent::AuthOk, 2));
    audit.close().unwrap_err();
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["dropped"]),
        (&"audit.dropped".into(), &1.into())
    );
}

#[test]
fn edge_08_many_threads_lose_nothing_that_is_not_counted() {
    let paper = Paper::default();
    let audit = JsonLinesAudit::with_capacity(paper.clone(), 64).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let audit = &audit;
            scope.spawn(move || {
                for seq in 0..2000 {
                    audit.record(&record(AuditEvent::AuthOk, thread * 2000 + seq));
                }
            });
        }
    });
    let _ = audit.close();
    let lines = paper.lines();
    let written = lines
        .iter()
        .filter(|line| line["event"] == "auth.ok")
        .count();
    let dropped: u64 = lines
        .iter()
        .filter_map(|line| line["dropped"].as_u64())
        .sum();
    assert_eq!(u64::try_from(written).unwrap() + dropped, 8000);
    assert_eq!(audit.0.gate.waiting.load(Ordering::Acquire), 0);
}

#[cfg(feature = "testing")]
/// A sink whose one thread stands still in the middle of its first record.
fn stopped(capacity: usize, clock: Arc<dyn Clock>) -> (JsonLinesAudit, Sender<()>, Paper) {
    let paper = Paper::default();
    let (started, has_started) = channel();
    let (go_on, go) = channel();
    let slow = Slow {
        paper: paper.clone(),
        started,
        go,
    };
    let audit = JsonLinesAudit::start(slow, capacity, (clock, RETRY)).unwrap();
    audit.record(&record(AuditEvent::AuthOk, 0));
    has_started.recv().unwrap();
    (audit, go_on, paper)
}

#[cfg(feature = "testing")]
fn unavailable(seq: u64) -> AuditRecord {
    let mut record = record(AuditEvent::AuthUnavailable, seq);
    record.reason = Some(crate::rejection::Reason::AuditUnavailable);
    record
}

#[cfg(feature = "testing")]
#[test]
fn r26_what_is_not_taken_is_not_lost_and_503s_leave_the_reserve_alone() {
    let (audit, go_on, paper) = stopped(8, Arc::new(crate::testing::ManualClock::at(0)));
    for seq in 1..=6 {
        audit.offer(&record(AuditEvent::AuthOk, seq)).unwrap();
    }
    assert_eq!(audit.state(), SinkState::Full);
    let full = Err(SinkState::Full);
    assert_eq!(audit.offer(&record(AuditEvent::AuthOk, 7)), full);
    assert_eq!(audit.lost(), 0);
    for seq in 8..100 {
        audit.record(&unavailable(seq));
    }
    assert_eq!(audit.lost(), 92);
    audit.record(&record(AuditEvent::AuthDenied, 100));
    audit.record(&record(AuditEvent::RevocationApplied, 101));
    audit.record(&record(AuditEvent::AuthFail, 102));
    assert_eq!((audit.lost(), audit.waiting()), (93, 8));
    drop(go_on);
    audit.close().unwrap();
    let lines = paper.lines();
    assert_eq!(seqs(&lines), [0, 1, 2, 3, 4, 5, 6, 100, 101]);
    assert_eq!(lines[1]["dropped"], 93);
    let closed = Err(SinkState::Closed);
    assert_eq!(audit.offer(&record(AuditEvent::AuthOk, 103)), closed);
    assert_eq!(audit.state(), SinkState::Closed);
}

#[cfg(feature = "testing")]
#[test]
fn r26_a_write_that_does_not_come_back_is_a_failure_after_five_seconds() {
    let clock = crate::testing::ManualClock::at(0);
    let (audit, go_on, _paper) = stopped(1000, Arc::new(clock.clone()));
    clock.advance(Duration::from_secs(5));
    audit.offer(&record(AuditEvent::AuthOk, 1)).unwrap();
    clock.advance(Duration::from_millis(1));
    assert_eq!(audit.state(), SinkState::Failing);
    let failing = Err(SinkState::Failing);
    assert_eq!(audit.offer(&record(AuditEvent::AuthOk, 2)), failing);
    drop(go_on);
    audit.close().unwrap();
}

/// A disk that is full or not; what is written reaches it when it is flushed, or at once.
#[derive(Clone)]
struct Disk {
    paper: Paper,
    is_full: Arc<AtomicBool>,
    /// Told of every attempt.
    tried: Sender<()>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.tried.send(());
        if self.is_full.load(Ordering::Acquire) {
            return Err(io::Error::other("no space left on device"));
        }
        self.paper.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn disk() -> (Disk, Arc<AtomicBool>, Receiver<()>) {
    let (tried, has_tried) = channel();
    let is_full = Arc::new(AtomicBool::new(true));
    let disk = Disk {
        paper: Paper::default(),
        is_full: is_full.clone(),
        tried,
    };
    (disk, is_full, has_tried)
}

fn wait_for(audit: &JsonLinesAudit, state: SinkState) {
    while audit.state() != state {
        std::thread::yield_now();
    }
}

/// With a buffer nothing is known to fail before it is flushed, and with none the flush means nothing.
#[test]
fn r26_a_full_disk_is_known_and_tried_again_without_any_record() {
    for buffered in [false, true] {
        let (disk, is_full, has_tried) = disk();
        let paper = disk.paper.clone();
        let writer: Box<dyn Write + Send> = if buffered {
            Box::new(io::BufWriter::new(disk))
        } else {
            Box::new(disk)
        };
        let retry = Duration::from_millis(1);
        let clock = Arc::new(SystemClock::new());
        let audit = JsonLinesAudit::start(writer, 100, (clock, retry)).unwrap();
        audit.offer(&record(AuditEvent::AuthOk, 1)).unwrap();
        wait_for(&audit, SinkState::Failing);
        assert!(audit.offer(&record(AuditEvent::AuthOk, 2)).is_err());
        // Also with a record that only the buffer takes.
        audit.record(&record(AuditEvent::AuthFail, 3));
        while audit.waiting() > 0 {
            std::thread::yield_now();
        }
        let _before = has_tried.try_iter().count();
        // The second of these begins when the one with that record is over.
        for _ in 0..2 {
            has_tried.recv().unwrap();
        }
        assert_eq!(audit.state(), SinkState::Failing, "{buffered}");
        is_full.store(false, Ordering::Release);
        wait_for(&audit, SinkState::Ready);
        audit.offer(&record(AuditEvent::AuthOk, 4)).unwrap();
        audit.close().unwrap();
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let lost: u64 = lines
            .iter()
            .filter_map(|line| line["dropped"].as_u64())
            .sum();
        let events: Vec<_> = lines
            .iter()
            .map(|line| line["event"].as_str().unwrap())
            .collect();
        if buffered {
            assert_eq!(
                (events.as_slice(), lost),
                (["auth.ok", "auth.fail", "auth.ok"].as_slice(), 0)
            );
        } else {
            assert_eq!(
                (events.as_slice(), lost),
                (["audit.dropped", "auth.ok"].as_slice(), 2)
            );
        }
        assert_eq!(audit.lost(), lost);
    }
}

#[test]
fn lines_are_events_of_ocsf_if_wanted() {
    let paper = Paper::default();
    let audit = JsonLinesAudit::new(paper.clone()).unwrap();
    let audit = audit.format(AuditFormat::Ocsf);
    audit.record(&record(AuditEvent::AuthFail, 7));
    audit.close().unwrap();
    let lines = paper.lines();
    assert_eq!(lines[0], record(AuditEvent::AuthFail, 7).to_ocsf());
    assert_eq!(lines[0]["metadata"]["sequence"], 7);
}

type Late = Mutex<Option<(Sender<Message>, AuditRecord)>>;

/// Sends what it holds while it is flushed, as a thread does that was interrupted after its record had
/// got its place.
struct Interrupted {
    paper: Paper,
    late: Arc<Late>,
}

impl Write for Interrupted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.paper.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some((sender, record)) = self.late.lock().unwrap().take() {
            sender.send(Message::Record(Box::new(record))).unwrap();
        }
        Ok(())
    }
}

#[test]
fn edge_08_a_record_that_got_its_place_is_written_before_the_end() {
    let (paper, late) = (Paper::default(), Arc::default());
    let writer = Interrupted {
        paper: paper.clone(),
        late: Arc::clone(&late),
    };
    let audit = JsonLinesAudit::new(writer).unwrap();
    let record = record(AuditEvent::AuthOk, 1);
    assert!(audit.0.gate.enter(&record));
    *late.lock().unwrap() = Some((audit.0.sender.clone(), record));
    audit.close().unwrap();
    let written: Vec<_> = paper
        .lines()
        .iter()
        .map(|line| line["seq"].clone())
        .collect();
    assert_eq!((written, audit.waiting()), (vec![1.into()], 0));
}
