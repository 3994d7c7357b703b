//! The contract of a [`PolicyStore`], as tests for your own.
//!
//! [`policy_store_contract!`](crate::policy_store_contract) makes one test of each function here.
//! Each panics where the store breaks the contract.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test's verdict; said once, above"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::UnixTime;
use crate::ident::{OrganizationId, TenantId};
use crate::method::AuthMethod;
use crate::policy::{
    ClientRules, GroupRules, Intent, Intents, OrganizationPolicy, PolicyStore, PutError,
};

/// Makes one tokio test of each point of the [`PolicyStore`] contract.
///
/// Takes a future of a fresh, empty store; it is made anew for each test. Needs tokio with
/// `macros` and `rt-multi-thread` among your dev-dependencies.
///
/// ```
/// # use tower_mcp_auth::policy::MemoryPolicyStore;
/// mod memory {
/// #   use tower_mcp_auth::policy::MemoryPolicyStore;
///     tower_mcp_auth::policy_store_contract!(async { MemoryPolicyStore::new() });
/// }
/// ```
#[macro_export]
macro_rules! policy_store_contract {
    ($store:expr) => {
        $crate::policy_store_contract!(@tests $store;
            pol_03_nothing_is_stored_at_first
            r25_a_policy_comes_back_as_it_was_put
            r25_versions_rise_by_one
            r25_a_replay_or_a_late_put_is_refused
            r25_an_invalid_policy_leaves_the_old_one
            r25_of_puts_at_once_one_wins
            t37_organizations_do_not_meet
            pol_05_a_change_is_announced_before_put_returns
            pol_05_no_request_after_put_sees_the_old_policy
        );
    };
    (@tests $store:expr; $($name:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $crate::testing::policies::$name(($store).await).await;
        }
    )* };
}

fn organization(name: &str) -> OrganizationId {
    OrganizationId::new(name).expect("a name")
}

fn policy(name: &str) -> OrganizationPolicy {
    OrganizationPolicy::new(organization(name))
}

async fn loaded(store: &impl PolicyStore, name: &str) -> Option<OrganizationPolicy> {
    let loaded = store.load(&organization(name)).await;
    loaded.expect("the store answers")
}

async fn put(
    store: &impl PolicyStore,
    policy: OrganizationPolicy,
    expected: u64,
) -> OrganizationPolicy {
    let stored = store.put(policy, expected).await;
    stored.expect("the policy is stored")
}

fn assert_conflict(outcome: Result<OrganizationPolicy, PutError>, version: u64) {
    match outcome {
        Err(PutError::Conflict { current }) => assert_eq!(current, version),
        other => panic!("expected a conflict at version {version}, got {other:?}"),
    }
}

/// An organization never stored has no policy.
pub async fn pol_03_nothing_is_stored_at_first(store: impl PolicyStore) {
    assert_eq!(loaded(&store, "acme").await, None);
}

/// Every member survives.
pub async fn r25_a_policy_comes_back_as_it_was_put(store: impl PolicyStore) {
    let site = TenantId::new("site-1").expect("a name");
    let full = policy("acme")
        .personal_tokens(true)
        .network("203.0.113.0/24")
        .network("2001:db8::/32")
        .clients(
            ClientRules::only()
                .pattern("https://*.example.com/**")
                .id("c-1")
                .supported(false),
        )
        .allow_issuer("https://auth.example.com/t1")
        .tenant(site.clone())
        .groups(
            GroupRules::new()
                .other_products(Intents::none())
                .product("jira", [Intent::Delete]),
        )
        .site_groups(site, GroupRules::new().product("jira", Intents::all()))
        .max_token_lifetime(Duration::from_secs(90 * 86_400))
        .max_token_age(Duration::from_secs(3600))
        .help_url("https://help.acme.example/mcp")
        .contact("Jörg, it-help@acme.example")
        .changed_at(UnixTime::from_secs(1_800_000_000));
    let stored = put(&store, full.clone(), 0).await;
    assert_eq!(stored, full.with_version(1));
    assert_eq!(loaded(&store, "acme").await, Some(stored));
}

/// The store counts, whatever the policy says of itself.
pub async fn r25_versions_rise_by_one(store: impl PolicyStore) {
    for version in 0..5 {
        let stored = put(&store, policy("acme").with_version(77), version).await;
        assert_eq!(stored.version(), version + 1);
        assert_eq!(loaded(&store, "acme").await, Some(stored));
    }
}

/// The expected version must be that in force.
pub async fn r25_a_replay_or_a_late_put_is_refused(store: impl PolicyStore) {
    assert_conflict(store.put(policy("acme"), 1).await, 0);
    assert_eq!(loaded(&store, "acme").await, None);
    put(&store, policy("acme").api_tokens(true), 0).await;
    let off = put(&store, policy("acme").api_tokens(false), 1).await;
    assert_conflict(store.put(policy("acme").api_tokens(true), 0).await, 2);
    assert_conflict(store.put(policy("acme").api_tokens(true), 1).await, 2);
    assert_conflict(store.put(policy("acme").api_tokens(true), 3).await, 2);
    assert_conflict(
        store.put(policy("acme").api_tokens(true), u64::MAX).await,
        2,
    );
    assert_eq!(loaded(&store, "acme").await, Some(off));
}

/// Validated before the swap, with every mistake reported, and nothing announced.
pub async fn r25_an_invalid_policy_leaves_the_old_one(store: impl PolicyStore) {
    let old = put(&store, policy("acme").network("203.0.113.0/24"), 0).await;
    let before = store.changes().generation();
    let bad = policy("acme")
        .network("0.0.0.0/0")
        .clients(ClientRules::only().pattern("https://*.com/**"));
    match store.put(bad, 1).await {
        Err(PutError::Invalid(error)) => {
            let fields: Vec<_> = error
                .problems()
                .iter()
                .map(|one| one.field.as_str())
                .collect();
            assert_eq!(fields, ["networks[0]", "clients.patterns[0]"]);
        }
        other => panic!("expected a list of mistakes, got {other:?}"),
    }
    assert_eq!(loaded(&store, "acme").await, Some(old));
    assert_eq!(store.changes().generation(), before);
}

/// Compare and swap is one step.
pub async fn r25_of_puts_at_once_one_wins(store: impl PolicyStore) {
    let attempts: Vec<_> = (0..8)
        .map(|index| {
            let store = store.clone();
            let mine = policy("acme").contact(format!("writer {index}"));
            tokio::spawn(async move { store.put(mine, 0).await })
        })
        .collect();
    let mut winners = Vec::new();
    for attempt in attempts {
        match attempt.await.expect("a put does not panic") {
            Ok(stored) => winners.push(stored),
            lost => assert_conflict(lost, 1),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(loaded(&store, "acme").await, winners.pop());
}

/// A policy concerns its own organization, whose name is compared byte for byte.
pub async fn t37_organizations_do_not_meet(store: impl PolicyStore) {
    let acme = put(&store, policy("acme").api_tokens(true), 0).await;
    for other in ["Acme", "acme ", "acm", "acme2", "ac%", "ácme"] {
        assert_eq!(loaded(&store, other).await, None, "{other}");
        put(&store, policy(other), 0).await;
    }
    assert_eq!(loaded(&store, "acme").await, Some(acme));
}

/// Stamp, listener and subscriber all know when `put` returns.
pub async fn pol_05_a_change_is_announced_before_put_returns(store: impl PolicyStore) {
    let acme = organization("acme");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noted = heard.clone();
    let listener = store.changes().on_change(move |organization| {
        noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(organization.clone());
    });
    let _faulty = store
        .changes()
        .on_change(|_| panic!("a listener's own fault"));
    let mut subscriber = store.changes().subscribe();
    let before = (store.changes().stamp(&acme), store.changes().generation());

    put(&store, policy("acme"), 0).await;
    assert_eq!(
        *heard.lock().unwrap_or_else(PoisonError::into_inner),
        std::slice::from_ref(&acme)
    );
    assert_eq!(subscriber.try_recv().ok(), Some(acme.clone()));
    assert_ne!(store.changes().stamp(&acme), before.0);
    assert!(store.changes().generation() > before.1);

    drop(listener);
    put(&store, policy("acme"), 1).await;
    assert_eq!(
        heard.lock().unwrap_or_else(PoisonError::into_inner).len(),
        1
    );
}

/// A cache that keeps the stamp with each entry never serves a policy older than the last `put`
/// that had returned when it was asked, while others fill it all the time.
pub async fn pol_05_no_request_after_put_sees_the_old_policy(store: impl PolicyStore) {
    let cache = Arc::new(Mutex::new(None));
    let (done, floor) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    put(&store, policy("acme").api_tokens(true), 0).await;
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, cache, done, floor) =
                (store.clone(), cache.clone(), done.clone(), floor.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Acquire) {
                    let at_least = floor.load(Ordering::Acquire);
                    let seen = cached(&store, &cache).await.version();
                    assert!(
                        seen >= at_least,
                        "decided on {seen} after {at_least} was put"
                    );
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for version in 1..200 {
        let on = version % 2 == 0;
        let stored = put(&store, policy("acme").api_tokens(on), version).await;
        floor.store(stored.version(), Ordering::Release);
        let seen = cached(&store, &cache).await;
        assert_eq!(seen.version(), stored.version());
        assert_eq!(seen.allows_method(AuthMethod::ApiToken), on);
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        reader.await.expect("no reader saw an old policy");
    }
}

type Cache = Mutex<Option<(u64, OrganizationPolicy)>>;

/// The protocol of [`PolicyChanges`](crate::policy::PolicyChanges): the stamp first, then the load.
async fn cached(store: &impl PolicyStore, cache: &Cache) -> OrganizationPolicy {
    let stamp = store.changes().stamp(&organization("acme"));
    let held = cache.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, policy)) = held.filter(|(known, _)| *known == stamp) {
        return policy;
    }
    let fresh = loaded(store, "acme").await.expect("there is one");
    *cache.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, fresh.clone()));
    fresh
}
