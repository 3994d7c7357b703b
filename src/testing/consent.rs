//! The page that asks the user, and the page for requests that cannot be asked about.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use url::Url;

use super::answer::{html, no_store};
use super::encoding::escape_html;
use super::grants::Asked;
use super::state::State;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1.25rem}\
h1{font-size:1.5rem;line-height:1.25}\
dt{font-weight:600;margin-top:.75rem}dd{margin:0;overflow-wrap:anywhere}\
fieldset{margin:1.5rem 0;border:1px solid;border-radius:.5rem}\
label{display:block;padding:.4rem 0}\
button{font:inherit;min-height:2.75rem;padding:0 1.5rem;margin-right:.75rem;border:1px solid;border-radius:.5rem}\
.allow{background:#1d4ed8;color:#fff;border-color:#1d4ed8}\
footer{margin-top:2.5rem;font-size:.9rem}";

/// Asks the user about `asked`; `id` is the page's one-time id.
pub(super) fn page(state: &State, asked: &Asked, id: &str) -> Response<Bytes> {
    let name = escape_html(asked.client_name.as_deref().unwrap_or(&asked.client_id));
    let body = format!(
        r#"<h1>{name} asks for access</h1>
<dl>
<dt>Client</dt><dd>{name} (<code>{client}</code>). It chose this name itself.</dd>
<dt>To</dt>{resources}
<dt>It could</dt>{scopes}
<dt>Afterwards you go to</dt><dd>{back}</dd>
</dl>
<form method="post" action="{action}">
<input type="hidden" name="request" value="{id}">
<fieldset><legend>Allow as</legend>
{users}</fieldset>
<button class="allow" name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button>
</form>
<footer>This is a test issuer. It asks for no password: never use it in production.</footer>"#,
        client = escape_html(&asked.client_id),
        resources = definitions(&asked.resources),
        scopes = definitions(&asked.scopes),
        back = escape_html(&destination(&asked.redirect_uri)),
        action = escape_html(&state.below("/authorize")),
        id = escape_html(id),
        users = users(state),
    );
    let form_action = match destination(&asked.redirect_uri) {
        // CSP has no way to write an IPv6 address.
        ipv6 if ipv6.contains('[') => "'self' http:".to_owned(),
        destination => format!("'self' {destination}"),
    };
    document(
        StatusCode::OK,
        &format!("Allow {name}?"),
        &body,
        &form_action,
    )
}

/// Explains to the user why there is nothing to allow.
pub(super) fn error_page(why: &str) -> Response<Bytes> {
    let body = format!(
        "<h1>This request cannot be answered</h1>\n<p>{}</p>",
        escape_html(why)
    );
    document(StatusCode::BAD_REQUEST, "Request refused", &body, "'none'")
}

fn users(state: &State) -> String {
    let mut rows = String::new();
    for (index, user) in state.settings().users.iter().enumerate() {
        let subject = escape_html(&user.subject);
        let checked = if index == 0 { " checked" } else { "" };
        rows += "<label><input type=\"radio\" name=\"user\" value=\"";
        rows += &[&subject, "\"", checked, "> ", &subject, "</label>\n"].concat();
    }
    rows
}

fn definitions(items: &[String]) -> String {
    let mut rows = String::new();
    for item in items {
        rows += &["<dd><code>", &escape_html(item), "</code></dd>"].concat();
    }
    rows
}

/// The origin of a redirect URI, or the scheme of one that has none, as CSP writes it. Browsers
/// apply `form-action` to the redirect after the form, too.
fn destination(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => String::new(),
    }
}

fn document(status: StatusCode, title: &str, body: &str, form_action: &str) -> Response<Bytes> {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<main>\n{body}\n</main>\n</html>\n"
    );
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form_action}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = no_store(html(status, page));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        )),
    );
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
