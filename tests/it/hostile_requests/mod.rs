//! Goal G2: thousands of hostile requests over real sockets, and nobody gets in.

#![allow(clippy::print_stdout, reason = "figures for docs/assurance.md")]

pub mod classes;
mod wire;

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::Router;
use http::Request;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tower::{Layer, ServiceBuilder};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::{Authenticator, McpAuthLayer};

use self::classes::inner::Inner;
use self::classes::request::{Crafted, Door, Hostile, Wire};
use self::classes::site::{ADA, CANARY, Site};
use self::classes::{CLASSES, ELSEWHERE, requests};
use self::wire::{Outcome, as_frames, http1, http2};
use crate::server::Loopback;

/// What no answer may repeat of what hostile requests say.
const ECHOES: [&str; 6] = [
    "evil.example",
    "jndi",
    "<script",
    "\u{1b}",
    "forged",
    "169.254",
];

/// By turns.
const WAYS: [&str; 4] = [
    "axum, HTTP/1.1",
    "hyper, HTTP/1.1",
    "axum, HTTP/2",
    "hyper, HTTP/2",
];

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the panics of this thread, on which everything here runs.
fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.set(PANICS.get() + 1);
        before(panic);
    }));
}

fn from_loopback<B>(mut request: Request<B>) -> Request<B> {
    let peer = PeerAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
    request.extensions_mut().insert(peer);
    request
}

/// axum and plain hyper, each before both authenticators.
struct Servers {
    axum: [SocketAddr; 2],
    hyper: [Loopback; 2],
    tasks: Vec<AbortHandle>,
    all_ways: bool,
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Servers {
    async fn start(site: &Site, inner: &Inner) -> Self {
        let mut tasks = Vec::new();
        let (direct, task) = Self::axum(&site.direct, inner).await;
        tasks.push(task);
        let (proxied, task) = Self::axum(&site.proxied, inner).await;
        tasks.push(task);
        let hyper = [&site.direct, &site.proxied].map(|auth| {
            let layer = ServiceBuilder::new()
                .map_request(from_loopback)
                .layer(McpAuthLayer::new(auth.clone()));
            Loopback::serve(layer.service(inner.clone()))
        });
        Self {
            axum: [direct, proxied],
            hyper,
            tasks,
            all_ways: std::env::var("HOSTILE_WAYS").is_ok_and(|ways| ways == "all"),
        }
    }

    async fn axum(auth: &Authenticator, inner: &Inner) -> (SocketAddr, AbortHandle) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let protected = McpAuthLayer::new(auth.clone()).layer(inner.clone());
        let protected = tower::util::MapRequest::new(protected, from_loopback);
        let app: Router = Router::new().fallback_service(protected);
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        (address, task.abort_handle())
    }

    /// One of the two servers, by turns.
    fn address(&self, turn: usize, door: Door) -> SocketAddr {
        let at = usize::from(door == Door::Proxied);
        if turn.is_multiple_of(2) {
            self.axum[at]
        } else {
            self.hyper[at].address
        }
    }

    /// By one of four ways, in turn: either version of HTTP to either server. By all with `HOSTILE_WAYS=all`.
    async fn send(&self, turn: usize, wire: &Wire) -> Vec<(&'static str, Outcome)> {
        match wire {
            Wire::Any(crafted) => {
                let turns = if self.all_ways {
                    turn..turn + 4
                } else {
                    turn..turn + 1
                };
                let mut all = Vec::new();
                for turn in turns {
                    let address = self.address(turn, crafted.door);
                    let frames = (turn % 4 >= 2).then(|| as_frames(crafted)).flatten();
                    all.push(match frames {
                        Some(frames) => (WAYS[turn % 2 + 2], http2(address, &frames, true).await),
                        None => (
                            WAYS[turn % 2],
                            http1(address, &crafted.http1(), false).await,
                        ),
                    });
                }
                all
            }
            Wire::Http1(bytes, ends) => {
                vec![(
                    "bytes",
                    http1(self.address(turn, Door::Direct), bytes, *ends).await,
                )]
            }
            Wire::Http2(frames) => {
                vec![(
                    "frames",
                    http2(self.address(turn, Door::Direct), frames, false).await,
                )]
            }
        }
    }

    /// Good credentials of each kind still get in, by every way.
    async fn assert_serving(&self, site: &Site, class: &str) {
        let good = [
            Crafted::bearer(site.token().sign()),
            Crafted::bearer(site.robot.token.expose()),
            Crafted::basic(format!("{ADA}:{}", site.ada.token.expose())),
        ];
        for crafted in good {
            for turn in 0..4 {
                for (way, outcome) in self.send(turn, &Wire::Any(crafted.clone())).await {
                    assert_eq!(outcome.statuses, [200], "after {class}, {way}: {outcome:?}");
                    assert!(outcome.holds(CANARY), "after {class}");
                }
            }
        }
    }
}

/// What is wrong with an outcome.
fn fault(hostile: &Hostile, outcome: &Outcome) -> Option<String> {
    let grpc = matches!(&hostile.wire, Wire::Any(crafted) if crafted.is_grpc());
    if outcome.holds(CANARY) {
        return Some("got in".into());
    }
    if let Some(status) = outcome.statuses.iter().find(|status| **status >= 500) {
        return Some(format!("status {status}"));
    }
    // A refusal of gRPC is 200 with a number: 13 to 15 would be ours (RFC 7230 has no word on it).
    if matches!(outcome.grpc, Some(0 | 2 | 12..=15)) {
        return Some(format!("gRPC status {:?}", outcome.grpc));
    }
    let refused = |status: &u16| match hostile.refused {
        [] => (400..500).contains(status),
        listed => listed.contains(status) || (*status == 400 && !outcome.holds("\"error\"")),
    };
    if !grpc && !outcome.statuses.iter().all(refused) {
        return Some(format!("statuses {:?}", outcome.statuses));
    }
    // What a known caller asked to do is named in the answer to it.
    let asked = match &hostile.wire {
        Wire::Any(crafted) => String::from_utf8_lossy(&crafted.body),
        _ => "".into(),
    };
    let echo = ECHOES
        .iter()
        .find(|echo| outcome.holds(echo) && !asked.contains(**echo));
    echo.map(|echo| format!("repeats {echo:?}"))
}

#[derive(Default)]
struct Report {
    crafted: usize,
    sent: usize,
    unanswered: usize,
    faults: String,
    lines: String,
}

async fn class(servers: &Servers, site: &Site, inner: &Inner, name: &str, report: &mut Report) {
    let all = requests(site, name).await;
    let (mut sent, mut firsts) = (0, HashMap::new());
    for (turn, hostile) in all.iter().enumerate() {
        let before = inner.calls();
        for (way, outcome) in servers.send(turn, &hostile.wire).await {
            sent += 1;
            report.unanswered += usize::from(outcome.statuses.is_empty());
            let mut found = fault(hostile, &outcome);
            if name == "T27" {
                let answer = outcome.without_date();
                // What a server adds of its own is not ours.
                let first = firsts.entry(way).or_insert_with(|| answer.clone());
                found = found.or((*first != answer).then(|| format!("answers {answer}")));
            }
            if let Some(found) = found {
                println!("{name} {way} {}: {found}", hostile.what);
                writeln!(report.faults, "{name} {way} {}: {found}", hostile.what).unwrap();
            }
        }
        if inner.calls() != before {
            writeln!(
                report.faults,
                "{name} {}: reached the inner service",
                hostile.what
            )
            .unwrap();
        }
    }
    report.crafted += all.len();
    report.sent += sent;
    writeln!(report.lines, "{name} {} {sent}", all.len()).unwrap();
    assert!(!all.is_empty(), "{name} is empty");
    servers.assert_serving(site, name).await;
}

/// Goal G2, and of G12 that whatever is wrong with an API token is answered byte for byte the same.
/// `--nocapture` prints how many requests each class has.
// also: G12
#[tokio::test]
async fn g02_no_hostile_request_gets_in_and_none_breaks_a_server() {
    count_panics();
    let site = Site::new().await;
    let inner = Inner::default();
    let servers = Servers::start(&site, &inner).await;
    servers.assert_serving(&site, "nothing").await;
    let mut report = Report::default();
    for name in CLASSES {
        class(&servers, &site, &inner, name, &mut report).await;
    }
    let Report {
        crafted,
        sent,
        unanswered,
        faults,
        lines,
    } = report;
    println!("{lines}{crafted} crafted, {sent} sent, {unanswered} without an answer");
    let count = faults.lines().count();
    assert_eq!(faults, "", "{count} faults");
    assert_eq!(PANICS.get(), 0);
    assert!(crafted >= 2_500, "{crafted}");
    // Nobody was asked whom a token named.
    assert_eq!(site.stranger.requests(), Vec::<String>::new());
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|end| end == "rs") {
            *text += &std::fs::read_to_string(path).unwrap();
        }
    }
}

/// Every threat has a class here, or a test elsewhere that is still there.
#[test]
fn g02_every_threat_has_a_class_or_a_test() {
    let mut sources = String::new();
    for folder in ["tests", "src"] {
        read_all(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut sources,
        );
    }
    for number in 1..=51 {
        let row = format!("T{number}");
        let here = CLASSES.contains(&row.as_str());
        let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == row);
        assert!(here != elsewhere.is_some(), "{row}");
        if let Some((_, test)) = elsewhere {
            assert!(sources.contains(&format!("fn {test}(")), "{row}: no {test}");
        }
    }
}
