//! New settings for a server that runs.
//!
//! # No request sees a mix
//!
//! Everything that settings decide about a request hangs on one [`Inner`], which never changes. A
//! request loads it once, from its slot, and is judged by it to its end; there is no second place from
//! which it could get a newer part. (One whose body took its time is judged anew, as a whole, by the
//! newest: `middleware/auth/again.rs`.) A reload makes all new `Inner`s first, which may fail and then was
//! nothing, and stores each with one atomic swap.
//!
//! # Nobody misses a reload
//!
//! A swap of an `ArcSwap` is `SeqCst` and its load at least `Acquire`: who loads an `Inner` sees it whole,
//! and who starts after `reload` has returned, as told by anything that orders the two, loads the new one.
//! A stream is opened by a request that may have loaded the old one, and has to hear of the new one. The
//! number of the signal is raised (`AcqRel`) after the swaps; a request reads it (`Acquire`) before it loads
//! its `Inner`. If it read the raised number, the swap happened before, and it has the new settings. If it
//! read an older number, its lease compares that with the raised one at its first look, takes the newest
//! `Inner`, and is judged by it before anything more passes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use super::ground::Ground;
use super::slot::Slot;
use super::{Authenticator, AuthenticatorBuilder, Inner};
use crate::audit::{AuditEvent, AuditRecord};
use crate::error::{ConfigError, Problems};
use crate::signal::Causes;

/// A mount and its new settings.
struct Renewed {
    slot: Arc<Slot>,
    inner: Arc<Inner>,
}

impl Authenticator {
    /// Puts new settings in the place of those of a running server, for all its mounts and clones,
    /// without losing a request, a session, a stream or a key. Returns the new
    /// [generation](Self::generation).
    ///
    /// `builder` says everything again that is a *value*: resource, issuers, scopes, tool rules, limits
    /// and switches. What it leaves out goes back to its default. A *port* (clock, fetch, audit sink,
    /// every store, log, directory and format of tokens, and where the peer's address is found) is what
    /// it was at the start; one that `builder` names is a problem. So is another key for
    /// [sessions](AuthenticatorBuilder::session_key) or
    /// [audit records](AuthenticatorBuilder::audit_key) than the first one: leave it out, or say the
    /// same. [Mounts](Self::mount) are made again from their descriptions.
    ///
    /// A request is judged by the settings of the moment at which it came, all of them; one whose body
    /// was read only after the reload, by the new ones. What is in force when this returns:
    ///
    /// - Every request that comes now is judged by the new settings, whatever was remembered of its
    ///   credential.
    /// - [Open streams](crate::middleware::auth#open-streams) are judged by them before anything more
    ///   is sent: one whose issuer was taken out, or whose token lacks a scope that every request now
    ///   needs, or is another organization's by them, ends. Policies judge the party that they see. Not
    ///   looked at again are header and signature of its token, and the operation that it answers. Who
    ///   stands behind a proxy cannot be told again: if the trusted proxies are others than before,
    ///   streams behind one have no known address, and rules about networks end them.
    /// - Kept are revocations, sessions, used DPoP proofs, cached records, policies and user facts; the
    ///   keys of issuers that are still listed with the same `jwks_uri` and algorithms; and counted
    ///   failures, if the [throttle](AuthenticatorBuilder::throttle) is the same. Introspection answers
    ///   are asked for anew.
    /// - Keys of new issuers are being fetched, if a Tokio runtime is current.
    ///
    /// The audit sink hears of it as [`settings.changed`](crate::audit::AuditEvent::SettingsChanged).
    ///
    /// `OriginLayer`, `ResourceMetadataLayer` and `cors(…)` keep the [`Resource`](crate::Resource) they
    /// were made with, and a receiver of security events its transmitters.
    ///
    /// ```
    /// use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let resource = || ProtectedResource::new("https://mcp.example.com/mcp");
    /// let auth = Authenticator::builder(
    ///     resource().issuer(Issuer::new("https://auth.example.com/t1")),
    /// )
    /// .build()?;
    /// assert_eq!(auth.generation(), 1);
    ///
    /// // Another issuer, and a scope that everybody needs. Layers made of `auth` follow.
    /// let settings = Authenticator::builder(
    ///     resource().issuer(Issuer::new("https://auth.example.com/t2")),
    /// )
    /// .require_scopes(["mcp"]);
    /// assert_eq!(auth.reload(settings)?, 2);
    ///
    /// // A mistake changes nothing.
    /// let mistaken = Authenticator::builder(resource());
    /// let error = auth.reload(mistaken).unwrap_err();
    /// assert_eq!(error.problems()[0].field, "resource.issuers");
    /// assert_eq!(auth.generation(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Every mistake found, as [`build`](AuthenticatorBuilder::build) finds them; every port and key that
    /// is to be another one; and every mount that does not fit any more, as `mount[/path]`. Nothing has
    /// changed then.
    pub fn reload(&self, builder: AuthenticatorBuilder) -> Result<u64, ConfigError> {
        let ground = self.0.ground.clone();
        // Held until all is in place: one reload at a time, and no mount is made meanwhile.
        let slots = ground.slots();
        let renewed = renew(&slots, builder)?;
        let first = renewed.first().map(|first| first.inner.clone());
        let old: Vec<_> = renewed
            .into_iter()
            .map(|Renewed { slot, inner }| (slot.newest.swap(inner), slot))
            .collect();
        if let Some(first) = &first {
            first.want_scopes();
            first.report_to_meter();
        }
        drop(slots);
        ground.signal.raise(Causes::ALL, None);
        // Code of the user's may end with them, such as a recogniser of tokens: not under the lock.
        drop(old);
        let Some(first) = first else {
            return Ok(self.generation());
        };
        first.begin_with_keys();
        let generation = first.shared.generation;
        tracing::info!(target: "tower_mcp_auth::reload", generation, "new settings are in force");
        ground.record_settings(generation);
        Ok(generation)
    }

    /// Counts the settings this server has had: 1 from [`build`](AuthenticatorBuilder::build) on, and
    /// one more with every [reload](Self::reload).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.newest.load().shared.generation
    }
}

/// New settings for every mount there is. The first is the server's, and comes first; each comes after
/// the one it was mounted on.
fn renew(slots: &[Weak<Slot>], builder: AuthenticatorBuilder) -> Result<Vec<Renewed>, ConfigError> {
    let mut problems = Problems::default();
    let mut builder = Some(builder);
    let mut renewed: Vec<Renewed> = Vec::new();
    for slot in slots.iter().filter_map(Weak::upgrade) {
        let inner = match &slot.mounted {
            None => builder.take().and_then(|builder| {
                let before = slot.newest.load_full();
                let place = (&*before, Arc::downgrade(&slot));
                builder.renew(&slot.ground, place, &mut problems)
            }),
            Some(mounted) => {
                let on = renewed.iter().find(|on| Arc::ptr_eq(&on.slot, &mounted.on));
                on.and_then(|on| {
                    let mut found = Problems::default();
                    let inner = on.inner.mounted(&mounted.resource, &mut found);
                    let path = slot.newest.load().resource.path().to_owned();
                    problems.append_within(&format!("mount[{path}]"), found);
                    inner
                })
            }
        };
        if let Some(inner) = inner {
            let inner = Arc::new(Inner {
                slot: Arc::downgrade(&slot),
                ..inner
            });
            renewed.push(Renewed { slot, inner });
        }
    }
    problems.or(Some(renewed))
}

impl Ground {
    /// Who reads the records has to know where the rules changed.
    fn record_settings(&self, generation: u64) {
        let Some(audit) = &self.audit else { return };
        // The clock is the user's and may panic (R15). The settings are in force all the same.
        let Ok(now) = catch_unwind(AssertUnwindSafe(|| self.clock.now())) else {
            return;
        };
        let mut record = AuditRecord::new(AuditEvent::SettingsChanged, now);
        record.generation = Some(generation);
        audit.trail.record(record);
    }
}

impl Inner {
    /// Tells the issuers that are kept which scopes clients are asked to get now.
    fn want_scopes(&self) {
        for issuer in self.trust.issuers() {
            issuer.keys.want(self.known_scopes.clone());
        }
    }

    /// Fetches keys of which there are none. Only a help: the first request would.
    fn begin_with_keys(&self) {
        for issuer in self.trust.issuers() {
            // The clock is the user's and may panic (R15).
            let _ = catch_unwind(AssertUnwindSafe(|| issuer.keys.begin()));
        }
    }
}

#[cfg(test)]
#[cfg(feature = "client")]
mod tests {
    use super::*;
    use crate::issuer::Issuer;
    use crate::resource::ProtectedResource;

    fn settings() -> AuthenticatorBuilder {
        let resource = ProtectedResource::new("https://mcp.example.com/mcp");
        Authenticator::builder(resource.issuer(Issuer::new("https://auth.example.com/t1")))
    }

    fn v2() -> ProtectedResource {
        ProtectedResource::new("https://mcp.example.com/v2")
    }

    /// Ten reloads cost what one costs.
    #[test]
    fn r28_old_settings_are_gone_when_nobody_is_judged_by_them() {
        let auth = settings().build().unwrap();
        let (mount, handle) = (auth.mount(v2()).unwrap(), auth.handle());
        let mut old = Vec::new();
        for _ in 0..10 {
            let [first, second] = [&auth, &mount].map(|auth| Arc::downgrade(&auth.latest().0));
            let shared = Arc::downgrade(&auth.latest().0.shared);
            let under_way = auth.latest();
            auth.reload(settings()).unwrap();
            assert!(first.upgrade().is_some(), "a request has it");
            drop(under_way);
            old.push((first, second, shared));
        }
        for (first, second, shared) in old {
            let held = (
                first.strong_count(),
                second.strong_count(),
                shared.strong_count(),
            );
            assert_eq!(held, (0, 0, 0));
        }
        assert_eq!(auth.0.ground.slots().len(), 2);
        drop(handle);
    }

    /// A slot, its settings and the ground know each other, and do not keep each other.
    #[test]
    fn r28_nothing_is_left_of_a_server_that_is_dropped() {
        let auth = settings().build().unwrap();
        let mount = auth.mount(v2()).unwrap();
        auth.reload(settings()).unwrap();
        let ground = Arc::downgrade(&auth.0.ground);
        let slots = [&auth, &mount].map(|auth| Arc::downgrade(&auth.0));
        let current = mount.latest();
        drop(auth);
        assert!(slots[0].upgrade().is_some(), "the mount stands on it");
        drop(mount);
        assert!(slots.iter().all(|slot| slot.upgrade().is_none()));
        assert!(current.newer().is_none(), "it is the newest for good");
        drop(current);
        assert!(ground.upgrade().is_none());
    }

    /// A mount that is dropped is forgotten, and no reload makes it again.
    #[test]
    fn r28_mounts_that_are_dropped_do_not_pile_up() {
        let auth = settings().build().unwrap();
        for _ in 0..100 {
            drop(auth.mount(v2()).unwrap());
        }
        assert!(auth.0.ground.slots().len() <= 2);
    }

    #[test]
    fn r28_a_panic_under_the_lock_stops_nobody() {
        let auth = settings().build().unwrap();
        let ground = auth.0.ground.clone();
        let panicked = std::thread::spawn(move || {
            let _held = ground.slots();
            panic!("a fault");
        });
        assert!(panicked.join().is_err());
        assert_eq!(auth.reload(settings()), Ok(2));
    }
}
