//! [`AuthContext`] as an axum extractor, and one that asks for scopes.

mod scoped;

use std::convert::Infallible;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::context::AuthContext;

pub use scoped::{RequiredScopes, Scoped, ScopedRejection};

/// A handler asks for an [`AuthContext`], but its route is not behind
/// [`McpAuthLayer`](crate::McpAuthLayer). Answered with 500: the server is put together wrongly,
/// and letting the request through would be worse.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MissingAuthLayer;

impl std::fmt::Display for MissingAuthLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this route is not behind McpAuthLayer: add .layer(McpAuthLayer::new(…)) after the route")
    }
}

impl std::error::Error for MissingAuthLayer {}

impl IntoResponse for MissingAuthLayer {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for AuthContext {
    type Rejection = MissingAuthLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingAuthLayer> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(MissingAuthLayer)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for AuthContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
