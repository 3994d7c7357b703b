//! The two layers: all of it, or only the credential.

use tower_layer::Layer;

use super::service::McpAuth;
use crate::authenticator::Authenticator;

/// Protects an MCP server: metadata, origin and host, credential, context. See the
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
        McpAuth::new(inner, self.auth.clone(), true)
    }
}

/// Judges the credential and nothing else.
///
/// For stacks that serve metadata with [`ResourceMetadataLayer`](crate::ResourceMetadataLayer) and
/// check [`OriginLayer`](crate::OriginLayer) elsewhere: several mounts behind one metadata layer,
/// say. Every request needs a credential here, `OPTIONS` too, so a CORS layer must stand outside.
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
        McpAuth::new(inner, self.auth.clone(), false)
    }
}
