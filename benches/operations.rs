//! What a decision about an operation costs, beside passing the same message through.
//!
//! Read the difference to `pass/*` of the same message: there the credential is judged, and the body
//! is not looked at. `rules/*` reads the body and judges it by ten tool rules, `headers/*` trusts the
//! mirrored headers, `many/*` has 2,000 rules, half of them patterns.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench stops loudly, and the macros write functions without docs"
)]

#[allow(dead_code, reason = "every bench uses its part of it")]
mod shared;

use std::convert::Infallible;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::{
    Authenticator, Issuer, McpAuthLayer, OrganizationPolicy, ProtectedResource, ToolRules,
};

use shared::RESOURCE;

/// A message, with what its headers mirror.
struct Message {
    name: &'static str,
    body: Bytes,
    method: &'static str,
    tool: Option<&'static str>,
}

fn messages() -> [Message; 2] {
    let text = "The export stops at the first row whose title has a comma in it. ".repeat(12);
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"createIssue","arguments":{{"project":"OPS","title":"Export stops","labels":["export","csv"],"priority":2,"description":"{text}"}},"_meta":{{"progressToken":"t-7","client":{{"name":"bench","version":"1.0"}}}}}}}}"#
    );
    assert!((1000..1100).contains(&call.len()), "{}", call.len());
    [
        Message {
            name: "call_1k",
            body: call.into(),
            method: "tools/call",
            tool: Some("createIssue"),
        },
        Message {
            name: "list_46b",
            body: r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#.into(),
            method: "tools/list",
            tool: None,
        },
    ]
}

/// As many rules; the one that counts is exact, and stands among them.
fn rules(count: usize) -> ToolRules {
    let named = ToolRules::new().tool("createIssue", ["write:issues"]);
    (1..count).fold(named, |rules, number| match number % 2 {
        0 => rules.tool(format!("tool{number}"), ["read:issues"]),
        _ => rules.tool(format!("group{number}_*"), ["read:issues"]),
    })
}

struct Bench {
    runtime: Runtime,
    authorization: HeaderValue,
    tokens: ApiTokens,
    issuer: TestIssuer,
}

impl Bench {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap());
        let key = NewToken::service_account("acme", "ci").created_by("alice");
        let key = key.scopes(["read:issues", "write:issues"]);
        let key = runtime.block_on(tokens.issue(key)).unwrap().token;
        Self {
            authorization: HeaderValue::try_from(format!("Bearer {}", key.expose())).unwrap(),
            issuer: TestIssuer::builder().in_process(),
            runtime,
            tokens,
        }
    }

    fn auth(&self, rules: Option<ToolRules>) -> Authenticator {
        let acme = OrganizationPolicy::new(OrganizationId::new("acme").unwrap()).api_tokens(true);
        let resource = ProtectedResource::new(RESOURCE).issuer(Issuer::new(self.issuer.url()));
        let builder = Authenticator::builder(resource)
            .fetch(self.issuer.fetch())
            .api_tokens(self.tokens.clone())
            .policies(MemoryPolicyStore::new().with(acme).unwrap());
        match rules {
            Some(rules) => builder.tools(rules).build().unwrap(),
            None => builder.build().unwrap(),
        }
    }

    fn request(&self, message: &Message) -> Request<Full<Bytes>> {
        let mut request = Request::post("/mcp")
            .header("host", "mcp.example.com")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", message.method);
        if let Some(tool) = message.tool {
            request = request.header("mcp-name", tool);
        }
        let request = request.header("authorization", &self.authorization);
        request.body(Full::new(message.body.clone())).unwrap()
    }

    fn measure<S, B>(&self, criterion: &mut Criterion, group: &str, service: &S)
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
    {
        for message in messages() {
            let once = service.clone().oneshot(self.request(&message));
            let answer = self.runtime.block_on(once).unwrap();
            assert_eq!(answer.status(), 200, "{group}/{}", message.name);
            criterion.bench_function(&format!("{group}/{}", message.name), |bencher| {
                bencher.iter(|| {
                    let call = service.clone().oneshot(self.request(&message));
                    black_box(self.runtime.block_on(call).is_ok())
                });
            });
        }
    }
}

/// Reads the body, as every server does.
async fn read<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: http_body::Body<Data = Bytes, Error = Infallible>,
{
    let Ok(body) = request.into_body().collect().await;
    black_box(body.to_bytes().len());
    Ok(Response::new(Full::default()))
}

fn operations(criterion: &mut Criterion) {
    let bench = Bench::new();
    let layer = |rules| McpAuthLayer::new(bench.auth(rules)).layer(service_fn(read));
    bench.measure(criterion, "bare", &service_fn(read));
    bench.measure(criterion, "pass", &layer(None));
    bench.measure(criterion, "rules", &layer(Some(rules(10))));
    bench.measure(criterion, "many", &layer(Some(rules(1_000))));
    let trusting = rules(10).trust_mirrored_headers();
    bench.measure(criterion, "headers", &layer(Some(trusting)));
}

criterion_group!(benches, operations);
criterion_main!(benches);
