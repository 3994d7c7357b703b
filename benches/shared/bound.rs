//! The row about tokens bound to a key: a remembered token with a new proof for every request.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::dpop::Dpop;
use tower_mcp_auth::testing::DpopKey;
use tower_mcp_auth::{McpAuthLayer, SigningAlgorithm};

use super::fixture::{Fixture, RESOURCE, echo, request};
use super::row::Row;
use super::rows::raw_name;

/// Proofs made at once, while nobody looks at the time.
const BATCH: u64 = 256;

/// Read against one raw verification, which every proof needs.
pub(crate) fn dpop(fixture: &Fixture) -> Row {
    let auth = fixture.ready(fixture.plain().dpop(Dpop::new()));
    let service = McpAuthLayer::new(auth).layer(service_fn(echo));
    let runtime = Rc::clone(&fixture.runtime);
    let key = DpopKey::generate();
    let token = fixture.access_token().dpop_key(&key).sign();
    let authorization = HeaderValue::try_from(format!("DPoP {token}")).unwrap();
    let row = Row::timed("warm/dpop", move |times| {
        let (mut took, mut left) = (Duration::ZERO, times);
        while left > 0 {
            let batch = left.min(BATCH);
            let proof = || key.proof("POST", RESOURCE, &token).sign();
            let proofs: Vec<_> = (0..batch)
                .map(|_| HeaderValue::try_from(proof()).unwrap())
                .collect();
            let start = Instant::now();
            let good = runtime.block_on(async {
                let mut good = 0;
                for proof in proofs {
                    let mut request = request(Some(&authorization));
                    request.headers_mut().insert("dpop", proof);
                    let answer = service.clone().oneshot(request).await;
                    good += u64::from(answer.is_ok_and(|answer| answer.status() == 200));
                }
                good
            });
            took += start.elapsed();
            assert_eq!(good, batch, "a good proof is let in");
            left -= batch;
        }
        took
    });
    row.against(raw_name(SigningAlgorithm::Es256))
}
