//! The tokens of an organization, and new ones.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tower_mcp_auth::api_token::{IssueError, NewToken, TokenKind, TokenQuery, TokenRecord};
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::error::Problem;

use super::desk::Desk;
use super::fields::Fields;
use super::guard::Form;
use super::lines::{Lines, Mistake, sentence};
use super::mcp::SCOPES;
use super::page::{Failure, Frame, html, see};
use super::session::{Admin, monotonic};
use super::time::{Moment, ago, span, until};

/// Tokens on the page; the command `mcp-auth token list` shows more.
const LISTED: usize = 1000;
const DAY: u64 = 24 * 3600;
/// Whoever sees this much left should think of a new one.
const SOON: u64 = 14 * DAY;
const LIFETIMES: [u64; 4] = [7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];

/// A token on a page.
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) personal: bool,
    pub(crate) owner: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) created_by: String,
    pub(crate) created: Moment,
    pub(crate) expires: Moment,
    pub(crate) left: String,
    pub(crate) used: Option<String>,
    pub(crate) revoked: Option<Moment>,
    /// Until when the secret before the last one serves.
    pub(crate) overlap: Option<Moment>,
    pub(crate) alive: bool,
    /// A word, and how it looks.
    pub(crate) state: (&'static str, &'static str),
}

impl Shown {
    pub(crate) fn new(token: &TokenRecord, now: UnixTime) -> Self {
        let owner = token.owner();
        let overlap = token.previous_valid_until().filter(|until| now < *until);
        let name = match token.name() {
            "" => "Without a name",
            name => name,
        };
        Self {
            id: token.id().to_string(),
            name: name.to_owned(),
            personal: token.kind() == TokenKind::Personal,
            owner: owner.subject().to_string(),
            scopes: token.scopes().iter().map(str::to_owned).collect(),
            networks: token.networks().iter().map(ToString::to_string).collect(),
            created_by: token.created_by().to_string(),
            created: Moment::new(token.created_at()),
            expires: Moment::new(token.expires_at()),
            left: until(now, token.expires_at()),
            used: token.last_used().map(|used| ago(now, used)),
            revoked: token.revoked_at().map(Moment::new),
            overlap: overlap.map(Moment::new),
            alive: token.is_alive(now),
            state: state(token, now),
        }
    }
}

fn state(token: &TokenRecord, now: UnixTime) -> (&'static str, &'static str) {
    if token.revoked_at().is_some() {
        ("Revoked", "refused")
    } else if token.expires_at() <= now {
        ("Expired", "refused")
    } else if !token.is_owner_active() {
        ("Suspended", "refused")
    } else if token.expires_at().since(now).as_secs() <= SOON {
        ("Ends soon", "error")
    } else {
        ("Active", "allowed")
    }
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct List {
    frame: Frame,
    tokens: Vec<Shown>,
    personal: bool,
    keys: bool,
}

#[derive(Template)]
#[template(path = "new_token.html")]
struct New {
    frame: Frame,
    wish: Wish,
    lifetimes: Vec<(String, String)>,
    scopes: [&'static str; 3],
}

/// What the form says.
struct Wish {
    personal: bool,
    /// The address of whoever is logged in, if the issuer says it.
    email: Option<String>,
    account: String,
    name: String,
    days: String,
    scopes: Vec<String>,
    networks: Lines,
    errors: Vec<(&'static str, String)>,
}

impl Wish {
    fn new(admin: &Admin, fields: &Fields) -> Self {
        Self {
            personal: fields.one("kind") == "personal",
            email: admin.email.clone(),
            account: fields.one("account").to_owned(),
            name: fields.one("name").to_owned(),
            days: fields.one("days").to_owned(),
            scopes: fields.filled("scope"),
            networks: Lines::new(
                "network",
                "Network",
                "203.0.113.0/24",
                fields.filled("network"),
            ),
            errors: Vec::new(),
        }
    }

    fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|one| one == scope)
    }

    fn error(&self, field: &str) -> Option<&str> {
        let mut errors = self.errors.iter();
        let error = errors.find(|(of, _)| *of == field);
        error.map(|(_, text)| text.as_str())
    }

    /// Puts problems beside the fields they are about.
    fn blame(&mut self, problems: &[Problem]) -> Vec<Mistake> {
        let mut mistakes = self.networks.blame("networks", problems);
        for problem in problems {
            let (field, label) = match problem.field.as_str() {
                "networks" => continue,
                "owner" => ("account", "Service account"),
                "name" => ("name", "Name"),
                "scopes" => ("scopes", "Scopes"),
                "expires_in" => ("days", "Lives for"),
                _ => ("kind", "For whom"),
            };
            let text = format!("{label}: {}", problem.remedy);
            let id = field.to_owned();
            mistakes.push(Mistake { id, text });
            self.errors.push((field, sentence(&problem.remedy)));
        }
        mistakes
    }
}

pub(crate) async fn list(State(desk): State<Arc<Desk>>, admin: Admin) -> Result<Response, Failure> {
    use tower_mcp_auth::AuthMethod::{ApiToken, ServiceAccountKey};
    let policy = desk.policy(&admin.organization).await?;
    let query = TokenQuery::new(admin.organization.clone()).limit(LISTED);
    let mut tokens = desk.tokens.list(query).await?;
    let now = desk.now();
    tokens.sort_by_key(|token| {
        (
            !token.is_alive(now),
            token.expires_at(),
            token.name().to_owned(),
        )
    });
    let page = List {
        frame: Frame::new(&desk, &admin, "/tokens", "API tokens"),
        tokens: tokens.iter().map(|token| Shown::new(token, now)).collect(),
        personal: policy.allows_method(ApiToken),
        keys: policy.allows_method(ServiceAccountKey),
    };
    Ok(html(StatusCode::OK, &page))
}

pub(crate) async fn ask(State(desk): State<Arc<Desk>>, admin: Admin) -> Result<Response, Failure> {
    let fields = Fields::parse(b"kind=service_account&days=90&scope=read:issues");
    let wish = Wish::new(&admin, &fields);
    let limit = desk.policy(&admin.organization).await?.longest_lifetime();
    Ok(page(&desk, &admin, wish, limit, Vec::new()))
}

/// `POST /tokens`: the secret waits in the session for the page that shows it.
pub(crate) async fn issue(State(desk): State<Arc<Desk>>, form: Form) -> Result<Response, Failure> {
    let admin = &form.admin;
    let mut wish = Wish::new(admin, &form.fields);
    let limit = desk.policy(&admin.organization).await?.longest_lifetime();
    let days = wish.days.parse::<u64>().unwrap_or(0);
    let mut new = token(admin, &wish)
        .created_by(&admin.subject)
        .name(&wish.name)
        .scopes(&wish.scopes)
        .networks(form.fields.filled("network"))
        .expires_in(Duration::from_secs(days.saturating_mul(DAY)));
    if let Some(limit) = limit {
        new = new.max_lifetime(limit);
    }
    match desk.tokens_of(admin).issue(new).await {
        Ok(issued) => {
            let id = *issued.record.id();
            let now = monotonic(&desk);
            desk.sessions
                .put_secret(&admin.session, id, issued.token, now);
            Ok(see(&format!("/tokens/{id}")))
        }
        Err(IssueError::Invalid(problems)) => {
            let mistakes = wish.blame(&problems);
            Ok(page(&desk, admin, wish, limit, mistakes))
        }
        Err(IssueError::Backend(error)) => Err(error.into()),
        Err(_) => Err(Failure::Unavailable),
    }
}

/// A personal token is for whoever asks: nobody holds the secret of another person.
fn token(admin: &Admin, wish: &Wish) -> NewToken {
    let organization = admin.organization.as_str();
    if wish.personal {
        let email = admin.email.as_deref().unwrap_or_default();
        NewToken::personal(organization, &admin.subject, email)
    } else {
        NewToken::service_account(organization, &wish.account)
    }
}

fn page(
    desk: &Desk,
    admin: &Admin,
    wish: Wish,
    limit: Option<Duration>,
    mistakes: Vec<Mistake>,
) -> Response {
    let status = if mistakes.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let limit = limit.map_or(u64::MAX, |limit| limit.as_secs());
    let lifetimes = LIFETIMES.into_iter().filter(|one| *one <= limit);
    let frame = Frame::new(desk, admin, "/tokens", "New token");
    let now = desk.time.now();
    let ends = |seconds: u64| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Moment::new(now.plus_secs(seconds)).day
    };
    let shown = |one: u64| {
        let text = format!("{}, until {}", span(one), ends(one));
        ((one / DAY).to_string(), text)
    };
    let page = New {
        frame: frame.with_mistakes(mistakes),
        wish,
        lifetimes: lifetimes.map(shown).collect(),
        scopes: SCOPES,
    };
    html(status, &page)
}
