//! What of a request is needed after its borrow has ended.

use http::header::HeaderName;
use http::{Extensions, HeaderMap, Method};

use super::DPOP;
use crate::authenticator::Head;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// What of a request a decision needs that outlives its borrow.
pub(in crate::authenticator) struct KeptHead {
    method: Method,
    path: Box<str>,
    headers: HeaderMap,
    extensions: Extensions,
}

impl KeptHead {
    pub(in crate::authenticator) fn of(head: Head<'_>) -> Self {
        let mut headers = HeaderMap::new();
        for name in [DPOP, CLIENT_CERT] {
            for line in head.headers.get_all(&name) {
                headers.append(&name, line.clone());
            }
        }
        #[cfg_attr(
            not(feature = "mtls"),
            expect(unused_mut, reason = "nothing of them is needed")
        )]
        let mut extensions = Extensions::new();
        #[cfg(feature = "mtls")]
        if let Some(certificate) = head.extensions.get::<crate::mtls::PeerCertificate>() {
            extensions.insert(*certificate);
        }
        Self {
            method: head.method.clone(),
            path: head.path.into(),
            headers,
            extensions,
        }
    }

    pub(in crate::authenticator) fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            path: &self.path,
            headers: &self.headers,
            extensions: &self.extensions,
        }
    }
}
