//! With which OAuth clients.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::super::desk::Desk;
use super::super::edit::{Change, document, save, texts};
use super::super::fields::Fields;
use super::super::guard::Form;
use super::super::lines::Lines;
use super::super::page::{Failure, Frame, html};
use super::super::session::Admin;
use super::{Again, again, answer};

#[derive(Template)]
#[template(path = "clients.html")]
struct Clients {
    frame: Frame,
    version: u64,
    rules: Rules,
    stale: Vec<Change>,
}

/// What the form says.
struct Rules {
    only: bool,
    supported: bool,
    patterns: Lines,
    ids: Lines,
}

impl Rules {
    fn of(clients: Option<&Value>) -> Self {
        let member = |name| clients.and_then(|clients| clients.get(name));
        Self {
            only: member("enforced") == Some(&Value::Bool(true)),
            supported: member("supported") == Some(&Value::Bool(true)),
            patterns: patterns(texts(member("patterns"))),
            ids: ids(texts(member("ids"))),
        }
    }

    fn sent(fields: &Fields) -> Self {
        Self {
            only: fields.one("clients") == "only",
            supported: fields.has("supported", "yes"),
            patterns: patterns(fields.filled("pattern")),
            ids: ids(fields.filled("id")),
        }
    }
}

fn patterns(listed: Vec<String>) -> Lines {
    Lines::new("pattern", "Domain", "https://*.example.com/**", listed)
}

fn ids(listed: Vec<String>) -> Lines {
    Lines::new("id", "Client id", "desktop-app", listed)
}

pub(crate) async fn show(State(desk): State<Arc<Desk>>, admin: Admin) -> Result<Response, Failure> {
    let policy = desk.policy(&admin.organization).await?;
    let rules = Rules::of(document(&policy).get("clients"));
    Ok(page(&desk, &admin, rules, Again::first(policy.version())))
}

pub(crate) async fn change(State(desk): State<Arc<Desk>>, form: Form) -> Result<Response, Failure> {
    let mut rules = Rules::sent(&form.fields);
    let wanted = json!({
        "enforced": rules.only,
        "supported": rules.supported,
        "patterns": form.fields.filled("pattern"),
        "ids": form.fields.filled("id"),
    });
    let saved = save(&desk, &form, |document| {
        document.insert("clients".into(), wanted);
    });
    match answer(&desk, &form.admin, "/clients", saved.await?) {
        Ok(done) => Ok(done),
        Err(saved) => {
            let again = again(saved, form.fields.one("version"), |problems| {
                let mut mistakes = rules.patterns.blame("clients.patterns", problems);
                mistakes.extend(rules.ids.blame("clients.ids", problems));
                mistakes
            });
            Ok(page(&desk, &form.admin, rules, again))
        }
    }
}

fn page(desk: &Desk, admin: &Admin, rules: Rules, again: Again) -> Response {
    let frame = Frame::new(desk, admin, "/clients", "Client domains");
    let page = Clients {
        frame: frame.with_mistakes(again.mistakes),
        version: again.version,
        rules,
        stale: again.changes,
    };
    html(again.status, &page)
}
