//! Tokens that are worth nothing without their client's TLS certificate (RFC 8705 §3). Feature `mtls`.
//!
//! The certificate is not judged here: whoever terminates TLS has to demand one and to see that the
//! client has its private key. Whether a certificate authority signed it does not matter, since the
//! token names the very certificate.
//!
//! ```
//! use tower_mcp_auth::mtls::ClientCertificates;
//! use tower_mcp_auth::policy::TrustedProxies;
//! use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};
//!
//! # fn main() -> Result<(), tower_mcp_auth::ConfigError> {
//! let auth = Authenticator::builder(
//!     ProtectedResource::new("https://mcp.example.com/mcp")
//!         .issuer(Issuer::new("https://auth.example.com/t1")),
//! )
//! // This server terminates TLS itself and puts a PeerCertificate into the request's extensions …
//! .client_certificates(ClientCertificates::from_connection().or_from_proxy())
//! // … or these do, and send the header Client-Cert.
//! .trusted_proxies(TrustedProxies::new(["10.0.0.0/8"])?)
//! .build()?;
//! # Ok(())
//! # }
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Extensions, HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use crate::confirmation::Thumbprint;
use crate::wire::only_line;

/// The certificate of a request's client, as a proxy says it (RFC 9440 §2.2).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// The certificate that the client of a connection has shown, as the server puts it into a request's
/// extensions.
///
/// Insert it where connections are accepted. With rustls it is the first of
/// `ServerConnection::peer_certificates`:
///
/// ```
/// use tower_mcp_auth::mtls::PeerCertificate;
///
/// fn accepted(request: &mut http::Request<()>, certificates: Option<&[impl AsRef<[u8]>]>) {
///     if let Some([leaf, ..]) = certificates {
///         request.extensions_mut().insert(PeerCertificate::from_der(leaf));
///     }
/// }
/// # accepted(&mut http::Request::new(()), Some(&[b"der"]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeerCertificate(Thumbprint);

impl PeerCertificate {
    /// A certificate in DER.
    #[must_use]
    pub fn from_der(der: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// A certificate of which only the SHA-256 of the DER is known.
    #[must_use]
    pub fn from_sha256(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The SHA-256 of the DER.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerCertificate(..)")
    }
}

/// Where the client's certificate is found. For
/// [`AuthenticatorBuilder::client_certificates`](crate::authenticator::AuthenticatorBuilder::client_certificates).
#[derive(Clone, Copy, Debug)]
#[must_use = "settings do nothing until the builder has them"]
pub struct ClientCertificates {
    connection: bool,
    pub(crate) proxy: bool,
}

impl ClientCertificates {
    /// In the request's extensions, as a [`PeerCertificate`].
    pub fn from_connection() -> Self {
        Self {
            connection: true,
            proxy: false,
        }
    }

    /// In the header `Client-Cert` (RFC 9440), one line of one byte sequence, of requests that come from
    /// a [trusted proxy](crate::authenticator::AuthenticatorBuilder::trusted_proxies). That proxy must
    /// take such a header off whatever it passes on. Of anybody else the header is not looked at, and
    /// the inner service does not see it.
    pub fn from_proxy() -> Self {
        Self {
            connection: false,
            proxy: true,
        }
    }

    /// There too. The certificate that a trusted proxy shows for itself is never taken for its client's.
    pub fn or_from_proxy(mut self) -> Self {
        self.proxy = true;
        self
    }

    /// The certificate of the client of a request, which a trusted proxy has sent or not.
    pub(crate) fn find(
        self,
        headers: &HeaderMap,
        extensions: &Extensions,
        by_proxy: bool,
    ) -> Result<Option<Thumbprint>, &'static str> {
        if by_proxy && self.proxy {
            let line = only_line(headers, &CLIENT_CERT).map_err(|_| "two Client-Cert lines")?;
            let Some(line) = line else { return Ok(None) };
            let der = byte_sequence(line.as_bytes()).ok_or("malformed Client-Cert")?;
            return Ok(Some(Sha256::digest(der).into()));
        }
        let certificate = extensions.get::<PeerCertificate>();
        Ok(certificate
            .filter(|_| self.connection)
            .map(|certificate| certificate.0))
    }
}

/// A byte sequence without parameters (RFC 9651 §3.3.5), never empty.
fn byte_sequence(line: &[u8]) -> Option<Vec<u8>> {
    let base64 = line.trim_ascii().strip_prefix(b":")?.strip_suffix(b":")?;
    let bytes = STANDARD.decode(base64).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&str], by_proxy: bool) -> Result<Option<Thumbprint>, &'static str> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CLIENT_CERT, HeaderValue::from_str(line).unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(PeerCertificate::from_sha256([7; 32]));
        ClientCertificates::from_connection()
            .or_from_proxy()
            .find(&headers, &extensions, by_proxy)
    }

    #[test]
    fn mtls_02_a_proxy_speaks_for_its_client_and_never_for_itself() {
        let der: [u8; 32] = Sha256::digest(b"der").into();
        assert_eq!(of(&[":ZGVy:"], true), Ok(Some(der)));
        assert_eq!(of(&[" :ZGVy: "], true), Ok(Some(der)));
        assert_eq!(of(&[], true), Ok(None));
        assert_eq!(of(&[":ZGVy:"], false), Ok(Some([7; 32])));
        assert_eq!(of(&[], false), Ok(Some([7; 32])));
    }

    #[test]
    fn mtls_02_only_one_byte_sequence_is_a_certificate() {
        for bad in [
            "",
            ":",
            "::",
            "ZGVy",
            ":ZGVy",
            "ZGVy:",
            "\"ZGVy\"",
            ":ZGV:",
            ":ZGVz=:",
            ":ZG Vy:",
            ":ZGVy:;a=1",
            ":ZGVy:, :ZGVy:",
            ":ZG-_:",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert_eq!(of(&[bad], true), Err("malformed Client-Cert"), "{bad}");
        }
        assert_eq!(of(&[":ZGVy:"; 2], true), Err("two Client-Cert lines"));
    }

    #[test]
    fn mtls_02_each_place_counts_only_where_it_is_configured() {
        let mut headers = HeaderMap::new();
        headers.append(CLIENT_CERT, HeaderValue::from_static(":ZGVy:"));
        let mut extensions = Extensions::new();
        extensions.insert(PeerCertificate::from_sha256([7; 32]));
        let connection = ClientCertificates::from_connection();
        assert_eq!(
            connection.find(&headers, &extensions, true),
            Ok(Some([7; 32]))
        );
        let proxy = ClientCertificates::from_proxy();
        assert_eq!(proxy.find(&headers, &extensions, false), Ok(None));
    }

    proptest! {
        #[test]
        fn mtls_02_any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = byte_sequence(&bytes);
        }
    }
}
