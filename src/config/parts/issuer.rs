//! The issuers, and the shape of their tokens.

use super::introspection::Introspection;
use crate::algorithm::SigningAlgorithm;
use crate::config::kinds::{Either, List, Span, Text, UrlText, words};
use crate::config::read::table;
use crate::issuer::{Freshness, Issuer as Trusted};
use crate::profile::Profile;

table! {
    /// An authorization server whose access tokens are accepted.
    struct Issuer {
        /// Its identifier, exactly as in `iss` and in its metadata; a trailing slash counts. HTTPS, except on loopback.
        identifier: UrlText,
        /// The shape of its access tokens: a name, or a table that begins with one and says what is different.
        profile: Option<Either<ProfileName, ProfileTable>> = "rfc9068",
        /// The signature algorithms it may use.
        algorithms: Option<List<SigningAlgorithm>> = ["RS256", "PS256", "ES256", "EdDSA"],
        /// Other values of `aud` that mean this resource in this issuer's tokens, such as an application id.
        audiences: List<Text>,
        /// Where its keys are, for an issuer without a metadata document at the standard places.
        jwks_uri: Option<UrlText>,
        /// The claim that names the organization: a name, or a JSON pointer such as `/org/id`. A token without it
        /// is refused then.
        organization_claim: Option<Text>,
        /// The claim that binds a token to one site of the organization.
        tenant_claim: Option<Text>,
        /// Tolerance for clocks that disagree.
        leeway: Option<Span<0, 300>> = "30s",
        /// The longest remaining life a token may have.
        max_lifetime: Option<Span<1, 31_622_400>> = "24h",
        /// How old its keys may be.
        freshness: Option<Fresh>,
        /// Takes its opaque tokens too, by asking it about each one (RFC 7662).
        introspection: Option<Introspection>,
    }
}

table! {
    /// Within `lifetime` keys count as current; if the issuer cannot be reached then, they go on for `stale` more.
    struct Fresh {
        /// How long fetched keys count as current, unless the issuer says so itself.
        lifetime: Option<Span<60, 3600>> = "5m",
        /// How long they outlive that while the issuer is down.
        stale: Option<Span<0, 604_800>> = "24h",
    }
}

words! {
    /// See [`Profile`].
    enum ProfileName {
        Rfc9068 = "rfc9068",
        Auth0 = "auth0",
        Okta = "okta",
        EntraId = "entra_id",
        Keycloak = "keycloak",
        Cognito = "cognito",
        Hydra = "hydra",
        Atlassian = "atlassian",
    }
}

table! {
    /// A profile, and what is different about this issuer's tokens.
    struct ProfileTable {
        /// What it begins with.
        name: Option<ProfileName> = "rfc9068",
        /// For `cognito`, which writes no audience: the clients whose tokens are meant for this resource.
        clients: List<Text>,
        /// Accepts `typ: JWT` and an absent `typ` too. An attacker gains: any other kind of JWT that this issuer signs
        /// for this audience passes as an access token, unless it has the marks of one.
        any_jwt_type: bool,
        /// Does not require `jti`, so that one token cannot be revoked alone.
        without_token_id: bool,
        /// Does not require `iat`.
        without_issued_at: bool,
        /// Does not require a client.
        without_client: bool,
        /// The claims that may name the client, in order of preference.
        client_claims: Option<List<Text>>,
        /// Reads scopes from `scp` instead of `scope`.
        scopes_in_scp: bool,
        /// Where roles are written: a claim name, or a JSON pointer such as `/realm_access/roles`.
        roles_claim: Option<Text>,
        /// Where groups are written.
        groups_claim: Option<Text>,
        /// Where entitlements are written.
        entitlements_claim: Option<Text>,
    }
}

type Switch = fn(Profile) -> Profile;
type Setter = fn(Profile, String) -> Profile;

impl ProfileName {
    fn profile(self, clients: &List<Text>) -> Profile {
        match self {
            Self::Rfc9068 => Profile::rfc9068(),
            Self::Auth0 => Profile::auth0(),
            Self::Okta => Profile::okta(),
            Self::EntraId => Profile::entra_id(),
            Self::Keycloak => Profile::keycloak(),
            Self::Cognito => Profile::cognito(clients.iter().map(|client| client.0.clone())),
            Self::Hydra => Profile::hydra(),
            Self::Atlassian => Profile::atlassian(),
        }
    }
}

impl ProfileTable {
    fn profile(&self) -> Profile {
        let name = self.name.unwrap_or(ProfileName::Rfc9068);
        let mut profile = name.profile(&self.clients);
        let switches: [(bool, Switch); 5] = [
            (self.any_jwt_type, Profile::any_jwt_type),
            (self.without_token_id, Profile::without_token_id),
            (self.without_issued_at, Profile::without_issued_at),
            (self.without_client, Profile::without_client),
            (self.scopes_in_scp, Profile::scopes_in_scp),
        ];
        for (is_on, switch) in switches {
            if is_on {
                profile = switch(profile);
            }
        }
        if let Some(claims) = &self.client_claims {
            profile = profile.client_claims(claims.iter().map(|claim| claim.0.clone()));
        }
        let claims: [(&Option<Text>, Setter); 3] = [
            (&self.roles_claim, Profile::roles_claim),
            (&self.groups_claim, Profile::groups_claim),
            (&self.entitlements_claim, Profile::entitlements_claim),
        ];
        for (claim, set) in claims {
            if let Some(claim) = claim {
                profile = set(profile, claim.0.clone());
            }
        }
        profile
    }
}

impl Issuer {
    pub(in crate::config) fn issuer(&self) -> Trusted {
        let mut issuer = Trusted::new(&self.identifier.0);
        match &self.profile {
            Some(Either::First(name)) => {
                issuer = issuer.profile(name.profile(&List(Vec::new())));
            }
            Some(Either::Second(table)) => issuer = issuer.profile(table.profile()),
            None => {}
        }
        if let Some(algorithms) = &self.algorithms {
            issuer = issuer.algorithms(algorithms.iter().copied());
        }
        for audience in self.audiences.iter() {
            issuer = issuer.audience(&audience.0);
        }
        if let Some(uri) = &self.jwks_uri {
            issuer = issuer.jwks_uri(&uri.0);
        }
        if let Some(claim) = &self.organization_claim {
            issuer = issuer.organization_claim(&claim.0);
        }
        if let Some(claim) = &self.tenant_claim {
            issuer = issuer.tenant_claim(&claim.0);
        }
        self.with_times(issuer)
    }

    fn with_times(&self, mut issuer: Trusted) -> Trusted {
        if let Some(leeway) = &self.leeway {
            issuer = issuer.leeway(leeway.0);
        }
        if let Some(lifetime) = &self.max_lifetime {
            issuer = issuer.max_lifetime(lifetime.0);
        }
        if let Some(fresh) = &self.freshness {
            let mut freshness = Freshness::default();
            if let Some(lifetime) = &fresh.lifetime {
                freshness = freshness.lifetime(lifetime.0);
            }
            if let Some(stale) = &fresh.stale {
                freshness = freshness.stale(stale.0);
            }
            issuer = issuer.freshness(freshness);
        }
        if let Some(introspection) = &self.introspection {
            issuer = issuer.introspection(introspection.introspection());
        }
        issuer
    }
}
