//! Somebody who asks again and again, at a pace, over one connection as long as it lasts.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::figures::float;

#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// The next as soon as the last is answered.
    AtOnce,
    /// So far apart on average and at random, as callers are that know nothing of each other: at even
    /// distances those that start together would ask together, and wait for one another.
    About(Duration),
}

/// Distances of arrivals that are independent of each other: the same for the same seed.
struct Gaps(u64);

impl Gaps {
    fn next(&mut self, mean: Duration) -> Duration {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let uniform = (float(self.0 >> 11) + 1.0) / float(1 << 53);
        mean.mul_f64(-uniform.ln())
    }
}

/// What came back.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) by_status: BTreeMap<u16, u64>,
    /// Of each request, if they are kept; sorted.
    pub(crate) nanos: Vec<u64>,
}

impl Answers {
    pub(crate) async fn of(callers: Vec<JoinHandle<Self>>) -> Self {
        let mut all = Self::default();
        for caller in callers {
            let one = caller.await.unwrap();
            all.nanos.extend(one.nanos);
            for (status, count) in one.by_status {
                *all.by_status.entry(status).or_default() += count;
            }
        }
        all.nanos.sort_unstable();
        all
    }

    pub(crate) fn count(&self) -> u64 {
        self.by_status.values().sum()
    }
}

pub(crate) struct Caller {
    address: SocketAddr,
    pace: Pace,
    gaps: Gaps,
    keeps: bool,
    stream: Option<TcpStream>,
    pub(crate) answers: Answers,
}

impl Caller {
    /// The `nth` caller. Keeps the time of every request if asked to.
    pub(crate) fn new(address: SocketAddr, pace: Pace, nth: u32, keeps: bool) -> Self {
        let answers = Answers::default();
        Self {
            address,
            pace,
            gaps: Gaps(0x9e37_79b9_7f4a_7c15 ^ (u64::from(nth) << 32)),
            keeps,
            stream: None,
            answers,
        }
    }

    /// Asks with what `credential` makes: an `Authorization`, and where it comes from.
    pub(crate) async fn ask_until(
        &mut self,
        until: Instant,
        mut credential: impl FnMut() -> (String, Ipv4Addr),
    ) {
        let mut due = Instant::now();
        while Instant::now() < until {
            let mut start = Instant::now();
            if let Pace::About(mean) = self.pace {
                due += self.gaps.next(mean);
                if due > start {
                    tokio::time::sleep_until(due.into()).await;
                    start = Instant::now();
                } else {
                    // The last answer came so late that this one waited: it counts.
                    start = due;
                }
            }
            let (authorization, from) = credential();
            let status = self.ask(&authorization, from).await.unwrap();
            *self.answers.by_status.entry(status).or_default() += 1;
            if self.keeps {
                let nanos = u64::try_from(start.elapsed().as_nanos());
                self.answers.nanos.push(nanos.unwrap_or(u64::MAX));
            }
        }
    }

    async fn ask(&mut self, authorization: &str, from: Ipv4Addr) -> io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await?,
        };
        stream.write_all(&request(authorization, from)).await?;
        let mut answer = Vec::with_capacity(2048);
        let end = loop {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = whole(&answer) {
                break end;
            }
        };
        if !end.closes {
            self.stream = Some(stream);
        }
        Ok(end.status)
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn request(authorization: &str, from: Ipv4Addr) -> Vec<u8> {
    // Without a body: a refusal that leaves one unread ends the connection.
    format!(
        "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-type: application/json\r\n\
         authorization: {authorization}\r\nx-load-from: {from}\r\ncontent-length: 0\r\n\r\n"
    )
    .into()
}

struct End {
    status: u16,
    closes: bool,
}

/// The answer's status, once all of it is there.
fn whole(answer: &[u8]) -> Option<End> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(answer.get(..head)?).unwrap();
    let field = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(": "));
        fields.find_map(|(field, value)| field.eq_ignore_ascii_case(name).then_some(value))
    };
    let length: usize = field("content-length").map_or(0, |length| length.parse().unwrap());
    (answer.len() >= head + 4 + length).then(|| End {
        status: text.get(9..12).unwrap().parse().unwrap(),
        closes: field("connection") == Some("close"),
    })
}
