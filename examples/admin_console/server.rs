//! Everything together: the issuer, the database, the MCP server and the console.

use std::error::Error;
use std::fs::DirBuilder;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_mcp_auth::api_token::ApiTokens;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::testing::{Consent, TestIssuer};
use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};

use super::args::Options;
use super::desk::Desk;
use super::ledger::Ledger;
use super::oauth::{CLIENT, OAuth};
use super::page::Failure;
use super::policy::{clients, networks, overview, permissions};
use super::session::{ROLE, Sessions};
use super::time::Time;
use super::traffic::Traffic;
use super::{assets, audit, guard, login, mcp, pepper, seed, token, tokens};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// How long somebody stays signed in: as long as their access token is good.
const SIGNED_IN: Duration = Duration::from_secs(3600);

/// All of it, until this is dropped.
pub(crate) struct Running {
    pub(crate) desk: Arc<Desk>,
    pub(crate) issuer: TestIssuer,
    tasks: Vec<JoinHandle<()>>,
}

/// # Errors
/// A port is taken, or the database cannot be opened.
pub(crate) async fn start(options: &Options) -> Result<Running, BoxError> {
    let time = Time::new(options.at);
    let console = listen(options.port, "--port").await?;
    let mcp_listener = listen(options.mcp_port, "--mcp-port").await?;
    let issuer = issuer(options.issuer_port, &time).await?;
    let origin = format!("http://{}", console.local_addr()?);
    let mcp_url = format!("http://{}/mcp", mcp_listener.local_addr()?);
    let (store, tokens) = open(options, &time, issuer.url()).await?;
    let desk = Arc::new(Desk {
        auth: judge(&origin, issuer.url(), &time)?,
        oauth: OAuth::discover(issuer.url(), &origin, &origin).await?,
        mcp: mcp_url,
        origin,
        store,
        tokens,
        ledger: Ledger::new(),
        sessions: Sessions::default(),
        time,
    });
    let key = seed::key(&desk).await?;
    let served = mcp::start(mcp_listener, &desk, issuer.url())?;
    let app = app(desk.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let pages = axum::serve(console, app).into_future();
    let traffic = Traffic::new(&desk, issuer.clone(), key)?;
    let mut tasks = vec![ended(served), ended(tokio::spawn(pages))];
    if options.at.is_some() {
        traffic.once().await?;
    } else if !options.quiet {
        tasks.push(tokio::spawn(traffic.forever()));
    }
    Ok(Running {
        desk,
        issuer,
        tasks,
    })
}

/// Whom the console lets in. The policies do not concern it: nobody can lock themselves out of the page
/// on which they would undo it.
fn judge(origin: &str, issuer: &str, time: &Time) -> Result<Authenticator, BoxError> {
    let resource =
        ProtectedResource::new(origin).issuer(Issuer::new(issuer).organization_claim("org_id"));
    Ok(Authenticator::builder(resource)
        .clock(time.clone())
        .build()?)
}

fn app(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(overview::home))
        .route("/login", get(login::login))
        .route("/callback", get(login::callback))
        .route("/logout", post(login::logout))
        .route("/access", post(overview::flip))
        .route("/networks", get(networks::show).post(networks::change))
        .route("/clients", get(clients::show).post(clients::change))
        .route(
            "/permissions",
            get(permissions::show).post(permissions::change),
        )
        .route("/tokens", get(tokens::list).post(tokens::issue))
        .route("/tokens/new", get(tokens::ask))
        .route("/tokens/{id}", get(token::show))
        .route("/tokens/{id}/roll", post(token::roll))
        .route("/tokens/{id}/revoke", post(token::revoke))
        .route("/audit", get(audit::show))
        .route("/audit/stream", get(audit::watch))
        .route("/console.css", get(assets::style))
        .route("/console.js", get(assets::script))
        .route("/icon.svg", get(assets::icon))
        .fallback(async || Failure::Unknown)
        .layer(middleware::from_fn_with_state(desk.clone(), guard::guard))
        .with_state(desk)
}

/// Two organizations. alice and anna administer acme, gina administers globex, adam does not.
async fn issuer(port: u16, time: &Time) -> Result<TestIssuer, BoxError> {
    let person = |name: &str, organization: &str, roles: &[&str]| {
        json!({
            "org_id": organization,
            "email": format!("{name}@{organization}.example"),
            "roles": roles,
        })
    };
    let issuer = TestIssuer::builder()
        .port(port)
        .clock(time.clone())
        .consent(Consent::Page)
        .token_lifetime(SIGNED_IN)
        .scopes(["openid", "read:issues", "write:issues", "read:pages"])
        .baseline_scopes(["openid"])
        .public_client(CLIENT, ["http://127.0.0.1/callback"])
        .user("alice", person("alice", "acme", &[ROLE]))
        .user("anna", person("anna", "acme", &[ROLE]))
        .user("adam", person("adam", "acme", &[]))
        .user("gina", person("gina", "globex", &[ROLE]));
    Ok(issuer.start().await?)
}

async fn open(
    options: &Options,
    time: &Time,
    issuer: &str,
) -> Result<(SqlStore, ApiTokens), BoxError> {
    let file = options.data.clone().unwrap_or_else(usual_place);
    let file = std::path::absolute(file)?;
    folder(&file)?;
    let named = file.to_str().ok_or("the name of the file is not Unicode")?;
    let pepper = pepper::at(&file.with_extension("pepper")).map_err(|error| error.to_string())?;
    let url = format!("sqlite:{}", named.replace('%', "%25").replace('?', "%3F"));
    let open = || SqlStore::builder(&url).create(true).migrate(true);
    let store = open().clock(time.clone()).open().await?;
    let tokens = |store: &SqlStore| {
        let tokens = ApiTokens::new(store.clone(), pepper.clone());
        tokens.authority(issuer) // alice is the same person, however she comes in
    };
    seed::past(open(), &tokens, time).await?;
    let tokens = tokens(&store).clock(time.clone());
    Ok((store, tokens))
}

/// Among what cargo makes, or among temporary files.
fn usual_place() -> PathBuf {
    let folder = if Path::new("Cargo.toml").is_file() {
        PathBuf::from("target/admin_console")
    } else {
        std::env::temp_dir().join("mcp-auth-admin-console")
    };
    folder.join("console.db")
}

/// Makes the folder of a file, for nobody else.
fn folder(file: &Path) -> Result<(), BoxError> {
    let folder = file.parent().ok_or("--data names no file")?;
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    Ok(builder.create(folder)?)
}

async fn listen(port: u16, option: &str) -> Result<TcpListener, BoxError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} is taken: choose another with {option}, or 0 for any free one")
                .into()
        }
        _ => error.into(),
    })
}

fn ended(task: JoinHandle<io::Result<()>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let _abort = Abort(task.abort_handle());
        if let Ok(Err(error)) = task.await {
            tracing::error!(%error, "a server has ended");
        }
    })
}

/// Ends a task with the one that waits for it.
struct Abort(tokio::task::AbortHandle);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    /// What is printed at the start.
    pub(crate) fn guide(&self) -> String {
        let (origin, mcp, issuer) = (&self.desk.origin, &self.desk.mcp, self.issuer.url());
        format!(
            "Console     {origin}\nMCP server  {mcp}\nIssuer      {issuer}\n\n\
             Open {origin} and sign in; the issuer asks for no password.\n\
             \x20 alice, anna  administer acme\n\
             \x20 gina         administers globex\n\
             \x20 adam         is of acme, and administers nothing\n\n\
             Ctrl-C ends it. Tokens and policies stay.\n"
        )
    }

    /// Ends the servers, then the connections to the database.
    pub(crate) async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        self.desk.store.close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
