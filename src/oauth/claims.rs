//! What a token claims, judged against its issuer's rules and the time: pure, and before any
//! signature is checked, because these refusals are a hundred times cheaper than a signature.

use super::confirmation::confirmation;
use super::times::{is_expired, numeric_date};
use super::unverified::Unverified;
use super::{delegation, kinds};
use crate::clock::UnixTime;
use crate::ident::{ClientId, OrganizationId, Subject, TenantId};
use crate::issuer::Issuer;
use crate::jose::json::{Json, Object};
use crate::profile::{AudienceRule, ScopeClaim};
use crate::rejection::{Reason, Rejection};
use crate::resource::Resource;
use crate::scope::ScopeSet;

/// Most words read from one list claim (roles, groups, entitlements).
pub(super) const MAX_LIST: usize = 256;

/// The one text a claim must be, if present at all.
pub(super) fn text<'c>(claims: &'c Object<'_>, path: &str) -> Result<Option<&'c str>, Rejection> {
    match claims.at_path(path) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(path)),
    }
}

/// A `NumericDate`: a finite JSON number, fractions dropped, of a year people can write (T8).
pub(crate) fn time(claims: &Object<'_>, claim: &str) -> Result<Option<UnixTime>, Rejection> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Json::Number(digits)) => numeric_date(digits)
            .map(Some)
            .ok_or_else(|| malformed(claim)),
        Some(_) => Err(malformed(claim)),
    }
}

/// Whether `aud`, a string or an array of nothing but strings, names this resource or another name
/// it has for its issuer (T10); `None` if it is absent.
pub(super) fn names_us(
    claims: &Object<'_>,
    issuer: &Issuer,
    resource: &Resource,
) -> Result<Option<bool>, Rejection> {
    let ours = |value: &str| {
        resource.is_audience(value) || issuer.audiences.iter().any(|known| known == value)
    };
    match claims.get("aud") {
        None => Ok(None),
        Some(Json::String(audience)) => Ok(Some(ours(audience))),
        Some(Json::Array(items)) => {
            let mut named = false;
            for item in items {
                named |= ours(item.as_str().ok_or_else(|| malformed("aud"))?);
            }
            Ok(Some(named))
        }
        Some(_) => Err(malformed("aud")),
    }
}

/// Whether nothing says for whom a token is.
pub(super) fn is_unaddressed(claims: &Object<'_>) -> bool {
    match claims.get("aud") {
        None => true,
        Some(Json::Array(names)) => names.is_empty(),
        Some(_) => false,
    }
}

pub(super) fn malformed(claim: &str) -> Rejection {
    Rejection::new(Reason::MalformedClaim).with_note(claim.to_owned())
}

pub(super) fn missing(claim: &str) -> Rejection {
    Rejection::new(Reason::MissingClaim).with_note(claim.to_owned())
}

/// `iss` as one string (T9). The issuer is chosen by it before any key is looked at.
pub(crate) fn issuer_of<'c>(claims: &'c Object<'_>) -> Result<&'c str, Rejection> {
    text(claims, "iss")?.ok_or_else(|| missing("iss"))
}

/// The claims under judgement, with what they are judged by.
struct Judge<'c, 't> {
    claims: &'c Object<'t>,
    issuer: &'c Issuer,
    resource: &'c Resource,
    now: UnixTime,
    /// Not the payload of a token, but what its issuer answered about one.
    answered: Option<Answered>,
}

/// What is known of an answer about a token (RFC 7662 §2.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// Until when it serves, if the token does not say.
    pub(crate) until: UnixTime,
    /// Whether the issuer answers for no other resource.
    pub(crate) only_for_us: bool,
}

/// Judges every claim except the signature over them.
pub(crate) fn judge(
    claims: &Object<'_>,
    issuer: &Issuer,
    resource: &Resource,
    now: UnixTime,
    answered: Option<Answered>,
) -> Result<Unverified, Rejection> {
    let judge = Judge {
        claims,
        issuer,
        resource,
        now,
        answered,
    };
    match answered {
        None => kinds::check(claims, issuer.profile.marker)?,
        Some(answered) => kinds::check_answer(claims, answered.only_for_us)?,
    }
    let (expires_at, issued_at) = judge.times()?;
    let client = judge.client()?;
    judge.audience(client.as_ref())?;
    let confirmation = confirmation(claims)?;
    let subject = judge.subject(client.as_ref())?;
    let subject = Subject::new(subject).ok_or_else(|| malformed("sub"))?;
    Ok(Unverified {
        kind: kinds::of(
            claims,
            issuer.profile.client_mark,
            &subject,
            client.as_ref(),
        ),
        scopes: judge.scopes()?,
        authenticated_at: judge.time("auth_time")?,
        authentication_class: text(claims, "acr")?.map(Into::into),
        authentication_methods: delegation::methods(claims)?,
        actor: delegation::actor(claims)?,
        token_id: judge.token_id()?,
        roles: judge.words(&issuer.profile.roles)?,
        groups: judge.words(&issuer.profile.groups)?,
        entitlements: judge.words(&issuer.profile.entitlements)?,
        organization: judge.identifier(issuer.organization_claim.as_deref(), |id| {
            OrganizationId::new(id)
        })?,
        tenant: judge.identifier(issuer.tenant_claim.as_deref(), |id| TenantId::new(id))?,
        subject,
        client,
        expires_at,
        issued_at,
        confirmation,
    })
}

impl Judge<'_, '_> {
    fn time(&self, claim: &str) -> Result<Option<UnixTime>, Rejection> {
        time(self.claims, claim)
    }

    fn times(&self) -> Result<(UnixTime, Option<UnixTime>), Rejection> {
        let leeway = self.issuer.leeway_secs();
        let expires_at = self.time("exp")?;
        let expires_at = expires_at.or(self.answered.map(|answered| answered.until));
        let expires_at = expires_at.ok_or_else(|| missing("exp"))?;
        if is_expired(expires_at, leeway, self.now) {
            return Err(Reason::Expired.into());
        }
        if expires_at.since(self.now.plus_secs(leeway)) > self.issuer.max_lifetime {
            return Err(Reason::LifetimeTooLong.into());
        }
        let latest = self.now.plus_secs(leeway);
        if self
            .time("nbf")?
            .is_some_and(|not_before| not_before > latest)
        {
            return Err(Reason::NotYetValid.into());
        }
        let issued_at = self.time("iat")?;
        if issued_at.is_some_and(|issued| issued > latest) {
            return Err(Reason::IssuedInFuture.into());
        }
        let required = self.issuer.profile.requires_issued_at && self.answered.is_none();
        if issued_at.is_none() && required {
            return Err(missing("iat"));
        }
        Ok((expires_at, issued_at))
    }

    fn token_id(&self) -> Result<Option<Box<str>>, Rejection> {
        match text(self.claims, "jti")? {
            // Revocations name it, and a database may not take NUL.
            Some(id) if id.is_empty() || id.chars().any(char::is_control) => Err(malformed("jti")),
            Some(id) => Ok(Some(id.into())),
            None if self.issuer.profile.requires_token_id && self.answered.is_none() => {
                Err(missing("jti"))
            }
            None => Ok(None),
        }
    }

    fn client(&self) -> Result<Option<ClientId>, Rejection> {
        let profile = &self.issuer.profile;
        let standard = self.answered.map(|_| "client_id");
        let claims = profile.client_claims.iter().map(AsRef::as_ref);
        for claim in standard.into_iter().chain(claims) {
            if let Some(client) = text(self.claims, claim)? {
                return ClientId::new(client)
                    .map(Some)
                    .ok_or_else(|| malformed(claim));
            }
        }
        match profile.client_claims.first() {
            Some(claim) if profile.requires_client => Err(missing(claim)),
            _ => Ok(None),
        }
    }

    /// `aud` must name this resource. A list of clients stands in for an absent one, never for one
    /// that names another resource.
    fn audience(&self, client: Option<&ClientId>) -> Result<(), Rejection> {
        let named = if self.answers_only_for_us() && is_unaddressed(self.claims) {
            true
        } else {
            names_us(self.claims, self.issuer, self.resource)?.unwrap_or(matches!(
                self.issuer.profile.audience,
                AudienceRule::Clients(_)
            ))
        };
        let known_client = match &self.issuer.profile.audience {
            AudienceRule::Resource => true,
            AudienceRule::Clients(clients) => {
                client.is_some_and(|client| clients.iter().any(|known| known == client.as_str()))
            }
        };
        (named && known_client)
            .then_some(())
            .ok_or_else(|| Reason::WrongAudience.into())
    }

    fn answers_only_for_us(&self) -> bool {
        self.answered.is_some_and(|answered| answered.only_for_us)
    }

    /// `sub`; of which an answer may be silent where nobody stands behind the client.
    fn subject<'s>(&'s self, client: Option<&'s ClientId>) -> Result<&'s str, Rejection> {
        let alone = self.answered.is_some() && !self.claims.has("username");
        let client = client.map(ClientId::as_str).filter(|_| alone);
        let subject = text(self.claims, "sub")?;
        subject.or(client).ok_or_else(|| missing("sub"))
    }

    fn scopes(&self) -> Result<ScopeSet, Rejection> {
        let standard = self.answered.is_some() && self.claims.has("scope");
        let claim = match self.issuer.profile.scope_claim {
            ScopeClaim::Scp if !standard => "scp",
            _ => "scope",
        };
        let parsed = match (self.claims.get(claim), self.issuer.profile.scope_claim) {
            (None, _) => Some(ScopeSet::empty()),
            (Some(Json::String(words)), _) => ScopeSet::parse(words),
            (Some(Json::Array(items)), ScopeClaim::Scp) => {
                let words: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
                words.and_then(ScopeSet::from_words)
            }
            _ => None,
        };
        parsed.ok_or_else(|| malformed(claim))
    }

    /// A list of words: an array of strings, or one string. Anything else there is not a list of
    /// ours (RFC 9068 §2.2.3.1 allows SCIM objects) and gives no words, hence no rights.
    fn words(&self, path: &str) -> Result<Box<[Box<str>]>, Rejection> {
        match self.claims.at_path(path) {
            Some(Json::String(word)) => Ok(Box::new([word.as_ref().into()])),
            Some(Json::Array(items)) if items.len() > MAX_LIST => Err(malformed(path)),
            Some(Json::Array(items)) => Ok(items
                .iter()
                .filter_map(Json::as_str)
                .map(Into::into)
                .collect()),
            _ => Ok(Box::new([])),
        }
    }

    fn identifier<T>(
        &self,
        path: Option<&str>,
        new: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Rejection> {
        let Some(path) = path else { return Ok(None) };
        match text(self.claims, path)? {
            Some(value) => new(value).map(Some).ok_or_else(|| malformed(path)),
            None => Ok(None),
        }
    }
}
