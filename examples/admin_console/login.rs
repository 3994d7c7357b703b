//! Logging in through OAuth, and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use tower_mcp_auth::AuthContext;
use tower_mcp_auth::audit::{
    AuditEvent, AuditPrincipal, AuditRecord, AuditSink, AuditTarget, AuditText,
};

use super::desk::Desk;
use super::fields::Fields;
use super::guard::Form;
use super::page::{Failure, Message, html, see};
use super::session::{COOKIE_NAME, cookie, is_admin, monotonic};

/// Ties a login to the browser that began it.
const LOGIN_COOKIE: &str = "console-login";

#[derive(Template)]
#[template(path = "welcome.html")]
pub(crate) struct Welcome<'a> {
    pub(crate) mcp: &'a str,
}

/// `GET /login`: to the issuer.
pub(crate) async fn login(State(desk): State<Arc<Desk>>) -> Response {
    match desk.oauth.begin(monotonic(&desk)) {
        Ok((state, place)) => {
            let crumb = bake(&desk, LOGIN_COOKIE, &state, "/callback; Max-Age=600");
            ([(SET_COOKIE, crumb)], see(&place)).into_response()
        }
        Err(error) => {
            tracing::warn!(error, "nobody can log in");
            Failure::Unavailable.into_response()
        }
    }
}

/// `GET /callback`: back from the issuer.
pub(crate) async fn callback(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let answer = Fields::parse(query.unwrap_or_default().as_bytes());
    let crumb = cookie(&headers, LOGIN_COOKIE).unwrap_or_default();
    let (state, code) = (answer.one("state"), answer.one("code"));
    // Somebody else's code in this browser would be a login as somebody else.
    if state.is_empty() || !bool::from(state.as_bytes().ct_eq(crumb.as_bytes())) {
        return sorry("This login was begun in another browser, or too long ago.");
    }
    if code.is_empty() {
        return sorry(match answer.one("error") {
            "access_denied" => "You did not allow the console to know who you are.",
            _ => "The issuer could not log you in.",
        });
    }
    let said = (state, answer.one("iss"));
    match desk.oauth.exchange(said, code, monotonic(&desk)).await {
        Ok(bearer) => match desk.judge(bearer.clone()).await {
            Ok(context) => enter(&desk, bearer, &context),
            Err(Failure::SignedOut) => sorry("The issuer's token is not good here."),
            Err(failure) => failure.into_response(),
        },
        Err(error) => {
            tracing::warn!(error, "a login failed");
            sorry("The issuer's answer could not be used.")
        }
    }
}

/// `POST /logout`
pub(crate) async fn logout(State(desk): State<Arc<Desk>>, form: Form) -> Response {
    desk.sessions.close(&form.admin.session);
    let gone = bake(&desk, COOKIE_NAME, "", "/; Max-Age=0");
    ([(SET_COOKIE, gone)], see("/")).into_response()
}

/// The role is the issuer's to give. Whoever lacks it is told so, and gets no session.
fn enter(desk: &Desk, bearer: HeaderValue, context: &AuthContext) -> Response {
    let admin = is_admin(context);
    on_record(desk, context, admin);
    let forget = bake(desk, LOGIN_COOKIE, "", "/callback; Max-Age=0");
    if !admin {
        let (who, of) = (context.principal().subject(), context.organization());
        let text = format!(
            "You are {who} of {of}, and {of} has not made you an administrator. Ask somebody who is one."
        );
        let page = Message {
            title: "This page is for administrators",
            text: &text,
            way: Some(("/login", "Sign in as somebody else")),
        };
        let page = html(StatusCode::FORBIDDEN, &page);
        return ([(SET_COOKIE, forget)], page).into_response();
    }
    let ends = context.principal().expires_at();
    // A name that nobody knew before: one that was planted in this browser is worth nothing.
    let Ok(session) = desk.sessions.open(bearer, ends, desk.now()) else {
        return Failure::Unavailable.into_response();
    };
    let session = bake(desk, COOKIE_NAME, &session, "/");
    let mut answer = see("/");
    for cookie in [session, forget] {
        if let Ok(cookie) = cookie.try_into() {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    answer
}

/// That somebody came here, or tried to.
fn on_record(desk: &Desk, context: &AuthContext, admin: bool) {
    let event = if admin {
        AuditEvent::AuthOk
    } else {
        AuditEvent::AuthDenied
    };
    let principal = context.principal();
    let mut record = AuditRecord::new(event, desk.now());
    record.method = Some(context.method().name());
    record.organization = Some(AuditText::new(context.organization()));
    let who = AuditPrincipal::new("user", principal.issuer(), principal.subject().as_str());
    record.principal = Some(who);
    record.target = Some(AuditTarget::new(&desk.origin, "GET", "/callback"));
    desk.ledger.record(&record);
}

/// `Lax`, because the way back from the issuer is a way from another site.
fn bake(desk: &Desk, name: &str, value: &str, path: &str) -> String {
    let secure = if desk.origin.starts_with("https:") {
        "; Secure"
    } else {
        "" // loopback, or `server` would not have started
    };
    format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}")
}

fn sorry(text: &str) -> Response {
    let page = Message {
        title: "You are not signed in",
        text,
        way: Some(("/login", "Try again")),
    };
    html(StatusCode::BAD_REQUEST, &page)
}
