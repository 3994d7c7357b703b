//! An issuer that is dead for a day, and clocks that are somewhere else (G5).

use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::testing::Fault;

use super::site::{Kind, Setup, Site};
use super::{RECOVERY, check};
use crate::support::NOW;
use crate::tokens_support::{ADA, TokenWorld, basic, bearer, issue};

const DAY: Duration = Duration::from_secs(24 * 3600);
const PAUSE: Duration = Duration::from_secs(10);

/// Access tokens and API tokens, all day. What an issuer has to be asked about each opaque token, it
/// was asked half a minute ago: beyond that these get 503, and nobody ever 401.
#[tokio::test(start_paused = true)]
async fn g05_r02_a_day_without_the_issuer_fails_no_valid_request() {
    for memory in [true, false] {
        let setup = Setup {
            memory,
            ..Setup::PLAIN
        };
        let mut site = Site::new(setup).await.warmed().await;
        site.issuer.fail_all(Fault::Refuse);
        let (start, mut good, mut renewed) = (Instant::now(), 0, Instant::now());
        while start.elapsed() < DAY {
            if renewed.elapsed() >= Duration::from_secs(600) {
                site.renew();
                renewed = Instant::now();
            }
            for kind in [Kind::Jwt, Kind::Personal, Kind::Service] {
                let answer = site.good(kind).await;
                assert_eq!(
                    answer.status,
                    StatusCode::OK,
                    "{kind:?} after {:?}",
                    start.elapsed()
                );
                good += 1;
            }
            let opaque = site.good(Kind::Opaque).await;
            let expected = match start.elapsed().as_secs() {
                0..15 => 'i',
                _ => 'u',
            };
            assert_eq!(check(&opaque, expected), Ok(()), "{:?}", start.elapsed());
            sleep(PAUSE).await;
        }
        println!("{good} valid requests, 0 failed; something remembered: {memory}");
        // No keys are older than that.
        sleep(Duration::from_secs(300)).await;
        assert_eq!(check(&site.good(Kind::Jwt).await, 'u'), Ok(()));
        for kind in [Kind::Personal, Kind::Service] {
            assert_eq!(check(&site.good(kind).await, 'i'), Ok(()));
        }
        let mut wrong = Vec::new();
        for kind in Kind::ALL {
            site.assert_closed(kind, None, "after a day", &mut wrong)
                .await;
        }
        assert_eq!(wrong, [""; 0]);
        site.heal();
        let start = Instant::now();
        for kind in Kind::ALL {
            while site.good(kind).await.status != StatusCode::OK {
                assert!(start.elapsed() <= RECOVERY, "{kind:?}");
                sleep(Duration::from_millis(250)).await;
            }
        }
    }
}

const HOUR: i64 = 3600;

/// Of 2038 and 2106, where 32 bits end, both sides.
const TIMES: [i64; 10] = [
    NOW + HOUR,
    NOW,
    NOW - HOUR,
    NOW + 24 * HOUR,
    NOW - 24 * HOUR,
    0x7FFF_FFFF - 1,
    0x7FFF_FFFF,
    0x7FFF_FFFF + 1,
    0xFFFF_FFFF,
    0xFFFF_FFFF + 1,
];

/// A clock that is set elsewhere decides by its new time, and needs nobody for it: what the issuer
/// said is as old as it was.
#[tokio::test(start_paused = true)]
async fn g05_r16_a_clock_that_jumps_decides_by_the_new_time_and_loses_no_keys() {
    let world = TokenWorld::new().await;
    world.auth.warm_up(PAUSE).await.unwrap();
    world.issuer.fail_all(Fault::Refuse);
    let mut at = NOW;
    for _ in 0..3 {
        for time in TIMES {
            let life = Duration::from_secs(1800);
            let old = [
                format!("Bearer {}", world.access_token().expires_in(600).sign()),
                basic(
                    ADA,
                    &issue(
                        &world.tokens,
                        NewToken::personal("acme", "ada", ADA).expires_in(life),
                    )
                    .await,
                ),
            ];
            world.clock.jump_wall(time - at);
            let forward = time - at >= HOUR;
            at = time;
            let robot = NewToken::service_account("acme", "robot").created_by("ada");
            for good in [
                format!("Bearer {}", world.access_token().expires_in(600).sign()),
                basic(
                    ADA,
                    &issue(&world.tokens, NewToken::personal("acme", "ada", ADA)).await,
                ),
                bearer(&issue(&world.tokens, robot).await),
            ] {
                let answer = world.present(&good).await;
                assert_eq!(
                    answer.status,
                    StatusCode::OK,
                    "at {time}: {}",
                    answer.code()
                );
            }
            for old in old {
                if forward {
                    let answer = world.present(&old).await;
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "at {time}");
                }
            }
            let over = world.access_token().expires_in(-60).sign();
            assert_eq!(
                world.present(format!("Bearer {over}")).await.code(),
                "expired",
                "at {time}"
            );
            let early = world.access_token().issued_in(60).expires_in(600).sign();
            let early = world.present(format!("Bearer {early}")).await;
            assert_eq!(early.status, StatusCode::UNAUTHORIZED, "at {time}");
            // The failures of a minute are forgotten, the keys are not.
            world.clock.advance(Duration::from_secs(60));
            at += 60;
        }
        world.clock.jump_wall(NOW - at);
        at = NOW;
    }
    assert!(world.auth.is_ready());
}
