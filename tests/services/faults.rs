//! What is promised while Postgres or Redis fails, each fault against each credential (R19 to R24).
//!
//! Servers and connections are real. Only the authenticator's clock is set by hand, so that nobody
//! waits 60 s for what ends after 60 s.

mod outage;
mod scene;

use std::time::Duration;

use outage::{Fault, Outage};
use scene::{RECOVERY, Scene};

use crate::support::eventually;

/// What becomes of a credential of which this process knows nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cold {
    /// Let in, after a reconnect perhaps.
    LetIn,
    /// 503, and nothing said about it.
    Unavailable,
    /// Let in or 503: whose call gets a connection is a matter of luck.
    Perhaps,
}

impl Cold {
    /// What a good credential may be answered, and a dead one.
    const fn answers(self) -> [&'static [u16]; 2] {
        match self {
            Self::Perhaps => [&[200, 503], &[401, 503]],
            Self::LetIn | Self::Unavailable => [&[503], &[503]],
        }
    }
}

/// When something is revoked that this process must heed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Revoked {
    /// By another process, which can write.
    During,
    /// Nobody can write before the fault is over.
    After,
}

/// One row of the table: what is promised while the fault lasts.
#[derive(Clone, Copy, Debug)]
struct Promise {
    cold: Cold,
    /// Whether what is revoked meanwhile reaches this process meanwhile. If not, API tokens end 60 s
    /// after it last knew.
    hears: bool,
    revoked: Revoked,
}

const NOTHING_CHANGES: Promise = Promise {
    cold: Cold::LetIn,
    hears: true,
    revoked: Revoked::During,
};

const CUT_OFF: Promise = Promise {
    cold: Cold::Unavailable,
    hears: false,
    revoked: Revoked::After,
};

/// The whole story of a fault.
async fn row(fault: Fault, promise: Promise) {
    let scene = Scene::new(fault).await;
    let outage = Outage::begin(fault, &scene).await;

    // Whoever was let in a moment ago still is; whoever was refused is not let in.
    assert_eq!(scene.ask(&scene.key).await, 200, "{fault:?}: a warm key");
    assert_eq!(scene.ask(&scene.access).await, 200, "{fault:?}: warm");
    assert_ne!(scene.ask(&scene.dead_warm).await, 200, "{fault:?}: dead");
    cold(&scene, fault, promise.cold).await;

    if promise.revoked == Revoked::During {
        scene.revoke().await;
        if promise.hears {
            scene.until_obeyed().await;
        }
    } else {
        assert!(!scene.can_revoke().await, "{fault:?}: nobody can write");
    }

    // Within the stale window of a record, and what was heard of the log is younger than 60 s.
    scene.clock.advance(Duration::from_secs(31));
    let warm = async || (scene.ask(&scene.key).await == 200).then_some(());
    if promise.hears {
        eventually("31 s later", RECOVERY, warm).await;
    } else {
        assert_eq!(scene.ask(&scene.key).await, 200, "{fault:?}: after 31 s");
    }
    // Past everything that was ever promised about an API token.
    scene.clock.advance(Duration::from_secs(31));
    if promise.hears {
        eventually("62 s later", RECOVERY, warm).await;
    } else {
        let [good, dead] = promise.cold.answers();
        // Whoever left meanwhile is refused or unknown, whatever luck this process had.
        for (credential, answers) in [
            (&scene.key, good),
            (&scene.leaver_key, dead),
            (&scene.dead_warm, dead),
        ] {
            let answer = scene.ask(credential).await;
            assert!(answers.contains(&answer), "{fault:?}: after 62 s: {answer}");
        }
    }
    assert_eq!(scene.ask(&scene.access).await, 200, "{fault:?}: after 62 s");
    for dead in [&scene.dead_warm, &scene.dead_cold] {
        assert_ne!(scene.ask(dead).await, 200, "{fault:?}: dead");
    }

    outage.end(&scene).await;
    scene.until_recovered().await;
    if promise.revoked == Revoked::After {
        scene.revoke().await;
    }
    scene.until_obeyed().await;
    scene.assert_refused_for_good().await;
}

async fn cold(scene: &Scene, fault: Fault, promise: Cold) {
    match promise {
        Cold::LetIn => {
            let let_in = async || match scene.ask(&scene.cold).await {
                200 => Some(()),
                503 => {
                    // Its store is asked again a second later.
                    scene.clock.advance(Duration::from_secs(1));
                    None
                }
                other => panic!("{fault:?}: a cold key: {other}"),
            };
            eventually("a cold key is let in", RECOVERY, let_in).await;
        }
        Cold::Unavailable | Cold::Perhaps => {
            let [good, dead] = promise.answers();
            for _ in 0..3 {
                for (credential, answers) in [(&scene.cold, good), (&scene.dead_cold, dead)] {
                    let answer = scene.ask(credential).await;
                    assert!(answers.contains(&answer), "{fault:?}: a cold key: {answer}");
                }
                scene.clock.advance(Duration::from_secs(2));
            }
            // No luck helps to what is behind a lock, or not there.
            for stranger in scene.strangers(4) {
                assert_eq!(scene.ask(&stranger).await, 503, "{fault:?}: a stranger");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_a_frozen_postgres() {
    row(Fault::PostgresFrozen, CUT_OFF).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_a_killed_postgres() {
    row(Fault::PostgresKilled, CUT_OFF).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_every_connection_is_ended() {
    row(Fault::ConnectionsEnded, NOTHING_CHANGES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_every_connection_of_the_pool_is_lent() {
    let promise = Promise {
        cold: Cold::Perhaps,
        revoked: Revoked::During,
        ..CUT_OFF
    };
    row(Fault::PoolExhausted, promise).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_the_server_takes_no_more_connections() {
    row(Fault::NoConnections, CUT_OFF).await;
}

/// A failover to a standby: everything can be read, and nothing be written.
#[tokio::test(flavor = "multi_thread")]
async fn r20_a_read_only_postgres() {
    let promise = Promise {
        revoked: Revoked::After,
        ..NOTHING_CHANGES
    };
    row(Fault::ReadOnly, promise).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r21_a_frozen_redis() {
    row(Fault::RedisFrozen, NOTHING_CHANGES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r21_a_killed_redis() {
    row(Fault::RedisKilled, NOTHING_CHANGES).await;
}

/// The queue in front of the store is bounded: more than it takes are told at once.
#[tokio::test(flavor = "multi_thread")]
async fn r19_a_crowd_before_a_frozen_postgres_is_sent_away() {
    let scene = Scene::new(Fault::PostgresFrozen).await;
    let crowd = scene.strangers(600);
    let outage = Outage::begin(Fault::PostgresFrozen, &scene).await;
    let asked = crowd.iter().map(|one| scene.ask(one));
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
    // And whoever is known is not held up by them.
    assert_eq!(scene.ask(&scene.key).await, 200);
    outage.end(&scene).await;
}

/// A process that cannot read the log knows nothing of what others revoke, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn r23_a_partitioned_process_takes_no_api_token_after_60_s() {
    let scene = Scene::new(Fault::PostgresFrozen).await;
    let outage = Outage::begin(Fault::PostgresFrozen, &scene).await;
    assert!(scene.auth.revocation_status().unwrap().is_current);
    scene.clock.advance(Duration::from_secs(59));
    assert_eq!(scene.ask(&scene.key).await, 200);
    scene.clock.advance(Duration::from_secs(2));
    assert_eq!(scene.ask(&scene.key).await, 503);
    let cut_off = async || {
        let status = scene.auth.revocation_status().unwrap();
        (!status.is_current && status.last_error.is_some()).then_some(())
    };
    eventually("its status says so", RECOVERY, cut_off).await;
    outage.end(&scene).await;
    scene.until_recovered().await;
    assert!(scene.auth.revocation_status().unwrap().is_current);
}

/// Policies serve 30 s, and 5 min more while they cannot be read; an organization never seen, not at
/// all.
#[tokio::test(flavor = "multi_thread")]
async fn r24_policies_that_cannot_be_read() {
    let scene = Scene::new(Fault::PostgresFrozen).await;
    let outage = Outage::begin(Fault::PostgresFrozen, &scene).await;
    let stranger = scene.access_token("never-seen", "erin");
    assert_eq!(scene.ask(&stranger).await, 503);
    for _ in 0..29 {
        scene.clock.advance(Duration::from_secs(10));
        assert_eq!(scene.ask(&scene.access).await, 200);
    }
    scene.clock.advance(Duration::from_secs(41));
    assert_eq!(scene.ask(&scene.access).await, 503);
    outage.end(&scene).await;
    scene.until_recovered().await;
    let seen = async || {
        scene.clock.advance(Duration::from_secs(1));
        (scene.ask(&stranger).await == 200).then_some(())
    };
    eventually("its policy is read", RECOVERY, seen).await;
}
