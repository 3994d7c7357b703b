//! The way of a request, as one function that never waits: it decides, or says what it needs.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::binding::{Admission, KeptHead};
use super::carried::StillGood;
use super::limits::check_networks;
use super::need::{Asked, Need};
use super::remembered::{Fact, Remembered};
use super::tokens::{Tokens, UsedToken};
use super::{Head, Inner};
use crate::context::{Admitted, AuthContext};
use crate::enrich::Enrichment;
use crate::ident::{ClientId, OrganizationId};
use crate::jose::compact::is_token_shaped;
use crate::method::AuthMethod;
use crate::oauth::jwt::{Attempt, Outcome, validate};
use crate::oauth::verdicts::Verdict;
use crate::policy::{Permitted, PolicySubject, evaluate, refusal};
use crate::principal::Principal;
use crate::rejection::{Reason, Rejection};
use crate::secret::SecretText;
use crate::signal::Causes;
use crate::stage::Stage;
use crate::wire::authorization::{Found, Presented, Scheme, find};

/// A credential that outlives its request's borrow, while something is waited for.
pub(super) struct Kept {
    scheme: Scheme,
    text: SecretText,
    head: KeptHead,
}

impl Kept {
    /// Only what has been read as text is waited for.
    pub(super) fn of(found: Found<'_>, head: Head<'_>) -> Self {
        Self {
            scheme: found.scheme,
            text: SecretText::new(std::str::from_utf8(found.bytes).unwrap_or_default()),
            head: KeptHead::of(head),
        }
    }

    pub(super) fn head(&self) -> Head<'_> {
        self.head.head()
    }

    pub(super) fn found(&self) -> Found<'_> {
        Found {
            scheme: self.scheme,
            bytes: self.text.expose().as_bytes(),
        }
    }
}

/// A proven party, before any rule about it.
pub(super) struct Proven {
    pub(super) principal: Principal,
    pub(super) organization: OrganizationId,
    pub(super) method: AuthMethod,
    /// An API token, whose own limits apply too.
    pub(super) token: Option<UsedToken>,
    /// The memory of this proof.
    pub(super) remembered: Option<Arc<Remembered>>,
}

impl Inner {
    pub(super) fn api_key_header(&self) -> Option<&HeaderName> {
        self.tokens()?.header.as_ref()
    }

    fn tokens(&self) -> Option<&Tokens> {
        self.shared.tokens.as_ref()
    }

    /// The one credential of a request.
    pub(super) fn present<'h>(&self, headers: &'h HeaderMap) -> Result<Found<'h>, Rejection> {
        let found = find(headers, self.credential_limit, self.api_key_header());
        let found = found.and_then(|found| match found.scheme {
            Scheme::Dpop if self.shared.bindings.algorithms().is_none() => {
                Err(Reason::UnsupportedScheme)
            }
            _ => Ok(found),
        });
        found.map_err(|reason| match reason {
            Reason::MissingCredential | Reason::UnsupportedScheme => {
                self.word(self.ask(reason), headers)
            }
            reason => reason.into(),
        })
    }

    /// The refusal that says which credentials are taken here.
    pub(super) fn ask(&self, reason: Reason) -> Rejection {
        if self.tokens().is_none() {
            return Rejection::new(reason);
        }
        let asks = self.asks.get_or_init(|| asking().map(Rejection::standing));
        let asking = asks.iter().find(|ask| ask.reason() == reason);
        asking.cloned().unwrap_or_else(|| Rejection::new(reason))
    }

    /// Decides, or says what is missing. Pure but for the caches it reads.
    pub(super) fn attempt(
        &self,
        found: Found<'_>,
        head: Head<'_>,
        asked: Asked<'_>,
    ) -> Result<Admission, Need> {
        let proven = self.prove(found, asked)?;
        asked.way.reach(Stage::Binding);
        let proof = match self.check_binding(&proven, found, head, asked) {
            Ok(proof) => proof,
            // Whose token it is that somebody else may have.
            Err(rejection) => {
                let (principal, organization) = (proven.principal, proven.organization);
                return Err(rejection
                    .about(principal, organization, proven.method)
                    .into());
            }
        };
        let next_nonce = self.next_nonce(proof.as_ref(), asked);
        let admitted = self.admit(&proven, asked);
        let Proven {
            principal,
            organization,
            method,
            token,
            remembered: _,
        } = proven;
        match admitted {
            Ok((permitted, enrichment)) => {
                let admitted = Admitted {
                    principal,
                    organization,
                    method,
                    permitted,
                    enrichment,
                    token,
                    next_nonce,
                    at: asked.now,
                };
                let context = AuthContext::grant(admitted, self.operations.clone());
                Ok(Admission { context, proof })
            }
            Err(Need::Refused(rejection)) => {
                Err(rejection.about(principal, organization, method).into())
            }
            Err(need) => Err(need),
        }
    }

    /// Shape alone decides who judges a credential; there is no second opinion (JWT-2). With the
    /// party comes what is worth remembering.
    pub(super) fn prove_anew(
        &self,
        found: Found<'_>,
        asked: Asked<'_>,
    ) -> Result<(Proven, Option<Fact>), Need> {
        let presented = found.read()?;
        let Some(tokens) = self.tokens() else {
            return match presented {
                Presented::Bearer(text) | Presented::Dpop(text) => self.access_token(text, asked),
                Presented::Basic(_) => Err(Reason::UnsupportedScheme.into()),
                Presented::ApiKey(_) => Err(Reason::UnrecognizedCredential.into()),
            };
        };
        let (text, is_bearer) = match presented {
            Presented::Basic(text) => return proven_by(tokens.basic(text, asked)),
            // An API token is bound to no key, and is nothing to show to an issuer.
            Presented::Dpop(text) if !matches!(tokens.claim(text), Ok(None)) => {
                return Err(Reason::UnrecognizedCredential.into());
            }
            Presented::Dpop(text) => return self.access_token(text, asked),
            Presented::Bearer(text) => (text, true),
            Presented::ApiKey(text) => (text, false),
        };
        let claim = tokens.claim(text).map_err(|quarrel| {
            Rejection::new(Reason::UnrecognizedCredential).with_note(quarrel.0)
        })?;
        if is_bearer && claim.is_none() {
            return self.access_token(text, asked);
        }
        proven_by(tokens.key(claim, text, asked))
    }

    fn access_token(&self, text: &str, asked: Asked<'_>) -> Result<(Proven, Option<Fact>), Need> {
        if !is_token_shaped(text) {
            return self.opaque_token(text, asked);
        }
        let attempt = if asked.waited.keys {
            Attempt::AfterWait
        } else {
            Attempt::First
        };
        let moment = (asked.now, asked.way);
        match validate(text, &self.trust, &self.resource, moment, attempt) {
            Outcome::Decided(Ok(verified)) => {
                let fact = Verdict::of(&verified, asked.now).map(Fact::AccessToken);
                let proven = Proven {
                    principal: verified.principal,
                    organization: verified.organization,
                    method: AuthMethod::OAuth,
                    token: None,
                    remembered: None,
                };
                Ok((proven, fact))
            }
            Outcome::Decided(Err(rejection)) => Err(rejection.into()),
            // A second wait is never granted; were it asked for, we could not know.
            Outcome::Wait(_) if asked.waited.keys => Err(Reason::IssuerUnavailable.into()),
            Outcome::Wait(wait) => Err(Need::Keys(wait)),
        }
    }

    /// What stands between a proven party and being let in: revocation, policy, the token's own
    /// limits, scopes, the directory. Each step only takes away (POL-16).
    fn admit(
        &self,
        proven: &Proven,
        asked: Asked<'_>,
    ) -> Result<(Option<Permitted>, Option<Enrichment>), Need> {
        let revocations = &self.ground.revocations;
        revocations.observe(&proven.principal, asked.now);
        revocations.check(proven, asked)?;
        let permitted = self.permit(proven, asked)?;
        asked.way.reach(Stage::Network);
        check_networks(proven, asked.sender, permitted.as_ref())?;
        asked.way.reach(Stage::Scopes);
        self.check_scopes(proven)?;
        let rules = &self.ground.rules;
        let enrichment = rules.enrichment(proven, asked)?;
        Ok((permitted, enrichment))
    }

    /// Whether a party that was let in still would be, as far as `causes` may have changed that; of
    /// an API token that was looked at, also until when. Scopes stay with their credential, unless it is
    /// an opaque token: its party becomes what its issuer says now.
    pub(super) fn readmit(
        &self,
        (mut party, opaque): (Proven, Option<&SecretText>),
        causes: Causes,
        asked: Asked<'_>,
    ) -> Result<StillGood, Need> {
        self.ground.revocations.check(&party, asked)?;
        let until = match (&party.token, self.tokens(), opaque) {
            _ if !causes.contains(Causes::TOKEN) => None,
            (Some(used), Some(tokens), _) => tokens.still_serves(used, asked)?,
            (_, _, Some(text)) => Some(self.still_active(text, &mut party, asked)?),
            _ => None,
        };
        let permitted = if causes.contains(Causes::POLICY) {
            self.permit(&party, asked)?
        } else {
            None
        };
        check_networks(&party, asked.sender, permitted.as_ref())?;
        if causes.contains(Causes::ALL) {
            self.ground.rules.enrichment(&party, asked)?;
        }
        let principal = party.principal;
        Ok(StillGood { until, principal })
    }

    fn permit(&self, proven: &Proven, asked: Asked<'_>) -> Result<Option<Permitted>, Need> {
        let rules = &self.ground.rules;
        let Some(policy) = rules.policy(proven, asked)? else {
            return Ok(None);
        };
        let principal = &proven.principal;
        let mut subject = PolicySubject::new(proven.method, asked.now);
        subject.issuer = Some(principal.issuer());
        subject.client = principal.client().map(ClientId::as_str);
        subject.tenant = principal.tenant();
        subject.tenants = proven
            .token
            .as_ref()
            .map_or(&[], |token| &*token.held.tenants);
        subject.address = asked.sender.address;
        subject.credential_issued_at = principal.issued_at();
        subject.credential_expires_at = Some(principal.expires_at());
        subject.supported_clients = &self.shared.supported_clients;
        evaluate(&policy, &subject)
            .map(Some)
            .map_err(|denial| refusal(&denial, self.shared.disabled_is_forbidden).into())
    }
}

/// The refusals of those who have yet to say who they are, where there are API tokens.
fn asking() -> [Rejection; 2] {
    let missing = "Send an OAuth 2.1 access token as Bearer or, if your organization allows it, an API token: a personal one as Basic with its email, a service-account key as Bearer.";
    let unsupported = "The Authorization header begins with no scheme that this server takes. Write Bearer before an access token or a service-account key, Basic before base64(email:api_token).";
    [
        (Reason::MissingCredential, missing),
        (Reason::UnsupportedScheme, unsupported),
    ]
    .map(|(reason, message)| {
        Rejection::new(reason)
            .with_detail("allowed_methods", every_method())
            .with_message(message)
    })
}

/// What this server takes, whatever organizations allow.
fn every_method() -> Vec<&'static str> {
    AuthMethod::ALL.map(AuthMethod::name).to_vec()
}

/// An API token as proof. A refusal of the token itself lists what else could be sent: the same for
/// whatever is wrong with it, since it is about the server and not about the token (T27).
fn proven_by(used: Result<UsedToken, Need>) -> Result<(Proven, Option<Fact>), Need> {
    match used {
        Ok(used) => {
            let issued = used.issued.is_some();
            let fact = issued.then(|| Fact::ApiToken(used.clone()));
            Ok((used.into(), fact))
        }
        Err(Need::Refused(rejection)) if rejection.reason().error() == "invalid_credentials" => {
            Err(rejection
                .with_detail("allowed_methods", every_method())
                .into())
        }
        Err(need) => Err(need),
    }
}

impl From<UsedToken> for Proven {
    fn from(token: UsedToken) -> Self {
        let held = &token.held;
        Self {
            principal: held.principal.clone(),
            organization: held.organization.clone(),
            method: held.method,
            token: Some(token),
            remembered: None,
        }
    }
}
