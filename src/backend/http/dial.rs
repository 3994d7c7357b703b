//! Opening connections: only to addresses the rules permit, judged on the address that is dialled.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::ServiceExt;
use tower_service::Service;

use super::address::is_public;
use crate::address::{is_loopback_host, literal};
use crate::error::BoxError;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type Pending<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

const ALLOW: &str = "allow it with HttpClientBuilder::allow_addresses";

/// A connection that was not opened, told to the operator.
#[derive(Debug)]
struct DialError {
    message: String,
    source: Option<BoxError>,
}

impl DialError {
    fn boxed(message: impl Into<String>) -> BoxError {
        Box::new(Self {
            message: message.into(),
            source: None,
        })
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// Which addresses may be dialled for which host.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressRules {
    pub(super) allowed: Arc<[IpNet]>,
}

impl AddressRules {
    /// `localhost` is held to loopback even where a resolver says otherwise, because plain http is
    /// spoken to it.
    fn permit(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if is_loopback_host(host) {
            return address.is_loopback();
        }
        is_public(address) || self.allowed.iter().any(|net| net.contains(&address))
    }

    fn refusal(host: &str, address: IpAddr) -> String {
        if literal(host).is_some() {
            return format!("issuer host is {address}, a private address; {ALLOW}");
        }
        if is_loopback_host(host) {
            return format!(
                "issuer host {host} resolves to {address}, not to loopback; correct the hosts file"
            );
        }
        format!("issuer host {host} resolves to {address}, a private address; {ALLOW}")
    }
}

/// DNS that hands on permitted addresses only. The connector dials nothing it did not get from
/// here, so a name cannot change its meaning between the check and the dial.
#[derive(Clone, Debug)]
pub(super) struct GuardedResolver<R = GaiResolver> {
    inner: R,
    rules: AddressRules,
}

impl<R> GuardedResolver<R> {
    pub(super) fn new(inner: R, rules: AddressRules) -> Self {
        Self { inner, rules }
    }
}

impl<R, A> Service<Name> for GuardedResolver<R>
where
    R: Service<Name, Response = A> + Clone + Send + 'static,
    R::Error: Into<BoxError>,
    R::Future: Send,
    A: Iterator<Item = SocketAddr> + Send,
{
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pending<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { inner, rules } = self.clone();
        Box::pin(async move {
            let found = inner.oneshot(name.clone()).await.map_err(Into::into)?;
            let (permitted, refused): (Vec<_>, Vec<_>) =
                found.partition(|found| rules.permit(name.as_str(), found.ip()));
            match (permitted.is_empty(), refused.first()) {
                (false, _) => Ok(permitted.into_iter()),
                (true, Some(refused)) => Err(DialError::boxed(AddressRules::refusal(
                    name.as_str(),
                    refused.ip(),
                ))),
                (true, None) => Err(DialError::boxed(format!(
                    "issuer host {} has no address",
                    name.as_str()
                ))),
            }
        })
    }
}

/// The outermost connector: scheme, address literals and the time limit; then TCP and TLS.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) direct: HttpConnector<GuardedResolver>,
    pub(super) proxy: Option<Tunnel<HttpConnector>>,
    /// An unusable TLS set-up fails each dial rather than the process.
    pub(super) tls: Result<Arc<ClientConfig>, rustls::Error>,
    pub(super) rules: AddressRules,
    pub(super) limit: Duration,
}

impl Dial {
    fn check(&self, target: &Uri) -> Result<(), BoxError> {
        let Some(host) = target.host() else {
            return Err(DialError::boxed("the URL has no host"));
        };
        let plain_is_fine = target.scheme() == Some(&Scheme::HTTP) && is_loopback_host(host);
        if target.scheme() != Some(&Scheme::HTTPS) && !plain_is_fine {
            return Err(DialError::boxed(format!(
                "issuer host {host} would be asked over plain http, which is for loopback only; use https"
            )));
        }
        match literal(host) {
            Some(address) if !self.rules.permit(host, address) => {
                Err(DialError::boxed(AddressRules::refusal(host, address)))
            }
            _ => Ok(()),
        }
    }

    async fn open(self, target: Uri) -> Result<Stream, BoxError> {
        let tls = self.tls?;
        let loopback = target.host().is_some_and(is_loopback_host);
        match self.proxy {
            // A proxy's loopback is another machine's.
            Some(proxy) if !loopback => HttpsConnector::from((proxy, tls)).oneshot(target).await,
            _ => {
                HttpsConnector::from((self.direct, tls))
                    .oneshot(target)
                    .await
            }
        }
    }
}

impl Service<Uri> for Dial {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pending<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move {
            dial.check(&target)?;
            let limit = dial.limit;
            // Without the userinfo an authority may carry.
            let host = target.host().unwrap_or_default().to_owned();
            match tokio::time::timeout(limit, dial.open(target)).await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(source)) => Err(Box::new(DialError {
                    message: format!("no connection to {host}"),
                    source: Some(source),
                })
                .into()),
                Err(_) => Err(DialError::boxed(format!(
                    "no connection to {host} within {limit:?} (name, TCP and TLS together)"
                ))),
            }
        })
    }
}
