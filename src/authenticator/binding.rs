//! Whether a token is its sender's: the proof that a bound token needs, and the downgrades that are
//! refused whatever is configured.

#[cfg(feature = "mtls")]
use subtle::ConstantTimeEq;

use http::header::HeaderName;
use http::{Extensions, HeaderMap, Method};
use serde_json::{Map, Value};

use super::decide::Proven;
use super::need::Asked;
use super::{Begin, Head, Inner};
use crate::confirmation::{Confirmation, Thumbprint};
use crate::context::AuthContext;
use crate::method::AuthMethod;
use crate::rejection::{Reason, Rejection};
use crate::wire::authorization::{Found, Scheme};

/// What is configured.
#[derive(Default)]
pub(super) struct Bindings {
    #[cfg(feature = "dpop")]
    pub(super) dpop: Option<crate::dpop::Rules>,
    #[cfg(feature = "mtls")]
    pub(super) certificates: Option<crate::mtls::ClientCertificates>,
}

/// A proof that is good, and is used up when nothing else is left to decide.
#[cfg(feature = "dpop")]
pub(super) type Proof = crate::dpop::Proof;
#[cfg(not(feature = "dpop"))]
pub(super) type Proof = std::convert::Infallible;

/// A party that is let in, unless its proof has been used.
pub(super) struct Admission {
    pub(super) context: AuthContext,
    pub(super) proof: Option<Proof>,
}

/// What this server can check.
#[derive(Clone, Copy, Default)]
struct Taken {
    dpop: bool,
    dpop_required: bool,
    certificates: bool,
}

/// What the sender has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted<'c> {
    key: Option<&'c Thumbprint>,
    certificate: Option<&'c Thumbprint>,
}

/// What the sender of a token with this confirmation has to show, or why nothing would do.
fn wanted(
    by_dpop: bool,
    confirmation: Option<&Confirmation>,
    taken: Taken,
) -> Result<Wanted<'_>, Reason> {
    let key = confirmation.and_then(Confirmation::key);
    let certificate = confirmation.and_then(Confirmation::certificate);
    match (by_dpop, key) {
        (true, None) => return Err(Reason::UnboundToken),
        (false, Some(_)) => return Err(Reason::SenderConstrained),
        (true, Some(_)) if !taken.dpop => return Err(Reason::SenderConstrained),
        (false, None) if taken.dpop_required => return Err(Reason::DpopRequired),
        (true, Some(_)) | (false, None) => {}
    }
    if certificate.is_some() && !taken.certificates {
        return Err(Reason::SenderConstrained);
    }
    Ok(Wanted { key, certificate })
}

impl Bindings {
    #[cfg_attr(
        not(any(feature = "dpop", feature = "mtls")),
        expect(clippy::unused_self, reason = "nothing can be configured")
    )]
    fn taken(&self) -> Taken {
        #[cfg_attr(
            not(any(feature = "dpop", feature = "mtls")),
            expect(unused_mut, reason = "nothing can be configured")
        )]
        let mut taken = Taken::default();
        #[cfg(feature = "dpop")]
        if let Some(rules) = &self.dpop {
            taken.dpop = true;
            taken.dpop_required = rules.required;
        }
        #[cfg(feature = "mtls")]
        {
            taken.certificates = self.certificates.is_some();
        }
        taken
    }

    /// The algorithms of proofs, separated by spaces, if proofs are taken.
    #[cfg(feature = "dpop")]
    pub(super) fn algorithms(&self) -> Option<&str> {
        self.dpop.as_ref().map(|rules| &*rules.names)
    }

    /// The algorithms of proofs, separated by spaces, if proofs are taken.
    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn algorithms(&self) -> Option<&str> {
        None
    }

    /// Whether only a trusted proxy may send `Client-Cert`.
    #[cfg(feature = "mtls")]
    pub(super) fn reads_certificates(&self) -> bool {
        self.certificates.is_some()
    }

    /// Whether only a trusted proxy may send `Client-Cert`.
    #[cfg(not(feature = "mtls"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn reads_certificates(&self) -> bool {
        false
    }

    /// What the metadata document says of this (RFC 9728 §2); nothing of what is off (PRM-14).
    pub(super) fn members(&self) -> Map<String, Value> {
        #[cfg_attr(
            not(any(feature = "dpop", feature = "mtls")),
            expect(unused_mut, reason = "nothing can be configured")
        )]
        let mut members = Map::new();
        #[cfg(feature = "dpop")]
        if let Some(rules) = &self.dpop {
            let algorithms = rules.algorithms().collect();
            members.insert("dpop_signing_alg_values_supported".into(), algorithms);
            if rules.required {
                members.insert("dpop_bound_access_tokens_required".into(), true.into());
            }
        }
        #[cfg(feature = "mtls")]
        if self.certificates.is_some() {
            let member = "tls_client_certificate_bound_access_tokens";
            members.insert(member.into(), true.into());
        }
        members
    }
}

impl Inner {
    /// Whether the token is its sender's, as far as can be told without using up the proof.
    pub(super) fn check_binding(
        &self,
        proven: &Proven,
        found: Found<'_>,
        head: Head<'_>,
        asked: Asked<'_>,
    ) -> Result<Option<Proof>, Rejection> {
        if proven.method != AuthMethod::OAuth {
            return Ok(None);
        }
        let (by_dpop, confirmation) = (
            found.scheme == Scheme::Dpop,
            proven.principal.confirmation(),
        );
        let wanted = wanted(by_dpop, confirmation, self.shared.bindings.taken())?;
        // The same request was judged before, and has used up its proof.
        if asked.waited.proof {
            return Ok(None);
        }
        if let Some(certificate) = wanted.certificate {
            self.check_certificate(certificate, head, asked)?;
        }
        match wanted.key {
            Some(key) => self.check_proof(key, proven, (found, head), asked),
            None => Ok(None),
        }
    }

    #[cfg(feature = "mtls")]
    fn check_certificate(
        &self,
        wanted: &Thumbprint,
        head: Head<'_>,
        asked: Asked<'_>,
    ) -> Result<(), Rejection> {
        let Some(certificates) = self.shared.bindings.certificates else {
            return Err(Reason::SenderConstrained.into());
        };
        let by_proxy = self.shared.senders.is_trusted(asked.sender.peer);
        let mismatch = |note| Rejection::new(Reason::ClientCertificateMismatch).with_note(note);
        let shown = certificates
            .find(head.headers, head.extensions, by_proxy)
            .map_err(mismatch)?
            .ok_or_else(|| mismatch("no client certificate"))?;
        if shown.ct_eq(wanted).into() {
            Ok(())
        } else {
            Err(mismatch("another client certificate"))
        }
    }

    #[cfg(not(feature = "mtls"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    fn check_certificate(
        &self,
        _: &Thumbprint,
        _: Head<'_>,
        _: Asked<'_>,
    ) -> Result<(), Rejection> {
        Err(Reason::SenderConstrained.into())
    }

    #[cfg(feature = "dpop")]
    fn check_proof(
        &self,
        key: &Thumbprint,
        proven: &Proven,
        (found, head): (Found<'_>, Head<'_>),
        asked: Asked<'_>,
    ) -> Result<Option<Proof>, Rejection> {
        use crate::dpop::{Expected, Fault};
        use crate::wire::only_line;

        let Some(rules) = &self.shared.bindings.dpop else {
            return Err(Reason::SenderConstrained.into());
        };
        let invalid = |note| Rejection::new(Reason::InvalidDpopProof).with_note(note);
        let line = only_line(head.headers, &DPOP).map_err(|_| invalid("two DPoP headers"))?;
        let line = line.ok_or(Reason::MissingDpopProof)?;
        let text = line.to_str().map_err(|_| invalid("no compact JWS"))?;
        let expected = Expected {
            method: head.method.as_str(),
            resource: (self.resource.identifier(), self.resource.path()),
            path: head.path,
            token: found.bytes,
            key,
            now: asked.now,
        };
        let fresh = std::sync::OnceLock::new();
        let known = proven
            .remembered
            .as_ref()
            .map_or(&fresh, |known| &known.pins.proof_key);
        match rules.judge(text.trim_ascii(), expected, known) {
            Ok(proof) => Ok(Some(proof)),
            Err(Fault::Invalid(note)) => Err(invalid(note)),
            Err(Fault::OtherKey) => Err(Reason::DpopKeyMismatch.into()),
            Err(Fault::Nonce) => {
                let rejection = Rejection::new(Reason::DpopNonceNeeded);
                Err(match rules.nonce(asked.now) {
                    Some(nonce) => rejection.with_dpop_nonce(nonce),
                    None => rejection,
                })
            }
        }
    }

    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    fn check_proof(
        &self,
        _: &Thumbprint,
        _: &Proven,
        _: (Found<'_>, Head<'_>),
        _: Asked<'_>,
    ) -> Result<Option<Proof>, Rejection> {
        Err(Reason::SenderConstrained.into())
    }

    /// The nonce for the next proof, if that of this one is not the newest.
    #[cfg(feature = "dpop")]
    pub(super) fn next_nonce(
        &self,
        proof: Option<&Proof>,
        asked: Asked<'_>,
    ) -> Option<Box<http::HeaderValue>> {
        let rules = self.shared.bindings.dpop.as_ref()?;
        proof.filter(|proof| proof.ageing)?;
        rules.nonce(asked.now).map(Box::new)
    }

    /// The nonce for the next proof, if that of this one is not the newest.
    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn next_nonce(
        &self,
        _: Option<&Proof>,
        _: Asked<'_>,
    ) -> Option<Box<http::HeaderValue>> {
        None
    }

    /// The last step of a decision: uses up the proof. Whatever could refuse the credential or make it
    /// wait has been asked before, so that no request is refused for a proof of its own, and none that
    /// is refused takes its proof with it.
    #[cfg(feature = "dpop")]
    pub(super) fn finish(&self, admission: Admission) -> Begin {
        use crate::dpop::{Claim, Replays};

        let Admission { context, proof } = admission;
        let (Some(proof), Some(rules)) = (proof, &self.shared.bindings.dpop) else {
            return Begin::Decided(Ok(context));
        };
        match &rules.replays {
            Replays::Here(memory) => {
                let claim = memory.claim(proof.id, context.admitted_at());
                Begin::Decided(match claim {
                    Claim::First => Ok(context),
                    Claim::Again => Err(context.refused(Reason::DpopReplayed.into())),
                })
            }
            Replays::There(store) => {
                let claim =
                    tokio::time::timeout(REPLAY_DEADLINE, store.claim(proof.id, proof.until));
                Begin::Pending(Box::pin(async move {
                    let cause = match claim.await {
                        Ok(Ok(Claim::First)) => return Ok(context),
                        Ok(Ok(Claim::Again)) => {
                            return Err(context.refused(Reason::DpopReplayed.into()));
                        }
                        Ok(Err(error)) => error,
                        Err(_) => crate::error::BackendError::new(
                            "the replay store did not answer in time",
                        ),
                    };
                    let rejection = Rejection::new(Reason::StoreUnavailable);
                    let rejection = rejection.with_cause(std::sync::Arc::new(cause));
                    Err(context.refused(rejection))
                }))
            }
        }
    }

    /// The last step of a decision.
    #[cfg(not(feature = "dpop"))]
    #[expect(
        clippy::unused_self,
        reason = "the other half of a pair chosen by feature"
    )]
    pub(super) fn finish(&self, admission: Admission) -> Begin {
        match admission.proof {
            None => Begin::Decided(Ok(admission.context)),
            Some(proof) => match proof {},
        }
    }
}

/// The longest a replay store may take.
#[cfg(feature = "dpop")]
const REPLAY_DEADLINE: std::time::Duration = std::time::Duration::from_millis(500);

const DPOP: HeaderName = HeaderName::from_static("dpop");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// What of a request a decision needs that outlives its borrow.
pub(super) struct KeptHead {
    method: Method,
    path: Box<str>,
    headers: HeaderMap,
    extensions: Extensions,
}

impl KeptHead {
    pub(super) fn of(head: Head<'_>) -> Self {
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

    pub(super) fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            path: &self.path,
            headers: &self.headers,
            extensions: &self.extensions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Thumbprint = [1; 32];
    const CERTIFICATE: Thumbprint = [2; 32];

    /// Every way to send every token to every server, and what comes of it.
    #[test]
    fn dpop_07_dpop_08_mtls_01_no_downgrade_passes() {
        use Reason::{DpopRequired, SenderConstrained, UnboundToken};
        let everything = Taken {
            dpop: true,
            dpop_required: false,
            certificates: true,
        };
        let required = Taken {
            dpop_required: true,
            ..everything
        };
        let nothing = Taken::default();
        let key = Confirmation::new(Some(KEY), None);
        let certificate = Confirmation::new(None, Some(CERTIFICATE));
        let both = Confirmation::new(Some(KEY), Some(CERTIFICATE));
        let ok = |key: bool, certificate: bool| {
            Ok(Wanted {
                key: key.then_some(&KEY),
                certificate: certificate.then_some(&CERTIFICATE),
            })
        };
        for (by_dpop, confirmation, taken, expected) in [
            (false, None, nothing, ok(false, false)),
            (false, None, everything, ok(false, false)),
            (false, None, required, Err(DpopRequired)),
            (false, key, nothing, Err(SenderConstrained)),
            (false, key, everything, Err(SenderConstrained)),
            (false, key, required, Err(SenderConstrained)),
            (false, certificate, nothing, Err(SenderConstrained)),
            (false, certificate, everything, ok(false, true)),
            (false, certificate, required, Err(DpopRequired)),
            (false, both, nothing, Err(SenderConstrained)),
            (false, both, everything, Err(SenderConstrained)),
            (true, None, everything, Err(UnboundToken)),
            (true, None, required, Err(UnboundToken)),
            (true, key, nothing, Err(SenderConstrained)),
            (true, key, everything, ok(true, false)),
            (true, key, required, ok(true, false)),
            (true, certificate, everything, Err(UnboundToken)),
            (true, both, everything, ok(true, true)),
            (
                true,
                both,
                Taken {
                    certificates: false,
                    ..everything
                },
                Err(SenderConstrained),
            ),
            (
                true,
                both,
                Taken {
                    dpop: false,
                    ..everything
                },
                Err(SenderConstrained),
            ),
        ] {
            assert_eq!(
                wanted(by_dpop, confirmation.as_ref(), taken),
                expected,
                "{by_dpop} {confirmation:?}"
            );
        }
    }
}
