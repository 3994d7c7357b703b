//! How tokens that are bound to their sender are judged.

#[cfg(any(feature = "dpop", feature = "mtls"))]
use super::AuthenticatorBuilder;
use crate::authenticator::binding::Bindings;
#[cfg(feature = "dpop")]
use crate::dpop::Dpop;
use crate::error::Problems;
#[cfg(feature = "mtls")]
use crate::mtls::ClientCertificates;
use crate::policy::TrustedProxies;

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
    /// Whether they name a store of used proofs.
    #[cfg(feature = "dpop")]
    pub(super) fn has_store(&self) -> bool {
        self.dpop.as_ref().is_some_and(Dpop::has_store)
    }

    /// Whether they name a store of used proofs.
    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn has_store(&self) -> bool {
        false
    }

    #[cfg_attr(
        not(any(feature = "dpop", feature = "mtls")),
        expect(clippy::unused_self, reason = "nothing can be set")
    )]
    pub(super) fn examine(&self, proxies: &TrustedProxies, problems: &mut Problems) -> Bindings {
        #[cfg(feature = "mtls")]
        if self
            .certificates
            .is_some_and(|certificates| certificates.proxy)
            && proxies.is_empty()
        {
            problems.add(
                "client_certificates",
                "from_proxy",
                "no proxy is trusted; name those that send Client-Cert with .trusted_proxies(…)",
            );
        }
        let _ = (proxies, &problems);
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
