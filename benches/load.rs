//! An hour of bad credentials (G8): what it costs in memory, and what good callers notice of it.
//!
//! `cargo bench --features testing --bench load -- --minutes 10`. A server in a process of its own, on
//! loopback; nine of ten requests bring a bad credential that was never seen before, each from an address
//! of its own, so that no limit spares the server the work. `--minutes N` (1), `--rate N` requests a second
//! (5,000; 0 for as many as go), `--issuer-away`: the issuer refuses every connection all the time (G5).
//! Memory is read from `/proc`, so on Linux only.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops loudly and prints its figures"
)]

mod shared;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use http::{HeaderValue, Request};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::audit::{AuditRecord, AuditSink};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::testing::Fault;
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::{McpAuthLayer, SigningAlgorithm};

use shared::bad::Bad;
use shared::caller::{Answers, Caller, Pace};
use shared::figures::{self, float, percentile};
use shared::fixture::{Fixture, new_runtime};
use shared::wire::{answer, serve};

/// Good callers, each with a connection and some credentials; nine times as many send bad ones.
const GOOD: u32 = 4;
const BAD: u32 = 9 * GOOD;

/// How long good callers are alone, to compare with.
const QUIET: Duration = Duration::from_secs(10);

/// Where the bad say they come from; the server believes it.
const FROM: &str = "x-load-from";

/// What is said to the server. It answers everything with its counts.
const COUNTS: &str = "counts";
const LOSE_ISSUER: &str = "lose the issuer";

// --- the server -----------------------------------------------------------------------------------

/// What was decided how often.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

impl AuditSink for Counts {
    fn record(&self, record: &AuditRecord) {
        let reason = record.reason.map_or("let in", |reason| reason.code());
        let mut counts = self.0.lock().unwrap();
        if let Some(count) = counts.get_mut(reason) {
            *count += 1;
        } else {
            counts.insert(reason.to_owned(), 1);
        }
    }
}

/// Says where it is and which credentials are good, then serves until its input ends.
fn server() {
    let fixture = Fixture::new(&[SigningAlgorithm::Es256, SigningAlgorithm::Rs256]);
    let counts = Counts::default();
    let auth = fixture.full().throttle(ThrottleSettings::new());
    let auth = fixture.ready(auth.audit(counts.clone()));
    let layer = McpAuthLayer::new(auth.clone()).layer(service_fn(answer));
    let address = serve(layer.map_request(|mut request: Request<Incoming>| {
        let from = request.headers_mut().remove(FROM);
        let from = from.and_then(|value| value.to_str().ok()?.parse().ok());
        let from = PeerAddress(from.unwrap_or(Ipv4Addr::LOCALHOST.into()));
        request.extensions_mut().insert(from);
        request
    }));
    let tokens = (0..100).map(|_| shared::fixture::bearer(fixture.access_token().sign()));
    let keys = (0..50).map(|_| fixture.service_key());
    let personal = (0..50).map(|_| fixture.personal());
    let good: Vec<String> = tokens
        .chain(keys)
        .chain(personal)
        .map(|header| header.to_str().unwrap().to_owned())
        .collect();
    println!("{}", json!({"address": address, "good": good}));
    io::stdout().flush().unwrap();
    // The end is that of whoever started us.
    for line in io::stdin().lines() {
        if line.unwrap() == LOSE_ISSUER {
            fixture.issuer.fail_all(Fault::Refuse);
            fixture.issuer.reset_hits();
        }
        let decided = counts.0.lock().unwrap().clone();
        let remembered = auth.verified_tokens();
        let asked = fixture.issuer.requests().len();
        println!(
            "{}",
            json!({"decided": decided, "remembered": remembered, "issuer_asked": asked})
        );
    }
}

/// The server's process, which ends with this.
struct Server {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start() -> (Self, SocketAddr, Rc<[HeaderValue]>) {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg("server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, output };
        let said = server.line();
        let address = said.get("address").and_then(Value::as_str).unwrap();
        let good = said.get("good").and_then(Value::as_array).unwrap();
        let good = good
            .iter()
            .map(|one| one.as_str().unwrap().parse().unwrap());
        (server, address.parse().unwrap(), good.collect())
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn say(&mut self, line: &str) -> Value {
        let input = self.process.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        self.line()
    }

    /// Its memory, in KiB.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// --- those who ask --------------------------------------------------------------------------------

struct Settings {
    minutes: u32,
    rate: u32,
    issuer_away: bool,
}

impl Settings {
    fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let number = |name: &str, default: u32| {
            let at = arguments.iter().position(|one| one == name);
            let value = at.and_then(|at| arguments.get(at + 1));
            value.map_or(default, |value| value.parse().unwrap())
        };
        let minutes = number("--minutes", 1);
        assert!((1..=60).contains(&minutes), "--minutes is 1 to 60");
        Self {
            minutes,
            rate: number("--rate", 5_000),
            issuer_away: arguments.iter().any(|one| one == "--issuer-away"),
        }
    }

    /// So many callers together do a tenth of the rate for each four of them.
    fn pace(&self) -> Pace {
        match self.rate {
            0 => Pace::AtOnce,
            rate => Pace::About(Duration::from_secs(1) * (GOOD + BAD) / rate),
        }
    }
}

/// Everybody asks for this long: the good, and the bad if they are wanted.
fn ask(
    address: SocketAddr,
    good: &Rc<[HeaderValue]>,
    bad: Option<&Rc<Bad>>,
    pace: Pace,
    time: Duration,
) -> (Answers, Answers) {
    let until = Instant::now() + time;
    let runtime = new_runtime();
    let all = tokio::task::LocalSet::new();
    all.block_on(&runtime, async {
        let friends: Vec<_> = (0..GOOD)
            .map(|nth| {
                let (good, mut next) = (Rc::clone(good), usize::try_from(nth).unwrap() * 50);
                let mut caller = Caller::new(address, pace, nth, true);
                tokio::task::spawn_local(async move {
                    let credential = move || {
                        next += 1;
                        let header = good.get(next % good.len()).unwrap();
                        (header.to_str().unwrap().to_owned(), Ipv4Addr::LOCALHOST)
                    };
                    caller.ask_until(until, credential).await;
                    caller.answers
                })
            })
            .collect();
        let strangers: Vec<_> = (0..bad.map_or(0, |_| BAD))
            .zip(std::iter::repeat_with(|| Rc::clone(bad.unwrap())))
            .map(|(nth, bad)| {
                let mut caller = Caller::new(address, pace, GOOD + nth, false);
                tokio::task::spawn_local(async move {
                    caller.ask_until(until, move || bad.next()).await;
                    caller.answers
                })
            })
            .collect();
        (Answers::of(friends).await, Answers::of(strangers).await)
    })
}

/// The memory at a tenth of the time, and at its end.
fn watch(server: &Server, time: Duration) -> (u64, u64) {
    thread::sleep(time / 10);
    let early = server.resident();
    thread::sleep(time.saturating_sub(time / 10 + Duration::from_millis(200)));
    (early, server.resident())
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("server") {
        return server();
    }
    let settings = Settings::from_arguments();
    let (mut server, address, good) = Server::start();
    let credential = good.first().unwrap().to_str().unwrap();
    let bad = Rc::new(Bad::like(credential.strip_prefix("Bearer ").unwrap()));
    let time = Duration::from_secs(60) * settings.minutes;
    // Once to warm up: connections, caches, the allocator.
    ask(address, &good, None, settings.pace(), QUIET / 5);
    let (quiet, _) = ask(address, &good, None, settings.pace(), QUIET);
    if settings.issuer_away {
        server.say(LOSE_ISSUER);
    }
    let start = server.resident();
    let ((under, refused), (early, end)) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&server, time));
        let answers = ask(address, &good, Some(&bad), settings.pace(), time);
        (answers, watching.join().unwrap())
    });
    report(&settings, &[quiet, under, refused], [start, early, end]);
    println!("the server says: {}", server.say(COUNTS));
}

fn report(settings: &Settings, answers: &[Answers; 3], memory: [u64; 3]) {
    let [quiet, under, refused] = answers;
    let [start, early, end] = memory.map(|kib| float(kib) / 1024.0);
    let growth = (end / early - 1.0) * 100.0;
    let seconds = float(u64::from(settings.minutes) * 60);
    let micros = |answers: &Answers, at| float(percentile(&answers.nanos, at)) / 1e3;
    let away = settings.issuer_away;
    let issuer = if away { ", without the issuer" } else { "" };
    println!(
        "load: {} min, rate {}{issuer}",
        settings.minutes, settings.rate
    );
    println!(
        "  good {:?}, bad {:?}, {:.0} a second in all",
        under.by_status,
        refused.by_status,
        float(under.count() + refused.count()) / seconds
    );
    println!(
        "  memory, MiB: {start:.1} before, {early:.1} at 10 %, {end:.1} at the end: {growth:+.1} %"
    );
    let mut figures = json!({
        "minutes": settings.minutes, "rate": settings.rate, "issuer_away": away,
        "good": under.by_status, "bad": refused.by_status,
        "mib": {"before": start, "at_10_percent": early, "end": end, "growth_percent": growth},
    });
    for (at, per_mille) in [("p50", 500), ("p99", 990), ("p99.9", 999)] {
        let (alone, attacked) = (micros(quiet, per_mille), micros(under, per_mille));
        let ratio = attacked / alone;
        println!("  good {at}: {alone:.0} us quiet, {attacked:.0} us under attack ({ratio:.2})");
        if let Some(all) = figures.as_object_mut() {
            all.insert(
                at.into(),
                json!({"quiet_us": alone, "attack_us": attacked, "ratio": ratio}),
            );
        }
    }
    figures::write("load", &figures);
}
