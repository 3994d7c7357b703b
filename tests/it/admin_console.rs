//! The example `admin_console`, by browsers that see headers and forms.

mod changes;
mod people;
mod tokens;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use reqwest::{Client, Method, redirect};
use serde_json::json;
use url::Url;
use url::form_urlencoded::Serializer;

use console::args::Options;
use console::server::{Running, start};

#[path = "../../examples/admin_console"]
mod console {
    pub(super) mod args;
    mod assets;
    mod audit;
    pub(super) mod desk;
    mod edit;
    mod fields;
    mod guard;
    mod ledger;
    mod lines;
    mod login;
    mod mcp;
    mod oauth;
    mod page;
    #[allow(clippy::duplicate_mod, reason = "the quickstart has it, too")]
    #[path = "../quickstart/pepper.rs"]
    mod pepper;
    mod policy;
    mod rows;
    mod seed;
    pub(super) mod server;
    mod session;
    mod time;
    mod token;
    mod tokens;
    mod traffic;
}

/// Where time stands: no cookie, token or login ends while a test runs.
const NOW: i64 = 1_800_000_000;

/// The console with a database of its own, gone when dropped.
struct Console {
    running: Running,
    options: Options,
    _folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Console {
    async fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcp-auth-console-{}-{count}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        // Of a process that was killed, and had the same number.
        let _ = std::fs::remove_dir_all(&folder.0);
        let options = Options {
            port: 0,
            mcp_port: 0,
            issuer_port: 0,
            data: Some(folder.0.join("console.db")),
            at: Some(NOW),
            quiet: true,
        };
        let running = start(&options).await.unwrap();
        Self {
            running,
            options,
            _folder: folder,
        }
    }

    /// Ends it, and starts it on the same database.
    async fn again(self) -> Self {
        self.running.stop().await;
        Self {
            running: start(&self.options).await.unwrap(),
            ..self
        }
    }

    fn origin(&self) -> &str {
        &self.running.desk.origin
    }

    /// Somebody who is logged in.
    async fn admin(&self, name: &str) -> Browser {
        let mut browser = Browser::new(self.origin());
        let entered = browser.log_in(name).await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text);
        assert_eq!(entered.location(), "/");
        browser
    }

    /// The status of a call of the MCP server.
    async fn call(&self, tool: &str, credential: &str) -> u16 {
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool},
        });
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.post(&self.running.desk.mcp).bearer_auth(credential);
        let request = request.header("accept", "application/json, text/event-stream");
        request
            .json(&message)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }
}

/// A browser without a script: cookies by host, forms by name.
struct Browser {
    http: Client,
    origin: String,
    cookies: HashMap<(String, String), String>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.headers.get_all(name).iter();
        lines.next().map_or("", |line| line.to_str().unwrap())
    }

    fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// The value of the first hidden field of a name.
    fn field(&self, name: &str) -> &str {
        let (_, rest) = self
            .text
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap();
        rest.split_once('"').unwrap().0
    }

    fn says(&self, words: &str) {
        assert!(self.text.contains(words), "{words}: {}", self.text);
    }
}

impl Browser {
    fn new(origin: &str) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none());
        Self {
            http: client.build().unwrap(),
            origin: origin.to_owned(),
            cookies: HashMap::new(),
        }
    }

    async fn send(
        &mut self,
        method: Method,
        place: &str,
        form: Option<&[(&str, &str)]>,
        origin: Option<&str>,
    ) -> Answer {
        let url = Url::parse(&self.origin).unwrap().join(place).unwrap();
        let host = url.authority().to_owned();
        let jar = self.cookies.iter().filter(|((of, _), _)| *of == host);
        let jar: Vec<_> = jar
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let mut request = self
            .http
            .request(method, url)
            .header(COOKIE, jar.join("; "));
        if let Some(form) = form {
            let form = Serializer::new(String::new()).extend_pairs(form).finish();
            let kind = "application/x-www-form-urlencoded";
            request = request.header(CONTENT_TYPE, kind).body(form);
        }
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        let answer = request.send().await.unwrap();
        for line in answer.headers().get_all(SET_COOKIE) {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            self.cookies.insert((host.clone(), name.to_owned()), value);
        }
        Answer {
            status: answer.status(),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap(),
        }
    }

    async fn get(&mut self, place: &str) -> Answer {
        self.send(Method::GET, place, None, None).await
    }

    /// A form of a page of the console's own, with what its hidden fields hold.
    async fn post(&mut self, page: &str, place: &str, form: &[(&str, &str)]) -> Answer {
        let page = self.get(page).await;
        let mut fields = vec![("csrf", page.field("csrf"))];
        if page.text.contains("name=\"version\"") {
            fields.push(("version", page.field("version")));
        }
        fields.extend(form);
        self.submit(place, &fields).await
    }

    async fn submit(&mut self, place: &str, form: &[(&str, &str)]) -> Answer {
        let origin = self.origin.clone();
        self.send(Method::POST, place, Some(form), Some(&origin))
            .await
    }

    /// Through the issuer's page, and back.
    async fn log_in(&mut self, name: &str) -> Answer {
        let to = self.get("/login").await;
        let consent = self.get(to.location()).await;
        let request = consent.field("request").to_owned();
        let place = Url::parse(to.location()).unwrap();
        let form = [
            ("request", &*request),
            ("user", name),
            ("decision", "allow"),
        ];
        let back = self
            .send(Method::POST, place.as_str(), Some(&form), None)
            .await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text);
        self.get(back.location()).await
    }
}
