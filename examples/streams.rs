//! Event streams that end with the credential that opened them: no network, no server.
//!
//! `cargo run --example streams` opens two. The token of one lives two seconds, the other's is
//! revoked after one; it prints the last event of each and when it came. Nothing is said to the
//! handler, which would go on for ever.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource};

const URL: &str = "https://mcp.example.com/mcp";

/// Between two events of the handler.
const PAUSE: Duration = Duration::from_millis(400);

/// How a stream went.
#[derive(Debug)]
struct Outcome {
    /// How many events of the handler came through.
    ticks: usize,
    /// All that came after them.
    last: String,
    ended: Instant,
}

/// Opens a stream, and reads it to its end.
async fn watch(auth: &Authenticator, token: &str) -> Result<Outcome, Box<dyn Error>> {
    let server = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        let ticks = stream::unfold((), |()| async {
            sleep(PAUSE).await;
            let tick = Frame::data(Bytes::from("data: tick\n\n"));
            Some((Ok::<_, Infallible>(tick), ()))
        });
        let events = Response::builder().header(CONTENT_TYPE, "text/event-stream");
        events.body(StreamBody::new(ticks))
    });
    let request = Request::get(URL).header(AUTHORIZATION, format!("Bearer {token}"));
    let server = McpAuthLayer::new(auth.clone()).layer(server);
    let answer = server.oneshot(request.body(Full::default())?).await?;
    let mut events = Box::pin(answer.into_body());
    let (mut ticks, mut last) = (0, String::new());
    while let Some(frame) = events.frame().await {
        match frame?.into_data() {
            Ok(data) if &*data == b"data: tick\n\n" => ticks += 1,
            Ok(data) => last += std::str::from_utf8(&data)?,
            Err(_) => {}
        }
    }
    Ok(Outcome {
        ticks,
        last,
        ended: Instant::now(),
    })
}

/// The stream of the token that expires, and how long that lived; the stream of the one that is
/// revoked, and how long after that it ended.
async fn story(clock: impl Clock + Clone) -> Result<[(Outcome, Duration); 2], Box<dyn Error>> {
    let issuer = TestIssuer::builder().clock(clock.clone()).in_process();
    let auth = Authenticator::builder(
        // Usually a token is taken 30 s longer, for clocks that disagree. Here there is one clock.
        ProtectedResource::new(URL).issuer(Issuer::new(issuer.url()).leeway(Duration::ZERO)),
    )
    .fetch(issuer.fetch())
    .clock(clock.clone())
    .build()?;
    auth.warm_up(Duration::from_secs(5)).await?;

    // Tokens carry whole seconds: wait for one to begin, to measure from there.
    let second = clock.now();
    while clock.now() == second {
        sleep(Duration::from_millis(1)).await;
    }
    let (short, long) = (
        issuer.token(URL).expires_in(2),
        issuer.token(URL).claim("jti", "j-1"),
    );
    let (short, long) = (short.sign(), long.sign());
    let begun = Instant::now();
    let handle = auth.handle();
    let revoke = async {
        sleep(Duration::from_secs(1)).await;
        assert!(handle.revoke_token(issuer.url(), "j-1").await.is_ok());
        Instant::now()
    };
    let (expired, revoked, at) = tokio::join!(watch(&auth, &short), watch(&auth, &long), revoke);
    let (expired, revoked) = (expired?, revoked?);
    let lived = expired.ended - begun;
    let late = revoked.ended - at;
    Ok([(expired, lived), (revoked, late)])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [(expired, lived), (revoked, late)] = story(SystemClock::new()).await?;
    println!(
        "a token of 2 s: {} events, then after {lived:.3?}:",
        expired.ticks
    );
    println!("{}", expired.last);
    println!(
        "a token revoked after 1 s: {} events, then {late:.3?} later:",
        revoked.ticks
    );
    println!("{}", revoked.last);
    Ok(())
}

#[cfg(test)]
mod tests {
    use tower_mcp_auth::clock::UnixTime;

    use super::*;

    /// Tokio's time, which in this test goes by itself as soon as everybody waits.
    #[derive(Clone, Debug)]
    struct Paused(Instant);

    impl Clock for Paused {
        fn now(&self) -> UnixTime {
            let elapsed = i64::try_from(self.monotonic().as_secs()).unwrap();
            UnixTime::from_secs(1_800_000_000 + elapsed)
        }

        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn mcp_20_both_end_in_time_and_say_why() {
        let [(expired, lived), (revoked, late)] = story(Paused(Instant::now())).await.unwrap();
        let in_time = Duration::from_secs(2)..=Duration::from_secs(3);
        assert!(in_time.contains(&lived), "{lived:?}");
        assert!(late < Duration::from_secs(1), "{late:?}");
        assert_eq!((expired.ticks, revoked.ticks), (4, 2));
        for (outcome, reason) in [(expired, "expired"), (revoked, "revoked")] {
            assert!(outcome.last.starts_with("event: authorization_ended\n"));
            let reason = format!(r#""reason":"{reason}""#);
            assert!(outcome.last.contains(&reason), "{outcome:?}");
        }
    }
}
