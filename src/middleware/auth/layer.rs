//! The layers: all of it, only the credential, or only the operation.

use tower_layer::Layer;

use super::service::McpAuth;
use super::visit::Stages;
use crate::authenticator::Authenticator;

/// Protects an MCP server: metadata, origin and host, credential, operation, context. See the
/// [module](super) for the order.
///
/// The same value mounts on axum, tonic, hyper-util and rmcp. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct McpAuthLayer {
    auth: Authenticator,
}

impl McpAuthLayer {
    /// The layer for this authenticator.
    #[must_use]
    pub fn new(auth: Authenticator) -> Self {
        Self { auth }
    }
}

impl<S> Layer<S> for McpAuthLayer {
    type Service = McpAuth<S>;

    fn layer(&self, inner: S) -> McpAuth<S> {
        let stages = Stages {
            edge: true,
            credential: true,
            operation: true,
        };
        McpAuth::new(inner, self.auth.clone(), stages)
    }
}

/// Judges the credential and nothing else.
///
/// For stacks that serve metadata with [`ResourceMetadataLayer`](crate::ResourceMetadataLayer) and
/// check [`OriginLayer`](crate::OriginLayer) elsewhere: several mounts behind one metadata layer,
/// say. Every request needs a credential here, `OPTIONS` too, so a CORS layer must stand outside.
///
/// Tool rules are **not** applied: they need an [`AuthorizeToolLayer`] inside, on the routes that
/// take MCP messages.
#[derive(Clone, Debug)]
pub struct AuthenticateLayer {
    auth: Authenticator,
}

impl AuthenticateLayer {
    /// The layer for this authenticator.
    #[must_use]
    pub fn new(auth: Authenticator) -> Self {
        Self { auth }
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = McpAuth<S>;

    fn layer(&self, inner: S) -> McpAuth<S> {
        let stages = Stages {
            edge: false,
            credential: true,
            operation: false,
        };
        McpAuth::new(inner, self.auth.clone(), stages)
    }
}

/// Judges the operation by the [`ToolRules`](crate::ToolRules) of its authenticator, for a party
/// that an [`AuthenticateLayer`] outside has let in.
///
/// For routers where only some routes take MCP messages. Without an `AuthenticateLayer` of the same
/// server outside, every request is answered with 500: nobody was authenticated. Operations that
/// need no credential are not public here, because the outer layer has refused them already.
#[derive(Clone, Debug)]
pub struct AuthorizeToolLayer {
    auth: Authenticator,
}

impl AuthorizeToolLayer {
    /// The layer for this authenticator.
    #[must_use]
    pub fn new(auth: Authenticator) -> Self {
        Self { auth }
    }
}

impl<S> Layer<S> for AuthorizeToolLayer {
    type Service = McpAuth<S>;

    fn layer(&self, inner: S) -> McpAuth<S> {
        let stages = Stages {
            edge: false,
            credential: false,
            operation: true,
        };
        McpAuth::new(inner, self.auth.clone(), stages)
    }
}
