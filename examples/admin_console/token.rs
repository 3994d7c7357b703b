//! One token: its secret, once; a new secret; its end.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tower_mcp_auth::api_token::{IssueError, TokenId, TokenKind, TokenRecord, TokenSecret};

use super::desk::Desk;
use super::guard::Form;
use super::page::{Failure, Frame, html, see};
use super::session::{Admin, monotonic};
use super::tokens::Shown;

#[derive(Template)]
#[template(path = "token.html")]
struct Page {
    frame: Frame,
    token: Shown,
    /// Present in one answer, and in no other.
    secret: Option<TokenSecret>,
    email: String,
    mcp: String,
    may_roll: bool,
}

/// A token of the administrator's own organization. Those of others are unknown here, too.
async fn find(desk: &Desk, admin: &Admin, id: &str) -> Result<TokenRecord, Failure> {
    let id = TokenId::new(id).ok_or(Failure::Unknown)?;
    let found = desk.tokens.find(&id).await?;
    let own = found.filter(|token| *token.organization() == admin.organization);
    own.ok_or(Failure::Unknown)
}

/// Whose secret an administrator may see: a program's, or their own.
fn may_roll(admin: &Admin, token: &TokenRecord) -> bool {
    token.kind() == TokenKind::ServiceAccount || token.owner().subject().as_str() == admin.subject
}

/// `GET /tokens/{id}`
pub(crate) async fn show(
    State(desk): State<Arc<Desk>>,
    admin: Admin,
    Path(id): Path<String>,
    method: Method,
) -> Result<Response, Failure> {
    let token = find(&desk, &admin, &id).await?;
    // Whoever asks for the head of a page must not use up what stands in it.
    let secret = (method == Method::GET)
        .then(|| {
            let now = monotonic(&desk);
            desk.sessions.take_secret(&admin.session, token.id(), now)
        })
        .flatten();
    let page = Page {
        frame: Frame::new(&desk, &admin, "/tokens", "API token"),
        may_roll: may_roll(&admin, &token),
        email: token
            .owner()
            .email()
            .map_or_else(String::new, |email| email.as_str().to_owned()),
        token: Shown::new(&token, desk.now()),
        secret,
        mcp: desk.mcp.clone(),
    };
    Ok(html(StatusCode::OK, &page))
}

/// `POST /tokens/{id}/roll`
pub(crate) async fn roll(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let admin = &form.admin;
    let token = find(&desk, admin, &id).await?;
    if !may_roll(admin, &token) {
        return Err(Failure::Refused(
            "This token is somebody else's: only they may see its secret. You may revoke it.",
        ));
    }
    let hours = form.fields.one("overlap").parse::<u64>();
    let hours = hours.map_err(|_| Failure::Wrong("This is not a form of ours."))?;
    let overlap = Duration::from_secs(hours.saturating_mul(3600));
    match desk.tokens_of(admin).roll(token.id(), overlap).await {
        Ok(rolled) => {
            let (id, now) = (*token.id(), monotonic(&desk));
            desk.sessions
                .put_secret(&admin.session, id, rolled.token, now);
        }
        Err(IssueError::Invalid(_)) => {
            return Err(Failure::Wrong(
                "Two secrets are valid for 24 hours at most.",
            ));
        }
        Err(IssueError::Unknown) => return Err(Failure::Unknown),
        Err(IssueError::Backend(error)) => return Err(error.into()),
        Err(_) => {
            let notice =
                "Nothing was rolled: the token has ended, or somebody else changed it just now.";
            desk.sessions.tell(&admin.session, notice);
        }
    }
    Ok(see(&format!("/tokens/{}", token.id())))
}

/// `POST /tokens/{id}/revoke`
pub(crate) async fn revoke(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let token = find(&desk, &form.admin, &id).await?;
    desk.tokens_of(&form.admin).revoke(token.id()).await?;
    let notice = "Revoked. It is refused from now on, and cannot be brought back.";
    desk.sessions.tell(&form.admin.session, notice);
    Ok(see(&format!("/tokens/{}", token.id())))
}
