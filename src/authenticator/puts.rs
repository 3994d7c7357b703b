//! Changed policies on record: once for each version and process, however often it is told.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use moka::ops::compute::{CompResult, Op};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::audit::trail::AuditTrail;
use crate::audit::{AuditEvent, AuditPolicy, AuditRecord, AuditText};
use crate::clock::{Clock, UnixTime};
use crate::ident::OrganizationId;
use crate::policy::{ChangeListener, DynPolicyStore, PolicyStore};

/// A changed policy is read for at most this long, to name its version.
const DEADLINE: Duration = Duration::from_secs(2);

/// So many are read at a time: a store is asked for decisions first.
const UNDER_WAY: usize = 8;

/// Organizations whose last version on record is remembered.
const REMEMBERED: u64 = 10_000;

/// Puts every change of a policy on record, with the version found right after it.
pub(super) fn listen(
    store: &DynPolicyStore,
    trail: &AuditTrail,
    clock: &Arc<dyn Clock>,
) -> ChangeListener {
    let clock = clock.clone();
    let puts = Arc::new(Puts {
        reader: store.clone(),
        trail: trail.clone(),
        recorded: moka::sync::Cache::new(REMEMBERED),
        turns: Semaphore::new(UNDER_WAY),
    });
    store.changes().on_any(move |organization| {
        let Some(organization) = organization else {
            // Perhaps a store from a backup, which will give the same versions to other policies.
            puts.recorded.invalidate_all();
            return;
        };
        let now = clock.now();
        // A listener must not wait, and it hears a name only.
        match Handle::try_current() {
            Ok(runtime) => {
                let (puts, organization) = (puts.clone(), organization.clone());
                runtime.spawn(async move { puts.record(now, &organization).await });
            }
            Err(_) => puts.trail.record(policy_changed(now, organization, None)),
        }
    })
}

struct Puts {
    reader: DynPolicyStore,
    trail: AuditTrail,
    /// The last version on record. A put is told by its store, and again by the log it is in.
    recorded: moka::sync::Cache<OrganizationId, u64>,
    turns: Semaphore,
}

impl Puts {
    async fn record(&self, now: UnixTime, organization: &OrganizationId) {
        let _turn = self.turns.acquire().await;
        // The store is the user's: whatever it does, the change is on record (R15).
        let load = AssertUnwindSafe(async { self.reader.load(organization).await }).catch_unwind();
        let version = match timeout(DEADLINE, load).await {
            Ok(Ok(Ok(Some(policy)))) => Some(policy.version()),
            _ => None,
        };
        if version.is_none_or(|version| self.is_new(organization, version)) {
            let record = policy_changed(now, organization, version);
            self.trail.record(record);
        }
    }

    fn is_new(&self, organization: &OrganizationId, version: u64) -> bool {
        let place = self.recorded.entry_by_ref(organization);
        // One at a time: a change that is told twice may be looked at twice at once.
        let compared = place.and_compute_with(|known| {
            let known = known.map(moka::Entry::into_value);
            if known == Some(version) {
                Op::Nop
            } else {
                Op::Put(version)
            }
        });
        !matches!(compared, CompResult::Unchanged(_))
    }
}

fn policy_changed(
    now: UnixTime,
    organization: &OrganizationId,
    version: Option<u64>,
) -> AuditRecord {
    let mut record = AuditRecord::new(AuditEvent::PolicyChanged, now);
    record.organization = Some(AuditText::new(organization));
    record.policy = version.map(|version| AuditPolicy::new(&version.to_string(), ""));
    record
}
