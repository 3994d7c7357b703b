//! The first page: which credentials are accepted, and what else holds.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tower_mcp_auth::api_token::TokenQuery;
use tower_mcp_auth::{AuthMethod, OrganizationPolicy};

use super::super::desk::Desk;
use super::super::edit::{Change, Saved, document, history, save, texts};
use super::super::guard::Form;
use super::super::login::Welcome;
use super::super::page::{Failure, Frame, html, see};
use super::super::session::Admin;

const RECENT: usize = 5;
/// Tokens counted; of more, the page says "at least".
const COUNTED: usize = 1000;

/// One kind of credential.
pub(crate) struct Switch {
    /// Of its button.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) on: bool,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    mcp: String,
    version: u64,
    switches: [Switch; 2],
    networks: usize,
    /// How many are listed; nothing if any is let in.
    clients: Option<usize>,
    products: usize,
    alive: String,
    recent: Vec<Change>,
    stale: Vec<Change>,
}

/// `GET /`: this page, or the one for whoever is nobody yet.
pub(crate) async fn home(
    State(desk): State<Arc<Desk>>,
    admin: Result<Admin, Failure>,
) -> Result<Response, Failure> {
    match admin {
        Ok(admin) => show(&desk, &admin, StatusCode::OK, Vec::new()).await,
        Err(Failure::ToStart) => {
            let page = html(StatusCode::OK, &Welcome { mcp: &desk.mcp });
            Ok(page.into_response())
        }
        Err(failure) => Err(failure),
    }
}

/// `POST /access`: one switch.
pub(crate) async fn flip(State(desk): State<Arc<Desk>>, form: Form) -> Result<Response, Failure> {
    let wrong = Failure::Wrong("There is no such switch.");
    let (personal, keys) = (form.fields.one("personal"), form.fields.one("keys"));
    let (member, what, to) = match (personal, keys) {
        (to, "") => ("allow_personal_tokens", "Personal API tokens", to),
        ("", to) => ("allow_service_account_keys", "Service-account keys", to),
        _ => return Err(wrong),
    };
    let on = match to {
        "on" => true,
        "off" => false,
        _ => return Err(wrong),
    };
    let saved = save(&desk, &form, |document| {
        document.insert(member.into(), Value::Bool(on));
    });
    let state = if on { "on" } else { "off" };
    let notice = match saved.await? {
        Saved::Done if on => format!("{what} are on. They are accepted from now on."),
        Saved::Done => format!("{what} are off. From now on they are refused."),
        Saved::Same => format!("{what} were {state} already."),
        Saved::Stale(meanwhile) => {
            return show(&desk, &form.admin, StatusCode::CONFLICT, meanwhile.changes).await;
        }
        Saved::Problems(_) => return Err(wrong),
    };
    desk.sessions.tell(&form.admin.session, notice);
    Ok(see("/"))
}

async fn show(
    desk: &Desk,
    admin: &Admin,
    status: StatusCode,
    stale: Vec<Change>,
) -> Result<Response, Failure> {
    let policy = desk.policy(&admin.organization).await?;
    let query = TokenQuery::new(admin.organization.clone()).limit(COUNTED);
    let tokens = desk.tokens.list(query).await?;
    let alive = tokens.iter().filter(|token| token.is_alive(desk.now()));
    let alive = alive.count();
    let at_least = if tokens.len() == COUNTED {
        "at least "
    } else {
        ""
    };
    let page = Overview {
        frame: Frame::new(desk, admin, "/", "Overview"),
        mcp: desk.mcp.clone(),
        version: policy.version(),
        switches: switches(&policy),
        networks: texts(document(&policy).get("networks")).len(),
        clients: clients(&policy),
        products: products(&policy),
        alive: format!("{at_least}{alive}"),
        recent: history(desk, &admin.organization, RECENT).await?,
        stale,
    };
    Ok(html(status, &page))
}

fn switches(policy: &OrganizationPolicy) -> [Switch; 2] {
    [
        Switch {
            name: "personal",
            label: "Personal API tokens",
            hint: "People call from scripts, as themselves, with their email address and a token.",
            on: policy.allows_method(AuthMethod::ApiToken),
        },
        Switch {
            name: "keys",
            label: "Service-account keys",
            hint: "Programs call on behalf of nobody: builds, reports, integrations.",
            on: policy.allows_method(AuthMethod::ServiceAccountKey),
        },
    ]
}

fn clients(policy: &OrganizationPolicy) -> Option<usize> {
    let document = document(policy);
    let clients = document.get("clients");
    let member = |name| clients.and_then(|clients| clients.get(name));
    if member("enforced") != Some(&Value::Bool(true)) {
        return None;
    }
    Some(texts(member("patterns")).len() + texts(member("ids")).len())
}

fn products(policy: &OrganizationPolicy) -> usize {
    let document = document(policy);
    let groups = document.get("groups");
    let products = groups.and_then(|groups| groups.get("products"));
    products
        .and_then(Value::as_object)
        .map_or(0, serde_json::Map::len)
}
