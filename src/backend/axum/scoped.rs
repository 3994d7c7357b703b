//! [`Scoped`]: an [`AuthContext`] that has certain scopes.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use super::MissingAuthLayer;
use crate::context::AuthContext;
use crate::middleware::require_scopes::Unmet;
use crate::scope::{MAX_SCOPES, is_scope_token};
use crate::step_up::StepUp;

/// The scopes that a [`Scoped`] handler needs.
pub trait RequiredScopes {
    /// All of them: at least one, each a whole word. Anything else does not compile where
    /// [`Scoped`] is used as an extractor.
    const SCOPES: &'static [&'static str];
}

/// The [`AuthContext`] of a party whose credential has the scopes of `S`, by name or as part of a
/// broader scope. Everybody else is answered as by
/// [`RequireScopesLayer`](crate::RequireScopesLayer), without the handler.
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_mcp_auth::backend::{RequiredScopes, Scoped};
/// use tower_mcp_auth::{Authenticator, McpAuthLayer};
///
/// struct WriteIssues;
///
/// impl RequiredScopes for WriteIssues {
///     const SCOPES: &'static [&'static str] = &["write:issues"];
/// }
///
/// async fn create(auth: Scoped<WriteIssues>) -> String {
///     format!("created by {}", auth.principal().subject())
/// }
///
/// fn app(auth: Authenticator) -> Router {
///     Router::new().route("/issues", post(create)).layer(McpAuthLayer::new(auth))
/// }
/// # let _ = app;
/// ```
///
/// Words that cannot be scopes do not compile:
///
/// ```compile_fail
/// # use axum::{Router, routing::post};
/// # use tower_mcp_auth::backend::{RequiredScopes, Scoped};
/// struct Mistaken;
///
/// impl RequiredScopes for Mistaken {
///     const SCOPES: &'static [&'static str] = &["write issues"];
/// }
///
/// async fn create(_: Scoped<Mistaken>) {}
/// let app: Router = Router::new().route("/issues", post(create));
/// ```
pub struct Scoped<S>(pub AuthContext, PhantomData<fn() -> S>);

impl<S> Deref for Scoped<S> {
    type Target = AuthContext;

    fn deref(&self) -> &AuthContext {
        &self.0
    }
}

impl<S> Clone for Scoped<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<S> fmt::Debug for Scoped<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scoped").field(&self.0).finish()
    }
}

/// Why a [`Scoped`] handler is not called.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ScopedRejection {
    /// The route is not behind [`McpAuthLayer`](crate::McpAuthLayer): 500.
    MissingAuthLayer(MissingAuthLayer),
    /// The credential lacks a scope: 403, with the [`StepUp`] in the extensions from which the layer
    /// outside makes the whole answer.
    LacksScope(Box<StepUp>),
}

impl fmt::Display for ScopedRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingAuthLayer(missing) => missing.fmt(f),
            Self::LacksScope(_) => f.write_str("the credential lacks a scope that this needs"),
        }
    }
}

impl std::error::Error for ScopedRejection {}

impl IntoResponse for ScopedRejection {
    fn into_response(self) -> Response {
        match self {
            Self::MissingAuthLayer(missing) => missing.into_response(),
            Self::LacksScope(needs) => Unmet::short_of(Arc::from(needs)).answer(),
        }
    }
}

impl<R: RequiredScopes, S: Sync> FromRequestParts<S> for Scoped<R> {
    type Rejection = ScopedRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ScopedRejection> {
        const {
            assert!(
                are_scopes(R::SCOPES),
                "SCOPES: 1 to 256 whole words of printable ASCII without space, quote or backslash"
            );
        }
        let context = <AuthContext as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map_err(ScopedRejection::MissingAuthLayer)?;
        if context.covers(R::SCOPES) {
            Ok(Self(context, PhantomData))
        } else {
            let needs = Box::new(StepUp::scopes(R::SCOPES));
            Err(ScopedRejection::LacksScope(needs))
        }
    }
}

/// Whether a step-up can ask for these.
const fn are_scopes(mut words: &[&str]) -> bool {
    if words.is_empty() || words.len() > MAX_SCOPES {
        return false;
    }
    while let [word, rest @ ..] = words {
        if !is_scope_token(word) {
            return false;
        }
        words = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scp_09_scopes_in_the_source_are_whole_words() {
        assert!(are_scopes(&["read:issues", "!~"]));
        for bad in [
            &[][..],
            &[""],
            &["read", "write issues"],
            &["a\"b"],
            &["a\\b"],
            &["é"],
        ] {
            assert!(!are_scopes(bad), "{bad:?}");
        }
        assert!(are_scopes(&["s"; MAX_SCOPES]) && !are_scopes(&["s"; MAX_SCOPES + 1]));
    }
}
