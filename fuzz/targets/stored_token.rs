//! Rows of API tokens as somebody may have edited them: refused, or read as what they say, bounded.
#![no_main]

use tower_mcp_auth::ScopeSet;
use tower_mcp_auth::api_token::{StoredToken, TokenId, TokenKind, TokenRecord};
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth_fuzz::fuzz_target;

const YEAR: i64 = 365 * 86_400;

fuzz_target!(|data: &[u8]| {
    let Ok(row) = serde_json::from_slice::<StoredToken>(data) else {
        return;
    };
    let Ok(record) = TokenRecord::try_from(row.clone()) else {
        return;
    };
    assert!(TokenId::new(&row.id).is_some() && record.id().as_str() == row.id);
    assert_eq!(record.kind().as_str(), row.kind);
    assert_eq!(record.kind() == TokenKind::Personal, record.owner().email().is_some());
    assert!(row.created_at < row.expires_at && row.version >= 1);
    assert_eq!(record.expires_at().as_secs(), row.expires_at.min(row.created_at.saturating_add(YEAR)));
    assert_eq!(Some(record.scopes()), ScopeSet::parse(&row.scopes).as_ref());
    assert_eq!((record.networks().len(), record.tenants().len()), (row.networks.len(), row.tenants.len()));
    assert_eq!(record.previous_valid_until().is_some(), row.previous_verifier.is_some());
    assert_eq!(record.is_owner_active(), row.owner_active);
    // It never serves where the row says that it does not.
    for time in [row.created_at, row.expires_at, row.expires_at - 1, i64::MIN, i64::MAX, 0] {
        let alive = record.is_alive(UnixTime::from_secs(time));
        assert_eq!(alive, time < record.expires_at().as_secs() && row.revoked_at.is_none() && row.owner_active);
    }
    // Written again and read again, it is the same.
    let again = StoredToken::from(&record);
    assert_eq!((&again.id, &again.kind, &again.owner), (&row.id, &row.kind, &row.owner));
    assert_eq!((again.verifier, again.previous_verifier), (row.verifier, row.previous_verifier));
    let text = serde_json::to_vec(&again).expect("JSON");
    assert_eq!(serde_json::from_slice::<StoredToken>(&text).expect("a row"), again);
    assert_eq!(TokenRecord::try_from(again).expect("a record"), record);
});
