//! What an authenticator stands on for as long as it lives, whatever its settings are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::builder::Ports;
use super::foreign::Foreign;
use super::issued::Issued;
use super::news::Audience;
use super::revocation::Revocations;
use super::revoked::Table;
use super::rules::Rules;
use super::sender::{PeerOf, usual_peer};
use super::slot::Slot;
use super::trail::Audit;
use crate::api_token::foreign::Marker;
use crate::audit::trail::AuditTrail;
use crate::clock::{Clock, SystemClock};
#[cfg(feature = "dpop")]
use crate::dpop::Lasting;
use crate::fetch::DynFetch;
use crate::revocation::Epochs;
use crate::session::Sessions;
use crate::signal::Signal;
use crate::telemetry::Meter;

/// Ports, and what was heard through them; what is revoked, and who listens. All mounts of a server
/// and all generations of its settings have it in common.
pub(super) struct Ground {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fetch: DynFetch,
    pub(super) issued: Option<Arc<Issued>>,
    pub(super) foreign: Option<Arc<Foreign>>,
    pub(super) rules: Rules,
    pub(super) revocations: Revocations,
    pub(super) peer_of: Arc<PeerOf>,
    pub(super) sessions: Option<Sessions>,
    pub(super) audit: Option<Audit>,
    pub(super) signal: Arc<Signal>,
    pub(super) meter: Meter,
    #[cfg(feature = "dpop")]
    pub(super) proofs: Lasting,
    /// As they were given.
    pub(super) ports: Ports,
    mounts: AtomicU64,
    slots: Mutex<Vec<Weak<Slot>>>,
}

/// What else there is from the beginning.
pub(super) struct Beginning {
    pub(super) fetch: DynFetch,
    pub(super) marker: Option<Marker>,
    pub(super) sessions: Option<Sessions>,
    /// With whether nobody is let in without a record.
    pub(super) trail: Option<(AuditTrail, bool)>,
    pub(super) meter: Meter,
}

impl Ground {
    pub(super) fn new(ports: Ports, beginning: Beginning) -> Arc<Self> {
        let clock = ports.clock.clone();
        let clock: Arc<dyn Clock> = clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let signal = Arc::new(Signal::new());
        let (tokens, policies) = (ports.tokens.as_ref(), ports.policies.as_ref());
        let audit = beginning
            .trail
            .map(|trail| Audit::new(trail, tokens, policies, &clock));
        let table = Table {
            epochs: Epochs::new(),
            clock: clock.clone(),
            signal: signal.clone(),
            trail: audit.as_ref().map(|audit| audit.trail.clone()),
        };
        let audience = Audience::new(tokens, policies);
        let issued = tokens.map(|tokens| Issued::new(tokens.clone(), clock.clone(), &signal));
        let formats = ports.foreign.clone();
        let foreign = beginning
            .marker
            .map(|marker| Foreign::new(formats, marker, clock.clone()));
        let peer_of = ports.peer_of.clone();
        let (store, enricher) = (ports.policies.clone(), ports.enricher.clone());
        Arc::new(Self {
            rules: Rules::new(store, enricher, &clock, &signal),
            revocations: Revocations::new(table, ports.revocations.clone(), audience),
            clock,
            fetch: beginning.fetch,
            issued: issued.map(Arc::new),
            foreign: foreign.map(Arc::new),
            peer_of: peer_of.unwrap_or_else(|| Arc::new(usual_peer)),
            sessions: beginning.sessions,
            audit,
            signal,
            meter: beginning.meter,
            #[cfg(feature = "dpop")]
            proofs: Lasting::default(),
            ports,
            mounts: AtomicU64::new(0),
            slots: Mutex::default(),
        })
    }

    /// Forgets what stores and the directory said.
    pub(super) fn flush(&self) {
        self.rules.flush();
        if let Some(issued) = &self.issued {
            issued.flush();
        }
        if let Some(foreign) = &self.foreign {
            foreign.flush();
        }
    }

    /// A number no mount had, in any generation.
    pub(super) fn next_mount(&self) -> u64 {
        self.mounts.fetch_add(1, Ordering::Relaxed)
    }

    /// All mounts, the first one first, and each after the one it was mounted on. Held by whoever
    /// changes settings or adds a mount: one at a time.
    pub(super) fn slots(&self) -> MutexGuard<'_, Vec<Weak<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
