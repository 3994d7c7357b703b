//! How tokens that are bound to their sender are judged.

#[cfg(any(feature = "dpop", feature = "mtls"))]
use super::AuthenticatorBuilder;
use crate::authenticator::binding::Bindings;
use crate::authenticator::sender::Senders;
#[cfg(feature = "dpop")]
use crate::dpop::Dpop;
use crate::error::Problems;
#[cfg(feature = "mtls")]
use crate::mtls::ClientCertificates;

/// What is set here.
#[derive(Default)]
pub(super) struct BindingSettings {
    #[cfg(feature = "dpop")]
    dpop: Option<Dpop>,
    #[cfg(feature = "mtls")]
    certificates: Option<ClientCertificates>,
}

#[cfg(feature = "dpop")]
impl AuthenticatorBuilder {
    /// Takes access tokens bound to a key (DPoP, RFC 9449), sent as `Authorization: DPoP …` with a proof
    /// in the header `DPoP`; see [`dpop`](crate::dpop). Without this line they are refused, as any
    /// token is that is bound to something this server cannot check.
    #[must_use]
    pub fn dpop(mut self, settings: Dpop) -> Self {
        self.bindings.dpop = Some(settings);
        self
    }
}

#[cfg(feature = "mtls")]
impl AuthenticatorBuilder {
    /// Takes access tokens bound to a TLS client certificate (RFC 8705 §3); see [`mtls`](crate::mtls).
    /// Without this line they are refused.
    #[must_use]
    pub fn client_certificates(mut self, certificates: ClientCertificates) -> Self {
        self.bindings.certificates = Some(certificates);
        self
    }
}

impl BindingSettings {
    #[cfg_attr(
        not(any(feature = "dpop", feature = "mtls")),
        expect(clippy::unused_self, reason = "nothing can be set")
    )]
    pub(super) fn examine(&self, senders: &Senders, problems: &mut Problems) -> Bindings {
        #[cfg(feature = "mtls")]
        if self
            .certificates
            .is_some_and(|certificates| certificates.proxy)
            && senders.proxies.is_empty()
        {
            problems.add(
                "client_certificates",
                "from_proxy",
                "no proxy is trusted; name those that send Client-Cert with .trusted_proxies(…)",
            );
        }
        let _ = (senders, &problems);
        Bindings {
            #[cfg(feature = "dpop")]
            dpop: self
                .dpop
                .as_ref()
                .and_then(|settings| settings.examine(problems)),
            #[cfg(feature = "mtls")]
            certificates: self.certificates,
        }
    }
}
