//! What every [`ApiTokenStore`] must do, as tests that any store can run.
#![expect(clippy::panic, reason = "a test ends by panicking")]

use std::fmt::Debug;

use super::format::TokenId;
use super::record::TokenRecord;
use super::store::{ApiTokenStore, TokenQuery, Written};
use super::stored::StoredToken;
use crate::clock::UnixTime;
use crate::error::BackendError;
use crate::ident::{OrganizationId, Subject};

/// Expands to one `#[tokio::test]` for each thing an
/// [`ApiTokenStore`](crate::api_token::ApiTokenStore) must do.
///
/// The argument is an expression that yields a fresh, empty store; it may `.await`. The calling
/// crate needs `tokio` with its features `macros` and `rt`. Call it once per module.
///
/// ```
/// mod memory_store {
///     use tower_mcp_auth::api_token::MemoryStore;
///
///     tower_mcp_auth::api_token_store_contract!(MemoryStore::new());
/// }
/// ```
#[macro_export]
macro_rules! api_token_store_contract {
    ($store:expr) => {
        $crate::api_token_store_contract! { @tests $store;
            an_inserted_record_comes_back_whole
            an_unknown_id_is_none
            a_taken_id_is_a_conflict
            an_update_replaces_the_version_before
            a_stale_or_skipping_update_is_a_conflict
            of_many_writers_one_wins
            a_list_keeps_to_organization_and_owner
            a_list_is_paged_in_the_order_of_ids
            a_touch_moves_forward_only
            hostile_text_is_only_text
        }
    };
    (@tests $store:expr; $($name:ident)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let store = $store;
                $crate::api_token::contract::$name(&store).await;
            }
        )+
    };
}

/// A record with everything in it, so that a lost field shows.
fn record(id: &str, organization: &str, owner: &str) -> TokenRecord {
    let stored = StoredToken {
        id: id.into(),
        kind: "personal".into(),
        organization: organization.into(),
        owner: owner.into(),
        email: Some(format!("{owner}@x.io")),
        name: "nightly".into(),
        created_by: "admin".into(),
        verifier: std::array::from_fn(|index| u8::try_from(index).unwrap_or_default()),
        pepper: "2026".into(),
        previous_verifier: Some([0xff; 32]),
        previous_pepper: Some("2025".into()),
        previous_until: Some(1_800_000_600),
        scopes: "read:issues write:issues".into(),
        networks: vec!["203.0.113.0/24".into(), "2001:db8::/32".into()],
        tenants: vec!["site-1".into()],
        created_at: 1_800_000_000,
        expires_at: 1_800_086_400,
        revoked_at: None,
        owner_active: true,
        last_used: None,
        version: 1,
    };
    fine(TokenRecord::try_from(stored))
}

fn edited(record: &TokenRecord, version: i64, name: &str) -> TokenRecord {
    TokenRecord {
        name: name.to_owned(),
        version,
        ..record.clone()
    }
}

fn fine<T: Debug>(result: Result<T, BackendError>) -> T {
    result.unwrap_or_else(|error| fail(&error.report()))
}

fn organization(name: &str) -> OrganizationId {
    OrganizationId::new(name).unwrap_or_else(|| fail("no organization"))
}

/// Ends the test.
fn fail<T>(why: &str) -> T {
    panic!("the store: {why}")
}

async fn found(store: &impl ApiTokenStore, id: &TokenId) -> TokenRecord {
    fine(store.find(id).await).unwrap_or_else(|| fail("the record is gone"))
}

async fn insert(store: &impl ApiTokenStore, record: &TokenRecord) {
    assert_eq!(fine(store.insert(record).await), Written::Done);
}

/// Every field, the absent ones too.
///
/// # Panics
///
/// If the store does not.
pub async fn an_inserted_record_comes_back_whole(store: &impl ApiTokenStore) {
    let full = record("AAAAAAAAAAAAAAA1", "acme", "ada");
    let bare = TokenRecord {
        id: record("AAAAAAAAAAAAAAA2", "acme", "ada").id,
        previous: None,
        networks: Vec::new(),
        tenants: Vec::new(),
        name: String::new(),
        revoked_at: Some(UnixTime::from_secs(1_800_000_001)),
        owner_active: false,
        ..full.clone()
    };
    for one in [&full, &bare] {
        insert(store, one).await;
    }
    for one in [&full, &bare] {
        let back = found(store, &one.id).await;
        assert_eq!(as_text(&back), as_text(one));
    }
}

/// # Panics
///
/// If the store finds something.
pub async fn an_unknown_id_is_none(store: &impl ApiTokenStore) {
    let kept = record("AAAAAAAAAAAAAAAA", "acme", "ada");
    insert(store, &kept).await;
    // Ids differ by case: a collation must not make them equal.
    for id in ["AAAAAAAAAAAAAAAB", "aaaaaaaaaaaaaaaa"] {
        let id = record(id, "acme", "ada").id;
        assert_eq!(fine(store.find(&id).await), None);
    }
}

/// # Panics
///
/// If the store overwrites or forgets the first record.
pub async fn a_taken_id_is_a_conflict(store: &impl ApiTokenStore) {
    let first = record("AAAAAAAAAAAAAAAA", "acme", "ada");
    insert(store, &first).await;
    let second = record("AAAAAAAAAAAAAAAA", "evil", "eve");
    assert_eq!(fine(store.insert(&second).await), Written::Conflict);
    assert_eq!(found(store, &first.id).await, first);
}

/// # Panics
///
/// If the store does not.
pub async fn an_update_replaces_the_version_before(store: &impl ApiTokenStore) {
    let first = record("AAAAAAAAAAAAAAAA", "acme", "ada");
    let other = record("AAAAAAAAAAAAAAAB", "acme", "ada");
    insert(store, &first).await;
    insert(store, &other).await;
    let second = TokenRecord {
        revoked_at: Some(UnixTime::from_secs(1_800_000_001)),
        previous: None,
        owner_active: false,
        ..edited(&first, 2, "second")
    };
    assert_eq!(fine(store.update(&second).await), Written::Done);
    let back = found(store, &first.id).await;
    assert_eq!(as_text(&back), as_text(&second));
    assert_eq!(found(store, &other.id).await, other);
}

/// # Panics
///
/// If the store writes.
pub async fn a_stale_or_skipping_update_is_a_conflict(store: &impl ApiTokenStore) {
    let first = record("AAAAAAAAAAAAAAAA", "acme", "ada");
    let missing = edited(&first, 2, "missing");
    assert_eq!(fine(store.update(&missing).await), Written::Conflict);
    assert_eq!(fine(store.find(&first.id).await), None);
    insert(store, &first).await;
    for version in [i64::MIN, -1, 0, 1, 3, i64::MAX] {
        let wrong = edited(&first, version, "wrong");
        assert_eq!(
            fine(store.update(&wrong).await),
            Written::Conflict,
            "{version}"
        );
    }
    assert_eq!(found(store, &first.id).await, first);
}

/// # Panics
///
/// If none or more than one wins.
pub async fn of_many_writers_one_wins(store: &impl ApiTokenStore) {
    let first = record("AAAAAAAAAAAAAAAA", "acme", "ada");
    insert(store, &first).await;
    let edits: Vec<_> = (0..8)
        .map(|n| edited(&first, 2, &format!("writer {n}")))
        .collect();
    let answers = futures_util::future::join_all(edits.iter().map(|edit| store.update(edit))).await;
    let mut winners = Vec::new();
    for (edit, answer) in edits.iter().zip(answers) {
        if fine(answer) == Written::Done {
            winners.push(edit.clone());
        }
    }
    assert_eq!(winners, [found(store, &first.id).await]);
}

/// # Panics
///
/// If the store lists too much or too little.
pub async fn a_list_keeps_to_organization_and_owner(store: &impl ApiTokenStore) {
    for (id, organization, owner) in [
        ("AAAAAAAAAAAAAAA1", "acme", "ada"),
        ("AAAAAAAAAAAAAAA2", "acme", "bob"),
        ("AAAAAAAAAAAAAAA3", "Acme", "ada"),
        ("AAAAAAAAAAAAAAA4", "acme2", "ada"),
    ] {
        insert(store, &record(id, organization, owner)).await;
    }
    let acme = TokenQuery::new(organization("acme"));
    let owner = |name| Subject::new(name).unwrap_or_else(|| fail("no subject"));
    assert_eq!(
        ids(store, &acme).await,
        ["AAAAAAAAAAAAAAA1", "AAAAAAAAAAAAAAA2"]
    );
    assert_eq!(
        ids(store, &acme.clone().owner(owner("bob"))).await,
        ["AAAAAAAAAAAAAAA2"]
    );
    assert!(ids(store, &acme.owner(owner("eve"))).await.is_empty());
    assert!(
        ids(store, &TokenQuery::new(organization("%")))
            .await
            .is_empty()
    );
}

/// # Panics
///
/// If a record is listed twice, left out, or out of order.
pub async fn a_list_is_paged_in_the_order_of_ids(store: &impl ApiTokenStore) {
    // In the order of bytes, which no collation but `C` keeps.
    let in_order = [
        "0AAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAA",
        "ZAAAAAAAAAAAAAAA",
        "aAAAAAAAAAAAAAAA",
    ];
    for id in in_order.iter().rev() {
        insert(store, &record(id, "acme", "ada")).await;
    }
    let mut listed = Vec::new();
    let mut query = TokenQuery::new(organization("acme")).limit(3);
    for expected in [3, 1, 0] {
        let page = ids(store, &query).await;
        assert_eq!(page.len(), expected);
        query.after = page.last().and_then(|id| TokenId::new(id));
        listed.extend(page);
    }
    assert_eq!(listed, in_order);
}

/// # Panics
///
/// If a time moves back, a version changes, or an update writes it.
pub async fn a_touch_moves_forward_only(store: &impl ApiTokenStore) {
    let first = record("AAAAAAAAAAAAAAAA", "acme", "ada");
    let unknown = record("AAAAAAAAAAAAAAAB", "acme", "ada").id;
    insert(store, &first).await;
    fine(store.touch(&[]).await);
    for (at, expected) in [(10, 10), (30, 30), (20, 30)] {
        let at = UnixTime::from_secs(at);
        fine(store.touch(&[(unknown, at), (first.id, at)]).await);
        let back = found(store, &first.id).await;
        assert_eq!(back.last_used, Some(UnixTime::from_secs(expected)));
        assert_eq!(back.version, 1);
    }
    // Read before the touch, written after it.
    assert_eq!(
        fine(store.update(&edited(&first, 2, "second")).await),
        Written::Done
    );
    let back = found(store, &first.id).await;
    assert_eq!(back.last_used, Some(UnixTime::from_secs(30)));
    assert_eq!(fine(store.find(&unknown).await), None);
}

/// # Panics
///
/// If text does not come back as it went in.
pub async fn hostile_text_is_only_text(store: &impl ApiTokenStore) {
    let name = "'; DROP TABLE api_tokens; -- \" \\ %_ \u{1f511} \u{202e}";
    let mut hostile = record("AAAAAAAAAAAAAAAA", "acme' OR '1'='1", "ada");
    hostile.name = name.to_owned();
    insert(store, &hostile).await;
    insert(store, &record("AAAAAAAAAAAAAAAB", "acme", "ada")).await;
    assert_eq!(found(store, &hostile.id).await.name, name);
    let query = TokenQuery::new(hostile.organization.clone());
    assert_eq!(ids(store, &query).await, ["AAAAAAAAAAAAAAAA"]);
}

async fn ids(store: &impl ApiTokenStore, query: &TokenQuery) -> Vec<String> {
    let page = fine(store.list(query).await);
    page.iter().map(|record| record.id.to_string()).collect()
}

/// Every field, for a message that shows which one differs.
fn as_text(record: &TokenRecord) -> String {
    serde_json::to_string_pretty(&StoredToken::from(record))
        .unwrap_or_else(|error| fail(&error.to_string()))
}
