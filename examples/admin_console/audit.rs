//! The audit: a page with the last records, and a stream of new ones.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tower_mcp_auth::audit::AuditEvent;

use super::desk::Desk;
use super::edit::history;
use super::fields::Fields;
use super::ledger::Entry;
use super::page::{Failure, Frame, html};
use super::rows::{Authors, Row, authors};
use super::session::Admin;

/// Rows of the page.
const SHOWN: usize = 100;
/// Versions of the policy whose authors are looked up.
const VERSIONS: usize = 100;
/// How often it is looked at whether whoever watches may still.
const LOOK: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    rows: Vec<Row>,
    last: u64,
}

/// `GET /audit`
pub(crate) async fn show(State(desk): State<Arc<Desk>>, admin: Admin) -> Result<Response, Failure> {
    let entries = desk.ledger.after(admin.organization.as_str(), 0);
    let authors = authors(history(&desk, &admin.organization, VERSIONS).await?);
    let newest = entries.iter().rev().take(SHOWN);
    let page = Audit {
        frame: Frame::new(&desk, &admin, "/audit", "Audit"),
        rows: newest.map(|entry| Row::new(entry, &authors)).collect(),
        last: entries.last().map_or(0, |entry| entry.number),
    };
    Ok(html(StatusCode::OK, &page))
}

/// `GET /audit/stream?after=NUMBER`: what came after it, and what comes. It ends with the session.
pub(crate) async fn watch(
    State(desk): State<Arc<Desk>>,
    admin: Result<Admin, Failure>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    // A redirect would be followed; this ends it.
    let admin = admin.map_err(|failure| match failure {
        Failure::ToStart => Failure::SignedOut,
        other => other,
    })?;
    let watchers = desk.sessions.watchers(&admin.session);
    let permit = watchers.and_then(|watchers| watchers.try_acquire_owned().ok());
    let Some(permit) = permit else {
        return Ok(StatusCode::TOO_MANY_REQUESTS.into_response());
    };
    // A browser that comes back says what it saw last, in place of what the page says.
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    let lines = headers.get_all("last-event-id").iter();
    let seen = lines.filter_map(|line| line.to_str().ok()).next_back();
    let after = seen.unwrap_or(query.one("after")).parse().unwrap_or(0);
    // In this order, so that nothing falls in between; what is in both is sent once.
    let news = desk.ledger.subscribe();
    let missed = desk.ledger.after(admin.organization.as_str(), after).into();
    let watch = Watch {
        desk,
        admin,
        news,
        missed,
        after,
        _permit: permit,
    };
    let events = stream::unfold(watch, |mut watch| async {
        let event = watch.next().await?;
        Some((Ok::<_, Infallible>(event), watch))
    });
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(LOOK));
    Ok(sse.into_response())
}

struct Watch {
    desk: Arc<Desk>,
    admin: Admin,
    news: Receiver<Arc<Entry>>,
    missed: VecDeque<Arc<Entry>>,
    after: u64,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// The next record of this organization; nothing once the session has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let entry = match self.missed.pop_front() {
                Some(entry) => Some(entry),
                None => self.wait().await?,
            };
            // Judged after the wait: a record that comes later is not for a session that has ended.
            self.desk.admin(&self.admin.session).await.ok()?;
            if let Some(entry) = entry.filter(|entry| self.wants(entry)) {
                self.after = entry.number;
                return Some(self.event(&entry).await);
            }
        }
    }

    /// The next news of anybody; `None` inside if there is none for a while. Nothing at the end.
    async fn wait(&mut self) -> Option<Option<Arc<Entry>>> {
        match tokio::time::timeout(LOOK, self.news.recv()).await {
            Ok(Ok(entry)) => Some(Some(entry)),
            Ok(Err(RecvError::Lagged(_))) => {
                let organization = self.admin.organization.as_str();
                self.missed = self.desk.ledger.after(organization, self.after).into();
                Some(None)
            }
            Ok(Err(RecvError::Closed)) => None,
            Err(_) => Some(None),
        }
    }

    fn wants(&self, entry: &Entry) -> bool {
        let organization = entry.record.organization.as_ref();
        let own = organization.is_some_and(|own| *own == self.admin.organization.as_str());
        own && entry.number > self.after
    }

    async fn event(&self, entry: &Entry) -> Event {
        let authors = if entry.record.event == AuditEvent::PolicyChanged {
            let history = history(&self.desk, &self.admin.organization, VERSIONS).await;
            history.map_or_else(|_| Authors::new(), authors)
        } else {
            Authors::new()
        };
        let row = Row::new(entry, &authors);
        let text = serde_json::to_string(&row).unwrap_or_default();
        Event::default().id(entry.number.to_string()).data(text)
    }
}
