//! Random key ids by the million (G4).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::cancelled::{Random, is_long};
use crate::outage::{MINUTE, Server};
use crate::support::R;

/// 1,000 a second, or 20,000 with `TOWER_MCP_AUTH_TEST_LONG=1`: the issuer is asked as often either
/// way, and every good request is answered at once.
#[tokio::test(start_paused = true)]
async fn g04_r11_random_key_ids_for_a_minute_cost_seven_fetches_and_no_good_request() {
    let a_second = if is_long() { 20_000 } else { 1000 };
    let server = Server::new().warmed().await;
    sleep(MINUTE).await;
    server.issuer.reset_hits();
    let token = server.issuer.token(R).sign();
    let rest = &token[token.find('.').unwrap()..];
    let (start, mut random, mut refused) = (Instant::now(), Random(1), 0);
    while start.elapsed() < MINUTE {
        for nth in 0..a_second {
            let kid = random.next();
            let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid:x}"}}"#);
            let forged = format!("{}{rest}", URL_SAFE_NO_PAD.encode(header));
            let answer = server.bearer(&forged).await;
            assert_eq!(answer.code(), "unknown_key", "{}", answer.status);
            refused += 1;
            if nth % 500 == 0 {
                let before = Instant::now();
                assert_eq!(server.valid().await.status, StatusCode::OK);
                assert_eq!(before.elapsed(), Duration::ZERO);
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
    let hits = server.issuer.hits();
    println!(
        "{refused} refused, {} fetches of keys, {} of metadata",
        hits.jwks, hits.metadata
    );
    assert!((1..=7).contains(&hits.jwks) && hits.metadata <= 7);
}
