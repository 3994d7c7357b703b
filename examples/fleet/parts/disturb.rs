//! Forced reconnects, spread over a run.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::BoxError;
use super::place::Place;

/// What was done to the connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbed {
    pub(crate) times: usize,
    pub(crate) postgres: usize,
    pub(crate) redis: usize,
}

/// How far a run is.
#[derive(Default)]
pub(crate) struct Course {
    pub(crate) done: AtomicUsize,
    pub(crate) over: AtomicBool,
}

/// Ends all connections to Postgres and all that listen to Redis, `times` times while `changes` are
/// made.
pub(crate) async fn disturb(
    place: &Place,
    redis: &str,
    times: usize,
    changes: usize,
    course: &Course,
) -> Result<Disturbed, BoxError> {
    let client = redis::Client::open(redis)?;
    let mut disturbed = Disturbed::default();
    while disturbed.times < times {
        let due = changes * (disturbed.times + 1) / (times + 1);
        if course.done.load(Ordering::Acquire) < due {
            if course.over.load(Ordering::Acquire) {
                break;
            }
            sleep(Duration::from_millis(5)).await;
            continue;
        }
        let mut admin = client.get_multiplexed_async_connection().await?;
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("pubsub");
        disturbed.redis += kill.query_async::<usize>(&mut admin).await?;
        disturbed.postgres += place.terminate().await?;
        disturbed.times += 1;
    }
    Ok(disturbed)
}
