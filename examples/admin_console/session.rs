//! Who is logged in. A browser holds a random name; the access token never leaves this process.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request};
use tokio::sync::Semaphore;
use tower_mcp_auth::AuthContext;
use tower_mcp_auth::api_token::{TokenId, TokenSecret};
use tower_mcp_auth::clock::{Clock, UnixTime};
use tower_mcp_auth::ident::OrganizationId;

use super::desk::Desk;
use super::oauth::random;
use super::page::Failure;

/// Whom the issuer lets administer, as the claim `roles` (RFC 9068 §2.2.3.1) has it.
pub(crate) const ROLE: &str = "org_admin";
pub(crate) const COOKIE_NAME: &str = "console";
/// Sessions at a time; the one that ends first makes room.
const SESSIONS: usize = 1000;
/// How long a secret waits for the page that shows it.
const SHOWN_WITHIN: Duration = Duration::from_secs(120);
/// Pages of one session that may watch the audit at a time.
const WATCHERS: usize = 4;

#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    bearer: HeaderValue,
    ends: UnixTime,
    csrf: String,
    notice: Option<String>,
    secret: Option<(TokenId, TokenSecret, Duration)>,
    watchers: Arc<Semaphore>,
}

/// Whoever a page is for. Proven anew for every request.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) session: String,
    /// What every form of this session holds.
    pub(crate) csrf: String,
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) organization: OrganizationId,
    /// The address the browser has here.
    pub(crate) peer: Option<IpAddr>,
}

impl Sessions {
    /// Opens one for a token that ends at `ends`; its name.
    pub(crate) fn open(
        &self,
        bearer: HeaderValue,
        ends: UnixTime,
        now: UnixTime,
    ) -> Result<String, getrandom::Error> {
        let (name, csrf) = (random()?, random()?);
        let session = Session {
            bearer,
            ends,
            csrf,
            notice: None,
            secret: None,
            watchers: Arc::new(Semaphore::new(WATCHERS)),
        };
        let mut sessions = self.lock();
        sessions.retain(|_, one| now < one.ends);
        if sessions.len() >= SESSIONS {
            let first = sessions.iter().min_by_key(|(_, one)| one.ends);
            let first = first.map(|(name, _)| name.clone());
            first.map(|name| sessions.remove(&name));
        }
        sessions.insert(name.clone(), session);
        Ok(name)
    }

    pub(crate) fn close(&self, name: &str) {
        self.lock().remove(name);
    }

    fn bearer(&self, name: &str) -> Option<(HeaderValue, String)> {
        let sessions = self.lock();
        let session = sessions.get(name)?;
        Some((session.bearer.clone(), session.csrf.clone()))
    }

    /// A sentence for the top of the next page.
    pub(crate) fn tell(&self, name: &str, notice: impl Into<String>) {
        if let Some(session) = self.lock().get_mut(name) {
            session.notice = Some(notice.into());
        }
    }

    pub(crate) fn told(&self, name: &str) -> Option<String> {
        self.lock().get_mut(name)?.notice.take()
    }

    /// Keeps a secret for the one page that shows it: it is in no URL, no cookie and no form.
    pub(crate) fn put_secret(&self, name: &str, id: TokenId, secret: TokenSecret, now: Duration) {
        if let Some(session) = self.lock().get_mut(name) {
            session.secret = Some((id, secret, now.saturating_add(SHOWN_WITHIN)));
        }
    }

    /// The secret of this token, once.
    pub(crate) fn take_secret(
        &self,
        name: &str,
        id: &TokenId,
        now: Duration,
    ) -> Option<TokenSecret> {
        let mut sessions = self.lock();
        let (of, secret, until) = sessions.get_mut(name)?.secret.take()?;
        (of == *id && now < until).then_some(secret)
    }

    pub(crate) fn watchers(&self, name: &str) -> Option<Arc<Semaphore>> {
        Some(self.lock().get(name)?.watchers.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// Judges an access token, as the layer in front of any server does. It costs microseconds, so every
    /// request is: a token that has ended or was revoked ends the session at once.
    ///
    /// # Errors
    /// It is not good, or nobody can tell.
    pub(crate) async fn judge(&self, bearer: HeaderValue) -> Result<AuthContext, Failure> {
        let request = Request::get("/").header(AUTHORIZATION, bearer).body(());
        let (parts, ()) = request.map_err(|_| Failure::SignedOut)?.into_parts();
        self.auth.authenticate(&parts).await.map_err(|rejection| {
            if rejection.status().is_server_error() {
                return Failure::Unavailable;
            }
            Failure::SignedOut
        })
    }

    /// Whose session this is, if it is an administrator's and has not ended.
    pub(crate) async fn admin(&self, session: &str) -> Result<Admin, Failure> {
        let found = self.sessions.bearer(session);
        let (bearer, csrf) = found.ok_or(Failure::SignedOut)?;
        let judged = self.judge(bearer).await.inspect_err(|failure| {
            if matches!(failure, Failure::SignedOut) {
                self.sessions.close(session);
            }
        });
        let context = judged?;
        if !is_admin(&context) {
            self.sessions.close(session);
            return Err(Failure::SignedOut);
        }
        let principal = context.principal();
        let email = principal.claims().get("email");
        Ok(Admin {
            session: session.to_owned(),
            csrf,
            subject: principal.subject().to_string(),
            email: email.and_then(|email| email.as_str()).map(str::to_owned),
            organization: context.organization().clone(),
            peer: None,
        })
    }
}

pub(crate) fn is_admin(context: &AuthContext) -> bool {
    context.principal().roles().any(|role| role == ROLE)
}

/// A cookie of a request; `None` also if there are several of the name.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';'));
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(known, _)| *known == name);
    match (named.next(), named.next()) {
        (Some((_, value)), None) => Some(value.to_owned()),
        _ => None,
    }
}

impl FromRequestParts<Arc<Desk>> for Admin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Failure> {
        let session = cookie(&parts.headers, COOKIE_NAME);
        let admin = desk.admin(&session.unwrap_or_default()).await;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        match admin {
            Ok(admin) => Ok(Self {
                peer: peer.map(|peer| peer.0.ip()),
                ..admin
            }),
            // To where one logs in. What was to be changed is not changed unseen later.
            Err(Failure::SignedOut) if parts.method == Method::GET => Err(Failure::ToStart),
            Err(failure) => Err(failure),
        }
    }
}

/// Now, for what was begun some time ago.
pub(crate) fn monotonic(desk: &Desk) -> Duration {
    desk.time.monotonic()
}
