//! What a test issuer is and knows, shared by its handles, its server and its tokens.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use super::clients::Clients;
use super::documents::Documents;
use super::encoding::lock;
use super::faults::{Endpoint, FaultTable};
use super::grants::Grants;
use super::introspect::Introspections;
use super::keyring::Keyring;
use crate::clock::Clock;

/// Who says yes on the consent page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consent {
    /// A person does, on a page in a browser.
    Page,
    /// Nobody: the first user has agreed to everything. For tests without a browser.
    #[default]
    Automatic,
}

/// Requests the issuer has received, faulty ones included, CORS preflights not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hits {
    /// At any of the three places of the metadata document, served there or not.
    pub metadata: usize,
    /// For the key set.
    pub jwks: usize,
    /// At the authorization endpoint; opening the page and answering it are two.
    pub authorize: usize,
    /// At the token endpoint.
    pub token: usize,
    /// For registration.
    pub register: usize,
    /// At the introspection endpoint.
    pub introspect: usize,
    /// Anywhere else.
    pub other: usize,
}

impl Hits {
    /// All of them together.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.metadata
            + self.jwks
            + self.authorize
            + self.token
            + self.register
            + self.introspect
            + self.other
    }
}

/// A user of the issuer with the claims their tokens carry.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) subject: String,
    pub(super) claims: Map<String, Value>,
}

/// What the builder fixed.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) consent: Consent,
    /// Never empty.
    pub(super) users: Vec<User>,
    pub(super) claims: Map<String, Value>,
    pub(super) scopes: Vec<String>,
    pub(super) baseline_scopes: Vec<String>,
    pub(super) token_lifetime: Duration,
    pub(super) default_resource: Option<String>,
}

pub(super) struct State {
    url: String,
    parsed_url: Url,
    settings: Settings,
    keys: Mutex<Keyring>,
    documents: Mutex<Documents>,
    faults: Mutex<FaultTable>,
    clients: Mutex<Clients>,
    grants: Mutex<Grants>,
    introspections: Mutex<Introspections>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    hits: Hits,
    paths: Vec<String>,
}

impl State {
    pub(super) fn new(
        url: (String, Url),
        settings: Settings,
        keys: Keyring,
        documents: Documents,
        clients: Clients,
    ) -> Self {
        let (url, parsed_url) = url;
        Self {
            url,
            parsed_url,
            settings,
            keys: Mutex::new(keys),
            documents: Mutex::new(documents),
            faults: Mutex::default(),
            clients: Mutex::new(clients),
            grants: Mutex::default(),
            introspections: Mutex::default(),
            log: Mutex::default(),
        }
    }

    /// The issuer identifier, character for character as configured.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn parsed_url(&self) -> &Url {
        &self.parsed_url
    }

    /// The issuer's path without a closing slash: empty, or `/t1`.
    pub(super) fn base(&self) -> &str {
        self.parsed_url.path().trim_end_matches('/')
    }

    /// The URL of something below the issuer.
    pub(super) fn below(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn keys(&self) -> MutexGuard<'_, Keyring> {
        lock(&self.keys)
    }

    pub(super) fn documents(&self) -> MutexGuard<'_, Documents> {
        lock(&self.documents)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, FaultTable> {
        lock(&self.faults)
    }

    pub(super) fn clients(&self) -> MutexGuard<'_, Clients> {
        lock(&self.clients)
    }

    pub(super) fn grants(&self) -> MutexGuard<'_, Grants> {
        lock(&self.grants)
    }

    pub(super) fn introspections(&self) -> MutexGuard<'_, Introspections> {
        lock(&self.introspections)
    }

    pub(super) fn record(&self, endpoint: Option<Endpoint>, path: &str) {
        let mut log = lock(&self.log);
        log.paths.push(path.to_owned());
        let hits = &mut log.hits;
        let counter = match endpoint {
            Some(Endpoint::Metadata) => &mut hits.metadata,
            Some(Endpoint::Jwks) => &mut hits.jwks,
            Some(Endpoint::Authorize) => &mut hits.authorize,
            Some(Endpoint::Token) => &mut hits.token,
            Some(Endpoint::Register) => &mut hits.register,
            Some(Endpoint::Introspect) => &mut hits.introspect,
            None => &mut hits.other,
        };
        *counter += 1;
    }

    pub(super) fn hits(&self) -> Hits {
        lock(&self.log).hits
    }

    pub(super) fn paths(&self) -> Vec<String> {
        lock(&self.log).paths.clone()
    }

    pub(super) fn reset_log(&self) {
        *lock(&self.log) = Log::default();
    }
}
