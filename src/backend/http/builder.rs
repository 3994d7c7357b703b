//! Configuring an [`HttpClient`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::HttpClient;
use super::dial::{AddressRules, Dial, GuardedResolver};
use super::proxy::{self, Proxy};
use crate::backend::roots;
use crate::error::{ConfigError, Problems};

/// How long an unused connection is kept. Issuers close them after about a minute.
const IDLE: Duration = Duration::from_secs(30);
/// Longest head of an answer over HTTP/1, in bytes.
const HEAD: usize = 64 * 1024;

/// Configures an [`HttpClient`]. Every setting has a safe default.
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct HttpClientBuilder {
    roots: Vec<Root>,
    default_roots: bool,
    connect_timeout: Duration,
    proxy: Option<String>,
    allowed: Vec<IpNet>,
}

#[derive(Clone)]
enum Root {
    Der(Vec<u8>),
    Pem(Vec<u8>),
}

impl HttpClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            roots: Vec::new(),
            default_roots: true,
            connect_timeout: Duration::from_secs(2),
            proxy: None,
            allowed: Vec::new(),
        }
    }

    /// Also trusts one root certificate, in DER: the root of your own certificate authority.
    pub fn add_root_certificate(mut self, der: &[u8]) -> Self {
        self.roots.push(Root::Der(der.to_vec()));
        self
    }

    /// Also trusts every certificate of a PEM file (RFC 7468).
    pub fn add_root_certificates_pem(mut self, pem: &[u8]) -> Self {
        self.roots.push(Root::Pem(pem.to_vec()));
        self
    }

    /// Trusts the added root certificates only, not Mozilla's.
    pub fn without_default_roots(mut self) -> Self {
        self.default_roots = false;
        self
    }

    /// How long opening a connection may take: name, TCP, proxy and TLS together. Default 2 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Reaches every issuer, except on loopback, through an HTTP CONNECT proxy (RFC 9110 §9.3.6):
    /// `http://proxy.example.com:3128`, or `http://user:password@…` for Basic authentication.
    ///
    /// The proxy then resolves the issuer's name, so **the proxy has to refuse private addresses**:
    /// this client can only check an address written in the URL. The proxy's own address is
    /// dialled as given.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Also dials these addresses although they are not public: an issuer inside your network.
    /// Called more than once, the networks add up.
    ///
    /// What an attacker gains: whoever controls the DNS of an issuer, or the `jwks_uri` in its
    /// metadata, can point a GET at any HTTPS server in these networks that has a certificate for
    /// the name. Keep the networks small, and leave out `169.254.0.0/16`.
    pub fn allow_addresses(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.allowed.extend(networks);
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem: a certificate that cannot be read, no trusted root, a
    /// zero `connect_timeout`, a proxy URL that is not plain `http://[user:password@]host[:port]`.
    pub fn build(self) -> Result<HttpClient, ConfigError> {
        let mut problems = Problems::default();
        let roots = self.root_store(&mut problems);
        if self.connect_timeout.is_zero() {
            problems.add(
                "connect_timeout",
                "0s",
                "nothing connects in no time; give it a second or two",
            );
        }
        for network in self
            .allowed
            .iter()
            .filter(|network| network.prefix_len() == 0)
        {
            problems.add(
                "allow_addresses",
                network,
                "allows every address and so guards nothing; name the networks the issuer is in",
            );
        }
        let proxy = match self.proxy.as_deref().map(proxy::parse) {
            Some(Ok(proxy)) => Some(proxy),
            Some(Err((shown, remedy))) => {
                problems.add("proxy", shown, remedy);
                None
            }
            None => None,
        };
        let tls = tls(roots);
        if let Err(error) = &tls {
            problems.add("tls", error, "the aws-lc-rs provider cannot be used");
        }
        problems.or(Some(()))?;
        Ok(self.assemble(tls, proxy))
    }

    /// The client of an untouched builder. Nothing of it can be wrong but the TLS provider, and
    /// that shows on the first dial.
    pub(super) fn with_defaults(self) -> HttpClient {
        let tls = tls(default_roots());
        self.assemble(tls, None)
    }

    fn assemble(
        self,
        tls: Result<Arc<ClientConfig>, rustls::Error>,
        proxy: Option<Proxy>,
    ) -> HttpClient {
        let rules = AddressRules {
            allowed: self.allowed.into(),
        };
        let resolver = GuardedResolver::new(GaiResolver::new(), rules.clone());
        let mut direct = HttpConnector::new_with_resolver(resolver);
        direct.enforce_http(false);
        // Shared out among the addresses of a name, so that a dead one leaves time for the next.
        direct.set_connect_timeout(Some(self.connect_timeout));
        let proxy = proxy.map(|proxy| {
            let mut connector = HttpConnector::new();
            connector.set_connect_timeout(Some(self.connect_timeout));
            let tunnel = Tunnel::new(proxy.address, connector);
            match proxy.authorization {
                Some(value) => tunnel.with_auth(value),
                None => tunnel,
            }
        });
        let dial = Dial {
            direct,
            proxy,
            tls,
            rules,
            limit: self.connect_timeout,
        };
        let inner = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(HEAD)
            .build(dial);
        HttpClient { inner }
    }

    fn root_store(&self, problems: &mut Problems) -> RootCertStore {
        let mut store = if self.default_roots {
            default_roots()
        } else {
            RootCertStore::empty()
        };
        for (index, root) in self.roots.iter().enumerate() {
            let field = format!("root_certificate[{index}]");
            if let Err(error) = add_root(&mut store, root) {
                problems.add(field, "(certificate)", error);
            }
        }
        if store.is_empty() && self.roots.is_empty() {
            problems.add(
                "root_certificate",
                "none",
                "no server could be trusted; add a root or keep the default ones",
            );
        }
        store
    }
}

impl fmt::Debug for HttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The proxy URL may hold a password.
        f.debug_struct("HttpClientBuilder")
            .field("roots", &self.roots.len())
            .field("default_roots", &self.default_roots)
            .field("connect_timeout", &self.connect_timeout)
            .field("proxy", &self.proxy.is_some())
            .field("allowed", &self.allowed)
            .finish()
    }
}

fn default_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

fn add_root(store: &mut RootCertStore, root: &Root) -> Result<(), String> {
    let certificates = match root {
        Root::Der(der) => vec![CertificateDer::from(der.clone())],
        Root::Pem(pem) => roots::from_pem(pem)?,
    };
    certificates.into_iter().try_for_each(|certificate| {
        store
            .add(certificate)
            .map_err(|error| format!("not usable as a root ({error}); give an X.509 certificate"))
    })
}

fn tls(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    // Named here because another crate may have installed another provider for the process.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
