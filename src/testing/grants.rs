//! What people have agreed to: open consent pages, codes, refresh tokens.

use std::collections::HashMap;
use std::time::Duration;

use super::answer::OAuthError;
use super::encoding::random;
use super::state::Settings;

/// How long a code can be exchanged (RFC 6749 §4.1.2 recommends at most ten minutes).
const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long a consent page can be answered.
const PAGE_LIFE: Duration = Duration::from_secs(600);

/// An authorization request that may be put to a user.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) client_name: Option<String>,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) challenge: String,
    pub(super) scopes: Vec<String>,
    pub(super) resources: Vec<String>,
}

/// What a client may have tokens for.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) client_id: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    pub(super) resources: Vec<String>,
    /// Ties together all that came of one consent, so that it can be revoked as one.
    family: String,
}

impl Granted {
    /// What a client may have for itself, with no user involved.
    pub(super) fn to_client(
        client_id: String,
        scopes: Vec<String>,
        resources: Vec<String>,
    ) -> Self {
        Self {
            subject: client_id.clone(),
            client_id,
            scopes,
            resources,
            family: random::<16>(),
        }
    }
}

/// A code's other half, to be compared with the token request.
#[derive(Clone, Debug)]
pub(super) struct Redeemed {
    pub(super) granted: Granted,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
}

#[derive(Default)]
pub(super) struct Grants {
    pages: HashMap<String, Page>,
    codes: HashMap<String, Code>,
    refresh: HashMap<String, Refresh>,
}

struct Page {
    asked: Asked,
    /// Also in a cookie of the browser that was shown the page.
    cookie: String,
    opened: Duration,
}

struct Code {
    redeemed: Redeemed,
    issued: Duration,
    spent: bool,
}

struct Refresh {
    granted: Granted,
    spent: bool,
}

impl Grants {
    /// Remembers a page; returns its id and the cookie that goes with it.
    pub(super) fn open_page(&mut self, asked: Asked, now: Duration) -> (String, String) {
        let (id, cookie) = (random::<16>(), random::<16>());
        self.pages
            .retain(|_, page| now.saturating_sub(page.opened) < PAGE_LIFE);
        let page = Page {
            asked,
            cookie: cookie.clone(),
            opened: now,
        };
        self.pages.insert(id.clone(), page);
        (id, cookie)
    }

    /// Takes the request behind a page, once, from the browser that has its cookie. A wrong
    /// cookie leaves the page for whoever it was shown to.
    pub(super) fn answer_page(&mut self, id: &str, cookie: &str, now: Duration) -> Option<Asked> {
        let page = self.pages.get(id)?;
        if page.cookie != cookie {
            return None;
        }
        let page = self.pages.remove(id)?;
        (now.saturating_sub(page.opened) < PAGE_LIFE).then_some(page.asked)
    }

    pub(super) fn issue_code(&mut self, asked: Asked, subject: String, now: Duration) -> String {
        let code = random::<32>();
        let redeemed = Redeemed {
            granted: Granted {
                client_id: asked.client_id,
                subject,
                scopes: asked.scopes,
                resources: asked.resources,
                family: random::<16>(),
            },
            redirect_uri: asked.redirect_uri,
            challenge: asked.challenge,
        };
        let entry = Code {
            redeemed,
            issued: now,
            spent: false,
        };
        self.codes.insert(code.clone(), entry);
        code
    }

    /// Spends a code: every attempt counts, a second one revokes what the first one got
    /// (RFC 6749 §4.1.2).
    pub(super) fn redeem(&mut self, code: &str, now: Duration) -> Option<Redeemed> {
        let entry = self.codes.get_mut(code)?;
        let redeemed = entry.redeemed.clone();
        if entry.spent {
            self.revoke(&redeemed.granted.family);
            return None;
        }
        entry.spent = true;
        (now.saturating_sub(entry.issued) < CODE_LIFE).then_some(redeemed)
    }

    pub(super) fn issue_refresh(&mut self, granted: Granted) -> String {
        let token = random::<32>();
        let entry = Refresh {
            granted,
            spent: false,
        };
        self.refresh.insert(token.clone(), entry);
        token
    }

    /// Spends a refresh token of this client. One that was spent before is stolen by somebody, so
    /// the whole family goes (RFC 9700 §4.14.2).
    pub(super) fn refresh(&mut self, token: &str, client_id: &str) -> Option<Granted> {
        let entry = self.refresh.get_mut(token)?;
        let granted = entry.granted.clone();
        if granted.client_id != client_id {
            return None;
        }
        if entry.spent {
            self.revoke(&granted.family);
            return None;
        }
        entry.spent = true;
        Some(granted)
    }

    fn revoke(&mut self, family: &str) {
        self.refresh
            .retain(|_, entry| entry.granted.family != family);
    }
}

/// The scopes a request gets: those it asks for and the issuer has, or the baseline if it asks
/// for none.
///
/// # Errors
/// `invalid_scope` if nothing is left (RFC 6749 §4.1.2.1).
pub(super) fn grant_scopes(
    settings: &Settings,
    requested: Option<&str>,
) -> Result<Vec<String>, OAuthError> {
    let Some(requested) = requested else {
        return Ok(settings.baseline_scopes.clone());
    };
    let granted: Vec<String> = settings
        .scopes
        .iter()
        .filter(|scope| requested.split(' ').any(|wanted| wanted == *scope))
        .cloned()
        .collect();
    if granted.is_empty() {
        let why = "none of these scopes exists";
        return Err(OAuthError::new("invalid_scope", why));
    }
    Ok(granted)
}

/// The resources a request names, or the issuer's default.
///
/// # Errors
/// `invalid_target` if one is not an absolute URI without a fragment, or if none is left
/// (RFC 8707 §2).
pub(super) fn target_resources(
    settings: &Settings,
    requested: &[&str],
) -> Result<Vec<String>, OAuthError> {
    let invalid = |why: &str| OAuthError::new("invalid_target", why);
    let well_formed = |uri: &&str| url::Url::parse(uri).is_ok() && !uri.contains('#');
    if !requested.iter().all(well_formed) {
        return Err(invalid("resource must be an absolute URI without fragment"));
    }
    let mut resources: Vec<String> = requested.iter().map(|uri| (*uri).to_owned()).collect();
    if resources.is_empty() {
        resources.extend(settings.default_resource.clone());
    }
    if resources.is_empty() {
        return Err(invalid("resource is missing: name the MCP server"));
    }
    Ok(resources)
}
