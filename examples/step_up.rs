//! A handler that finds out late that it needs more: no network, no server.
//!
//! `cargo run --example step_up` sends money. Above 1,000 the handler wants a scope of its own and a
//! login of the last five minutes, and says so with `StepUp`; the layer makes the challenge of it
//! from which clients step up.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::{
    AuthContext, Authenticator, Issuer, McpAuthLayer, OrganizationPolicy, ProtectedResource, StepUp,
};

const URL: &str = "https://mcp.example.com/mcp";
const RECENT: Duration = Duration::from_secs(300);

/// The handler. What it answers after asking for a step-up, nobody sees.
async fn transfer(
    request: Request<RequestBody<Full<Bytes>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let text = body.collect().await.map(Collected::to_bytes);
    let text = text.unwrap_or_default();
    let amount = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    let mut answer = Response::new(Full::new(Bytes::from("sent")));
    match (amount, head.extensions.get::<AuthContext>()) {
        (Some(0..=1_000), Some(_)) => {}
        (Some(_), Some(auth)) => {
            // Does nothing for who has both already, so ask first.
            if !is_enough(auth) {
                let step_up = StepUp::scopes(["transfer:large"]).max_age(RECENT);
                auth.step_up(step_up.message("Large transfers need more than that"));
                *answer.body_mut() = Full::new(Bytes::from("not sent"));
            }
        }
        _ => *answer.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(answer)
}

fn is_enough(auth: &AuthContext) -> bool {
    let login = auth.principal().authenticated_at();
    let recent = login.is_some_and(|login| SystemClock::new().now().since(login) <= RECENT);
    recent && auth.has_scope("transfer:large")
}

/// What one transfer led to.
#[derive(Debug)]
struct Outcome {
    when: &'static str,
    status: u16,
    /// What clients act on.
    challenge: Option<String>,
    body: String,
}

async fn send(
    auth: &Authenticator,
    when: &'static str,
    credential: &str,
    amount: &'static str,
) -> Result<Outcome, Box<dyn Error>> {
    let server = McpAuthLayer::new(auth.clone()).layer(service_fn(transfer));
    let request = Request::post(URL).header(AUTHORIZATION, format!("Bearer {credential}"));
    let answer = server
        .oneshot(request.body(Full::new(Bytes::from(amount)))?)
        .await?;
    let mut challenges = answer.headers().get_all(WWW_AUTHENTICATE).iter();
    let challenge = challenges
        .next()
        .map(|line| line.to_str().map(str::to_owned));
    Ok(Outcome {
        when,
        status: answer.status().as_u16(),
        challenge: challenge.transpose()?,
        body: String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?,
    })
}

async fn story() -> Result<Vec<Outcome>, Box<dyn Error>> {
    let issuer = TestIssuer::builder().claim("org_id", "acme").in_process();
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate()?);
    let acme = "acme".parse()?;
    let auth = Authenticator::builder(
        ProtectedResource::new(URL)
            .issuer(Issuer::new(issuer.url()).organization_claim("org_id"))
            .baseline_scopes(["transfer"]),
    )
    .fetch(issuer.fetch())
    .api_tokens(tokens.clone())
    .policies(MemoryPolicyStore::new().with(OrganizationPolicy::new(acme).api_tokens(true))?)
    .build()?;

    let now = SystemClock::new().now().as_secs();
    let token = |scopes: &str, login: i64| {
        let token = issuer.token(URL).scope(scopes);
        token.claim("auth_time", now - login).sign()
    };
    let (small, both) = ("transfer", "transfer transfer:large");
    let key = NewToken::service_account("acme", "payroll").created_by("alice");
    let key = tokens.issue(key.scopes([small])).await?.token;
    let mut outcomes = vec![send(&auth, "a small one", &token(small, 3600), "10").await?];
    for (when, credential) in [
        ("a large one", token(small, 60)),
        ("an hour after the login", token(small, 3600)),
        ("and with the scope", token(both, 3600)),
        ("after a new login", token(both, 0)),
        ("a key: nobody can log in with it", key.expose().to_owned()),
    ] {
        outcomes.push(send(&auth, when, &credential, "5000").await?);
    }
    Ok(outcomes)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for outcome in story().await? {
        println!("{}: {} {}", outcome.when, outcome.status, outcome.body);
        if let Some(challenge) = outcome.challenge {
            println!("  WWW-Authenticate: {challenge}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn step_01_the_challenge_names_what_the_handler_asked_for() {
        let outcomes = story().await.unwrap();
        let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
        assert_eq!(statuses, [200, 403, 401, 401, 200, 403], "{outcomes:#?}");
        let challenge = |index: usize| outcomes[index].challenge.as_deref().unwrap();
        let has = |index, part| assert!(challenge(index).contains(part), "{outcomes:#?}");
        has(
            1,
            r#"error="insufficient_scope", scope="transfer transfer:large""#,
        );
        has(
            2,
            r#"error="insufficient_user_authentication", scope="transfer transfer:large""#,
        );
        has(3, r#"error="insufficient_user_authentication", error_desc"#);
        has(2, r#"max_age="300""#);
        has(3, r#"max_age="300""#);
        assert_eq!(outcomes[5].challenge, None);
        assert!(outcomes.iter().all(|outcome| outcome.body != "not sent"));
    }
}
