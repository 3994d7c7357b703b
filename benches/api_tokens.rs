//! What an API token costs, beside the bare service in the same run.
//!
//! Read the ratios to `bare`. `warm/*` is a good credential whose record and policy are at hand,
//! `refused/*` what is decided without a secret. The rows of `t27/*` must not differ by more than
//! their noise: whether an id exists, a secret is right or an email belongs to it cannot be told
//! from the time (T27).

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench stops loudly, and the macros write functions without docs"
)]

mod shared;

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp_auth::api_token::{ApiTokens, IssuedToken, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::{Authenticator, Issuer, McpAuthLayer, OrganizationPolicy, ProtectedResource};

use shared::{RESOURCE, echo, request};

const EMAIL: &str = "ada@acme.example";

struct Bench {
    runtime: Runtime,
    tokens: ApiTokens,
    auth: Authenticator,
}

impl Bench {
    fn new() -> Self {
        let issuer = TestIssuer::builder().in_process();
        let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
        let acme = OrganizationId::new("acme").unwrap();
        let policies = MemoryPolicyStore::new()
            .with(OrganizationPolicy::new(acme).api_tokens(true))
            .unwrap();
        let auth = Authenticator::builder(
            ProtectedResource::new(RESOURCE).issuer(Issuer::new(issuer.url())),
        )
        .fetch(issuer.fetch())
        .api_tokens(tokens.clone())
        .policies(policies)
        .throttle(ThrottleSettings::off()) // or the refusals measured were 429
        .build()
        .unwrap();
        Self {
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            tokens,
            auth,
        }
    }

    fn issue(&self, tokens: &ApiTokens, new: NewToken) -> IssuedToken {
        let issued = tokens.issue(new.scopes(["read:issues"]));
        self.runtime.block_on(issued).unwrap()
    }

    /// Measures one row, after a request that must be answered with `status`.
    fn measure<S>(&self, criterion: &mut Criterion, row: &Row, service: &S)
    where
        S: Service<Request<Empty<Bytes>>, Error = Infallible> + Clone,
        S::Response: Status,
    {
        let header = row.header.as_ref();
        let first = self
            .runtime
            .block_on(service.clone().oneshot(request(header)));
        assert_eq!(first.unwrap().code(), row.status, "{}", row.name);
        criterion.bench_function(row.name, |bencher| {
            bencher.iter(|| {
                let call = service.clone().oneshot(request(header));
                black_box(self.runtime.block_on(call).is_ok())
            });
        });
    }

    fn rows(&self) -> Vec<Row> {
        let person = |organization| NewToken::personal(organization, "ada", EMAIL);
        let personal = self.issue(&self.tokens, person("acme"));
        let key = NewToken::service_account("acme", "bot").created_by("ada");
        let key = self.issue(&self.tokens, key);
        let off = self.issue(&self.tokens, person("globex"));
        let other = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
        let unknown = self.issue(&other, person("acme"));
        // After a roll the old text has an id that exists and a secret that is wrong.
        let rolled = self.issue(&self.tokens, person("acme"));
        let roll = self.tokens.roll(rolled.record.id(), Duration::ZERO);
        self.runtime.block_on(roll).unwrap();

        let basic = |email: &str, token: &str| {
            let pair = STANDARD.encode(format!("{email}:{token}"));
            HeaderValue::try_from(format!("Basic {pair}")).unwrap()
        };
        let good = personal.token.expose();
        let (head, last) = good.split_at(good.len() - 1);
        let damaged = format!("{head}{}", if last == "0" { "1" } else { "0" });
        let bearer = HeaderValue::try_from(format!("Bearer {}", key.token.expose())).unwrap();
        vec![
            row("warm/personal", 200, basic(EMAIL, good)),
            row("warm/service_key", 200, bearer),
            row("refused/damaged", 401, basic(EMAIL, &damaged)),
            row(
                "refused/switched_off",
                401,
                basic(EMAIL, off.token.expose()),
            ),
            row("t27/unknown_id", 401, basic(EMAIL, unknown.token.expose())),
            row("t27/wrong_secret", 401, basic(EMAIL, rolled.token.expose())),
            row("t27/wrong_email", 401, basic("eve@acme.example", good)),
        ]
    }
}

struct Row {
    name: &'static str,
    status: u16,
    header: Option<HeaderValue>,
}

fn row(name: &'static str, status: u16, header: HeaderValue) -> Row {
    Row {
        name,
        status,
        header: Some(header),
    }
}

trait Status {
    fn code(&self) -> u16;
}

impl<B> Status for Response<B> {
    fn code(&self) -> u16 {
        self.status().as_u16()
    }
}

fn api_tokens(criterion: &mut Criterion) {
    let bench = Bench::new();
    let bare = Row {
        name: "bare",
        status: 200,
        header: None,
    };
    bench.measure(criterion, &bare, &service_fn(echo));
    let protected = McpAuthLayer::new(bench.auth.clone()).layer(service_fn(echo));
    for row in bench.rows() {
        bench.measure(criterion, &row, &protected);
    }
}

criterion_group!(benches, api_tokens);
criterion_main!(benches);
