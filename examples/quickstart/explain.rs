//! `/explain`: why a credential is refused, for whoever sits at this computer.
//!
//! FOR THE DEMO ONLY in one respect: an explanation says more than a client hears, so in your product an
//! administrator logs in first. Here being on this computer has to do, and no other web page may ask or read.
//! Nothing is kept: the form is posted, so that no credential stands in an address, and no answer is stored.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tower_mcp_auth::{Authenticator, Explanation};
use url::form_urlencoded;

/// The page, outside of what it explains.
pub(crate) fn page(auth: Authenticator) -> MethodRouter {
    get(form)
        .post(explain)
        .layer(middleware::from_fn_with_state(auth.clone(), guarded))
        .with_state(auth)
}

/// Only from this computer, and for no other page: a browser says which page asks (`Origin`), and by which
/// name it came here (`Host`), which is another one where a stranger's name leads to this address.
async fn guarded(
    State(auth): State<Authenticator>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let here = is_own(&auth, request.headers());
    let mut response = if here && peer.ip().to_canonical().is_loopback() {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "only for this computer\n").into_response()
    };
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the page was found by a name of this server's, and asks itself.
fn is_own(auth: &Authenticator, headers: &HeaderMap) -> bool {
    let text = |name| {
        let lines: Vec<_> = headers.get_all(name).iter().collect();
        match lines[..] {
            [] => Ok(None),
            [line] => line.to_str().map(Some).map_err(|_| ()),
            _ => Err(()),
        }
    };
    let resource = auth.resource();
    let hosts = resource.allowed_hosts().unwrap_or_default();
    let (Ok(Some(host)), Ok(origin)) = (text(&HOST), text(&ORIGIN)) else {
        return false;
    };
    let own = format!("http://{host}");
    hosts.iter().any(|known| known == host) && origin.is_none_or(|origin| origin == own)
}

async fn form() -> Html<String> {
    html("")
}

async fn explain(
    State(auth): State<Authenticator>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Html<String> {
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(&body);
        let found = fields.find(|(field, _)| field == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let line = line(&field("credential").unwrap_or_default());
    let Ok(line) = line.map(|line| HeaderValue::from_str(&line)).transpose() else {
        return html(
            "No header can hold this: it contains a line break or another control character.",
        );
    };
    let tool = field("tool").unwrap_or_default();
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}});
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/mcp");
    request.extensions_mut().insert(ConnectInfo(peer));
    for host in headers.get_all(HOST) {
        request.headers_mut().append(HOST, host.clone());
    }
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    if let Some(mut line) = line {
        line.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, line);
    }
    let (parts, ()) = request.into_parts();
    let message = call.to_string();
    let explanation: Explanation = auth.explain_message(&parts, message.as_bytes()).await;
    html(&explanation.to_string())
}

/// The `Authorization` line that a client sends for what was pasted; none for nothing.
fn line(pasted: &str) -> Option<String> {
    let pasted = pasted
        .split_once(':')
        .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .map_or(pasted, |(_, value)| value.trim());
    match pasted {
        "" => None,
        line if line.contains(' ') => Some(line.to_owned()),
        pair if pair.contains(':') => Some(format!("Basic {}", STANDARD.encode(pair))),
        token => Some(format!("Bearer {token}")),
    }
}

fn html(answer: &str) -> Html<String> {
    let answer = answer
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    Html(format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Explain a credential</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
  label {{ display: block; margin-top: 1rem }}
  textarea, select, button {{ font: inherit; width: 100%; box-sizing: border-box }}
  button {{ margin-top: 1rem; width: auto; padding: .25rem 1rem }}
  pre {{ overflow-x: auto; white-space: pre-wrap }}
</style>
<h1>Explain a credential</h1>
<form method="post" action="/explain" autocomplete="off">
  <label for="credential">A token, <code>email:token</code>, or a whole Authorization line. It is not kept.</label>
  <textarea id="credential" name="credential" rows="4" spellcheck="false" autocomplete="off"></textarea>
  <label for="tool">to call</label>
  <select id="tool" name="tool">
    <option>whoami</option>
    <option>searchIssues</option>
    <option>watchIssues</option>
    <option>createIssue</option>
  </select>
  <button>Explain</button>
</form>
<pre role="status">{answer}</pre>
</html>
"#
    ))
}
