//! A request as it is crafted, and what may come of it.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// A call that everybody with `read:issues` may make.
pub const CALL: &str =
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getIssue","arguments":{}}}"#;

/// Which of the two authenticators a request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The peer is the client.
    Direct,
    /// Loopback is a proxy whose headers count.
    Proxied,
}

/// A request that can be put on any connection.
#[derive(Clone, Debug)]
pub struct Crafted {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub door: Door,
}

impl Default for Crafted {
    fn default() -> Self {
        Self {
            method: "POST".into(),
            target: "/mcp".into(),
            headers: vec![
                ("host".into(), b"mcp.example.com".to_vec()),
                ("content-type".into(), b"application/json".to_vec()),
            ],
            body: CALL.into(),
            door: Door::Direct,
        }
    }
}

impl Crafted {
    pub fn bearer(token: impl Display) -> Self {
        Self::default().with("authorization", format!("Bearer {token}"))
    }

    pub fn basic(pair: impl AsRef<[u8]>) -> Self {
        Self::default().with("authorization", format!("Basic {}", STANDARD.encode(pair)))
    }

    /// One line more.
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// This line instead of the others of its name.
    pub fn only(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self = self.without(name);
        self.with(name, value)
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn proxied(mut self) -> Self {
        self.door = Door::Proxied;
        self
    }

    pub fn is_grpc(&self) -> bool {
        let kind = |value: &[u8]| value.to_ascii_lowercase().starts_with(b"application/grpc");
        let mut lines = self.headers.iter();
        lines.any(|(name, value)| name.eq_ignore_ascii_case("content-type") && kind(value))
    }

    /// As it stands on an HTTP/1.1 connection.
    pub fn http1(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(name.as_bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        let end = format!(
            "content-length: {}\r\nconnection: close\r\n\r\n",
            self.body.len()
        );
        bytes.extend(end.as_bytes());
        bytes.extend(&self.body);
        bytes
    }
}

/// How a request gets to a server.
#[derive(Clone, Debug)]
pub enum Wire {
    /// Over both versions of HTTP.
    Any(Crafted),
    /// These bytes on an HTTP/1.1 connection. Whether the client then ends what it sends.
    Http1(Vec<u8>, bool),
    /// These frames on an HTTP/2 connection, behind preface and settings.
    Http2(Vec<u8>),
}

/// A request that must not get in.
#[derive(Clone, Debug)]
pub struct Hostile {
    pub what: String,
    pub wire: Wire,
    /// The statuses it may be refused with. Empty: any of 4xx, or no answer at all.
    pub refused: &'static [u16],
}

/// What most bad credentials get.
pub const UNAUTHORIZED: &[u16] = &[401];

/// The requests of one class as they are collected.
#[derive(Default)]
pub struct Batch(pub Vec<Hostile>);

impl Batch {
    /// A bad access token.
    pub fn token(&mut self, what: impl Display, token: impl Display) {
        self.request(what, Crafted::bearer(token), UNAUTHORIZED);
    }

    pub fn request(&mut self, what: impl Display, crafted: Crafted, refused: &'static [u16]) {
        self.push(what, Wire::Any(crafted), refused);
    }

    /// Bytes of whatever kind: refused by us or by the HTTP server.
    pub fn http1(&mut self, what: impl Display, bytes: impl Into<Vec<u8>>) {
        self.push(what, Wire::Http1(bytes.into(), true), &[]);
    }

    pub fn http2(&mut self, what: impl Display, frames: Vec<u8>) {
        self.push(what, Wire::Http2(frames), &[]);
    }

    fn push(&mut self, what: impl Display, wire: Wire, refused: &'static [u16]) {
        let what = what.to_string().chars().take(120).collect();
        self.0.push(Hostile {
            what,
            wire,
            refused,
        });
    }
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header, payload and signature of a compact token, decoded.
pub fn parts(token: &str) -> [Vec<u8>; 3] {
    let parts: Vec<_> = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
        .collect();
    parts.try_into().unwrap()
}

pub fn compact(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, signature: &[u8]) -> String {
    let (header, payload) = (base64url(header), base64url(payload));
    format!("{header}.{payload}.{}", base64url(signature))
}

/// Numbers that look random and are the same in every run (`SplitMix64`).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn text(&mut self, length: usize) -> String {
        let letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..length)
            .map(|_| char::from(letters[self.below(62)]))
            .collect()
    }
}
