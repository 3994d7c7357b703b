//! An organization's administrator and API tokens, without a network or a server.
//!
//! `cargo run --example org_policy` shows one service-account key through its life: refused while
//! the organization has API tokens switched off, let in on the request after they are switched on,
//! refused on the request after it is revoked.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

use std::error::Error;

use http::Request;
use http::header::AUTHORIZATION;
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyStore};
use tower_mcp_auth::{Authenticator, Issuer, OrganizationPolicy, ProtectedResource};

/// What one request led to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    when: &'static str,
    status: u16,
    said: String,
}

/// Presents a key, as a client would.
async fn present(auth: &Authenticator, when: &'static str, key: &str) -> Outcome {
    let request = Request::post("/mcp")
        .header(AUTHORIZATION, format!("Bearer {key}"))
        .body(());
    let Ok(request) = request else {
        unreachable!("keys are printable ASCII")
    };
    let (head, ()) = request.into_parts();
    match auth.authenticate(&head).await {
        Ok(context) => Outcome {
            when,
            status: 200,
            said: format!(
                "{} of {}, may {}",
                context.principal().subject(),
                context.organization(),
                context.scopes()
            ),
        },
        Err(refusal) => Outcome {
            when,
            status: refusal.status().as_u16(),
            said: format!("{}: {}", refusal.reason().error(), refusal.message()),
        },
    }
}

async fn story() -> Result<Vec<Outcome>, Box<dyn Error>> {
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate()?);
    let policies = MemoryPolicyStore::new();
    let auth = Authenticator::builder(
        // API tokens need no keys, so this issuer is never asked.
        ProtectedResource::new("https://mcp.example.com/mcp")
            .issuer(Issuer::new("https://auth.example.com")),
    )
    .api_tokens(tokens.clone())
    .policies(policies.clone())
    .build()?;

    let wish = NewToken::service_account("acme", "build-bot").created_by("alice");
    let issued = tokens.issue(wish.scopes(["read:issues"])).await?;
    let key = issued.token.expose();
    let mut outcomes = vec![present(&auth, "issued, no policy yet", key).await];

    let acme = "acme".parse()?;
    let policy = OrganizationPolicy::new(acme).contact("alice@acme.example");
    // 0: there is no policy yet. Later, the version of the one that was looked at.
    let stored = policies.put(policy.api_tokens(true), 0).await?;
    outcomes.push(present(&auth, "switched on", key).await);

    let version = stored.version();
    let stored = policies.put(stored.api_tokens(false), version).await?;
    outcomes.push(present(&auth, "switched off again", key).await);

    let version = stored.version();
    policies.put(stored.api_tokens(true), version).await?;
    outcomes.push(present(&auth, "and on", key).await);

    tokens.revoke(issued.record.id()).await?;
    outcomes.push(present(&auth, "revoked", key).await);
    Ok(outcomes)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for Outcome { when, status, said } in story().await? {
        println!("{when:<22} {status}  {said}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keysa_04_each_step_holds_from_the_next_request_on() {
        let outcomes = story().await.unwrap();
        let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
        assert_eq!(statuses, [401, 200, 401, 200, 401], "{outcomes:#?}");
        assert!(outcomes[0].said.starts_with("auth_method_disabled"));
        assert_eq!(outcomes[1].said, "build-bot of acme, may read:issues");
        assert!(outcomes[2].said.starts_with("auth_method_disabled"));
        assert!(outcomes[4].said.starts_with("invalid_credentials"));
    }
}
