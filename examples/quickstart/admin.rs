//! What an organization's administrator would have in your product: a switch, and keys for service accounts.
//!
//! FOR THE DEMO ONLY: it asks nobody who they are, so it listens on loopback, on a port of its own, and
//! takes nothing from browsers.

use std::fmt::Display;
use std::io;
use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::ORIGIN;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_mcp_auth::api_token::{ApiTokens, NewToken, TokenId};
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;

/// The endpoint, until this is dropped.
pub(crate) struct Admin {
    url: String,
    server: JoinHandle<io::Result<()>>,
}

/// What it works on.
#[derive(Clone)]
struct Desk {
    policies: SqlStore,
    tokens: ApiTokens,
    resource: String,
}

impl Admin {
    pub(crate) async fn start(
        store: SqlStore,
        tokens: ApiTokens,
        resource: &str,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new()
            .route("/organizations/{id}/api-tokens/{state}", post(switch))
            .route("/organizations/{id}/keys/{account}", post(issue))
            .route("/tokens/{id}/revoke", post(revoke))
            .layer(middleware::from_fn(no_browsers))
            .with_state(Desk {
                policies: store.by("administrator"),
                tokens,
                resource: resource.into(),
            });
        let server = tokio::spawn(axum::serve(listener, app).into_future());
        Ok(Self { url, server })
    }

    /// Where to post to, to allow API tokens in an organization, or to forbid them.
    pub(crate) fn switch(&self, organization: &str, on: bool) -> String {
        let state = if on { "on" } else { "off" };
        let url = &self.url;
        format!("{url}/organizations/{organization}/api-tokens/{state}")
    }

    /// Where to post to, to get a key for a service account.
    pub(crate) fn issue(&self, organization: &str, account: &str) -> String {
        let url = &self.url;
        format!("{url}/organizations/{organization}/keys/{account}")
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Answer = Result<String, (StatusCode, String)>;

/// A page from anywhere could post here, too; a browser says where it comes from.
async fn no_browsers(request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) {
        return (StatusCode::FORBIDDEN, "not from browsers\n").into_response();
    }
    next.run(request).await
}

fn refused(status: StatusCode, why: &(impl Display + ?Sized)) -> (StatusCode, String) {
    (status, format!("{why}\n"))
}

async fn switch(State(desk): State<Desk>, Path((name, state)): Path<(String, String)>) -> Answer {
    let unknown = || refused(StatusCode::NOT_FOUND, "on or off, of acme or globex");
    let on = match &*state {
        "on" => true,
        "off" => false,
        _ => return Err(unknown()),
    };
    let organization = OrganizationId::new(&name).ok_or_else(unknown)?;
    let stored = desk.policies.load(&organization).await;
    let policy = stored.ok().flatten().ok_or_else(unknown)?;
    // The version says on what the change is based: of two changes at once, one is refused.
    let version = policy.version();
    let put = desk.policies.put(policy.api_tokens(on), version).await;
    let policy = put.map_err(|error| refused(StatusCode::CONFLICT, &error))?;
    let version = policy.version();
    Ok(format!(
        "API tokens of {name} are {state}, policy version {version}\n"
    ))
}

async fn issue(
    State(desk): State<Desk>,
    Path((organization, account)): Path<(String, String)>,
) -> Answer {
    if !matches!(&*organization, "acme" | "globex") {
        return Err(refused(StatusCode::NOT_FOUND, "of acme or globex"));
    }
    let key = NewToken::service_account(&organization, &account).created_by("administrator");
    let issued = desk.tokens.issue(key.scopes(["read:issues"])).await;
    let issued = issued.map_err(|error| refused(StatusCode::BAD_REQUEST, &error))?;
    let (key, id) = (issued.token.expose(), issued.record.id());
    let resource = &desk.resource;
    Ok(format!(
        "{key}\n\nShown once. Send it to {resource} as `Authorization: Bearer …`, for 90 days, or until\n\
         somebody posts to /tokens/{id}/revoke here.\n"
    ))
}

async fn revoke(State(desk): State<Desk>, Path(id): Path<String>) -> Answer {
    let unknown = || refused(StatusCode::NOT_FOUND, "there is no such token");
    let id = TokenId::new(&id).ok_or_else(unknown)?;
    let revoked = desk.tokens.revoke(&id).await;
    let revoked = revoked.map_err(|error| refused(StatusCode::SERVICE_UNAVAILABLE, &error))?;
    revoked.ok_or_else(unknown)?;
    Ok(format!("{id} is revoked\n"))
}
