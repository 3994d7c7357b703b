//! The task that asks dies, or has nowhere to live (T51, R28).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::ServiceExt;

use super::support::*;
use crate::fetch::DynFetch;
use crate::issuer::Issuer;
use crate::oauth::keys::attempts::Step;
use crate::oauth::keys::{KeySource, Lookup};
use crate::testing::{Fault, ManualClock, TestIssuer};

/// Panics `times` times, then does as the issuer does.
fn panicking(issuer: &TestIssuer, times: usize) -> DynFetch {
    let left = Arc::new(AtomicUsize::new(times));
    let fetch = issuer.fetch();
    DynFetch::new(tower::service_fn(move |request: Request<Full<Bytes>>| {
        let (left, fetch) = (Arc::clone(&left), fetch.clone());
        async move {
            let more = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
            assert!(more.is_err(), "the user's service has a bug");
            let answer: Result<Response<_>, _> = fetch.oneshot(request).await;
            answer
        }
    }))
}

#[tokio::test(start_paused = true)]
async fn t51_a_fetch_that_panics_is_a_failed_attempt() {
    let issuer = TestIssuer::builder().in_process();
    let source = KeySource::new(
        &Issuer::new(issuer.url()),
        crate::scope::ScopeSet::empty(),
        panicking(&issuer, 3),
        Arc::new(PausedClock::new()),
    );
    assert!(ask(&source, Some("k")).await.is_outage());
    let error = source.status().last_error.unwrap();
    assert!(error.to_string().contains("panicked"), "{error}");
    pass(20).await;
    assert_eq!(
        ask(&source, Some(&issuer.signing_kid())).await,
        Answer::Keys
    );
}

#[test]
fn t51_without_a_runtime_the_answer_says_so() {
    let issuer = TestIssuer::builder().in_process();
    let fetch = DynFetch::new(issuer.fetch());
    let clock = Arc::new(ManualClock::at(0));
    let source = KeySource::new(
        &Issuer::new(issuer.url()),
        crate::scope::ScopeSet::empty(),
        fetch,
        clock,
    );
    let Lookup::Unavailable {
        cause: Some(cause), ..
    } = source.lookup(Some("k"), ES256, false)
    else {
        panic!("not unavailable")
    };
    assert!(cause.to_string().contains("Tokio runtime"), "{cause}");
}

#[test]
fn t51_a_runtime_that_ends_takes_no_state_with_it() {
    let issuer = TestIssuer::builder().in_process();
    let clock = ManualClock::at(0);
    let fetch = DynFetch::new(issuer.fetch());
    let source = KeySource::new(
        &Issuer::new(issuer.url()),
        crate::scope::ScopeSet::empty(),
        fetch,
        Arc::new(clock.clone()),
    );
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    issuer.fail_all(Fault::Hang);
    runtime().block_on(async { assert!(ask(&source, Some("k")).await.is_outage()) });
    let error = source.status().last_error.unwrap();
    assert!(error.to_string().contains("runtime"), "{error}");

    issuer.fail_all(Fault::Refuse);
    clock.advance(secs(30));
    runtime().block_on(async {
        assert!(ask(&source, Some("k")).await.is_outage());
        assert!(source.attempts().retry(secs(0), true) != Step::Stop);
    });
    assert!(
        source.attempts().claim_retry(),
        "the retry loop's place is free"
    );
    source.attempts().abandon_retry();

    issuer.heal();
    clock.advance(secs(60));
    let kid = issuer.signing_kid();
    runtime().block_on(async { assert_eq!(ask(&source, Some(&kid)).await, Answer::Keys) });
}

#[tokio::test(start_paused = true)]
async fn r28_a_dropped_source_ends_its_retries() {
    let world = World::new();
    world.issuer.fail_all(Fault::Status(500));
    assert!(world.ask(&world.kid()).await.is_outage());
    let source = Arc::downgrade(&world.source);
    let World {
        issuer,
        source: last,
    } = world;
    drop(last);
    assert!(
        source.upgrade().is_none(),
        "a sleeping retry loop holds nothing"
    );
    let hits = issuer.hits().total();
    pass(300).await;
    assert_eq!(issuer.hits().total(), hits);
}
