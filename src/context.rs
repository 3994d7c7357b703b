//! What a request carries once it has been let in.

pub(crate) mod list;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use http::HeaderValue;

use crate::authenticator::UsedToken;
use crate::clock::UnixTime;
use crate::enrich::Enrichment;
use crate::ident::OrganizationId;
use crate::operation::Operation;
use crate::policy::Permitted;
use crate::principal::{Principal, PrincipalKey};
use crate::rejection::Rejection;
use crate::scope::ScopeSet;
use crate::step_up::StepUp;
use crate::tool::{Subject, ToolRules};

pub use crate::method::AuthMethod;

/// Evidence that a request was authenticated, and as whom.
///
/// Only this crate makes one, after every check passed: whoever holds an `AuthContext` need not
/// check anything again. It holds no credential. Find it in the request's extensions, or take it as
/// an axum extractor (feature `axum`; without it axum's `Handler` is not implemented for a function
/// that takes one).
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
    admitted: Admitted,
    operations: Option<Arc<Operations>>,
    /// What a handler asks of the client after all.
    step_up: OnceLock<StepUp>,
    /// Whether the client is being answered, so that it is too late to ask.
    is_answered: AtomicBool,
}

/// A party that has passed every check.
pub(crate) struct Admitted {
    pub(crate) principal: Principal,
    pub(crate) organization: OrganizationId,
    pub(crate) method: AuthMethod,
    pub(crate) permitted: Option<Permitted>,
    pub(crate) enrichment: Option<Enrichment>,
    /// The API token that was presented, as it was then.
    pub(crate) token: Option<UsedToken>,
    /// What the next DPoP proof should contain, if not what this one did.
    pub(crate) next_nonce: Option<Box<HeaderValue>>,
    pub(crate) at: UnixTime,
}

/// What operations need on this server, and the scopes it knows.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) rules: ToolRules,
    pub(crate) known: ScopeSet,
}

/// Those of a server without tool rules.
static NO_OPERATIONS: LazyLock<Operations> = LazyLock::new(|| Operations {
    rules: ToolRules::new(),
    known: ScopeSet::empty(),
});

impl AuthContext {
    /// The one constructor: called after proof, with what the proof is about.
    pub(crate) fn grant(admitted: Admitted, operations: Option<Arc<Operations>>) -> Self {
        Self(Arc::new(Grant {
            admitted,
            operations,
            step_up: OnceLock::new(),
            is_answered: AtomicBool::new(false),
        }))
    }

    /// The party, as rules see it.
    pub(crate) fn subject<'a>(&'a self, known: &'a ScopeSet, now: UnixTime) -> Subject<'a> {
        let admitted = &self.0.admitted;
        Subject {
            principal: &admitted.principal,
            method: admitted.method,
            permitted: admitted.permitted.as_ref(),
            enrichment: admitted.enrichment.as_ref(),
            known,
            now,
        }
    }

    /// The API token that was presented, as it was then.
    pub(crate) fn token(&self) -> Option<&UsedToken> {
        self.0.admitted.token.as_ref()
    }

    /// What the next DPoP proof should contain, if not what this one did.
    pub(crate) fn next_nonce(&self) -> Option<&HeaderValue> {
        self.0.admitted.next_nonce.as_deref()
    }

    /// When the party was let in.
    pub(crate) fn admitted_at(&self) -> UnixTime {
        self.0.admitted.at
    }

    /// Whose sessions are this party's.
    pub(crate) fn owner(&self) -> (&Principal, &OrganizationId) {
        (self.principal(), self.organization())
    }

    /// A refusal of this party, for the audit record.
    pub(crate) fn refused(&self, rejection: Rejection) -> Rejection {
        let admitted = &self.0.admitted;
        rejection.about(
            admitted.principal.clone(),
            admitted.organization.clone(),
            admitted.method,
        )
    }

    /// Whether the party may call this tool, as far as that is known without the arguments of a
    /// call: for hiding tools from a list. Always true on a server without
    /// [tool rules](crate::ToolRules). A tool that only needs a fresher login is not hidden, because
    /// the client can get one.
    #[must_use]
    pub fn may_call(&self, tool: &str) -> bool {
        self.may(Operation::new("tools/call", Some(tool)))
    }

    /// Whether the party may ask for this operation: [`may_call`](Self::may_call) for prompts,
    /// resources and methods too.
    #[must_use]
    pub fn may(&self, operation: Operation<'_>) -> bool {
        let Some(operations) = &self.0.operations else {
            return true;
        };
        let subject = self.subject(&operations.known, self.0.admitted.at);
        operations.rules.visible(operation, &subject)
    }

    /// Asks the client to come back with more: the layer answers with a challenge, whatever the
    /// handler responds. The first call counts.
    ///
    /// Once the response has begun, as an event stream that rmcp opens before it runs a tool, it is
    /// too late: the log says so (WARN), and the client gets what the handler responds. [`StepUp`] has
    /// what to do then.
    pub fn step_up(&self, step_up: StepUp) {
        if self.0.is_answered.load(Ordering::Relaxed) {
            tracing::warn!(
                target: "tower_mcp_auth::middleware",
                "a handler asked for a step-up after its response had begun: the client is not told"
            );
        }
        let _ = self.0.step_up.set(step_up);
    }

    pub(crate) fn asked_step_up(&self) -> Option<&StepUp> {
        self.0.step_up.get()
    }

    /// The response goes out as it is.
    pub(crate) fn answered(&self) {
        self.0.is_answered.store(true, Ordering::Relaxed);
    }

    /// Whether the party has what this asks for, as of when it was let in; else what it lacks.
    pub(crate) fn check(&self, step_up: &StepUp) -> Result<(), Rejection> {
        let operations = self.0.operations.as_deref().unwrap_or(&NO_OPERATIONS);
        let subject = self.subject(&operations.known, self.0.admitted.at);
        step_up.check(&operations.rules, &subject)
    }

    /// What the organization's policy still says about operations: its groups and sites. `None` on
    /// a server without policies.
    #[must_use]
    pub fn permitted(&self) -> Option<&Permitted> {
        self.0.admitted.permitted.as_ref()
    }

    /// What the server's own directory knows of the principal; `None` without an enricher, or if
    /// an optional one did not answer.
    #[must_use]
    pub fn enrichment(&self) -> Option<&Enrichment> {
        self.0.admitted.enrichment.as_ref()
    }

    /// A typed value the enricher added: your own profile type, say.
    #[must_use]
    pub fn user<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.enrichment()?.get()
    }

    /// Who is asking.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.admitted.principal
    }

    /// The organization whose rules apply. A server whose issuers name no organization has one
    /// implicit organization, [`OrganizationId::implicit`].
    #[must_use]
    pub fn organization(&self) -> &OrganizationId {
        &self.0.admitted.organization
    }

    /// How they authenticated.
    #[must_use]
    pub fn method(&self) -> AuthMethod {
        self.0.admitted.method
    }

    /// The scopes granted to the credential.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        self.principal().scopes()
    }

    /// Whether all of these scopes were granted, by name or as part of a broader scope
    /// ([`ToolRules::scope_includes`]). True for no scopes at all; a word that cannot be a scope was
    /// granted to nobody.
    ///
    /// ```
    /// use tower_mcp_auth::{AuthContext, StepUp};
    ///
    /// fn close(auth: &AuthContext) -> bool {
    ///     let enough = auth.covers(["write:issues"]); // admin:issues will do as well
    ///     if !enough {
    ///         auth.step_up(StepUp::scopes(["write:issues"]));
    ///     }
    ///     enough
    /// }
    /// # let _ = close;
    /// ```
    #[must_use]
    pub fn covers<I>(&self, scopes: I) -> bool
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let operations = self.0.operations.as_deref().unwrap_or(&NO_OPERATIONS);
        let granted = self.scopes();
        let mut scopes = scopes.into_iter();
        scopes.all(|scope| operations.rules.grants(granted, scope.as_ref()))
    }

    /// Whether exactly this scope was granted. [`covers`](Self::covers) counts broader ones too, as
    /// the tool rules do.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().contains(scope)
    }

    /// A name for the principal that is the same for every token of theirs; bind state to it.
    #[must_use]
    pub fn key(&self) -> PrincipalKey {
        self.principal().key()
    }
}

impl fmt::Debug for AuthContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthContext")
            .field("principal", &self.0.admitted.principal)
            .field("organization", &self.0.admitted.organization)
            .field("method", &self.0.admitted.method)
            .finish()
    }
}
