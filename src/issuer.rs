//! An authorization server as this resource server sees it: whom to trust, for what, how long.
//!
//! Claims are named by path: `org_id` is a member of the token's payload, and a path that begins
//! with `/` is a JSON pointer (RFC 6901) such as `/realm_access/roles`. A URL-shaped claim name such
//! as `https://example.com/org` is an ordinary name.

mod introspection;

use std::time::Duration;

use url::Url;

use crate::address::check_url;
use crate::algorithm::SigningAlgorithm;
use crate::error::Problems;
use crate::profile::{AudienceRule, Profile};

pub use introspection::Introspection;
pub(crate) use introspection::{Client, Proof};

/// How old an issuer's keys may be.
///
/// Within `lifetime` keys count as current; they are refreshed at 80 % of it, off the request path.
/// If the issuer cannot be reached then, they go on working for `stale` more. A key the issuer
/// withdraws therefore stops working within `lifetime` while the issuer answers, and within
/// `lifetime + stale` if it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    pub(crate) lifetime: Duration,
    pub(crate) stale: Duration,
}

impl Default for Freshness {
    /// Five minutes, and 24 hours while the issuer is down.
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(300),
            stale: Duration::from_secs(24 * 3600),
        }
    }
}

impl Freshness {
    /// Five minutes, and one hour while the issuer is down.
    #[must_use]
    pub fn strict() -> Self {
        Self::default().stale(Duration::from_secs(3600))
    }

    /// How long fetched keys count as current when the issuer's `Cache-Control: max-age` does not
    /// say otherwise. 1 to 60 minutes; an announced `max-age` is clamped to the same range.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How long keys outlive their lifetime while the issuer is down. 0 to 7 days.
    #[must_use]
    pub fn stale(mut self, stale: Duration) -> Self {
        self.stale = stale;
        self
    }
}

/// An authorization server whose access tokens are accepted.
///
/// ```
/// use std::time::Duration;
/// use tower_mcp_auth::{Issuer, SigningAlgorithm};
///
/// let issuer = Issuer::new("https://auth.example.com/t1")
///     .organization_claim("org_id")
///     .algorithms([SigningAlgorithm::Es256])
///     .leeway(Duration::from_secs(10));
/// ```
///
/// Nothing is checked here: every mistake is reported, together with all others, when the
/// [`Authenticator`](crate::Authenticator) is built.
#[derive(Clone, Debug)]
pub struct Issuer {
    pub(crate) identifier: String,
    pub(crate) profile: Profile,
    pub(crate) algorithms: Vec<SigningAlgorithm>,
    pub(crate) audiences: Vec<String>,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) organization_claim: Option<String>,
    pub(crate) tenant_claim: Option<String>,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) freshness: Freshness,
    pub(crate) introspection: Option<Introspection>,
}

impl Issuer {
    /// The issuer with exactly this identifier, as in `iss` and in its metadata. A trailing slash
    /// counts. HTTPS, except on loopback.
    #[must_use]
    pub fn new(identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            profile: Profile::default(),
            algorithms: SigningAlgorithm::DEFAULT.to_vec(),
            audiences: Vec::new(),
            jwks_uri: None,
            organization_claim: None,
            tenant_claim: None,
            leeway: Duration::from_secs(30),
            max_lifetime: Duration::from_secs(24 * 3600),
            freshness: Freshness::default(),
            introspection: None,
        }
    }

    /// The shape of its access tokens. Default: [`Profile::rfc9068`].
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// The signature algorithms it may use. Default: RS256, PS256, ES256, EdDSA.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = SigningAlgorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Another value of `aud` that means this resource in this issuer's tokens, such as an
    /// application id. May be called several times. Compared exactly; never a prefix.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Where its keys are, for an issuer without a metadata document at the standard places.
    /// Otherwise they are discovered (RFC 8414, OpenID Connect Discovery).
    #[must_use]
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.jwks_uri = Some(uri.into());
        self
    }

    /// The claim that names the organization. Once set, a token without it is refused, and so is
    /// one that names `default`, the implicit organization for which an issuer without this setting
    /// speaks.
    ///
    /// The name is taken as the issuer writes it: of several issuers with this setting, each can
    /// name the organizations of the others.
    #[must_use]
    pub fn organization_claim(mut self, path: impl Into<String>) -> Self {
        self.organization_claim = Some(path.into());
        self
    }

    /// The claim that binds a token to one site of the organization, where the issuer does that.
    #[must_use]
    pub fn tenant_claim(mut self, path: impl Into<String>) -> Self {
        self.tenant_claim = Some(path.into());
        self
    }

    /// Tolerance for clocks that disagree, applied to `exp`, `nbf` and `iat`. Default 30 s, at most
    /// 300 s, in whole seconds.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest remaining life a token may have. Default 24 h.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// How old its keys may be. Default: five minutes, and 24 h while it is down.
    #[must_use]
    pub fn freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// The leeway in whole seconds, as times are reckoned.
    pub(crate) fn leeway_secs(&self) -> i64 {
        i64::try_from(self.leeway.as_secs()).unwrap_or(0)
    }

    /// Takes its opaque tokens too, by asking it about each one (RFC 7662). Default: none are taken.
    #[must_use]
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// Adds every mistake to `problems`; `field` names this issuer.
    pub(crate) fn examine(&self, field: &str, problems: &mut Problems) {
        let identifier = examine_url(field, &self.identifier, problems);
        if identifier.is_some_and(|url| url.path().contains("/.well-known/")) {
            // No issuer has such a name (RFC 8414 §3); its metadata would be looked for below this.
            let remedy = "write the identifier, as `issuer` in this document says it, and not where the document is";
            problems.add(field, &self.identifier, remedy);
        }
        if let Some(uri) = &self.jwks_uri {
            examine_url(&format!("{field}.jwks_uri"), uri, problems);
        }
        if self.algorithms.is_empty() {
            problems.add(
                format!("{field}.algorithms"),
                "[]",
                "no token could ever be accepted; list at least one algorithm, e.g. Es256",
            );
        }
        self.examine_times(field, problems);
        self.examine_profile(field, problems);
        if let Some(introspection) = &self.introspection {
            introspection.examine(&format!("{field}.introspection"), problems);
        }
        let claims = [
            ("organization_claim", &self.organization_claim),
            ("tenant_claim", &self.tenant_claim),
        ];
        for (name, claim) in claims {
            if claim
                .as_deref()
                .is_some_and(|claim| claim.trim_start_matches('/').is_empty())
            {
                problems.add(
                    format!("{field}.{name}"),
                    "",
                    "name a claim, e.g. \"org_id\" or \"/org/id\"",
                );
            }
        }
        for audience in self
            .audiences
            .iter()
            .filter(|audience| audience.trim().is_empty())
        {
            problems.add(
                format!("{field}.audience"),
                audience,
                "write the exact `aud` value, e.g. an application id",
            );
        }
    }

    fn examine_times(&self, field: &str, problems: &mut Problems) {
        let hour = Duration::from_secs(3600);
        let mut within =
            |name: &str, value: Duration, from: Duration, to: Duration, remedy: &str| {
                if value < from || value > to {
                    problems.add(format!("{field}.{name}"), format!("{value:?}"), remedy);
                }
            };
        within(
            "leeway",
            self.leeway,
            Duration::ZERO,
            hour / 12,
            "use 0 to 300 seconds; 30 is the default",
        );
        within(
            "max_lifetime",
            self.max_lifetime,
            Duration::from_secs(1),
            hour * 24 * 366,
            "use 1 second to 366 days; 24 hours is the default",
        );
        within(
            "freshness.lifetime",
            self.freshness.lifetime,
            hour / 60,
            hour,
            "use 1 to 60 minutes; 5 is the default",
        );
        within(
            "freshness.stale",
            self.freshness.stale,
            Duration::ZERO,
            hour * 24 * 7,
            "use 0 to 7 days; 24 hours is the default",
        );
    }

    fn examine_profile(&self, field: &str, problems: &mut Problems) {
        if self.profile.requires_client && self.profile.client_claims.is_empty() {
            problems.add(
                format!("{field}.profile.client_claims"),
                "[]",
                "name the claim that holds the client, or call without_client()",
            );
        }
        if let AudienceRule::Clients(clients) = &self.profile.audience {
            if clients.is_empty() {
                problems.add(
                    format!("{field}.profile"),
                    self.profile.name,
                    "this issuer writes no audience: list the clients whose tokens are meant for this resource",
                );
            }
            if self.profile.client_claims.is_empty() {
                problems.add(
                    format!("{field}.profile.client_claims"),
                    "[]",
                    "the client list needs a claim to compare with",
                );
            }
        }
    }
}

/// Checks a URL that identifies a party: https (http on loopback), no user, no fragment.
pub(crate) fn examine_url(field: &str, value: &str, problems: &mut Problems) -> Option<Url> {
    if value.chars().any(|c| c.is_control() || c.is_whitespace()) {
        // The parser would drop them silently, and the identifier would match no token.
        problems.add(field, value, "remove white space and control characters");
        return None;
    }
    let url = Url::parse(value).map_err(|error| {
        format!("not a URL ({error}); write all of it, e.g. https://host.example.com/path")
    });
    let checked = url.and_then(|url| check_url(&url).map(|()| url).map_err(str::to_owned));
    checked
        .map_err(|remedy| problems.add(field, value, remedy))
        .ok()
}
