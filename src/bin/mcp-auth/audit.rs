//! `audit`: records as JSON lines, shown as a table.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tower_mcp_auth::Reason;
use tower_mcp_auth::audit::AuditEvent;

use crate::args::Audit;
use crate::failure::{Exit, Failure};
use crate::output::Out;
use crate::parse::named;
use crate::table::Table;

/// How many records are shown at once; the columns are fitted to them.
const BATCH: usize = 1000;

/// The longest line looked at: no record is a tenth as long.
const LONGEST: u64 = 1024 * 1024;

const POLL: Duration = Duration::from_millis(250);

/// Where records come from, and how far they were read.
struct Source<'p> {
    lines: Box<dyn BufRead>,
    file: Option<&'p Path>,
    position: u64,
    /// A line whose end has not been written yet.
    begun: Vec<u8>,
}

/// What was made of the lines so far.
struct Shown<'w> {
    wanted: &'w Audit,
    out: Out,
    table: Table,
    waiting: usize,
    line: u64,
    malformed: u64,
}

pub(crate) async fn run(wanted: &Audit, out: Out) -> Result<Exit, Failure> {
    check(wanted)?;
    let mut source = Source::open(named(wanted.file.as_deref()))?;
    let mut shown = Shown {
        wanted,
        out,
        table: Table::new([
            "time",
            "event",
            "reason",
            "status",
            "who",
            "organization",
            "asked for",
            "from",
        ]),
        waiting: 0,
        line: 0,
        malformed: 0,
    };
    loop {
        while let Some(line) = source.next(wanted.follow)? {
            shown.take(&line)?;
        }
        shown.flush()?;
        if !(wanted.follow && source.reopen_if_cut()?) {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    if shown.malformed > 0 {
        out.note(&format!(
            "{} lines are no audit records and were skipped.",
            shown.malformed
        ));
    }
    Ok(Exit::Done)
}

/// Names that no record has would show nothing, and look like peace.
fn check(wanted: &Audit) -> Result<(), Failure> {
    if let Some(event) = &wanted.event {
        let known = |known: &AuditEvent| is_of(known.name(), event);
        if !AuditEvent::ALL.iter().any(known) {
            let names: Vec<_> = AuditEvent::ALL.iter().map(|event| event.name()).collect();
            let remedy = format!(
                "use one of {}, or what stands before the dot",
                names.join(", ")
            );
            return Err(Failure::usage(format!("there is no event {event}"), remedy));
        }
    }
    if let Some(reason) = &wanted.reason
        && !Reason::ALL.iter().any(|known| known.code() == reason)
    {
        let remedy =
            "docs/errors.md lists the reasons, such as expired, wrong_audience, invalid_api_token";
        return Err(Failure::usage(
            format!("there is no reason {reason}"),
            remedy,
        ));
    }
    Ok(())
}

/// Whether an event is the one asked for, or of the family.
fn is_of(event: &str, asked: &str) -> bool {
    let rest = event.strip_prefix(asked);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl<'p> Source<'p> {
    fn open(file: Option<&'p Path>) -> Result<Self, Failure> {
        let lines: Box<dyn BufRead> = match file {
            Some(path) => Box::new(BufReader::new(open(path)?)),
            None => Box::new(BufReader::new(std::io::stdin())),
        };
        Ok(Self {
            lines,
            file,
            position: 0,
            begun: Vec::new(),
        })
    }

    /// The next line, or nothing for now. A line without its end is one only if nothing can follow.
    fn next(&mut self, follow: bool) -> Result<Option<Vec<u8>>, Failure> {
        let room = LONGEST.saturating_sub(u64::try_from(self.begun.len()).unwrap_or(LONGEST));
        let mut bounded = (&mut self.lines).take(room);
        let read = bounded
            .read_until(b'\n', &mut self.begun)
            .map_err(unreadable)?;
        self.position = self
            .position
            .saturating_add(u64::try_from(read).unwrap_or(0));
        let too_long = u64::try_from(self.begun.len()).unwrap_or(LONGEST) >= LONGEST;
        let whole = self.begun.ends_with(b"\n") || too_long;
        let last = read == 0 && !(follow && self.file.is_some());
        if self.begun.is_empty() || !(whole || last) {
            return if read == 0 {
                Ok(None)
            } else {
                self.next(follow)
            };
        }
        Ok(Some(std::mem::take(&mut self.begun)))
    }

    /// Begins anew if the file was cut or replaced by a shorter one, as rotation does. Says whether more can come.
    fn reopen_if_cut(&mut self) -> Result<bool, Failure> {
        let Some(path) = self.file else {
            return Ok(false);
        };
        let length = std::fs::metadata(path).map(|data| data.len());
        if length.is_ok_and(|length| length < self.position) {
            let mut file = open(path)?;
            file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
            self.lines = Box::new(BufReader::new(file));
            self.position = 0;
            self.begun.clear();
        }
        Ok(true)
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| {
        let what = format!("{} cannot be read", path.display());
        Failure::failed(
            what,
            error,
            "give the file that your server's JsonLinesAudit writes",
        )
    })
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::failed(
        "the records cannot be read",
        error,
        "look at the file, then try again",
    )
}

impl Shown<'_> {
    fn take(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.line = self.line.saturating_add(1);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let record = serde_json::from_slice::<Value>(line).ok();
        let Some(record) =
            record.filter(|record| record.get("event").is_some_and(Value::is_string))
        else {
            self.malformed = self.malformed.saturating_add(1);
            self.out
                .note(&format!("line {} is no audit record", self.line));
            return Ok(());
        };
        if !self.wants(&record) {
            return Ok(());
        }
        if self.out.json {
            return self.out.value_line(&record);
        }
        self.table.row(cells(&record));
        self.waiting = self.waiting.saturating_add(1);
        if self.waiting >= BATCH {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.waiting = 0;
        if self.out.json {
            Ok(())
        } else {
            self.out.lines(&self.table.take())
        }
    }

    fn wants(&self, record: &Value) -> bool {
        let wanted = self.wanted;
        let is = |path: &str, asked: &Option<String>| {
            asked
                .as_ref()
                .is_none_or(|asked| text(record, path) == asked)
        };
        let event = wanted.event.as_ref();
        is("/organization", &wanted.org)
            && is("/reason", &wanted.reason)
            && event.is_none_or(|asked| is_of(text(record, "/event"), asked))
            && wanted
                .since
                .as_deref()
                .is_none_or(|since| text(record, "/ts") >= since)
    }
}

fn text<'r>(record: &'r Value, path: &str) -> &'r str {
    record
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The first of these places that has something.
fn first<'r>(record: &'r Value, paths: &[&str]) -> &'r str {
    let mut found = paths.iter().map(|path| text(record, path));
    found.find(|text| !text.is_empty()).unwrap_or_default()
}

fn cells(record: &Value) -> [String; 8] {
    let asked = [
        text(record, "/target/mcp_method"),
        text(record, "/target/mcp_name"),
    ];
    let asked = if asked.iter().all(|part| part.is_empty()) {
        [text(record, "/target/method"), text(record, "/target/path")]
    } else {
        asked
    };
    let revoked = [
        text(record, "/revocation/kind"),
        text(record, "/revocation/id"),
    ];
    let asked = if asked.iter().all(|part| part.is_empty()) {
        revoked
    } else {
        asked
    };
    let status = record
        .get("status")
        .map(Value::to_string)
        .unwrap_or_default();
    [
        text(record, "/ts").to_owned(),
        text(record, "/event").to_owned(),
        text(record, "/reason").to_owned(),
        status,
        first(
            record,
            &["/principal/subject", "/credential/id", "/email_hash"],
        )
        .to_owned(),
        text(record, "/organization").to_owned(),
        asked.join(" ").trim().to_owned(),
        first(record, &["/net/client", "/net/peer"]).to_owned(),
    ]
}
