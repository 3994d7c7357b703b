//! Requests that look at the very moment a fetch ends (R10, R13).

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use super::support::*;
use crate::fetch::DynFetch;
use crate::issuer::Issuer;
use crate::oauth::keys::{KeySource, Lookup};
use crate::testing::{ManualClock, TestIssuer};

const URL: &str = "https://auth.example.com/t1";

/// Looks without pause until the key is there, and counts the times it was said not to be.
fn spin(source: &Arc<KeySource>, kid: &str) -> usize {
    let mut denied = 0;
    loop {
        match source.lookup(Some(kid), ES256, false) {
            Lookup::Wait(_) => {}
            Lookup::Keys(_) => return denied,
            _ => denied += 1,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_r13_a_fetch_that_ends_under_a_request_is_not_missed() {
    for _ in 0..300 {
        let issuer = TestIssuer::builder().url(URL).in_process();
        let clock = ManualClock::at(1_800_000_000);
        let fetch = DynFetch::new(issuer.fetch());
        let source = KeySource::new(
            &Issuer::new(URL),
            crate::scope::ScopeSet::empty(),
            fetch,
            Arc::new(clock.clone()),
        );
        source.warm_up().await.unwrap();
        let kid = issuer.rotate(ES256);
        clock.advance(Duration::from_secs(11));
        issuer.reset_hits();
        let start = Arc::new(Barrier::new(3));
        let spinning = [(); 3].map(|()| {
            let (source, kid, start) = (Arc::clone(&source), kid.clone(), Arc::clone(&start));
            let runtime = tokio::runtime::Handle::current();
            thread::spawn(move || {
                let _runtime = runtime.enter();
                start.wait();
                spin(&source, &kid)
            })
        });
        for thread in spinning {
            assert_eq!(thread.join().unwrap(), 0, "a good key was denied");
        }
        assert_eq!(issuer.hits().jwks, 1);
    }
}
