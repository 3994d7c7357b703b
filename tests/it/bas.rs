//! Personal API tokens as Basic (BAS-*).

use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tower_mcp_auth::api_token::{ApiTokenStore, LocalPart, NewToken, StoredToken, TokenRecord};
use tower_mcp_auth::policy::TrustedProxies;

use crate::support::{Answer, P, post};
use crate::tokens_support::{
    ADA, Mood, TokenWorld, basic, damaged, encoded, from, issue, stranger,
};

#[track_caller]
fn assert_refused(answer: &Answer, reason: &str) {
    assert_eq!(answer.code(), reason, "{:?}", answer.body);
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["error"], "invalid_credentials");
}

#[tokio::test]
async fn bas_01_to_05_each_mistake_has_its_words_and_asks_no_store() {
    let world = TokenWorld::new().await;
    let token = world.acme_user.token.expose();
    let whole = encoded(format!("{ADA}:{token}"));
    let value = whole.strip_prefix("Basic ").unwrap();
    let (first, second) = value.split_at(76);
    let cases = [
        ("Basic".to_owned(), "is empty"),
        ("Basic ".to_owned(), "is empty"),
        ("Basic %%%".to_owned(), "not valid base64"),
        ("Basic YQ".to_owned(), "not valid base64"),
        ("Basic YUB4Lmlv-_8=".to_owned(), "URL-safe alphabet"),
        ("Basic Og==".to_owned(), "no email"),
        (encoded(":secret"), "no email"),
        (encoded("a@x.io:"), "no API token after the colon"),
        ("Basic /w==".to_owned(), "UTF-8"),
        (encoded(token), "only a token"),
        (encoded(format!("{ADA}:{token}\n")), "echo -n"),
        (encoded(format!("{ADA}:{token}\r\n")), "echo -n"),
        (encoded(format!("a\u{7}da:{token}")), "control character"),
        (encoded(format!("{ADA}:mc\0pu")), "control character"),
        (format!("Basic {first} {second}"), "base64 -w0"),
        (format!("Basic {ADA}:{token}"), "is not encoded"),
    ];
    for (case, (authorization, words)) in cases.iter().enumerate() {
        // Each from an address of its own, so that none is throttled.
        let address = format!("203.0.113.{case}");
        let answer = world.present_from(&address, authorization).await;
        assert_refused(&answer, "malformed_basic");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{authorization}: {message}");
        assert!(!message.contains(token));
    }
    assert_eq!(world.store.faults.calls(), 0);
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn bas_01_a_good_token_says_who_it_is() {
    let world = TokenWorld::new().await;
    let answer = world.ada().await;
    answer.assert_let_in();
    let said = answer.json();
    assert_eq!(said["subject"], "ada");
    assert_eq!(said["kind"], "User");
    assert_eq!(said["organization"], "acme");
    assert_eq!(said["scopes"], "read:issues");
    let context = world.context(basic(ADA, &world.acme_user)).await.unwrap();
    let principal = context.principal();
    assert_eq!(principal.email(), Some(ADA));
    let id = world.acme_user.record.id().as_str();
    assert_eq!(principal.token_id(), Some(id));
    assert!(
        !world
            .probe
            .seen
            .credential_forwarded
            .load(std::sync::atomic::Ordering::SeqCst)
    );
}

#[tokio::test]
async fn bas_03_only_the_first_colon_divides() {
    let world = TokenWorld::new().await;
    let token = world.acme_user.token.expose();
    // The rest is the secret, colons included: no token of ours, and nothing was cut off to fit.
    for text in [
        format!("{ADA}:{token}:1"),
        format!("{ADA}::{token}"),
        format!("x:{ADA}:{token}"),
    ] {
        assert_refused(&world.present(encoded(text)).await, "invalid_api_token");
    }
    assert_eq!(world.store.faults.calls(), 0);
}

// also: T27
#[tokio::test]
async fn bas_07_five_failures_one_answer() {
    let world = TokenWorld::new().await;
    let personal = || NewToken::personal("acme", "ada", ADA);
    let unknown = stranger(personal()).await;
    let rolled = issue(&world.tokens, personal()).await;
    let fresh = world
        .tokens
        .roll(rolled.record.id(), Duration::ZERO)
        .await
        .unwrap();
    let revoked = issue(&world.tokens, personal()).await;
    world.tokens.revoke(revoked.record.id()).await.unwrap();
    let expired = issue(
        &world.tokens,
        personal().expires_in(Duration::from_secs(60)),
    )
    .await;
    let left = issue(&world.tokens, NewToken::personal("acme", "eve", ADA)).await;
    let eve = left.record.owner().subject().clone();
    let acme = left.record.organization().clone();
    assert_eq!(
        world
            .tokens
            .set_owner_active(&acme, &eve, false)
            .await
            .unwrap(),
        1
    );
    world.clock.advance(Duration::from_secs(60));

    world.present(basic(ADA, &fresh)).await.assert_let_in();
    let cases = [
        ("Unknown", basic(ADA, &unknown)),
        ("WrongSecret", basic(ADA, &rolled)),
        ("WrongEmail", basic("bob@acme.example", &world.acme_user)),
        ("Revoked", basic(ADA, &revoked)),
        ("Expired", basic(ADA, &expired)),
        ("OwnerInactive", basic(ADA, &left)),
    ];
    let mut answers = Vec::new();
    for (note, authorization) in cases {
        let request = post().header("x-request-id", "one-for-all");
        let answer = world
            .send(request.header("authorization", authorization))
            .await;
        assert_refused(&answer, "invalid_api_token");
        // Only the operator is told them apart.
        assert_eq!(answer.rejection.as_ref().unwrap().note(), Some(note));
        answers.push((answer.status, answer.headers, answer.body));
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    let body: Value = serde_json::from_slice(&answers[0].2).unwrap();
    let methods = json!(["oauth2", "api_token", "service_account_key"]);
    assert_eq!(body["allowed_methods"], methods);
    assert_eq!(world.probe.calls(), 1);
}

#[tokio::test]
async fn bas_07_damage_is_found_without_the_store() {
    let world = TokenWorld::new().await;
    let text = damaged(&world.acme_user);
    let answer = world.present(encoded(format!("{ADA}:{text}"))).await;
    assert_refused(&answer, "invalid_api_token");
    let cut = text.get(..40).unwrap();
    let answer = world.present(encoded(format!("{ADA}:{cut}"))).await;
    assert_refused(&answer, "invalid_api_token");
    let answer = world.present(encoded(format!("{ADA}:a password"))).await;
    assert_refused(&answer, "invalid_api_token");
    assert!(
        answer.json()["hint"]
            .as_str()
            .unwrap()
            .contains("not an API token")
    );
    assert_eq!(world.store.faults.calls(), 0);
    world.ada().await.assert_let_in();
    assert_eq!(world.store.faults.calls(), 1);
}

#[tokio::test]
async fn bas_08_the_domain_has_no_case_the_local_part_does() {
    let world = TokenWorld::new().await;
    world
        .present(basic("ada@ACME.Example", &world.acme_user))
        .await
        .assert_let_in();
    let other = world
        .present(basic("ADA@acme.example", &world.acme_user))
        .await;
    assert_refused(&other, "invalid_api_token");

    let world = TokenWorld::custom(
        |tokens| tokens.local_part(LocalPart::AnyAsciiCase),
        |b, _| b,
    )
    .await;
    world
        .present(basic("ADA@ACME.EXAMPLE", &world.acme_user))
        .await
        .assert_let_in();
}

#[tokio::test]
async fn bas_08_t30_look_alikes_are_other_people() {
    let world = TokenWorld::new().await;
    let new = NewToken::personal("acme", "zoe", "zo\u{eb}@acme.example");
    let token = issue(&world.tokens, new).await;
    // Composed and decomposed are one letter, however the keyboard writes it.
    for local in ["zo\u{eb}", "zoe\u{308}"] {
        let sent = basic(&format!("{local}@acme.example"), &token);
        world.present(sent).await.assert_let_in();
    }
    // Plain and Cyrillic: never folded into the letter that was issued.
    for local in ["zoe", "z\u{43e}\u{eb}"] {
        let answer = world
            .present(basic(&format!("{local}@acme.example"), &token))
            .await;
        assert_refused(&answer, "invalid_api_token");
    }
}

#[tokio::test]
async fn bas_09_no_secret_is_stored_and_every_token_ends() {
    let world = TokenWorld::new().await;
    let text = world.acme_user.token.expose();
    let secret = text.rsplit('_').next().unwrap().get(..43).unwrap();
    let row = StoredToken::from(&world.acme_user.record);
    assert!(!serde_json::to_string(&row).unwrap().contains(secret));
    assert!(row.expires_at > row.created_at);
    world.ada().await.assert_let_in();
    world.clock.advance(Duration::from_secs(90 * 86_400 - 1));
    world.ada().await.assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    assert_refused(&world.ada().await, "invalid_api_token");
}

fn lines(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("www-authenticate").iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

#[tokio::test]
async fn bas_10_a_basic_challenge_is_opt_in_and_stands_after_bearer() {
    let plain = format!("Bearer resource_metadata=\"{P}\", scope=\"read:issues\"");
    let wrong = encoded("a@x.io:nothing");
    for (realm, basic) in [
        (None, &[][..]),
        (
            Some("API tokens (Example)"),
            &["Basic realm=\"API tokens (Example)\", charset=\"UTF-8\""],
        ),
    ] {
        let world = TokenWorld::with(|builder, _| match realm {
            Some(realm) => builder.basic_challenge(realm),
            None => builder,
        })
        .await;
        let key_as_basic = encoded(format!("{ADA}:{}", world.acme_key.token.expose()));
        let nothing = world.send(post()).await;
        assert_eq!(nothing.code(), "missing_credential");
        for answer in [
            nothing,
            world.present("Digest x").await,
            world.present("Basic %%%").await,
            world.present(&wrong).await,
            world.present(&key_as_basic).await,
            // gRPC metadata holds several values under one name as well.
            world
                .send(post().header("content-type", "application/grpc"))
                .await,
        ] {
            let lines = lines(&answer);
            let (first, others) = lines.split_first().unwrap();
            assert_eq!(*first, plain, "{}", answer.code());
            assert_eq!(others, basic, "{}", answer.code());
        }
        // Where a password would not help, or would not be the next step.
        let off = world.present(basic_of_gil(&world)).await;
        assert_eq!(off.code(), "method_disabled");
        assert_eq!(lines(&off).len(), 1);
        let bad_token = world.present("Bearer a.b.c").await;
        assert_eq!(bad_token.status, StatusCode::UNAUTHORIZED);
        assert_eq!(lines(&bad_token).len(), 1);
        world.store.faults.set(Mood::Down);
        let outage = world.ada().await;
        assert_eq!(outage.status, StatusCode::SERVICE_UNAVAILABLE);
        let twice = world.present(format!("{wrong}, {wrong}")).await;
        assert_eq!(twice.code(), "malformed_basic");
        for _ in 0..20 {
            world.present(&wrong).await;
        }
        let throttled = world.present(&wrong).await;
        assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS);
        for answer in [&outage, &throttled] {
            assert!(lines(answer).is_empty());
        }
        let two = post().header("authorization", &wrong);
        let two = world.send(two.header("authorization", &wrong)).await;
        assert_eq!(two.status, StatusCode::BAD_REQUEST);
        assert_eq!(lines(&two).len(), 1);
    }
}

fn basic_of_gil(world: &TokenWorld) -> String {
    basic(crate::tokens_support::GIL, &world.globex_user)
}

#[tokio::test]
async fn bas_11_a_failed_basic_attempt_shows_no_bearer_error() {
    let world = TokenWorld::new().await;
    let answer = world.present(encoded("a@x.io:nothing")).await;
    assert_refused(&answer, "invalid_api_token");
    let plain = format!("Bearer resource_metadata=\"{P}\", scope=\"read:issues\"");
    assert_eq!(answer.challenge(), plain);
    // What the server takes, not what this token or its organization may do.
    let methods = json!(["oauth2", "api_token", "service_account_key"]);
    assert_eq!(answer.json()["allowed_methods"], methods);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn bas_12_a_personal_token_as_bearer_is_told_to_use_basic() {
    let world = TokenWorld::new().await;
    let answer = world
        .present(format!("Bearer {}", world.acme_user.token.expose()))
        .await;
    assert_refused(&answer, "wrong_scheme_for_token");
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("Basic") && message.contains("base64(email:api_token)"),
        "{message}"
    );
    assert_eq!(answer.json()["credential_kind"], "personal_api_token");
    assert_eq!(answer.json()["expected_scheme"], "Basic");
    assert_eq!(world.store.faults.calls() + world.probe.calls(), 0);
}

#[tokio::test]
async fn bas_13_a_legacy_token_without_scopes_is_not_let_in() {
    let world = TokenWorld::new().await;
    let issued = issue(&world.tokens, NewToken::personal("acme", "old", ADA)).await;
    // As an older program wrote it.
    let mut row = StoredToken::from(&issued.record);
    row.scopes.clear();
    row.version += 1;
    let record = TokenRecord::try_from(row).unwrap();
    world.store.update(&record).await.unwrap();
    let answer = world.present(basic(ADA, &issued)).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::FORBIDDEN, "unscoped_token")
    );
    assert_eq!(answer.json()["granted_scopes"], Value::Array(Vec::new()));
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(world.probe.calls(), 0);
}

#[tokio::test]
async fn bas_14_a_token_sent_in_the_clear_is_refused_and_put_on_record() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let world = TokenWorld::with(|builder, _| builder.trusted_proxies(proxies)).await;
    let send = |proto: &'static str, authorization: String| {
        let request = from("10.0.0.1")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-forwarded-proto", proto);
        world.send(request.header("authorization", authorization))
    };
    let ada = basic(ADA, &world.acme_user);
    let key = crate::tokens_support::bearer(&world.acme_key);
    for authorization in [ada.clone(), key] {
        let answer = send("http", authorization).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "insecure_transport")
        );
        assert!(
            answer.json()["message"]
                .as_str()
                .unwrap()
                .contains("revoke it")
        );
    }
    assert_eq!(world.store.faults.calls(), 0);
    let exposed = world.audit.take();
    assert_eq!(exposed.len(), 2);
    assert!(
        exposed
            .iter()
            .all(|record| record.reason.unwrap().code() == "insecure_transport")
    );
    send("https", ada.clone()).await.assert_let_in();
    // Nobody in particular says so, nobody is believed.
    let direct = from("203.0.113.9").header("x-forwarded-proto", "http");
    world
        .send(direct.header("authorization", ada))
        .await
        .assert_let_in();
}
