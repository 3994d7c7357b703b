//! A server put together from what is known here, and asked.

use http::{HeaderValue, Request};
use tower_mcp_auth::api_token::{ApiTokenStore, Email};
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::{AuthContext, OrganizationPolicy, Reason, Rejection};

use super::api_token::{self, Found};
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
        if let Some(jwt) = given.jwt() {
            jwt.tell(steps);
        }
        if !matches!(given.kind, Kind::Api(_)) {
            return Ok(());
        }
        let format = token::brand(self.global)?;
        api_token::tell_text(given, &format, steps);
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
        request
            .headers_mut()
            .insert(http::header::AUTHORIZATION, value);
        if let Some(address) = self.wanted.from {
            request.extensions_mut().insert(PeerAddress(address));
        }
        let (parts, ()) = request.into_parts();
        let decided = self.server(given)?.authenticate(&parts).await;
        match decided {
            Ok(context) => {
                tell_context(&context, steps);
                Ok(self.accepted(given, Vec::new()))
            }
            Err(rejection) => Ok(self.weigh(given, &rejection)),
        }
    }

    /// A refusal for what is not known here is none.
    fn weigh(&self, given: &Given, rejection: &Rejection) -> Verdict {
        let (reason, note) = (rejection.reason(), rejection.note().unwrap_or_default());
        let no_keys = matches!(
            reason,
            Reason::UnknownKey | Reason::AmbiguousKey | Reason::IssuerUnavailable
        );
        if let Some(jwt) = given.jwt().filter(|_| no_keys && self.keys.is_none()) {
            // Judged after the signature, as everything is that the request adds to the token.
            if jwt.is_bound() && given.scheme == Scheme::Bearer {
                return self.refused(given, Reason::SenderConstrained, "cnf");
            }
            return self.accepted(given, vec!["its signature (--jwks FILE)"]);
        }
        if reason == Reason::NetworkNotAllowed && self.wanted.from.is_none() {
            return self.accepted(
                given,
                vec!["the address it comes from, which counts here (--from ADDRESS)"],
            );
        }
        if reason == Reason::InvalidApiToken && note == "Unknown" && !self.checks_secrets() {
            return match (&self.store, &self.found) {
                (None, _) => self.accepted(
                    given,
                    vec!["whether it exists, and its secret (--database URL)"],
                ),
                (Some(_), None) => self.refused(given, reason, note),
                (Some(_), Some(found)) => match found.refusal(given) {
                    Some((reason, note)) => self.refused(given, reason, note),
                    None => self.accepted(given, vec!["its secret (--pepper-file FILE)"]),
                },
            };
        }
        let cause = rejection.cause().map(tower_mcp_auth::BackendError::report);
        let note = cause.as_deref().unwrap_or(note);
        self.refused(given, reason, &note.replace(KEYS, "--jwks"))
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

fn tell_context(context: &AuthContext, steps: &mut Steps) {
    let principal = context.principal();
    let who = format!(
        "{} of {}, as {}",
        principal.subject(),
        context.organization(),
        context.method().name()
    );
    steps.add(Mark::Good, "principal", who);
    steps.add(Mark::Fact, "granted", principal.scopes().to_string());
}
