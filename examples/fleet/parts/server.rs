//! One server of the fleet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_mcp_auth::api_token::{ApiTokens, Peppers};
use tower_mcp_auth::backend::{RedisHints, SqlStore};
use tower_mcp_auth::throttle::ThrottleSettings;
use tower_mcp_auth::{AuthContext, Authenticator, Issuer, McpAuthLayer, ProtectedResource};

use super::BoxError;
use super::change::{Admin, Change};
use super::push::{Fate, LossyLog, Push};

/// The one public address of all servers, as behind a load balancer.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
/// The header with the key of the administrators. Yours will log in as they always do.
pub(crate) const ADMIN_KEY: &str = "x-admin-key";

/// What all servers of a fleet have alike.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) postgres: String,
    pub(crate) redis: String,
    pub(crate) issuer: String,
    /// Seals the API tokens: the same everywhere, or tokens would work on one server only.
    pub(crate) pepper: String,
    pub(crate) admin_key: String,
    /// What becomes of the hints. `None`: all arrive.
    pub(crate) push: Option<Push>,
    /// Whether failed API tokens are slowed down. Off where one address plays all clients.
    pub(crate) throttle: bool,
}

impl Settings {
    /// The store, with both ways of telling the others: `LISTEN`/`NOTIFY` and Redis.
    pub(crate) async fn store(&self) -> Result<SqlStore, BoxError> {
        let hints = RedisHints::new(&self.redis)?.channel(&self.channel());
        let builder = SqlStore::builder(&*self.postgres).hints(hints);
        Ok(builder.max_connections(16).open().await?)
    }

    /// One for each database: fleets may share a Redis.
    fn channel(&self) -> String {
        let database = self.postgres.rsplit('/').next().unwrap_or_default();
        format!("mcp_auth_{database}")
    }

    pub(crate) fn tokens(&self, store: &SqlStore) -> ApiTokens {
        ApiTokens::new(store.clone(), Peppers::new("fleet", &self.pepper))
    }
}

/// A server that runs, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    /// On this port of this machine; 0 takes a free one.
    pub(crate) async fn start(settings: &Settings, port: u16) -> Result<Self, BoxError> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let store = settings.store().await?;
        let tokens = settings.tokens(&store);
        let log = LossyLog::new(store.clone(), settings.push.unwrap_or(Push::Lossy(0)));
        let fate = log.fate().clone();
        let resource = ProtectedResource::new(RESOURCE)
            .issuer(Issuer::new(&*settings.issuer).organization_claim("org_id"))
            .allow_host(address.to_string());
        let mut builder = Authenticator::builder(resource)
            .api_tokens(tokens.clone())
            .policies(store.clone())
            .revocations(log)
            .peer_address(|extensions| {
                let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
                Some(peer.0.ip())
            });
        if !settings.throttle {
            builder = builder.throttle(ThrottleSettings::off());
        }
        let auth = builder.build()?;
        // It may serve before: until the log is read, it answers 503.
        auth.warm_up(Duration::from_secs(10)).await?;
        let admin = Admin {
            store,
            tokens,
            issuer: settings.issuer.clone(),
            handle: Some(auth.handle()),
        };
        let app = routes(auth, admin, settings.admin_key.clone(), fate);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            // It ends with its task alone.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, serving })
    }
}

struct Shared {
    auth: Authenticator,
    admin: Admin,
    admin_key: String,
    fate: Arc<Fate>,
}

fn routes(auth: Authenticator, admin: Admin, admin_key: String, fate: Arc<Fate>) -> Router {
    let mcp = Router::new()
        .route("/mcp", post(mcp))
        .layer(McpAuthLayer::new(auth.clone()));
    let shared = Arc::new(Shared {
        auth,
        admin,
        admin_key,
        fate,
    });
    Router::new()
        .route("/healthz", get(healthz))
        .route("/admin", post(change))
        .with_state(shared)
        .merge(mcp)
}

async fn mcp(auth: AuthContext, Json(message): Json<Value>) -> Json<Value> {
    let who = format!("{} of {}", auth.principal().subject(), auth.organization());
    let content = json!([{"type": "text", "text": who}]);
    Json(json!({"jsonrpc": "2.0", "id": message.get("id"), "result": {"content": content}}))
}

/// For load balancers and alerts: 503 takes this server out while it cannot know what was revoked.
async fn healthz(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Value>) {
    let status = shared.auth.revocation_status();
    let is_current = status.as_ref().is_some_and(|status| status.is_current);
    let body = json!({
        "is_current": is_current,
        "age_ms": status.as_ref().and_then(|status| status.age).map(|age| age.as_millis()),
        "hint_age_ms": status.as_ref().and_then(|status| status.hint_age).map(|age| age.as_millis()),
        "sequence": status.as_ref().map(|status| status.sequence),
        "targets": status.as_ref().map(|status| status.targets),
        "last_error": status.and_then(|status| status.last_error).map(|error| error.report()),
        "hints": shared.fate.counts(),
    });
    let code = if is_current {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(body))
}

async fn change(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> (StatusCode, String) {
    let key = headers.get_all(ADMIN_KEY).iter().next();
    if key.is_none_or(|key| key.as_bytes() != shared.admin_key.as_bytes()) {
        return (StatusCode::FORBIDDEN, "not an administrator\n".to_owned());
    }
    match shared.admin.make(&change).await {
        Ok(()) => (StatusCode::OK, "done\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}
