//! What stands between other people's pages and this one: headers of every answer, and proof for every change.

use std::sync::Arc;

use axum::RequestExt;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::desk::Desk;
use super::fields::Fields;
use super::page::Failure;
use super::session::Admin;

/// Everything comes from here, nothing is inline, nobody frames it, and no script makes HTML of text.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Largest form, in bytes: a list of 1,000 networks has room.
const FORM: usize = 256 * 1024;

const HEADERS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: with it, forms would say `Origin: null`.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Around everything.
pub(crate) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    // Another name for this address is another site's, which may hope for a browser's trust in it.
    let mut answer = if only(request.headers(), &HOST) == Some(desk.authority()) {
        next.run(request).await
    } else {
        Failure::Refused("This page is not known by that name.").into_response()
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().entry(name).or_insert(value);
    }
    answer
}

/// A form of a page of ours, sent by the administrator it was made for. The only way to change anything.
pub(crate) struct Form {
    pub(crate) admin: Admin,
    pub(crate) fields: Fields,
}

impl FromRequest<Arc<Desk>> for Form {
    type Rejection = Failure;

    async fn from_request(mut request: Request, desk: &Arc<Desk>) -> Result<Self, Failure> {
        // A browser says where a form comes from, and no page can make it say something else.
        if only(request.headers(), &ORIGIN) != Some(&desk.origin) {
            return Err(Failure::Refused(
                "This form was sent from somewhere else. Nothing was changed.",
            ));
        }
        let kind = only(request.headers(), &CONTENT_TYPE);
        if kind != Some("application/x-www-form-urlencoded") {
            return Err(Failure::Wrong("This is not a form of ours."));
        }
        let admin: Admin = request.extract_parts_with_state(desk).await?;
        let fields = read(request.into_body()).await?;
        let (sent, known) = (fields.one("csrf").as_bytes(), admin.csrf.as_bytes());
        if !bool::from(sent.ct_eq(known)) {
            return Err(Failure::Refused(
                "This form is of an earlier session. Nothing was changed: open the page again.",
            ));
        }
        Ok(Self { admin, fields })
    }
}

async fn read(body: Body) -> Result<Fields, Failure> {
    let bytes = to_bytes(body, FORM).await;
    let bytes = bytes.map_err(|_| Failure::Wrong("This form is too long."))?;
    Ok(Fields::parse(&bytes))
}

/// The only line of a header.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().ok(),
        _ => None,
    }
}
