//! The facts a verifier may say, and those it may not.

use futures_util::FutureExt;

use super::*;
use crate::clock::UnixTime;

const BORN: UnixTime = UnixTime::from_secs(1_800_000_000);

fn key() -> ForeignTokenBuilder {
    ForeignToken::service_account("key-1", "acme", "bot")
        .scopes(["read"])
        .created_at(BORN)
        .expires_at(BORN.plus_secs(60))
}

fn person(email: &str) -> ForeignTokenBuilder {
    ForeignToken::personal("pat-1", "acme", "ada", email)
        .created_at(BORN)
        .expires_at(BORN.plus_secs(60))
}

#[test]
fn t31_no_token_lives_longer_than_a_year() {
    let year = 365 * 86_400;
    for (wanted, granted) in [(60, 60), (year, year), (year + 1, year), (i64::MAX, year)] {
        let token = key().expires_at(BORN.plus_secs(wanted)).build().unwrap();
        assert_eq!(token.expires_at(), BORN.plus_secs(granted));
    }
}

#[test]
fn every_fact_that_cannot_be_is_named() {
    let scopes: Vec<_> = (0..257).map(|n| format!("s{n}")).collect();
    let cases = [
        (key().expires_at(BORN), "expires_at"),
        (key().scopes(["a b"]), "scopes"),
        (key().scopes(scopes), "scopes"),
        (key().networks(["10.0.0.1/8"]), "networks"),
        (key().networks(["nowhere"]), "networks"),
        (key().tenants([""]), "tenants"),
        (key().created_by("a\nb"), "created_by"),
        (key().authority(""), "authority"),
        (person("nobody"), "email"),
        (person("a@b@c"), "email"),
        (
            ForeignToken::service_account("", "acme", "bot")
                .created_at(BORN)
                .expires_at(BORN.plus_secs(1)),
            "id",
        ),
        (
            ForeignToken::service_account("a b", "", "bot")
                .created_at(BORN)
                .expires_at(BORN.plus_secs(1)),
            "organization",
        ),
        (ForeignToken::service_account("k", "acme", ""), "owner"),
        (
            ForeignToken::service_account("k", "acme", "bot"),
            "created_at",
        ),
        (
            ForeignToken::service_account("k", "acme", "bot").created_at(BORN),
            "expires_at",
        ),
    ];
    for (wrong, field) in cases {
        let error = wrong.build().unwrap_err().report();
        assert!(error.contains(&format!("{field} = ")), "{field}: {error}");
    }
    let all = ForeignToken::personal("", "", "", "ada").build();
    let report = all.unwrap_err().report();
    assert!(report.matches(" = ").count() == 6, "{report}");
}

#[test]
fn edge_10_what_is_wrong_with_an_address_shows_no_person() {
    let report = person("ada lovelace@x.io").build().unwrap_err().report();
    assert!(
        report.contains("x.io") && !report.contains("lovelace"),
        "{report}"
    );
    let shown = format!("{:?} {:?}", person("ada@x.io"), person("ada@x.io").build());
    assert!(!shown.contains("ada@"), "{shown}");
}

struct Says(ForeignTokenBuilder);

impl ForeignTokens for Says {
    fn recognise(&self, _: &str) -> Option<TokenKind> {
        Some(TokenKind::ServiceAccount)
    }

    async fn verify(&self, _: ForeignCredential<'_>) -> Result<Option<ForeignToken>, BackendError> {
        Ok(Some(self.0.clone().build()?))
    }
}

fn ask(says: ForeignTokenBuilder, text: &str) -> Result<Option<ForeignToken>, BackendError> {
    let tokens = DynForeignTokens::new(Arc::new(Says(says)));
    let credential = ForeignCredential::new(TokenKind::ServiceAccount, text, None);
    tokens.verify(credential).now_or_never().unwrap()
}

#[test]
fn t33_an_answer_of_the_other_kind_is_no_answer() {
    assert!(ask(key(), "svc.secret").unwrap().is_some());
    let error = ask(person("ada@x.io"), "svc.secret").unwrap_err().report();
    assert!(
        error.contains("a personal token for a service_account one"),
        "{error}"
    );
}

#[test]
fn t48_a_secret_for_an_id_is_refused_and_not_repeated() {
    for id in ["svc.secret", "key-svc.secret"] {
        let says = ForeignToken::service_account(id, "acme", "bot")
            .created_at(BORN)
            .expires_at(BORN.plus_secs(1));
        let error = ask(says, "svc.secret").unwrap_err().report();
        assert!(
            error.contains("own secret") && !error.contains("svc"),
            "{error}"
        );
    }
    // A public part of the text is a good id.
    assert!(ask(key(), "key-1.secret").unwrap().is_some());
}

#[test]
fn t48_debug_shows_no_credential() {
    let email = Email::new("ada@x.io");
    let credential = ForeignCredential::new(TokenKind::Personal, "pat.secret", email.as_ref());
    let tokens = DynForeignTokens::new(Says(key()));
    let shown = format!("{credential:?} {tokens:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("ada"),
        "{shown}"
    );
    assert_eq!(credential.expose(), "pat.secret");
}
