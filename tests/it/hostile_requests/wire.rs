//! Bytes to a server and back, by TCP.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::oneshot;

use super::classes::frames::{field, frame, opening};
use super::classes::request::Crafted;

/// What came back.
#[derive(Debug, Default)]
pub struct Outcome {
    /// None: the server closed the connection, or the stream.
    pub statuses: Vec<u16>,
    /// All bytes of HTTP/1.1, and what the data frames of HTTP/2 hold.
    pub bytes: Vec<u8>,
    /// What they would have been with HTTP/2, or a number of gRPC's beside 200.
    pub grpc: Option<u16>,
}

impl Outcome {
    pub fn holds(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.bytes.windows(text.len()).any(|piece| piece == text)
    }

    /// But for the time of day.
    pub fn without_date(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let lines = text
            .split("\r\n")
            .filter(|line| !line.starts_with("date: "));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// As long as a server may take that hangs; all others are done long before.
const HANGS: Duration = Duration::from_secs(20);

/// Stands for a status where there is none and the connection stays open.
const HUNG: u16 = 999;

async fn all_of(mut reading: OwnedReadHalf) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset ends it like an end does.
    let read = tokio::time::timeout(HANGS, reading.read_to_end(&mut bytes)).await;
    drop(read.expect("the server closes the connection"));
    bytes
}

pub async fn http1(address: SocketAddr, sent: &[u8], ends: bool) -> Outcome {
    let (reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    let write = async {
        // The server may have closed already.
        let _ = writing.write_all(sent).await;
        if ends {
            let _ = writing.shutdown().await;
        }
        writing
    };
    let (bytes, _writing) = tokio::join!(all_of(reading), write);
    let text = String::from_utf8_lossy(&bytes);
    let starts = text.split("HTTP/1.1 ").skip(1);
    let statuses = starts
        .filter_map(|rest| rest.get(..3)?.parse().ok())
        .collect();
    let grpc = text.split("grpc-status: ").nth(1);
    let grpc = grpc.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    Outcome {
        statuses,
        bytes,
        grpc,
    }
}

/// The request as frames, or `None` if it does not fit into the first window.
pub fn as_frames(crafted: &Crafted) -> Option<Vec<u8>> {
    if crafted.body.len() > 60_000 {
        return None;
    }
    let mut lines = crafted.headers.iter();
    let host = lines.find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let authority = host.map_or(&b""[..], |(_, value)| value);
    let pseudo = [
        (":method", crafted.method.as_bytes()),
        (":scheme", b"http"),
        (":authority", authority),
        (":path", crafted.target.as_bytes()),
    ];
    let mut block: Vec<u8> = pseudo
        .iter()
        .flat_map(|(name, value)| field(name.as_bytes(), value))
        .collect();
    let mut hosts = 0;
    for (name, value) in &crafted.headers {
        let name = name.to_ascii_lowercase();
        hosts += u32::from(name == "host");
        if name != "host" || hosts > 1 {
            block.extend(field(name.as_bytes(), value));
        }
    }
    let mut frames = opening(1, &block, crafted.body.is_empty());
    let chunks: Vec<&[u8]> = crafted.body.chunks(16_384).collect();
    for (at, chunk) in chunks.iter().enumerate() {
        frames.extend(frame(0, u8::from(at + 1 == chunks.len()), 1, chunk));
    }
    Some(frames)
}

/// What the server said after these frames: until it answered the first stream, or, of frames that may
/// never be answered, until it closed, having read them all.
pub async fn http2(address: SocketAddr, sent: &[u8], answered: bool) -> Outcome {
    let (mut reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    // No table for what the server says: it is read here without one.
    let settings = frame(4, 0, 0, &[0, 1, 0, 0, 0, 0]);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let start = [preface, &settings[..], sent, &frame(6, 0, 0, b"the-end!")].concat();
    let (all_read, was_all_read) = oneshot::channel::<()>();
    let mut all_read = Some(all_read);
    let mut outcome = Outcome::default();
    let read = async {
        while let Some((kind, flags, stream, payload)) = next(&mut reading).await {
            if kind == 1 {
                outcome.statuses.extend(status(&payload));
            }
            let ends = (kind <= 1 && flags & 1 == 1) || (kind == 3 && stream == 1) || kind == 7;
            // Header blocks are Huffman-coded, and could hold anything by chance.
            if kind == 0 {
                outcome.bytes.extend(payload);
            }
            if answered && ends {
                break;
            }
            if kind == 6 && flags & 1 == 1 && !answered {
                drop(all_read.take());
            }
        }
        drop(all_read.take());
        drop(reading);
    };
    let write = async {
        let _ = writing.write_all(&start).await;
        let _ = was_all_read.await;
        let _: Result<(), _> = writing.shutdown().await;
    };
    let both = tokio::time::timeout(HANGS, async { tokio::join!(read, write) }).await;
    if both.is_err() {
        outcome.statuses.push(HUNG);
    }
    outcome
}

/// The next frame: kind, flags, stream, payload.
async fn next(reading: &mut OwnedReadHalf) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    reading.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    reading.read_exact(&mut payload).await.ok()?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], head[4], stream, payload))
}

/// `:status`, the first field of an answer.
fn status(block: &[u8]) -> Option<u16> {
    let block = match block {
        [size, rest @ ..] if size & 0xe0 == 0x20 => rest,
        all => all,
    };
    match block {
        [indexed @ 0x88..=0x8e, ..] => {
            let known = [200, 204, 206, 304, 400, 404, 500];
            known.get(usize::from(indexed - 0x88)).copied()
        }
        [0x08 | 0x18 | 0x48, length, text @ ..] if length & 0x80 == 0 => {
            std::str::from_utf8(text.get(..3)?).ok()?.parse().ok()
        }
        [0x08 | 0x18 | 0x48, _, text @ ..] => Some(huffman_digits(text)),
        _ => None,
    }
}

/// Three digits: 0, 1 and 2 have five bits, the others six (RFC 7541 appendix B).
fn huffman_digits(text: &[u8]) -> u16 {
    let bit = |at: usize| u16::from(text[at / 8] >> (7 - at % 8) & 1);
    let bits = |at: usize, count: usize| (at..at + count).fold(0, |value, at| value * 2 + bit(at));
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let short = bits(at, 5);
        let digit = if short < 3 {
            at += 5;
            short
        } else {
            at += 6;
            bits(at - 6, 6) - 0x19 + 3
        };
        status = status * 10 + digit;
    }
    status
}

#[test]
fn statuses_are_read_from_blocks() {
    assert_eq!(status(&[0x20, 0x88]), Some(200));
    assert_eq!(status(&[0x8c]), Some(400));
    assert_eq!(status(b"\x08\x03401"), Some(401));
    // 4 is 011010, 0 is 00000, 1 is 00001.
    assert_eq!(status(&[0x48, 0x82, 0b0110_1000, 0b0000_0001]), Some(401));
    assert_eq!(status(&[]), None);
}
