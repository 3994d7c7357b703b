//! From where requests may come.

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use tower_mcp_auth::policy::Network;

use super::super::desk::Desk;
use super::super::edit::{Change, document, save, texts};
use super::super::guard::Form;
use super::super::lines::Lines;
use super::super::page::{Failure, Frame, html};
use super::super::session::Admin;
use super::{Again, again, answer};

#[derive(Template)]
#[template(path = "networks.html")]
struct Page {
    frame: Frame,
    version: u64,
    listed: Lines,
    peer: Option<IpAddr>,
    /// Whether the browser's own address is allowed.
    within: bool,
    stale: Vec<Change>,
}

pub(crate) async fn show(State(desk): State<Arc<Desk>>, admin: Admin) -> Result<Response, Failure> {
    let policy = desk.policy(&admin.organization).await?;
    let listed = texts(document(&policy).get("networks"));
    let again = Again::first(policy.version());
    Ok(page(&desk, &admin, lines(listed), again))
}

pub(crate) async fn change(State(desk): State<Arc<Desk>>, form: Form) -> Result<Response, Failure> {
    let listed = form.fields.filled("network");
    let wanted = listed.clone();
    let saved = save(&desk, &form, |document| {
        document.insert("networks".into(), wanted.into());
    });
    match answer(&desk, &form.admin, "/networks", saved.await?) {
        Ok(done) => Ok(done),
        Err(saved) => {
            let mut lines = lines(listed);
            let seen = form.fields.one("version");
            let again = again(saved, seen, |problems| lines.blame("networks", problems));
            Ok(page(&desk, &form.admin, lines, again))
        }
    }
}

fn lines(listed: Vec<String>) -> Lines {
    Lines::new("network", "Network", "203.0.113.0/24", listed)
}

fn page(desk: &Desk, admin: &Admin, networks: Lines, again: Again) -> Response {
    let frame = Frame::new(desk, admin, "/networks", "Networks");
    let mut listed = networks
        .entries
        .iter()
        .filter(|line| !line.value.is_empty());
    let any = listed.clone().next().is_none();
    let within = admin
        .peer
        .is_none_or(|peer| any || listed.any(|line| Network::new(&line.value).contains(peer)));
    let page = Page {
        frame: frame.with_mistakes(again.mistakes),
        version: again.version,
        listed: networks,
        peer: admin.peer,
        within,
        stale: again.changes,
    };
    html(again.status, &page)
}
