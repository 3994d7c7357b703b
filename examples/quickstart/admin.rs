//! The switch an organization's administrator would have in your product.
//!
//! FOR THE DEMO ONLY: it asks nobody who they are, so it listens on loopback, on a port of its own.

use std::io;
use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyStore};

/// The endpoint, until this is dropped.
pub(crate) struct Admin {
    url: String,
    server: JoinHandle<io::Result<()>>,
}

impl Admin {
    pub(crate) async fn start(policies: MemoryPolicyStore) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new()
            .route("/organizations/{id}/api-tokens/{state}", post(switch))
            .with_state(policies);
        let server = tokio::spawn(axum::serve(listener, app).into_future());
        Ok(Self { url, server })
    }

    /// Where to post to, to allow API tokens in an organization.
    pub(crate) fn switch_on(&self, organization: &str) -> String {
        format!("{}/organizations/{organization}/api-tokens/on", self.url)
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Answer = Result<String, (StatusCode, String)>;

async fn switch(
    State(policies): State<MemoryPolicyStore>,
    Path((name, state)): Path<(String, String)>,
) -> Answer {
    let unknown = || {
        (
            StatusCode::NOT_FOUND,
            "on or off, of acme or globex\n".into(),
        )
    };
    let on = match &*state {
        "on" => true,
        "off" => false,
        _ => return Err(unknown()),
    };
    let organization = OrganizationId::new(&name).ok_or_else(unknown)?;
    let stored = policies.load(&organization).await;
    let policy = stored.ok().flatten().ok_or_else(unknown)?;
    // The version says on what the change is based: of two changes at once, one is refused.
    let version = policy.version();
    match policies.put(policy.api_tokens(on), version).await {
        Ok(policy) => Ok(format!(
            "API tokens of {name} are {state}, policy version {}\n",
            policy.version()
        )),
        Err(error) => Err((StatusCode::CONFLICT, format!("{error}\n"))),
    }
}
