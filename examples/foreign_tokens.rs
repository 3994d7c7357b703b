//! API tokens that a company has already, taken as they are: no network, no server.
//!
//! `cargo run --example foreign_tokens` plays both sides: a vendor with tokens of its own format,
//! and a protected server that recognises them by their shape and asks the vendor about them.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::AUTHORIZATION;
use tower_mcp_auth::api_token::TokenKind;
use tower_mcp_auth::api_token::foreign::{
    ForeignCredential, ForeignToken, ForeignTokenBuilder, ForeignTokens,
};
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyStore};
use tower_mcp_auth::{Authenticator, BackendError, Issuer, OrganizationPolicy, ProtectedResource};

const ADA: &str = "ada@acme.example";
const ADAS_TOKEN: &str = "vnd_pat_Zk3QmT8xW5";
const BOTS_KEY: &str = "vnd_svc_Hq7RnB2yL9";

/// The vendor. Yours sits behind an API or a database; this one remembers what it issued.
#[derive(Clone, Default)]
struct Vendor(Arc<Mutex<HashMap<&'static str, ForeignTokenBuilder>>>);

impl Vendor {
    fn issue(&self, text: &'static str, token: ForeignTokenBuilder) {
        let now = SystemClock::new().now();
        let token = token
            .scopes(["read:issues"])
            .created_at(now.plus_secs(-60))
            .expires_at(now.plus_secs(90 * 86_400));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(text, token);
    }
}

impl ForeignTokens for Vendor {
    fn recognise(&self, credential: &str) -> Option<TokenKind> {
        match credential.get(..8)? {
            "vnd_pat_" => Some(TokenKind::Personal),
            "vnd_svc_" => Some(TokenKind::ServiceAccount),
            _ => None,
        }
    }

    async fn verify(
        &self,
        credential: ForeignCredential<'_>,
    ) -> Result<Option<ForeignToken>, BackendError> {
        // A real one asks over the network here, and says `Err` if nobody answers.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let token = known.get(credential.expose()).cloned();
        token.map(ForeignTokenBuilder::build).transpose()
    }
}

/// What one request led to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    when: &'static str,
    status: u16,
    said: String,
}

/// Presents a credential, as a client would.
async fn present(auth: &Authenticator, when: &'static str, authorization: String) -> Outcome {
    let request = Request::post("/mcp")
        .header(AUTHORIZATION, authorization)
        .body(());
    let Ok(request) = request else {
        unreachable!("credentials are printable ASCII")
    };
    let (head, ()) = request.into_parts();
    let (status, said) = match auth.authenticate(&head).await {
        Ok(context) => {
            let principal = context.principal();
            let said = format!(
                "{} of {}, known to {}",
                principal.subject(),
                context.organization(),
                principal.issuer()
            );
            (200, said)
        }
        Err(refusal) => (
            refusal.status().as_u16(),
            format!("{}: {}", refusal.reason().error(), refusal.message()),
        ),
    };
    Outcome { when, status, said }
}

fn basic(email: &str, token: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{email}:{token}")))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

async fn story() -> Result<Vec<Outcome>, Box<dyn Error>> {
    let vendor = Vendor::default();
    vendor.issue(
        ADAS_TOKEN,
        ForeignToken::personal("pat-1", "acme", "ada", ADA),
    );
    vendor.issue(
        BOTS_KEY,
        ForeignToken::service_account("svc-1", "acme", "build-bot").created_by("ada"),
    );

    let policies = MemoryPolicyStore::new();
    let auth = Authenticator::builder(
        // API tokens need no keys, so this issuer is never asked.
        ProtectedResource::new("https://mcp.example.com/mcp")
            .issuer(Issuer::new("https://auth.example.com")),
    )
    .foreign_tokens("vendor", vendor)
    .policies(policies.clone())
    .build()?;

    let key = || bearer(BOTS_KEY);
    let mut outcomes = vec![present(&auth, "a key, no policy yet", key()).await];
    let acme = "acme".parse()?;
    let policy = OrganizationPolicy::new(acme).api_tokens(true);
    policies.put(policy, 0).await?;
    outcomes.push(present(&auth, "switched on", key()).await);

    let mine = basic(ADA, ADAS_TOKEN);
    outcomes.push(present(&auth, "a personal token", mine.clone()).await);
    let as_bearer = bearer(ADAS_TOKEN);
    outcomes.push(present(&auth, "as Bearer", as_bearer).await);
    let others = basic("bob@acme.example", ADAS_TOKEN);
    outcomes.push(present(&auth, "with another's email", others).await);
    let guess = bearer("vnd_svc_guess");
    outcomes.push(present(&auth, "a guess", guess).await);

    auth.handle().revoke_token("vendor", "pat-1").await?;
    outcomes.push(present(&auth, "revoked here", mine).await);
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
    async fn t33_each_kind_comes_in_by_its_own_door() {
        let outcomes = story().await.unwrap();
        let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
        assert_eq!(
            statuses,
            [401, 200, 200, 401, 401, 401, 401],
            "{outcomes:#?}"
        );
        assert!(outcomes[0].said.starts_with("auth_method_disabled"));
        assert_eq!(outcomes[1].said, "build-bot of acme, known to vendor");
        assert_eq!(outcomes[2].said, "ada of acme, known to vendor");
        assert!(outcomes[3].said.contains("send it as Basic"));
        assert_eq!(outcomes[4].said, outcomes[5].said);
    }
}
