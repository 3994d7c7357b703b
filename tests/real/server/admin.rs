//! What an administrator would do, and what the server answered: for scripts, on loopback only.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{MemoryPolicyStore, PolicyStore};
use tower_mcp_auth::{Authenticator, Rejection};

/// One line for every request.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Value>>>);

impl Log {
    fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, line: Value) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }
}

/// Notes what was asked with which kind of credential, and the answer.
pub(crate) async fn record(State(log): State<Log>, request: Request, next: Next) -> Response {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
    let lines = request.headers().get_all(AUTHORIZATION).iter();
    let schemes: Vec<String> = lines
        .map(text)
        .map(|line: String| line.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    let version = request.headers().get_all("mcp-protocol-version").iter();
    let version: Vec<String> = version.map(text).collect();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
    let challenges: Vec<String> = challenges.map(text).collect();
    // Clients are told less than the operator.
    let rejection = response.extensions().get::<Rejection>();
    log.push(json!({
        "method": method.as_str(),
        "path": path,
        "schemes": schemes,
        "version": version,
        "status": response.status().as_u16(),
        "challenges": challenges,
        "reason": rejection.map(|rejection| rejection.reason().code()),
    }));
    response
}

#[derive(Clone)]
pub(crate) struct Admin {
    policies: MemoryPolicyStore,
    auth: Authenticator,
    log: Log,
}

impl Admin {
    pub(crate) fn new(policies: MemoryPolicyStore, auth: Authenticator, log: Log) -> Self {
        Self {
            policies,
            auth,
            log,
        }
    }

    /// Serves until the program ends; where.
    pub(crate) async fn start(self) -> io::Result<String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new()
            .route("/organizations/{id}/api-tokens/{state}", post(switch))
            .route("/log", get(log))
            .route("/issuers", get(issuers))
            .with_state(self);
        tokio::spawn(axum::serve(listener, app).into_future());
        Ok(url)
    }
}

/// What was asked since the last time this was.
async fn log(State(admin): State<Admin>) -> Json<Vec<Value>> {
    Json(admin.log.take())
}

async fn issuers(State(admin): State<Admin>) -> String {
    format!("{:?}\n", admin.auth.issuer_status())
}

async fn switch(
    State(admin): State<Admin>,
    Path((name, state)): Path<(String, String)>,
) -> Result<String, (StatusCode, String)> {
    let unknown = || (StatusCode::NOT_FOUND, "no such switch\n".to_owned());
    let on = match &*state {
        "on" => true,
        "off" => false,
        _ => return Err(unknown()),
    };
    let organization = OrganizationId::new(&name).ok_or_else(unknown)?;
    let stored = admin.policies.load(&organization).await;
    let policy = stored.ok().flatten().ok_or_else(unknown)?;
    let version = policy.version();
    let put = admin.policies.put(policy.api_tokens(on), version).await;
    put.map_err(|error| (StatusCode::CONFLICT, format!("{error}\n")))?;
    Ok(format!("API tokens of {name} are {state}\n"))
}
