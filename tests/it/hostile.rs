//! Whatever bytes come, nobody gets in and nothing breaks (EDGE-11, T35, T39, T40, T47).

use std::cell::OnceCell;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt};
use tower_mcp_auth::McpAuthLayer;

use crate::support::{Answer, P, World};

pub const CASES: u32 = 10_000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// Runs `check` on so many values, within one world whose keys are at hand.
pub fn for_all<T: std::fmt::Debug>(
    cases: u32,
    values: impl Strategy<Value = T>,
    check: impl Fn(&World, &Answering<'_>, T) -> Result<(), TestCaseError>,
) {
    let runtime = runtime();
    let world = runtime.block_on(World::warm());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let answering = Answering {
        runtime: &runtime,
        world: &world,
    };
    TestRunner::new(config)
        .run(&values, |value| check(&world, &answering, value))
        .unwrap_or_else(|error| panic!("{error}"));
}

pub struct Answering<'a> {
    pub runtime: &'a Runtime,
    world: &'a World,
}

impl Answering<'_> {
    pub fn send(&self, request: Request<Empty<Bytes>>) -> Answer {
        self.runtime.block_on(async {
            let service =
                McpAuthLayer::new(self.world.auth.clone()).layer(self.world.probe.clone());
            Answer::read(service.oneshot(request).await.unwrap()).await
        })
    }
}

/// A change to the bytes of something good.
#[derive(Clone, Debug)]
pub enum Mutation {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Swap(Index, Index),
    Repeat(Index, Index),
    Case(Index),
    Append(Vec<u8>),
    Prepend(Vec<u8>),
}

pub fn mutation() -> impl Strategy<Value = Mutation> {
    let byte = || {
        prop_oneof![
            3 => select(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".to_vec()),
            1 => select(b".=+/~ ,;\t\"\\".to_vec()),
            1 => 0x80..=0xff_u8,
        ]
    };
    let at = any::<Index>;
    prop_oneof![
        6 => (at(), byte()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        1 => (at(), byte()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        1 => at().prop_map(Mutation::Remove),
        1 => at().prop_map(Mutation::Truncate),
        1 => (at(), at()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        1 => (at(), at()).prop_map(|(a, b)| Mutation::Repeat(a, b)),
        1 => at().prop_map(Mutation::Case),
        1 => prop::collection::vec(byte(), 0..4).prop_map(Mutation::Append),
        1 => prop::collection::vec(byte(), 0..4).prop_map(Mutation::Prepend),
    ]
}

pub fn mutate(bytes: &mut Vec<u8>, mutation: Mutation) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match mutation {
        Mutation::Set(at, byte) => *at.get_mut(bytes) = byte,
        Mutation::Insert(at, byte) => bytes.insert(at.index(length), byte),
        Mutation::Remove(at) => drop(bytes.remove(at.index(length))),
        Mutation::Truncate(at) => bytes.truncate(at.index(length)),
        Mutation::Swap(a, b) => bytes.swap(a.index(length), b.index(length)),
        Mutation::Repeat(a, b) => {
            let (a, b) = (a.index(length), b.index(length));
            let part = bytes[a.min(b)..a.max(b)].to_vec();
            bytes.extend(part);
        }
        Mutation::Case(at) => {
            let byte = at.get_mut(bytes);
            *byte ^= if byte.is_ascii_alphabetic() { 0x20 } else { 0 };
        }
        Mutation::Append(more) => bytes.extend(more),
        Mutation::Prepend(more) => drop(bytes.splice(0..0, more)),
    }
}

/// Whether this header value presents exactly the good token (AUTH-9, AUTH-10).
fn presents(value: &[u8], good: &str) -> bool {
    let value = value.trim_ascii_end();
    let Some((scheme, rest)) = value.split_at_checked(6) else {
        return false;
    };
    let token = rest
        .iter()
        .position(|byte| *byte != b' ')
        .map_or(&b""[..], |at| &rest[at..]);
    scheme.eq_ignore_ascii_case(b"bearer")
        && rest.first() == Some(&b' ')
        && token == good.as_bytes()
}

fn with_lines(lines: &[Vec<u8>]) -> Option<Request<Empty<Bytes>>> {
    let mut request = Request::post("/mcp").body(Empty::new()).unwrap();
    for line in lines {
        let value = HeaderValue::from_bytes(line).ok()?;
        request.headers_mut().append("authorization", value);
    }
    Some(request)
}

fn judge(
    world: &World,
    answering: &Answering<'_>,
    lines: &[Vec<u8>],
    good: &str,
) -> Result<(), TestCaseError> {
    let Some(request) = with_lines(lines) else {
        return Ok(());
    };
    let before = world.probe.calls();
    let answer = answering.send(request);
    let let_in = matches!(lines, [only] if presents(only, good));
    prop_assert_eq!(
        world.probe.calls() - before,
        usize::from(let_in),
        "{:?}",
        answer
    );
    prop_assert_eq!(answer.status == StatusCode::OK, let_in);
    prop_assert!(!answer.status.is_server_error(), "{:?}", answer);
    if answer.status == StatusCode::UNAUTHORIZED {
        prop_assert!(answer.challenge().starts_with("Bearer "), "AUTH-1");
        prop_assert!(answer.challenge().contains(P));
    }
    Ok(())
}

#[test]
fn edge_11_t39_mutations_of_a_good_token_stay_outside() {
    let good = OnceCell::new();
    let mutations = prop::collection::vec(mutation(), 0..3);
    for_all(
        CASES,
        (mutations, any::<bool>()),
        |world, answering, (mutations, scheme_too)| {
            let good: &String = good.get_or_init(|| world.token().sign());
            let mut bytes = if scheme_too {
                format!("Bearer {good}")
            } else {
                good.clone()
            }
            .into_bytes();
            for mutation in mutations {
                mutate(&mut bytes, mutation);
            }
            if !scheme_too {
                bytes.splice(0..0, *b"Bearer ");
            }
            judge(world, answering, &[bytes], good)
        },
    );
}

#[test]
fn edge_11_t39_t47_arbitrary_header_lines_stay_outside() {
    let good = OnceCell::new();
    let byte = || prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8];
    let line = prop_oneof![
        prop::collection::vec(byte(), 0..60),
        prop::collection::vec(byte(), 0..60).prop_map(|rest| [b"Bearer ".to_vec(), rest].concat()),
        "[A-Za-z0-9_-]{0,20}\\.[A-Za-z0-9_-]{0,20}\\.[A-Za-z0-9_-]{0,20}"
            .prop_map(|text| format!("Bearer {text}").into_bytes()),
        (0..20_000_usize).prop_map(|length| [b"Bearer ".to_vec(), vec![b'a'; length]].concat()),
        Just(Vec::new()),
    ];
    let lines = (
        prop::collection::vec(line, 0..4),
        prop::option::weighted(0.3, any::<Index>()),
    );
    for_all(CASES, lines, |world, answering, (mut lines, place)| {
        let good: &String = good.get_or_init(|| world.token().sign());
        if let Some(place) = place {
            let place = place.index(lines.len() + 1);
            lines.insert(place, format!("Bearer {good}").into_bytes());
        }
        judge(world, answering, &lines, good)
    });
}

#[test]
fn edge_11_t40_no_other_header_lets_anybody_in_or_breaks_anything() {
    let names = [
        "host",
        "origin",
        "connection",
        "content-type",
        "content-length",
        "x-request-id",
        "dpop",
        "access-control-request-method",
        "mcp-session-id",
        "x-forwarded-host",
        "cookie",
        "te",
        "proxy-authorization",
        "x-authorization",
        "authorization_",
        "x-api-key",
        "transfer-encoding",
    ];
    let byte = || prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8];
    let value = prop_oneof![
        prop::collection::vec(byte(), 0..30),
        select(vec![
            "mcp.example.com",
            "application/grpc",
            "authorization",
            "POST",
            "null"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let headers = prop::collection::vec((select(names.to_vec()), value), 0..6);
    let method = select(vec!["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PRI"]);
    for_all(
        CASES,
        (method, headers),
        |world, answering, (method, headers)| {
            let mut request = Request::builder()
                .method(method)
                .uri("/mcp")
                .body(Empty::new())
                .unwrap();
            for (name, value) in headers {
                let value = HeaderValue::from_bytes(&value).unwrap();
                request
                    .headers_mut()
                    .append(HeaderName::from_static(name), value);
            }
            let answer = answering.send(request);
            prop_assert_eq!(world.probe.calls(), 0);
            prop_assert!(!answer.status.is_server_error(), "{:?}", answer);
            let refused =
                answer.status.is_client_error() || answer.headers.contains_key("grpc-status");
            prop_assert!(
                refused || answer.status == StatusCode::NO_CONTENT,
                "{:?}",
                answer
            );
            Ok(())
        },
    );
}
