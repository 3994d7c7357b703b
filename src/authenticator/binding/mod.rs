//! Whether a token is its sender's: the proof that a bound token needs, and the downgrades that are
//! refused whatever is configured.

mod kept;
mod proofs;
mod wanted;

#[cfg(feature = "mtls")]
use subtle::ConstantTimeEq;

use http::header::HeaderName;
use serde_json::{Map, Value};

use super::decide::Proven;
use super::ground::Ground;
use super::need::{Asked, Waited};
use super::sender::Arrival;
use super::{Begin, Current, Head, Inner};
use crate::confirmation::Thumbprint;
use crate::context::AuthContext;
use crate::method::AuthMethod;
use crate::rejection::{Reason, Rejection};
use crate::wire::authorization::{Found, Scheme, is_dpop};

pub(super) use kept::KeptHead;
use wanted::{Taken, wanted};

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

impl Bindings {
    /// The same over what lasts.
    #[cfg(feature = "dpop")]
    pub(super) fn lasting(self, ground: &Ground) -> Self {
        Self {
            dpop: self.dpop.map(|rules| rules.lasting(&ground.proofs)),
            ..self
        }
    }

    /// The same: nothing lasts.
    #[cfg(not(feature = "dpop"))]
    pub(super) fn lasting(self, _: &Ground) -> Self {
        self
    }

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

impl Current {
    /// Decides once more about a request that has been let in: on everything but its proof, which is
    /// used up.
    pub(crate) fn begin_again(&self, head: Head<'_>, arrival: Arrival) -> Begin {
        let waited = Waited {
            proof: true,
            ..Waited::default()
        };
        self.begin_after(waited, head, arrival)
    }

    /// The algorithms of DPoP proofs, separated by spaces, if proofs are taken.
    pub(crate) fn dpop_algorithms(&self) -> Option<&str> {
        self.0.shared.bindings.algorithms()
    }

    /// Whether a request came with the scheme `DPoP`, where that is taken. Behind an outer layer that has
    /// taken its credential out, the party's token says so.
    pub(crate) fn tries_dpop(&self, head: Head<'_>) -> bool {
        let bound = |context: &AuthContext| {
            let confirmation = context.principal().confirmation();
            confirmation.is_some_and(|confirmation| confirmation.key().is_some())
        };
        self.dpop_algorithms().is_some()
            && (is_dpop(head.headers) || head.extensions.get().is_some_and(bound))
    }

    /// Whether what a request says of a client certificate is somebody's invention.
    pub(crate) fn drops_client_cert(&self, arrival: Arrival) -> bool {
        let shared = &self.0.shared;
        let peer = arrival.sender.and_then(|sender| sender.peer);
        shared.bindings.reads_certificates() && !shared.senders.is_trusted(peer)
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
        if let Some(certificate) = wanted.certificate {
            self.check_certificate(certificate, head, asked)?;
        }
        // The same request was judged before, and has used up its proof.
        if asked.waited.proof {
            return Ok(None);
        }
        match wanted.key {
            Some(key) => self.check_proof(key, proven, (found, head), asked),
            None => Ok(None),
        }
    }

    /// Whether a token that was its sender's would still have to be shown to be, and could.
    pub(super) fn check_bound(&self, proven: &Proven) -> Result<(), Rejection> {
        let confirmation = proven.principal.confirmation();
        let by_dpop = confirmation.is_some_and(|confirmation| confirmation.key().is_some());
        wanted(by_dpop, confirmation, self.shared.bindings.taken())?;
        Ok(())
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
}

const DPOP: HeaderName = HeaderName::from_static("dpop");
