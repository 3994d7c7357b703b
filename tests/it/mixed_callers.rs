//! Goal G13: whoever asks at the same time as whom, every answer is about its own caller, also where
//! two authorities use the same names.

#![allow(clippy::print_stdout, reason = "figures for docs/assurance.md")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::api_token::foreign::{ForeignCredential, ForeignToken, ForeignTokens};
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers, TokenKind};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::testing::{ManualClock, TestIssuer};
use tower_mcp_auth::{
    AuthContext, Authenticator, BackendError, Introspection, Issuer, McpAuthLayer,
    OrganizationPolicy, ProtectedResource,
};

use crate::hostile_requests::classes::request::Random;
use crate::support::{Answer, I, NOW, R, post};
use crate::tokens_support::{basic, bearer, issue, organization};

const SECOND: &str = "https://auth.example.com/t2";
const ASKED: &str = "https://auth.example.com/t3";

/// Callers of each kind.
const EACH: usize = 50;

/// A credential, and who it is: as [`said`] says it.
struct Caller {
    authorization: String,
    said: String,
}

/// All that tells one caller from another.
fn said(auth: &AuthContext) -> String {
    let who = auth.principal();
    let (subject, issuer) = (who.subject(), who.issuer());
    let (id, method) = (who.token_id().unwrap_or(""), auth.method().name());
    let organization = auth.organization();
    format!(
        "{subject} of {organization} by {issuer}, {id}, {method}, {}",
        auth.scopes()
    )
}

/// A format of somebody else, with ids that ours has too: `pat-{id}-{owner}-{organization}`.
struct Lookalike;

impl ForeignTokens for Lookalike {
    fn recognise(&self, credential: &str) -> Option<TokenKind> {
        credential
            .starts_with("pat-")
            .then_some(TokenKind::ServiceAccount)
    }

    async fn verify(
        &self,
        shown: ForeignCredential<'_>,
    ) -> Result<Option<ForeignToken>, BackendError> {
        tokio::task::yield_now().await;
        let parts: Vec<&str> = shown.expose().split('-').collect();
        let [_, id, owner, organization] = parts[..] else {
            return Ok(None);
        };
        let token = ForeignToken::service_account(id, organization, owner).scopes(["read:issues"]);
        let token = token
            .expires_at(UnixTime::from_secs(NOW + 3600))
            .created_at(UnixTime::from_secs(NOW - 60));
        token
            .build()
            .map(Some)
            .map_err(|error| BackendError::new(error.to_string()))
    }
}

fn issuer(url: &str, clock: &ManualClock) -> TestIssuer {
    let issuer = TestIssuer::builder()
        .url(url)
        .clock(clock.clone())
        .key_id("one-kid");
    issuer.client("mcp", "introspecting").in_process()
}

/// An authenticator that trusts all of them, and callers who are hard to tell apart.
async fn everybody(memory: u64) -> (Authenticator, Vec<Caller>) {
    let clock = ManualClock::at(NOW);
    let issuers = [I, SECOND, ASKED].map(|url| issuer(url, &clock));
    let [first, second, asked] = &issuers;
    let tokens =
        ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap()).clock(clock.clone());
    let names = ["acme", "globex", "initech"];
    let policies = names.map(|name| OrganizationPolicy::new(organization(name)).api_tokens(true));
    let store = MemoryPolicyStore::new();
    let policies = policies
        .into_iter()
        .fold(store, |store, policy| store.with(policy).unwrap());
    let trusted = |url| Issuer::new(url).organization_claim("org_id");
    let introspection = Introspection::new().client_secret_basic("mcp", "introspecting");
    let resource = ProtectedResource::new(R)
        .issuer(trusted(I))
        .issuer(trusted(SECOND))
        .issuer(trusted(ASKED).introspection(introspection));
    let auth = Authenticator::builder(resource)
        .clock(clock.clone())
        .fetch(first.fetch().and(second.fetch()).and(asked.fetch()))
        .api_tokens(tokens.clone())
        .foreign_tokens("lookalike", Lookalike)
        .policies(policies)
        .verified_token_bytes(memory)
        .build()
        .unwrap();
    auth.warm_up(Duration::from_secs(5)).await.unwrap();
    let mut callers: Vec<String> = Vec::new();
    for number in 0..EACH {
        let organization = names[number % names.len()];
        // The same subject, client and token id everywhere.
        let (name, id) = (format!("user{}", number % 7), format!("jti-{number}"));
        for (at, issuer) in issuers.iter().enumerate() {
            let organization = names[(number + at) % names.len()];
            let token = issuer
                .token(R)
                .subject(&name)
                .claim("jti", id.clone())
                .scope("read:issues");
            let token = token.claim("org_id", organization);
            let token = if at == 2 {
                token.opaque()
            } else {
                token.sign()
            };
            callers.push(format!("Bearer {token}"));
        }
        let email = format!("{name}@{organization}.example");
        let personal = issue(&tokens, NewToken::personal(organization, &name, &email)).await;
        let key = issue(
            &tokens,
            NewToken::service_account(organization, &name).created_by(&name),
        )
        .await;
        let other = names[(number + 1) % names.len()];
        callers.push(basic(&email, &personal));
        callers.push(bearer(&key));
        callers.push(format!("Bearer pat-{}-{name}-{other}", key.record.id()));
    }
    (auth.clone(), learnt(&auth, callers).await)
}

/// Who each of them is when nobody else is there.
async fn learnt(auth: &Authenticator, callers: Vec<String>) -> Vec<Caller> {
    let mut all: Vec<Caller> = Vec::new();
    for authorization in callers {
        let request = post()
            .header("authorization", &authorization)
            .body(())
            .unwrap();
        let context = auth.authenticate(&request.into_parts().0).await.unwrap();
        let said = said(&context);
        assert!(
            all.iter().all(|other| other.said != said),
            "two are one: {said}"
        );
        all.push(Caller {
            authorization,
            said,
        });
    }
    all
}

/// Says who asks, after everybody else had time to get into the way.
async fn inner(
    request: Request<RequestBody<Empty<Bytes>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let before = said(request.extensions().get::<AuthContext>().unwrap());
    for _ in 0..before.len() % 3 {
        tokio::task::yield_now().await;
    }
    let after = said(request.extensions().get::<AuthContext>().unwrap());
    assert_eq!(before, after);
    Ok(Response::new(Full::from(after)))
}

/// So many requests by 64 tasks.
async fn interleave(requests: usize, memory: u64) {
    let (auth, callers) = everybody(memory).await;
    assert_eq!(callers.len(), 6 * EACH);
    let service = McpAuthLayer::new(auth.clone()).layer(service_fn(inner));
    let callers = Arc::new(callers);
    let mut tasks = JoinSet::new();
    for task in 0..64_u64 {
        let (service, callers) = (service.clone(), callers.clone());
        tasks.spawn(async move {
            let mut random = Random(task);
            for _ in 0..requests.div_ceil(64) {
                let caller = &callers[random.below(callers.len())];
                let request = post().header("authorization", &caller.authorization);
                let request = request.body(Empty::new()).unwrap();
                let response = service.clone().oneshot(request).await.unwrap();
                let answer = Answer::read(response).await;
                assert_eq!(answer.status, 200, "{}: {:?}", caller.said, answer.body);
                assert_eq!(answer.body, caller.said.as_bytes());
            }
            requests.div_ceil(64)
        });
    }
    let done: usize = tasks.join_all().await.into_iter().sum();
    println!(
        "{done} requests by {} callers, memory of {memory} bytes",
        callers.len()
    );
    assert_eq!(auth.verified_tokens() > 0, memory > 0);
}

/// A hundred thousand, or as many as `MIXED_REQUESTS` says; half of them with nothing remembered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g13_t45_every_answer_is_about_its_own_caller() {
    let asked = std::env::var("MIXED_REQUESTS").ok();
    let requests = asked.map_or(100_000, |number| number.parse().unwrap());
    interleave(requests / 2, 32 * 1024 * 1024).await;
    interleave(requests / 2, 0).await;
}
