//! What tools may do in each product.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use tower_mcp_auth::policy::Intent;

use super::super::desk::Desk;
use super::super::edit::{Change, document, save, texts};
use super::super::fields::Fields;
use super::super::guard::Form;
use super::super::lines::{Mistake, sentence};
use super::super::page::{Failure, Frame, html};
use super::super::session::Admin;
use super::{Again, again, answer};

#[derive(Template)]
#[template(path = "permissions.html")]
struct Permissions {
    frame: Frame,
    version: u64,
    intents: [&'static str; 5],
    groups: Groups,
    stale: Vec<Change>,
}

/// What the form says.
struct Groups {
    products: Vec<Row>,
    others: Row,
    new: Row,
    error: Option<String>,
}

struct Row {
    /// Of its fields in the form.
    key: String,
    product: String,
    on: Vec<String>,
    removed: bool,
}

impl Row {
    fn has(&self, intent: &str) -> bool {
        self.on.iter().any(|on| on == intent)
    }

    fn sent(fields: &Fields, key: String) -> Self {
        let on = fields
            .all(&format!("on-{key}"))
            .map(str::to_owned)
            .collect();
        Self {
            product: fields.one(&format!("product-{key}")).to_owned(),
            removed: fields.has(&format!("remove-{key}"), "yes"),
            on,
            key,
        }
    }

    fn empty(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            product: String::new(),
            on: ["read", "search"].map(str::to_owned).to_vec(),
            removed: false,
        }
    }
}

impl Groups {
    fn of(groups: Option<&Value>) -> Self {
        let member = |name| groups.and_then(|groups| groups.get(name));
        let products = member("products").and_then(Value::as_object);
        let row = |(index, (product, on)): (usize, (&String, &Value))| Row {
            key: index.to_string(),
            product: product.clone(),
            on: texts(Some(on)),
            removed: false,
        };
        let others = Row {
            on: texts(member("others")),
            ..Row::empty("others")
        };
        Self {
            products: products
                .into_iter()
                .flatten()
                .enumerate()
                .map(row)
                .collect(),
            others,
            new: Row::empty("new"),
            error: None,
        }
    }

    fn sent(fields: &Fields) -> Self {
        let keys = (0_usize..).map(|index| index.to_string());
        let rows = keys.map(|key| Row::sent(fields, key));
        Self {
            products: rows.take_while(|row| !row.product.is_empty()).collect(),
            others: Row::sent(fields, "others".into()),
            new: Row::sent(fields, "new".into()),
            error: None,
        }
    }

    fn document(&self) -> Value {
        let kept = self.products.iter().filter(|row| !row.removed);
        let new = Some(&self.new).filter(|row| !row.product.is_empty());
        let rows = kept.chain(new);
        let products: Map<_, _> = rows
            .map(|row| (row.product.clone(), json!(row.on)))
            .collect();
        json!({"others": self.others.on, "products": products})
    }

    /// A mistake that a document cannot show, because a name stands there once.
    fn twice(&mut self) -> Option<Mistake> {
        let name = self.new.product.clone();
        let known = self
            .products
            .iter()
            .any(|row| row.product == name && !row.removed);
        (known && !name.is_empty()).then(|| {
            let text = format!("{name}: this product is in the table already");
            self.blame(&text)
        })
    }

    fn blame(&mut self, text: &str) -> Mistake {
        self.error = Some(sentence(text));
        Mistake {
            id: "product-new".to_owned(),
            text: text.to_owned(),
        }
    }
}

pub(crate) async fn show(State(desk): State<Arc<Desk>>, admin: Admin) -> Result<Response, Failure> {
    let policy = desk.policy(&admin.organization).await?;
    let groups = Groups::of(document(&policy).get("groups"));
    Ok(page(&desk, &admin, groups, Again::first(policy.version())))
}

pub(crate) async fn change(State(desk): State<Arc<Desk>>, form: Form) -> Result<Response, Failure> {
    let mut groups = Groups::sent(&form.fields);
    let seen = form.fields.one("version");
    if let Some(mistake) = groups.twice() {
        let again = Again {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            mistakes: vec![mistake],
            ..Again::first(seen.parse().unwrap_or(0))
        };
        return Ok(page(&desk, &form.admin, groups, again));
    }
    let wanted = groups.document();
    let saved = save(&desk, &form, |document| {
        document.insert("groups".into(), wanted);
    });
    match answer(&desk, &form.admin, "/permissions", saved.await?) {
        Ok(done) => Ok(done),
        Err(saved) => {
            let again = again(saved, seen, |problems| {
                let own = problems
                    .iter()
                    .filter(|one| one.field.starts_with("groups."));
                own.map(|one| groups.blame(&one.remedy)).collect()
            });
            Ok(page(&desk, &form.admin, groups, again))
        }
    }
}

fn page(desk: &Desk, admin: &Admin, groups: Groups, again: Again) -> Response {
    let frame = Frame::new(desk, admin, "/permissions", "Permissions");
    let page = Permissions {
        frame: frame.with_mistakes(again.mistakes),
        version: again.version,
        intents: Intent::ALL.map(Intent::name),
        groups,
        stale: again.changes,
    };
    html(again.status, &page)
}
