//! What a request costs, beside the bare service in the same run.
//!
//! Read the ratios to `bare`: absolute times drift with the machine. `known_keys/*` is a valid
//! token whose issuer's keys are at hand, one row per algorithm; `refused/*` is every cheap refusal.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench stops loudly, and the macros write functions without docs"
)]

mod shared;

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderValue, Request};
use http_body_util::Empty;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, ProtectedResource, SigningAlgorithm};

use shared::{RESOURCE, echo, request};

struct Bench {
    runtime: Runtime,
    issuer: TestIssuer,
    auth: Authenticator,
}

impl Bench {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let issuer = TestIssuer::builder()
            .algorithms(SigningAlgorithm::ALL)
            .in_process();
        let trusted = Issuer::new(issuer.url()).algorithms(SigningAlgorithm::ALL);
        let auth = Authenticator::builder(ProtectedResource::new(RESOURCE).issuer(trusted))
            .fetch(issuer.fetch())
            .build()
            .unwrap();
        runtime
            .block_on(auth.warm_up(Duration::from_secs(5)))
            .unwrap();
        Self {
            runtime,
            issuer,
            auth,
        }
    }

    fn measure<S>(
        &self,
        criterion: &mut Criterion,
        name: &str,
        service: &S,
        header: Option<&HeaderValue>,
    ) where
        S: Service<Request<Empty<Bytes>>, Error = Infallible> + Clone,
    {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let call = service.clone().oneshot(request(header));
                black_box(self.runtime.block_on(call).is_ok())
            });
        });
    }
}

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {token}")).unwrap()
}

fn request_path(criterion: &mut Criterion) {
    let bench = Bench::new();
    let protected = McpAuthLayer::new(bench.auth.clone()).layer(service_fn(echo));
    bench.measure(criterion, "bare", &service_fn(echo), None);

    let token = || bench.issuer.token(RESOURCE).expires_in(80_000);
    for algorithm in SigningAlgorithm::ALL {
        let header = bearer(&token().algorithm(algorithm).sign());
        bench.measure(
            criterion,
            &format!("known_keys/{algorithm}"),
            &protected,
            Some(&header),
        );
    }
    let refused = [
        ("missing", None),
        ("garbage", Some(bearer("garbage"))),
        ("expired", Some(bearer(&token().expires_in(-100).sign()))),
        (
            "wrong_audience",
            Some(bearer(&token().audience("https://other.example").sign())),
        ),
        (
            "unknown_kid",
            Some(bearer(&token().header("kid", "nobody").sign())),
        ),
        (
            "bad_signature",
            Some(bearer(
                &token().tamper(|signature| signature[5] ^= 1).sign(),
            )),
        ),
    ];
    for (name, header) in refused {
        bench.measure(
            criterion,
            &format!("refused/{name}"),
            &protected,
            header.as_ref(),
        );
    }
}

criterion_group!(benches, request_path);
criterion_main!(benches);
