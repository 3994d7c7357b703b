//! The parsers behind the public API, for the targets in `fuzz/`. No part of the crate: it is there
//! only under `--cfg fuzzing`, and nothing in it decides anything.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::api_token::{PresentedToken, TokenFormat, TokenId, TokenKind, TokenSecret};
use crate::authenticator::Authenticator;
use crate::clock::UnixTime;
use crate::dpop::{Dpop, Expected, Fault, Rules};
use crate::error::{BackendError, Problems};
use crate::ident::OrganizationId;
use crate::issuer::Issuer;
use crate::jose::{Found, KeySet};
use crate::oauth::jwt::{Attempt, Outcome, Trust, validate};
use crate::oauth::set;
use crate::operation::Operation;
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};
use crate::revocation::RevocationTarget;
use crate::scope::ScopeSet;
use crate::stage::Way;
use crate::wire::authorization::{self, Presented};
use crate::wire::basic::read_basic;
use crate::wire::challenge::{self, BearerChallenge};

/// A credential as read: its scheme, and the text after it.
///
/// # Errors
///
/// Why there is none.
pub fn credential<'h>(
    headers: &'h HeaderMap,
    limit: usize,
    api_key_header: Option<&HeaderName>,
) -> Result<(&'static str, &'h str), Reason> {
    Ok(match authorization::read(headers, limit, api_key_header)? {
        Presented::Bearer(text) => ("bearer", text),
        Presented::Basic(text) => ("basic", text),
        Presented::Dpop(text) => ("dpop", text),
        Presented::ApiKey(text) => ("key", text),
    })
}

/// What other code takes out of one line, or says about all of them.
#[must_use]
pub fn glances<'h>(headers: &'h HeaderMap, line: &'h HeaderValue) -> (bool, Option<&'h str>) {
    (
        authorization::is_dpop(headers),
        authorization::access_token(line),
    )
}

/// Email and secret of a Basic credential, or the code of what is wrong with it.
///
/// # Errors
///
/// The code.
pub fn basic(credential: &str) -> Result<(String, String), &'static str> {
    let read = read_basic(credential);
    read.map(|basic| (basic.email().to_owned(), basic.secret().to_owned()))
        .map_err(|fault| {
            let _ = fault.hint();
            fault.code()
        })
}

/// The parts of a challenge.
#[derive(Debug)]
pub struct Challenge<'a> {
    /// `error`.
    pub error: Option<&'static str>,
    /// `error_description`.
    pub description: Option<&'a str>,
    /// `scope`.
    pub scope: &'a ScopeSet,
    /// `acr_values`.
    pub acr_values: Option<&'a str>,
    /// `max_age`.
    pub max_age: Option<u64>,
    /// `resource_metadata`.
    pub metadata: &'a str,
}

impl Challenge<'_> {
    /// As Bearer and as DPoP challenge.
    #[must_use]
    pub fn lines(&self, algorithms: &str) -> [HeaderValue; 2] {
        let challenge = BearerChallenge {
            error: self.error,
            error_description: self.description,
            scope: self.scope,
            acr_values: self.acr_values,
            max_age: self.max_age,
            resource_metadata: self.metadata,
        };
        [challenge.to_header(), challenge.to_dpop_header(algorithms)]
    }
}

/// A Basic challenge.
#[must_use]
pub fn basic_challenge(realm: &str) -> Option<HeaderValue> {
    challenge::basic_challenge(realm)
}

/// What a JSON-RPC message asks for.
#[derive(Debug)]
pub struct Asked {
    /// `Request`, `Notification` or `Response`.
    pub kind: String,
    /// The JSON of the id.
    pub id: Option<String>,
    /// Method, and the name of what it acts on with the kind of that.
    pub operation: Option<(String, Option<String>)>,
    /// The JSON of the arguments.
    pub arguments: Option<Vec<u8>>,
    /// Resources it subscribes to besides.
    pub subscriptions: Vec<String>,
}

/// Reads a message; `None` if it is refused.
#[must_use]
pub fn message(body: &[u8]) -> Option<Asked> {
    let message = crate::rpc::read(body).ok()?;
    let owned = |operation: Operation<'_>| {
        let target = operation.target().map(|target| format!("{target:?}"));
        (operation.method().to_owned(), target)
    };
    Some(Asked {
        kind: format!("{:?}", message.kind()),
        id: message.id().map(ToOwned::to_owned),
        operation: message.operation().map(owned),
        arguments: message.arguments().map(<[u8]>::to_vec),
        subscriptions: message
            .subscriptions()
            .filter_map(|one| Some(one.target()?.name().to_owned()))
            .collect(),
    })
}

/// Whether a text is JSON that every reader reads alike.
#[must_use]
pub fn is_plain_json(text: &[u8]) -> bool {
    crate::rpc::check(text).is_ok()
}

/// A key set as read: how many (key, algorithm) pairs, and place and `kid` of what was dropped.
///
/// # Errors
///
/// It holds no usable key.
pub fn key_set(body: &[u8], algorithms: &[crate::SigningAlgorithm]) -> Result<Keys, BackendError> {
    let parsed = KeySet::parse(body, algorithms)?;
    let dropped = parsed.dropped.into_iter();
    Ok(Keys {
        dropped: dropped.map(|one| (one.index, one.kid)).collect(),
        set: parsed.keys,
    })
}

/// The usable keys of a document.
#[derive(Debug)]
pub struct Keys {
    /// Place and `kid` of what was left out.
    pub dropped: Vec<(usize, Option<String>)>,
    set: KeySet,
}

impl Keys {
    /// How many (key, algorithm) pairs there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.set.len()
    }

    /// Whether a key of that name and algorithm made the signature; `None` if too many fit.
    #[must_use]
    pub fn verify(
        &self,
        kid: Option<&str>,
        algorithm: crate::SigningAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        match self.set.candidates(kid, algorithm) {
            Found::Keys(candidates) => Some(candidates.verify(message, signature).is_some()),
            Found::Unknown => Some(false),
            Found::Ambiguous => None,
        }
    }
}

/// `jwks_uri` and `introspection_endpoint` of an issuer's metadata.
///
/// # Errors
///
/// It cannot be used.
pub fn metadata(
    issuer: &Issuer,
    body: &[u8],
) -> Result<(Option<String>, Option<String>), BackendError> {
    crate::oauth::read_metadata(issuer, body)
}

/// The tokens of some issuers, judged by an authenticator's clock, fetch and resource.
#[derive(Debug)]
pub struct Tokens {
    auth: Authenticator,
    trust: Trust,
}

impl Tokens {
    /// No keys yet.
    #[must_use]
    pub fn new(auth: &Authenticator, issuers: impl IntoIterator<Item = Issuer>) -> Self {
        let trusted = issuers.into_iter();
        let trust = Trust::new(trusted.map(|issuer| auth.other_issuer(issuer)));
        let auth = auth.clone();
        Self { auth, trust }
    }

    /// Fetches the keys.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    pub async fn warm_up(&self) -> Result<(), BackendError> {
        for issuer in self.trust.issuers() {
            issuer.keys.warm_up().await?;
        }
        Ok(())
    }

    /// Judges an access token; `None` if that takes keys that are not there.
    #[must_use]
    pub fn access(
        &self,
        token: &str,
        now: UnixTime,
    ) -> Option<Result<(Principal, OrganizationId), Rejection>> {
        let resource = &self.auth.resource();
        let moment = (now, Way::default());
        match validate(token, &self.trust, resource, moment, Attempt::AfterWait) {
            Outcome::Decided(Ok(good)) => Some(Ok((good.principal, good.organization))),
            Outcome::Decided(Err(rejection)) => Some(Err(rejection)),
            Outcome::Wait(_) => None,
        }
    }

    /// Judges a security event token: its `jti`, and what it revokes.
    #[must_use]
    pub fn event(
        &self,
        token: &str,
        speaks_for: &[String],
        now: UnixTime,
    ) -> Option<Result<(String, Vec<RevocationTarget>), Rejection>> {
        let resource = &self.auth.resource();
        match set::validate(token, &self.trust, resource, now, Attempt::AfterWait) {
            set::Outcome::Decided(Ok(good)) => {
                let targets = crate::events::targets(&good, speaks_for, now);
                Some(targets.map(|targets| (good.id.into(), targets)))
            }
            set::Outcome::Decided(Err(rejection)) => Some(Err(rejection)),
            set::Outcome::Wait(_) => None,
        }
    }
}

/// Rules about DPoP proofs.
#[derive(Debug)]
pub struct Proofs(Rules);

/// What a proof has to be about.
#[derive(Clone, Copy, Debug)]
pub struct About<'r> {
    /// The method.
    pub method: &'r str,
    /// Identifier of the resource, and its path.
    pub resource: (&'r str, &'r str),
    /// The path of the request.
    pub path: &'r str,
    /// The access token.
    pub token: &'r [u8],
    /// What it is bound to.
    pub key: &'r [u8; 32],
}

impl Proofs {
    /// `None` if the settings are wrong.
    #[must_use]
    pub fn new(settings: &Dpop) -> Option<Self> {
        settings.examine(&mut Problems::default()).map(Self)
    }

    /// Judges a proof.
    ///
    /// # Errors
    ///
    /// Which rule it breaks.
    pub fn judge(&self, proof: &str, about: About<'_>, now: UnixTime) -> Result<(), &'static str> {
        let expected = Expected {
            method: about.method,
            resource: about.resource,
            path: about.path,
            token: about.token,
            key: about.key,
            now,
        };
        match self.0.judge(proof, expected, &OnceLock::new()) {
            Ok(_) => Ok(()),
            Err(Fault::Invalid(note)) => Err(note),
            Err(Fault::OtherKey) => Err("key"),
            Err(Fault::Nonce) => Err("nonce"),
        }
    }
}

/// Every API token in a text.
#[must_use]
pub fn find_all<'a>(format: &TokenFormat, text: &'a str) -> Vec<PresentedToken<'a>> {
    format.find_all(text).collect()
}

/// The secret of a token.
#[must_use]
pub fn secret_of<'a>(token: &PresentedToken<'a>) -> &'a str {
    token.secret()
}

/// The text of a token.
#[must_use]
pub fn assemble(format: &TokenFormat, kind: TokenKind, id: &TokenId, secret: &str) -> TokenSecret {
    format.assemble(kind, id, secret)
}
