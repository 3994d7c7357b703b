//! A server from one file, which takes the file's changes while it runs.
//!
//! `cargo run --example config` starts it with an authorization server of its own and the file
//! `examples/config/mcp-auth.toml`, or the one that is named behind `--`. Change the file and see: a change with a
//! mistake is told, and the server goes on as it was.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

mod watch;

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_mcp_auth::config::Config;
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::{AuthContext, Authenticator, ConfigError, McpAuthLayer};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where this example runs, which the file cannot know.
struct Here {
    file: String,
    url: String,
    issuer: TestIssuer,
}

impl Here {
    /// The file, and over it variables: those of the process, and two of our own.
    fn load(&self) -> Result<Config, ConfigError> {
        let own = [
            ("MCP_AUTH__RESOURCE__IDENTIFIER", &*self.url),
            ("MCP_AUTH__ISSUERS__0__IDENTIFIER", self.issuer.url()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::from_file(&self.file)?;
        Ok(config.environment("MCP_AUTH", std::env::vars().chain(own)))
    }

    fn token(&self, scope: &str) -> String {
        self.issuer.token(&*self.url).scope(scope).sign()
    }
}

/// A server, or everything that is wrong with its configuration.
async fn start(config: &Config) -> Result<Authenticator, BoxError> {
    // What only code can give comes between the two.
    let builder = config.open().await?.peer_address(|extensions| {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.0.ip())
    });
    Ok(builder.build()?)
}

async fn mcp(auth: AuthContext, Json(message): Json<Value>) -> Json<Value> {
    let name = format!("{} of {}", auth.principal().subject(), auth.organization());
    let content = json!([{ "type": "text", "text": name }]);
    Json(json!({ "jsonrpc": "2.0", "id": message.get("id"), "result": { "content": content } }))
}

async fn serve(listener: TcpListener, auth: Authenticator) -> std::io::Result<()> {
    let app = Router::new()
        .route("/mcp", post(mcp))
        .layer(McpAuthLayer::new(auth));
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await
}

fn guide(here: &Here) -> String {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "listIssues"}});
    let headers =
        "-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'";
    let curl = format!("curl -i {} {headers} -d '{call}'", here.url);
    format!(
        "Listening on {}, as {} says\n\n# 401: no token, and where to get one\n{curl}\n\n\
         # 200: alice\n{curl} -H 'Authorization: Bearer {}'\n\n\
         Now change [tools.tools] in the file: \"list*\" = [\"admin:issues\"], and ask again. Ctrl-C ends it.\n",
        here.url,
        here.file,
        here.token("read:issues")
    )
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let file = std::env::args().nth(1);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let here = Here {
        file: file.unwrap_or_else(|| "examples/config/mcp-auth.toml".to_owned()),
        url: format!("http://{}/mcp", listener.local_addr()?),
        issuer: TestIssuer::builder()
            .claim("org_id", "acme")
            .start()
            .await?,
    };
    let config = here.load()?;
    let auth = start(&config).await?;
    print!("{}", guide(&here));
    tokio::select! {
        served = serve(listener, auth.clone()) => Ok(served?),
        () = watch::watch(&here.file, config, &auth, || here.load()) => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::AUTHORIZATION;

    use super::*;

    /// What a token gets that may read.
    async fn status(auth: &Authenticator, here: &Here) -> u16 {
        let bearer = format!("Bearer {}", here.token("read:issues"));
        let request = Request::post("/mcp").header(AUTHORIZATION, bearer).body(());
        let (head, ()) = request.unwrap().into_parts();
        let refused = auth.authenticate(&head).await.err();
        refused.map_or(200, |refusal| refusal.status().as_u16())
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_the_file_is_taken_and_a_mistake_is_not() {
        let name = format!("mcp-auth-example-{}.toml", std::process::id());
        let file = std::env::temp_dir().join(name).to_str().unwrap().to_owned();
        let text = include_str!("mcp-auth.toml");
        std::fs::write(&file, text).unwrap();
        let here = Here {
            file: file.clone(),
            url: "http://127.0.0.1:1/mcp".into(),
            issuer: TestIssuer::builder().claim("org_id", "acme").in_process(),
        };
        let config = here.load().unwrap();
        let fetch = here.issuer.fetch();
        let auth = config.open().await.unwrap().fetch(fetch).build().unwrap();
        let strict = text.replace("[scopes]\n", "[scopes]\nrequired = [\"admin:issues\"]\n");
        let story = async {
            for (text, generation, expected) in [
                (text, 1, 200),
                (&*strict, 2, 403),
                ("[scopes", 2, 403),
                (&strict.replace("identifier", "identifer"), 2, 403),
                (text, 3, 200),
            ] {
                std::fs::write(&file, text).unwrap();
                tokio::time::sleep(std::time::Duration::from_secs(5)).await;
                assert_eq!(auth.generation(), generation, "{text}");
                assert_eq!(status(&auth, &here).await, expected, "{text}");
            }
        };
        tokio::select! {
            () = story => {}
            () = watch::watch(&file, config, &auth, || here.load()) => unreachable!("it never ends"),
        }
        std::fs::remove_file(&file).unwrap();
    }
}
