//! The same calls of every store.

use std::time::Instant;

use http::HeaderValue;
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::api_token::{ApiTokenStore, ApiTokens, NewToken, Peppers, TokenId};
use tower_mcp_auth::clock::{Clock, SystemClock, UnixTime};
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::revocation::{RevocationEntry, RevocationLog, RevocationTarget};

use crate::layer::{Door, Stores, nanos};
use crate::shared::figures;
use crate::shared::fixture::{EMAIL, basic, bearer, organization, person};

/// Entries of the log, and uses of tokens, that are read and written at once.
const BATCH: usize = 1_000;
const ORGANIZATIONS: usize = 200;

/// Sorted nanoseconds of every row.
pub(crate) type Figures = Vec<(String, Vec<u64>)>;

pub(crate) async fn measure<T, P, L>(stores: Stores<T, P, L>) -> Figures
where
    T: ApiTokenStore + Clone,
    P: PolicyStore + Clone,
    L: RevocationLog,
{
    // Of a call that takes a batch there are as many in a long run.
    let (lookups, calls) = if figures::quick() {
        (1_000, 30)
    } else {
        (5_000, 200)
    };
    let organizations = policies(&stores.policies).await;
    let tokens = ApiTokens::new(stores.tokens.clone(), Peppers::generate().unwrap());
    let issued = issue(&tokens, lookups.max(BATCH) + 1).await;
    let door = Door::new(&stores, &tokens).await;
    let mut rows = Figures::new();
    let mut add = |row: &str, mut nanos: Vec<u64>| {
        nanos.sort_unstable();
        rows.push((row.into(), nanos));
    };

    let mut seen = Vec::new();
    let mut headers = issued.iter().map(|(_, header)| header);
    door.ask(headers.next().unwrap()).await; // the policy of all of them
    for header in headers {
        seen.push(door.ask(header).await);
    }
    add("cold token", seen);

    let mut seen = Vec::new();
    for organization in organizations.iter().cycle().take(lookups) {
        let start = Instant::now();
        assert!(stores.policies.load(organization).await.unwrap().is_some());
        seen.push(nanos(start));
    }
    add("policy load", seen);

    let now = SystemClock::new().now().as_secs();
    let mut seen = Vec::new();
    for later in 0..calls {
        // In future, so that each of them has to be written.
        let at = UnixTime::from_secs(now + 3600 + later);
        let used: Vec<_> = issued.iter().take(BATCH).map(|(id, _)| (*id, at)).collect();
        let start = Instant::now();
        stores.tokens.touch(&used).await.unwrap();
        seen.push(nanos(start));
    }
    add("touch 1,000", seen);

    let mut seen = Vec::new();
    for number in 0..BATCH {
        let entry = entry(number, now);
        let start = Instant::now();
        stores.log.append(entry).await.unwrap();
        seen.push(nanos(start));
    }
    add("revocation", seen);

    let mut seen = Vec::new();
    for _ in 0..calls {
        let start = Instant::now();
        let read = stores.log.read_since(0, BATCH).await.unwrap();
        seen.push(nanos(start));
        assert_eq!(read.len(), BATCH);
    }
    add("read 1,000 entries", seen);
    rows
}

fn entry(number: usize, now: i64) -> RevocationEntry {
    let target = RevocationTarget::Token {
        issuer: "https://issuer.example".into(),
        id: format!("token-{number}"),
    };
    RevocationEntry::new(&target, UnixTime::from_secs(now))
}

async fn policies(store: &impl PolicyStore) -> Vec<OrganizationId> {
    let mut organizations = vec![organization("acme")];
    organizations.extend((1..ORGANIZATIONS).map(|number| organization(&format!("org-{number}"))));
    for organization in &organizations {
        let policy = OrganizationPolicy::new(organization.clone()).api_tokens(true);
        assert!(store.put(policy, 0).await.is_ok());
    }
    organizations
}

/// So many tokens, half of them of people.
async fn issue(tokens: &ApiTokens, many: usize) -> Vec<(TokenId, HeaderValue)> {
    let mut issued = Vec::with_capacity(many);
    for number in 0..many {
        let is_person = number % 2 == 0;
        let new = if is_person {
            person("acme")
        } else {
            NewToken::service_account("acme", "bot").created_by("ada")
        };
        let made = tokens.issue(new.scopes(["read:issues"])).await.unwrap();
        let text = made.token.expose();
        let header = if is_person {
            basic(EMAIL, text)
        } else {
            bearer(text)
        };
        issued.push((*made.record.id(), header));
    }
    issued
}
