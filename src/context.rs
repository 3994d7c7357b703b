//! What a request carries once it has been let in.

use std::fmt;
use std::sync::Arc;

use crate::authenticator::UsedToken;
use crate::enrich::Enrichment;
use crate::ident::OrganizationId;
use crate::policy::Permitted;
use crate::principal::{Principal, PrincipalKey};
use crate::scope::ScopeSet;

pub use crate::method::AuthMethod;

/// Evidence that a request was authenticated, and as whom.
///
/// Only this crate makes one, after every check passed: whoever holds an `AuthContext` need not
/// check anything again. It holds no credential. Find it in the request's extensions, or take it as
/// an axum extractor (feature `axum`).
///
/// ```
/// use tower_mcp_auth::AuthContext;
///
/// fn handler(request: &http::Request<()>) -> String {
///     match request.extensions().get::<AuthContext>() {
///         Some(auth) => format!("{} of {}", auth.principal().subject(), auth.organization()),
///         None => "behind McpAuthLayer this cannot happen".into(),
///     }
/// }
/// # handler(&http::Request::new(()));
/// ```
#[derive(Clone)]
pub struct AuthContext(Arc<Grant>);

struct Grant {
    principal: Principal,
    organization: OrganizationId,
    method: AuthMethod,
    permitted: Option<Permitted>,
    enrichment: Option<Enrichment>,
    token: Option<UsedToken>,
}

impl AuthContext {
    /// The one constructor: called after proof, with what the proof is about.
    pub(crate) fn grant(
        principal: Principal,
        organization: OrganizationId,
        method: AuthMethod,
        (permitted, enrichment): (Option<Permitted>, Option<Enrichment>),
        token: Option<UsedToken>,
    ) -> Self {
        Self(Arc::new(Grant {
            principal,
            organization,
            method,
            permitted,
            enrichment,
            token,
        }))
    }

    /// The API token that was presented, as it was then.
    pub(crate) fn token(&self) -> Option<&UsedToken> {
        self.0.token.as_ref()
    }

    /// What the organization's policy still says about operations: its groups and sites. `None` on
    /// a server without policies.
    #[must_use]
    pub fn permitted(&self) -> Option<&Permitted> {
        self.0.permitted.as_ref()
    }

    /// What the server's own directory knows of the principal; `None` without an enricher, or if
    /// an optional one did not answer.
    #[must_use]
    pub fn enrichment(&self) -> Option<&Enrichment> {
        self.0.enrichment.as_ref()
    }

    /// A typed value the enricher added: your own profile type, say.
    #[must_use]
    pub fn user<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.enrichment()?.get()
    }

    /// Who is asking.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The organization whose rules apply. A server whose issuers name no organization has one
    /// implicit organization, [`OrganizationId::implicit`].
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        &self.0.organization
    }

    /// How they authenticated.
    #[must_use]
    pub fn method(&self) -> AuthMethod {
        self.0.method
    }

    /// The scopes granted to the credential.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        self.0.principal.scopes()
    }

    /// Whether this scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().contains(scope)
    }

    /// A name for the principal that is the same for every token of theirs; bind state to it.
    #[must_use]
    pub fn key(&self) -> PrincipalKey {
        self.0.principal.key()
    }
}

impl fmt::Debug for AuthContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthContext")
            .field("principal", &self.0.principal)
            .field("organization", &self.0.organization)
            .field("method", &self.0.method)
            .finish()
    }
}
