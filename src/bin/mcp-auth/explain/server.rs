//! A server put together from what is known here, and asked.

use http::{HeaderValue, Method, Request};
use tower_mcp_auth::api_token::{ApiTokenStore, Email};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::{Explanation, OrganizationPolicy, Reason};

use super::api_token::Found;
use super::build::KEYS;
use super::mistakes::{Circumstances, advice};
use super::read::{Form, Given, Kind, Scheme};
use super::verdict::{Refused, Verdict};
use super::{Mark, Steps};
use crate::args::{Explain, Global};
use crate::failure::Failure;
use crate::output::Out;
use crate::{parse, peppers, store, token};

/// Everything at hand.
pub(super) struct Known<'a> {
    pub(super) global: &'a Global,
    pub(super) wanted: &'a Explain,
    pub(super) store: Option<SqlStore>,
    pub(super) peppers: Option<peppers::Known>,
    pub(super) keys: Option<String>,
    found: Option<Found>,
}

impl<'a> Known<'a> {
    pub(super) async fn gather(
        global: &'a Global,
        wanted: &'a Explain,
        given: &Given,
        out: Out,
    ) -> Result<Self, Failure> {
        let named = global
            .database
            .as_deref()
            .is_some_and(|url| !url.is_empty());
        let store = if named {
            Some(store::open(global).await?)
        } else {
            None
        };
        let found = match &store {
            Some(store) => find(global, store, given).await?,
            None => None,
        };
        let keys = wanted
            .jwks
            .as_deref()
            .map(|file| parse::text(Some(file)))
            .transpose()?;
        let peppers = peppers::known(global, out)?;
        Ok(Self {
            global,
            wanted,
            store,
            peppers,
            keys,
            found,
        })
    }

    /// What the credential and the database say.
    pub(super) fn tell(&self, given: &Given, steps: &mut Steps) -> Result<(), Failure> {
        if !matches!(given.kind, Kind::Api(_)) {
            return Ok(());
        }
        let format = token::brand(self.global)?;
        if format.parse(&given.token).is_err() {
            return Ok(());
        }
        match (&self.store, &self.found) {
            (None, _) => steps.add(
                Mark::Unknown,
                "record",
                "name the database with --database to look it up",
            ),
            (Some(_), None) => steps.add(Mark::Bad, "record", "there is none with this id"),
            (Some(_), Some(found)) => found.tell(steps),
        }
        Ok(())
    }

    /// Asks the server.
    pub(super) async fn judge(&self, given: &Given, steps: &mut Steps) -> Result<Verdict, Failure> {
        let owner = self
            .found
            .as_ref()
            .and_then(|found| found.record.owner().email());
        let line = given.line(owner.map(Email::as_str));
        let Ok(mut value) = HeaderValue::from_str(&line) else {
            let advice = vec![
                "it holds a line break or another control character: copy it again, as one line"
                    .to_owned(),
            ];
            return Ok(Verdict::Refused(Refused {
                reason: None,
                note: Some("no header can hold it".to_owned()),
                advice,
            }));
        };
        value.set_sensitive(true);
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        request
            .headers_mut()
            .insert(http::header::AUTHORIZATION, value);
        if let Some(address) = self.wanted.from {
            request.extensions_mut().insert(PeerAddress(address));
        }
        let (parts, ()) = request.into_parts();
        let explanation = self.server(given)?.explain(&parts).await;
        let (verdict, is_known) = self.weigh(given, &explanation);
        steps.follow(&explanation, is_known);
        Ok(verdict)
    }

    /// A refusal for what is not known here is none. Whether it is one for what is known comes with it.
    fn weigh(&self, given: &Given, explanation: &Explanation) -> (Verdict, bool) {
        let Some(reason) = explanation.reason else {
            return (self.accepted(given, Vec::new()), true);
        };
        let note = explanation.note.as_deref().unwrap_or_default();
        if let Some(verdict) = self.as_far_as_known(given, reason, note) {
            return (verdict, false);
        }
        let note = explanation.cause.as_deref().unwrap_or(note);
        let verdict = self.refused(given, reason, &note.replace(KEYS, "--jwks"));
        (verdict, true)
    }

    fn as_far_as_known(&self, given: &Given, reason: Reason, note: &str) -> Option<Verdict> {
        let no_keys = matches!(
            reason,
            Reason::UnknownKey | Reason::AmbiguousKey | Reason::IssuerUnavailable
        );
        if let Some(jwt) = given.jwt().filter(|_| no_keys && self.keys.is_none()) {
            // Judged after the signature, as everything is that the request adds to the token.
            if jwt.is_bound() && given.scheme == Scheme::Bearer {
                return Some(self.refused(given, Reason::SenderConstrained, "cnf"));
            }
            return Some(self.accepted(given, vec!["its signature (--jwks FILE)"]));
        }
        if reason == Reason::NetworkNotAllowed && self.wanted.from.is_none() {
            let unknown = "the address it comes from, which counts here (--from ADDRESS)";
            return Some(self.accepted(given, vec![unknown]));
        }
        if reason == Reason::InvalidApiToken && note == "Unknown" && !self.checks_secrets() {
            let unknown = match (&self.store, &self.found) {
                (None, _) => "whether it exists, and its secret (--database URL)",
                (Some(_), None) => return None,
                (Some(_), Some(found)) => match found.refusal(given) {
                    Some((reason, note)) => return Some(self.refused(given, reason, note)),
                    None => "its secret (--pepper-file FILE)",
                },
            };
            return Some(self.accepted(given, vec![unknown]));
        }
        None
    }

    fn refused(&self, given: &Given, reason: Reason, note: &str) -> Verdict {
        let circumstances = Circumstances {
            found: self.found.as_ref(),
            peppers: self.peppers.as_ref(),
            resource: self.wanted.resource.as_deref(),
            issuer: self.wanted.issuer.as_deref(),
            keys: self.keys.as_deref(),
        };
        Verdict::Refused(Refused {
            reason: Some(reason),
            note: Some(note.to_owned()),
            advice: advice(given, reason, note, &circumstances),
        })
    }

    fn accepted(&self, given: &Given, mut not_checked: Vec<&'static str>) -> Verdict {
        let bare_personal = given.form == Form::Bare && given.scheme == Scheme::Basic;
        let of_tokens = [
            (
                given.jwt().is_some() && self.wanted.resource.is_none(),
                "whether it is meant for your server (--resource URI)",
            ),
            (
                given.jwt().is_some() && self.wanted.issuer.is_none(),
                "whether your server trusts its issuer (--issuer URL)",
            ),
            (
                self.store.is_some()
                    && given.jwt().is_some()
                    && self.wanted.organization_claim.is_none(),
                "the policy of its organization (--organization-claim CLAIM)",
            ),
            (
                self.store.is_none(),
                "revocations and the policy of the organization (--database URL)",
            ),
            (
                bare_personal,
                "the email it is presented with (give email:token)",
            ),
        ];
        not_checked.extend(
            of_tokens
                .iter()
                .filter(|(unknown, _)| *unknown)
                .map(|(_, what)| *what),
        );
        Verdict::Accepted { not_checked }
    }

    const fn checks_secrets(&self) -> bool {
        self.store.is_some() && self.peppers.is_some()
    }
}

async fn find(global: &Global, store: &SqlStore, given: &Given) -> Result<Option<Found>, Failure> {
    let format = token::brand(global)?;
    let Ok(presented) = format.parse(&given.token) else {
        return Ok(None);
    };
    let Some(record) = store.find(presented.id()).await? else {
        return Ok(None);
    };
    let organization = record.organization().clone();
    let policy = store.load(&organization).await?;
    let policy = policy.unwrap_or_else(|| OrganizationPolicy::new(organization));
    Ok(Some(Found { record, policy }))
}
