use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::error::Problem;
use crate::ident::{OrganizationId, Subject};
use crate::testing::ManualClock;

type Edit = fn(&mut StoredToken);

const DAY: Duration = Duration::from_secs(24 * 3600);

fn wish() -> NewToken {
    NewToken::personal("acme", "ada", "ada@x.io").scopes(["read:issues"])
}

fn key() -> NewToken {
    NewToken::service_account("acme", "ci")
        .created_by("ada")
        .scopes(["read:issues"])
}

fn tokens_in(store: impl ApiTokenStore) -> (ApiTokens, ManualClock) {
    let clock = ManualClock::at(1_800_000_000);
    let tokens = ApiTokens::new(store, Peppers::generate().unwrap()).clock(clock.clone());
    (tokens, clock)
}

fn tokens() -> (ApiTokens, ManualClock) {
    tokens_in(MemoryStore::new())
}

/// As the authenticator does it.
async fn present(tokens: &ApiTokens, text: &str) -> Result<(), TokenFault> {
    let presented = tokens.format().parse(text).unwrap();
    let record = tokens.find(presented.id()).await.unwrap();
    let email = (presented.kind() == TokenKind::Personal).then_some("ada@x.io");
    tokens
        .judge(record.as_ref(), &presented, email, tokens.now())
        .map(drop)
}

async fn problems_of(tokens: &ApiTokens, new: NewToken) -> Vec<Problem> {
    match tokens.issue(new).await {
        Err(IssueError::Invalid(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

async fn fields_of(tokens: &ApiTokens, new: NewToken) -> Vec<String> {
    let problems = problems_of(tokens, new).await;
    problems.into_iter().map(|problem| problem.field).collect()
}

#[tokio::test]
async fn keysa_02_an_issued_key_is_its_account_with_its_creator() {
    let (tokens, _) = tokens();
    let issued = tokens
        .issue(key().name("build").tenants(["site-1"]))
        .await
        .unwrap();
    let record = tokens.find(issued.record.id()).await.unwrap().unwrap();
    assert_eq!(record, issued.record);
    assert_eq!(record.kind(), TokenKind::ServiceAccount);
    assert_eq!(*record.organization(), "acme");
    assert_eq!(
        (record.owner().subject().as_str(), record.owner().email()),
        ("ci", None)
    );
    assert_eq!(
        (record.created_by().as_str(), record.name()),
        ("ada", "build")
    );
    assert_eq!(record.scopes().to_string(), "read:issues");
    assert_eq!(record.tenants().len(), 1);
    assert!(issued.token.expose().starts_with("mcps_"));
    assert_eq!(present(&tokens, issued.token.expose()).await, Ok(()));
    assert_eq!(&**tokens.issuer(), "api-tokens");
}

#[tokio::test]
async fn t31_every_token_expires_within_the_bounds() {
    let (tokens, clock) = tokens();
    let tokens_of_30_days = tokens.clone().max_lifetime(30 * DAY);
    let now = clock.now();
    let second = Duration::from_secs(1);
    for (tokens, new, life) in [
        (&tokens, wish(), Some(90 * DAY)),
        (&tokens, key(), Some(90 * DAY)),
        (&tokens, wish().expires_in(365 * DAY), Some(365 * DAY)),
        (&tokens, wish().expires_in(365 * DAY + second), None),
        (
            &tokens,
            wish().expires_in(365 * DAY + Duration::from_nanos(1)),
            None,
        ),
        (&tokens, wish().expires_in(Duration::MAX), None),
        (&tokens, wish().expires_in(second), Some(second)),
        (&tokens, wish().expires_in(Duration::from_millis(999)), None),
        (&tokens, wish().expires_in(Duration::ZERO), None),
        (&tokens, wish().max_lifetime(7 * DAY), Some(7 * DAY)),
        (
            &tokens,
            wish().max_lifetime(7 * DAY).expires_in(8 * DAY),
            None,
        ),
        (
            &tokens,
            wish().max_lifetime(Duration::MAX).expires_in(366 * DAY),
            None,
        ),
        (&tokens, wish().max_lifetime(Duration::ZERO), None),
        (&tokens_of_30_days, wish(), Some(30 * DAY)),
        (
            &tokens_of_30_days,
            wish().max_lifetime(60 * DAY).expires_in(31 * DAY),
            None,
        ),
    ] {
        let shown = format!("{new:?}");
        match (tokens.issue(new).await, life) {
            (Ok(issued), Some(life)) => {
                assert_eq!(issued.record.expires_at().since(now), life, "{shown}");
            }
            (Err(IssueError::Invalid(problems)), None) => {
                assert_eq!(problems[0].field, "expires_in", "{shown}");
            }
            (other, _) => panic!("{shown}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn bas_13_a_token_without_scopes_is_not_issued() {
    let (tokens, _) = tokens();
    let none: [&str; 0] = [];
    for new in [
        wish().scopes(none),
        wish().scopes([""]),
        wish().scopes(["a b"]),
    ] {
        assert_eq!(fields_of(&tokens, new).await, ["scopes"]);
    }
}

#[tokio::test]
async fn every_mistake_of_a_wish_is_reported_at_once() {
    let store = MemoryStore::new();
    let (tokens, _) = tokens_in(store.clone());
    let bad = NewToken::personal("", "a\nb", "ada@x.io@evil.io")
        .name("n".repeat(201))
        .networks(["10.0.0.1/8", "nonsense", "::ffff:10.0.0.0/104"])
        .tenants([""])
        .expires_in(400 * DAY);
    let fields = fields_of(&tokens, bad).await;
    let expected = [
        "expires_in",
        "name",
        "scopes",
        "networks",
        "networks",
        "networks",
        "tenants",
        "email",
        "organization",
        "owner",
    ];
    for field in expected {
        assert!(
            fields.iter().any(|found| found == field),
            "{field} of {fields:?}"
        );
    }
    assert!(fields.iter().filter(|field| *field == "networks").count() == 3);
    let nobody = NewToken::service_account("acme", "ci").scopes(["read"]);
    assert_eq!(fields_of(&tokens, nobody).await, ["created_by"]);
    let all = TokenQuery::new(OrganizationId::new("acme").unwrap());
    assert!(store.list(&all).await.unwrap().is_empty());
}

#[tokio::test]
async fn networks_are_kept_as_ranges() {
    let (tokens, _) = tokens();
    let issued = tokens
        .issue(wish().networks(["203.0.113.0/24", "2001:db8::1"]))
        .await
        .unwrap();
    let shown: Vec<_> = issued
        .record
        .networks()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["203.0.113.0/24", "2001:db8::1/128"]);
}

#[tokio::test]
async fn a_wrong_configuration_is_reported_and_issues_nothing() {
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::new("a", "short"))
        .brand("MCP")
        .authority("")
        .max_lifetime(Duration::ZERO);
    let error = tokens.check().unwrap_err();
    let fields: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    let expected = [
        "api_tokens.brand",
        "api_tokens.authority",
        "api_tokens.max_lifetime",
        "api_tokens.pepper.secret",
    ];
    assert_eq!(fields, expected);
    assert_eq!(fields_of(&tokens, wish()).await, expected);
    let id = TokenId::new("AAAAAAAAAAAAAAAA").unwrap();
    assert!(
        matches!(tokens.roll(&id, DAY).await, Err(IssueError::Invalid(found)) if found.len() == 4)
    );
}

#[tokio::test]
async fn brand_and_authority_are_the_operators() {
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate().unwrap())
        .brand("acme")
        .authority("https://id.example.com");
    tokens.check().unwrap();
    let issued = tokens.issue(wish()).await.unwrap();
    assert!(issued.token.expose().starts_with("acmeu_"));
    assert_eq!(&**tokens.issuer(), "https://id.example.com");
}

#[tokio::test]
async fn bas_09_a_revoked_token_is_dead_and_stays_dead() {
    let (tokens, clock) = tokens();
    let issued = tokens.issue(wish()).await.unwrap();
    let id = issued.record.id();
    let first = tokens.revoke(id).await.unwrap().unwrap();
    assert_eq!(first.revoked_at(), Some(clock.now()));
    assert_eq!(
        present(&tokens, issued.token.expose()).await,
        Err(TokenFault::Revoked)
    );
    clock.advance(DAY);
    assert_eq!(tokens.revoke(id).await.unwrap(), Some(first));
    let roll = tokens.roll(id, Duration::ZERO).await;
    assert!(matches!(roll, Err(IssueError::NotAlive)));
    let unknown = TokenId::new("AAAAAAAAAAAAAAAA").unwrap();
    assert_eq!(tokens.revoke(&unknown).await.unwrap(), None);
    assert!(matches!(
        tokens.roll(&unknown, DAY).await,
        Err(IssueError::Unknown)
    ));
}

#[tokio::test]
async fn a_roll_overlaps_as_long_as_asked_and_extends_nothing() {
    let (tokens, clock) = tokens();
    let old = tokens.issue(wish()).await.unwrap();
    let id = *old.record.id();
    let new = tokens.roll(&id, DAY).await.unwrap();
    assert_eq!(*new.record.id(), id);
    assert_eq!(new.record.expires_at(), old.record.expires_at());
    assert_eq!(
        new.record.previous_valid_until(),
        Some(clock.now().plus_secs(86_400))
    );
    assert_ne!(new.token.expose(), old.token.expose());
    clock.advance(Duration::from_secs(86_399));
    for token in [&old, &new] {
        assert_eq!(present(&tokens, token.token.expose()).await, Ok(()));
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        present(&tokens, old.token.expose()).await,
        Err(TokenFault::WrongSecret)
    );
    assert_eq!(present(&tokens, new.token.expose()).await, Ok(()));
    clock.advance(89 * DAY);
    assert_eq!(
        present(&tokens, new.token.expose()).await,
        Err(TokenFault::Expired)
    );
    assert!(matches!(
        tokens.roll(&id, DAY).await,
        Err(IssueError::NotAlive)
    ));
}

#[tokio::test]
async fn a_roll_without_overlap_ends_the_old_secret_at_once() {
    let (tokens, _) = tokens();
    let first = tokens.issue(key()).await.unwrap();
    let second = tokens.roll(first.record.id(), DAY).await.unwrap();
    let third = tokens
        .roll(first.record.id(), Duration::ZERO)
        .await
        .unwrap();
    for ended in [&first, &second] {
        assert_eq!(
            present(&tokens, ended.token.expose()).await,
            Err(TokenFault::WrongSecret)
        );
    }
    assert_eq!(present(&tokens, third.token.expose()).await, Ok(()));
    let too_long = tokens
        .roll(first.record.id(), DAY + Duration::from_secs(1))
        .await;
    assert!(matches!(too_long, Err(IssueError::Invalid(found)) if found[0].field == "overlap"));
}

#[tokio::test]
async fn a_roll_takes_the_newest_pepper_and_keeps_the_old_one_for_the_overlap() {
    let store = MemoryStore::new();
    let (one, two) = ([1, 2].repeat(16), [3, 4].repeat(16));
    let before = ApiTokens::new(store.clone(), Peppers::new("one", &one));
    let after = ApiTokens::new(store, Peppers::new("one", &one).and("two", &two));
    let old = before.issue(wish()).await.unwrap();
    assert_eq!(present(&after, old.token.expose()).await, Ok(()));
    let new = after.roll(old.record.id(), DAY).await.unwrap();
    assert_eq!(new.record.pepper().as_str(), "two");
    assert_eq!(present(&after, old.token.expose()).await, Ok(()));
    assert_eq!(present(&after, new.token.expose()).await, Ok(()));
    assert_eq!(present(&before, old.token.expose()).await, Ok(()));
    assert_eq!(
        present(&before, new.token.expose()).await,
        Err(TokenFault::PepperGone)
    );
}

#[tokio::test]
async fn t26_a_leaked_token_is_revoked_and_an_id_is_not_enough() {
    let (tokens, _) = tokens();
    let leaked = tokens.issue(wish()).await.unwrap();
    let safe = tokens.issue(key()).await.unwrap();
    let id = *safe.record.id();
    // Well-formed, with the id of a token and another secret.
    let forged = tokens
        .format()
        .assemble(TokenKind::ServiceAccount, &id, &"0".repeat(43));
    let text = format!(
        "{} curl -H 'Authorization: Bearer {}' {} {id}",
        forged.expose(),
        leaked.token.expose(),
        leaked.token.expose()
    );
    let ids = |records: Vec<TokenRecord>| records.iter().map(|r| *r.id()).collect::<Vec<_>>();
    let revoked = tokens.revoke_leaked(&text).await.unwrap();
    assert!(revoked.iter().all(|record| record.revoked_at().is_some()));
    assert_eq!(ids(revoked), [*leaked.record.id()]);
    assert_eq!(
        present(&tokens, leaked.token.expose()).await,
        Err(TokenFault::Revoked)
    );
    assert_eq!(present(&tokens, safe.token.expose()).await, Ok(()));
    // Again: told again, so that a failed report can be repeated.
    assert_eq!(
        ids(tokens.revoke_leaked(&text).await.unwrap()),
        [*leaked.record.id()]
    );
    // Behind a forgery of the same id in one text.
    let both = format!("{}{}", forged.expose(), safe.token.expose());
    assert_eq!(ids(tokens.revoke_leaked(&both).await.unwrap()), [id]);
    assert!(
        tokens
            .revoke_leaked("mcpu_ nothing here")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn t32_tokens_rest_while_their_owner_is_inactive() {
    let (tokens, _) = tokens();
    let mut adas = Vec::new();
    for _ in 0..101 {
        adas.push(tokens.issue(wish()).await.unwrap());
    }
    let ci = tokens.issue(key()).await.unwrap();
    let (acme, ada) = (
        OrganizationId::new("acme").unwrap(),
        Subject::new("ada").unwrap(),
    );
    let other = OrganizationId::new("other").unwrap();
    assert_eq!(
        tokens.set_owner_active(&other, &ada, false).await.unwrap(),
        0
    );
    // More than a page of the store.
    assert_eq!(
        tokens.set_owner_active(&acme, &ada, false).await.unwrap(),
        101
    );
    assert_eq!(
        tokens.set_owner_active(&acme, &ada, false).await.unwrap(),
        0
    );
    for token in &adas {
        let verdict = present(&tokens, token.token.expose()).await;
        assert_eq!(verdict, Err(TokenFault::OwnerInactive));
    }
    assert_eq!(present(&tokens, ci.token.expose()).await, Ok(()));
    assert_eq!(
        tokens.set_owner_active(&acme, &ada, true).await.unwrap(),
        101
    );
    assert_eq!(present(&tokens, adas[0].token.expose()).await, Ok(()));
}

#[tokio::test]
async fn every_write_is_announced_to_every_subscriber() {
    let (tokens, _) = tokens();
    let mut changes = tokens.clone().brand("acme").subscribe();
    let issued = tokens.issue(wish()).await.unwrap();
    let id = *issued.record.id();
    let told = Some(TokenChange::Token(id));
    assert_eq!(changes.next().await, told);
    tokens.roll(&id, DAY).await.unwrap();
    assert_eq!(changes.try_next(), told);
    let (acme, ada) = (
        OrganizationId::new("acme").unwrap(),
        Subject::new("ada").unwrap(),
    );
    tokens.set_owner_active(&acme, &ada, false).await.unwrap();
    assert_eq!(changes.try_next(), told);
    tokens.revoke_leaked(issued.token.expose()).await.unwrap();
    assert_eq!(changes.try_next(), told);
    tokens.revoke(&id).await.unwrap();
    assert_eq!(changes.try_next(), told);
    tokens.list(acme).await.unwrap();
    assert_eq!(changes.try_next(), None);
}

#[tokio::test]
async fn lists_name_an_organizations_tokens_only() {
    let (tokens, clock) = tokens();
    let ada = tokens.issue(wish()).await.unwrap();
    let ci = tokens.issue(key()).await.unwrap();
    tokens
        .issue(NewToken::personal("other", "ada", "ada@x.io").scopes(["s"]))
        .await
        .unwrap();
    tokens
        .touch(&[(*ada.record.id(), clock.now())])
        .await
        .unwrap();
    let acme = OrganizationId::new("acme").unwrap();
    let mut expected = [*ada.record.id(), *ci.record.id()];
    expected.sort();
    let listed = tokens.list(acme.clone()).await.unwrap();
    assert_eq!(
        listed.iter().map(|record| *record.id()).collect::<Vec<_>>(),
        expected
    );
    let of_ada = TokenQuery::new(acme).owner(Subject::new("ada").unwrap());
    let listed = tokens.list(of_ada).await.unwrap();
    assert_eq!(listed[0].last_used(), Some(clock.now()));
    assert_eq!(listed.len(), 1);
}

/// A store in which somebody else writes a token's name just before each of the first updates.
#[derive(Clone, Default)]
struct Contended {
    inner: MemoryStore,
    rivals: Arc<AtomicUsize>,
    down: Arc<Mutex<Option<TokenId>>>,
}

impl ApiTokenStore for Contended {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        if *self.down.lock().unwrap() == Some(*id) {
            return Err(BackendError::new("the database is down"));
        }
        self.inner.find(id).await
    }

    async fn insert(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        self.inner.insert(record).await
    }

    async fn update(&self, record: &TokenRecord) -> Result<Written, BackendError> {
        let left = self.rivals.load(Ordering::SeqCst);
        if left > 0 {
            self.rivals.store(left - 1, Ordering::SeqCst);
            let rival = TokenRecord {
                name: format!("rival {left}"),
                ..self.inner.find(&record.id).await?.unwrap().next_version()
            };
            assert_eq!(self.inner.update(&rival).await?, Written::Done);
        }
        self.inner.update(record).await
    }

    async fn list(&self, query: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        self.inner.list(query).await
    }

    async fn touch(&self, used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        self.inner.touch(used).await
    }
}

#[tokio::test]
async fn of_two_administrators_neither_loses_a_write() {
    let store = Contended::default();
    let (tokens, _) = tokens_in(store.clone());
    let issued = tokens.issue(wish()).await.unwrap();
    let id = issued.record.id();
    store.rivals.store(1, Ordering::SeqCst);
    assert!(matches!(
        tokens.roll(id, DAY).await,
        Err(IssueError::Conflict)
    ));
    assert_eq!(present(&tokens, issued.token.expose()).await, Ok(()));
    // A revocation goes through all the same, and keeps what the other wrote.
    store.rivals.store(3, Ordering::SeqCst);
    let revoked = tokens.revoke(id).await.unwrap().unwrap();
    assert_eq!((revoked.name(), revoked.version()), ("rival 1", 6));
    assert_eq!(
        present(&tokens, issued.token.expose()).await,
        Err(TokenFault::Revoked)
    );
}

#[tokio::test]
async fn endless_contention_is_an_error_and_not_a_silent_success() {
    let store = Contended::default();
    let (tokens, _) = tokens_in(store.clone());
    let issued = tokens.issue(wish()).await.unwrap();
    store.rivals.store(usize::MAX, Ordering::SeqCst);
    assert!(tokens.revoke(issued.record.id()).await.is_err());
    assert_eq!(present(&tokens, issued.token.expose()).await, Ok(()));
}

#[tokio::test]
async fn a_failing_look_up_does_not_spare_the_other_leaked_tokens() {
    let store = Contended::default();
    let (tokens, _) = tokens_in(store.clone());
    let first = tokens.issue(wish()).await.unwrap();
    let second = tokens.issue(wish()).await.unwrap();
    let text = format!("{} {}", first.token.expose(), second.token.expose());
    *store.down.lock().unwrap() = Some(*first.record.id());
    assert!(tokens.revoke_leaked(&text).await.is_err());
    *store.down.lock().unwrap() = None;
    assert_eq!(present(&tokens, first.token.expose()).await, Ok(()));
    assert_eq!(
        present(&tokens, second.token.expose()).await,
        Err(TokenFault::Revoked)
    );
    assert_eq!(tokens.revoke_leaked(&text).await.unwrap().len(), 2);
}

#[tokio::test]
async fn t31_a_stored_row_survives_json_and_nonsense_does_not() {
    let (tokens, _) = tokens();
    let issued = tokens
        .issue(wish().networks(["10.0.0.0/8"]).tenants(["t"]))
        .await
        .unwrap();
    let rolled = tokens.roll(issued.record.id(), DAY).await.unwrap().record;
    let json = serde_json::to_string(&StoredToken::from(&rolled)).unwrap();
    let row: StoredToken = serde_json::from_str(&json).unwrap();
    assert_eq!(TokenRecord::try_from(row.clone()).unwrap(), rolled);
    let mut immortal = row.clone();
    immortal.expires_at = i64::MAX;
    let life = TokenRecord::try_from(immortal)
        .unwrap()
        .expires_at()
        .since(rolled.created_at());
    assert_eq!(life, 365 * DAY);
    let edits: [(&str, Edit); 14] = [
        ("id", |row| row.id.push('x')),
        ("kind", |row| row.kind = "admin".into()),
        ("email", |row| row.kind = "service_account".into()),
        ("email", |row| row.email = None),
        ("email", |row| row.email = Some("a@b@c".into())),
        ("organization", |row| row.organization.clear()),
        ("owner", |row| row.owner.clear()),
        ("created_by", |row| row.created_by.clear()),
        ("scopes", |row| row.scopes = "a\"b".into()),
        ("networks", |row| row.networks.push("any".into())),
        ("tenants", |row| row.tenants.push(String::new())),
        ("previous_verifier", |row| row.previous_until = None),
        ("expires_at", |row| row.expires_at = row.created_at),
        ("version", |row| row.version = 0),
    ];
    for (field, edit) in edits {
        let mut row = row.clone();
        edit(&mut row);
        let error = TokenRecord::try_from(row).unwrap_err().report();
        assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
    }
    assert!(TokenRecord::try_from(StoredToken::default()).is_err());
}

#[tokio::test]
async fn t48_nothing_printed_holds_a_secret() {
    let (tokens, _) = tokens();
    let issued = tokens.issue(wish()).await.unwrap();
    let secret = issued.token.expose().get(22..65).unwrap();
    let presented = tokens.format().parse(issued.token.expose()).unwrap();
    assert_eq!(presented.secret(), secret);
    let error = tokens.roll(issued.record.id(), 2 * DAY).await.unwrap_err();
    let shown = format!("{tokens:?} {issued:?} {presented:?} {error} {error:?}");
    assert!(!shown.contains(secret) && !shown.contains("ada@"));
}

#[test]
fn the_admin_calls_can_be_spawned() {
    fn spawnable<T: Send>(_: &T) {}
    let (tokens, _) = tokens();
    let id = TokenId::new("AAAAAAAAAAAAAAAA").unwrap();
    let (acme, ada) = (
        OrganizationId::new("acme").unwrap(),
        Subject::new("ada").unwrap(),
    );
    spawnable(&tokens.issue(wish()));
    spawnable(&tokens.roll(&id, DAY));
    spawnable(&tokens.revoke_leaked(""));
    spawnable(&tokens.list(acme.clone()));
    spawnable(&tokens.set_owner_active(&acme, &ada, true));
}
