//! Scopes for a whole route or gRPC service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::AuthContext;
use crate::rejection::Reason;
use crate::step_up::StepUp;

/// Lets in only those whose credential has these scopes, by name or as part of a broader scope
/// ([`ToolRules::scope_includes`](crate::ToolRules::scope_includes)): for a route or a gRPC service
/// inside [`McpAuthLayer`](crate::McpAuthLayer) or [`AuthenticateLayer`](crate::AuthenticateLayer).
///
/// Everybody else is refused without calling the inner service: with 403 and a [`StepUp`] in the
/// response's extensions, which the layer outside turns into the whole answer, from which a client
/// can get a better token. A layer in between that drops the extensions leaves it a bare 403.
///
/// ```
/// # use http::{Request, Response};
/// # use http_body_util::Full;
/// # use bytes::Bytes;
/// use tower::ServiceBuilder;
/// use tower_mcp_auth::{McpAuthLayer, RequireScopesLayer};
///
/// # fn service(auth: tower_mcp_auth::Authenticator) {
/// let service = ServiceBuilder::new()
///     .layer(McpAuthLayer::new(auth))
///     .layer(RequireScopesLayer::new(["write:issues"]))
///     .service_fn(|_request: Request<_>| async {
///         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
///     });
/// # fn is_service<S: tower::Service<Request<Full<Bytes>>>>(_: S) {}
/// # is_service(service);
/// # }
/// ```
///
/// In axum: `.route("/issues", post(create).layer(RequireScopesLayer::new(["write:issues"])))`, or
/// the extractor `Scoped` (feature `axum`). In tonic, `LayerExt` keeps the service's name:
/// `.add_service(RequireScopesLayer::new(["read:issues"]).named_layer(IssuesServer::new(…)))`.
///
/// # Mistakes
///
/// The constructors cannot fail. With no scopes, or a word that cannot be one, every request is
/// refused with 500 and an error in the log. So is a request without an [`AuthContext`]: there is no
/// layer outside, or it lets this request in without a credential
/// ([`ToolRules::public_method`](crate::ToolRules::public_method)).
#[derive(Clone, Debug)]
pub struct RequireScopesLayer {
    needs: Arc<StepUp>,
}

impl RequireScopesLayer {
    /// All of these scopes.
    #[must_use]
    pub fn new<I>(scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self::step_up(StepUp::scopes(scopes))
    }

    /// All that this asks for: a fresher or stronger login, say, and with which words.
    #[must_use]
    pub fn step_up(needs: StepUp) -> Self {
        Self {
            needs: Arc::new(needs),
        }
    }
}

impl<S> Layer<S> for RequireScopesLayer {
    type Service = RequireScopes<S>;

    fn layer(&self, inner: S) -> RequireScopes<S> {
        RequireScopes {
            inner,
            needs: self.needs.clone(),
        }
    }
}

/// The service of [`RequireScopesLayer`].
#[derive(Clone, Debug)]
pub struct RequireScopes<S> {
    inner: S,
    needs: Arc<StepUp>,
}

impl<S, B, RB> Service<Request<B>> for RequireScopes<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: Default,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = RequireScopesFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let kind = match check(request.extensions(), &self.needs) {
            Ok(()) => Kind::Inner {
                future: self.inner.call(request),
            },
            Err(unmet) => Kind::Refused { unmet: Some(unmet) },
        };
        RequireScopesFuture { kind }
    }
}

pin_project! {
    /// The response future of [`RequireScopes`]: a refusal, or the inner service's future.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct RequireScopesFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F> {
        // Taken when polled.
        Refused { unmet: Option<Unmet> },
        Inner { #[pin] future: F },
    }
}

impl<F, RB, E> Future for RequireScopesFuture<F>
where
    F: Future<Output = Result<Response<RB>, E>>,
    RB: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Inner { future } => future.poll(cx),
            KindProjection::Refused { unmet } => match unmet.take() {
                Some(unmet) => Poll::Ready(Ok(unmet.answer())),
                None => Poll::Pending,
            },
        }
    }
}

/// Why the inner service is not called.
#[derive(Clone, Debug)]
pub(crate) struct Unmet {
    status: StatusCode,
    /// What a layer of ours outside makes the whole answer from.
    step_up: Option<Arc<StepUp>>,
}

impl Unmet {
    pub(crate) fn short_of(needs: Arc<StepUp>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            step_up: Some(needs),
        }
    }

    /// As much of the answer as can be given here.
    pub(crate) fn answer<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status;
        if let Some(step_up) = self.step_up {
            response
                .extensions_mut()
                .insert(Arc::unwrap_or_clone(step_up));
        }
        response
    }
}

fn check(extensions: &Extensions, needs: &Arc<StepUp>) -> Result<(), Unmet> {
    let Some(context) = extensions.get::<AuthContext>() else {
        tracing::error!(
            "request refused: RequireScopesLayer found no AuthContext; put it inside McpAuthLayer, and not around public methods"
        );
        return Err(Unmet {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            step_up: None,
        });
    };
    let Err(rejection) = context.check(needs) else {
        return Ok(());
    };
    let mut unmet = Unmet::short_of(needs.clone());
    if rejection.reason() == Reason::Internal {
        let note = rejection.note();
        tracing::error!(
            note,
            "request refused: RequireScopesLayer asks for what nobody can have"
        );
        unmet.status = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Err(unmet)
}
