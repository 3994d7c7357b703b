//! What each kind of revocation covers, and what identifies a token (T5).

use std::time::Duration;

use http::StatusCode;
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::clock::Clock;
use tower_mcp_auth::ident::{ClientId, Subject};
use tower_mcp_auth::revocation::{
    MemoryRevocationLog, RevocationEntry, RevocationLog, RevocationTarget,
};
use tower_mcp_auth::testing::{TestIssuer, TokenBuilder};
use tower_mcp_auth::{Authenticator, Issuer, Profile, ProtectedResource, SigningAlgorithm};

use crate::support::{Answer, I, R, World};
use crate::tokens_support::{ADA, TokenWorld, basic, issue, organization};

#[track_caller]
fn assert_revoked(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "revoked")
    );
}

async fn oauth(world: &TokenWorld, token: &TokenBuilder) -> Answer {
    world.present(format!("Bearer {}", token.sign())).await
}

/// Bytes are no identity: each of these is the token that was revoked, in another spelling.
#[tokio::test]
async fn t05_every_twin_of_a_revoked_token_is_dead() {
    let algorithms = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
    let world = World::with_algorithms(algorithms, |resource| resource, |issuer| issuer);
    let world = world.warmed().await;
    let token = || world.token().claim("jti", "j-1");
    let claims = format!(
        r#"{{ "scope":"read:issues", "jti":"j-\u0031","aud":[ "{R}" ],"iss":"{I}","sub":"alice",
        "client_id":"test-client","iat":1800000000.0,"exp":18000003e2 }}"#
    );
    let twins = [
        ("as it was", token()),
        ("r, n - s", token().es256_twin()),
        ("members in another order", token().raw_claims(claims)),
        ("another header", token().header("x", "y")),
        ("another key", token().algorithm(SigningAlgorithm::EdDsa)),
    ];
    // One of them is remembered before, the others are seen for the first time after.
    world.bearer(&twins[1].1.sign()).await.assert_let_in();
    let remembered = twins.each_ref().map(|(_, twin)| twin.sign());
    for token in &remembered {
        world.bearer(token).await.assert_let_in();
    }
    world.auth.handle().revoke_token(I, "j-1").await.unwrap();
    for ((name, twin), remembered) in twins.iter().zip(&remembered) {
        for token in [remembered, &twin.sign()] {
            assert_eq!(world.bearer(token).await.code(), "revoked", "{name}");
        }
    }
    world
        .bearer(&token().claim("jti", "j-2").sign())
        .await
        .assert_let_in();
}

#[tokio::test]
async fn t05_a_token_without_an_id_is_its_subject_and_second() {
    let world = World::custom(
        |resource| resource,
        |issuer| issuer.profile(Profile::rfc9068().without_token_id()),
    );
    let world = world.warmed().await;
    let token = || world.token().without("jti");
    let mine = token().sign();
    let other_second = token().issued_in(-1).sign();
    let other_subject = token().subject("bob").sign();
    let (parts, ()) = crate::support::post()
        .header("authorization", format!("Bearer {mine}"))
        .body(())
        .unwrap()
        .into_parts();
    let seen = world.auth.authenticate(&parts).await.unwrap();
    let handle = world.auth.handle();
    handle.revoke_credential(seen.principal()).await.unwrap();
    world.bearer(&mine).await.assert_invalid_token("revoked");
    world
        .bearer(&token().es256_twin().sign())
        .await
        .assert_invalid_token("revoked");
    for other in [other_second, other_subject] {
        world.bearer(&other).await.assert_let_in();
    }
    // With an id it would be the id, and with neither it is everything of theirs.
    let target = RevocationTarget::credential_of(seen.principal());
    assert_eq!(target.kind(), "token_of");
}

#[tokio::test]
async fn revoke_14_a_client_for_whomever_it_acts() {
    let world = TokenWorld::new().await;
    let rogue = |subject: &str| world.access_token().subject(subject).client("rogue");
    let (for_ada, for_bob) = (rogue("ada"), rogue("bob"));
    let other = world.access_token().subject("ada").client("decent");
    for token in [&for_ada, &for_bob, &other] {
        oauth(&world, token).await.assert_let_in();
    }
    let handle = world.auth.handle();
    handle
        .revoke_client("https://elsewhere.example", "rogue")
        .await
        .unwrap();
    oauth(&world, &for_ada).await.assert_let_in();
    handle.revoke_client(I, "rogue").await.unwrap();
    assert_revoked(&oauth(&world, &for_ada).await);
    assert_revoked(&oauth(&world, &for_bob).await);
    oauth(&world, &other).await.assert_let_in();
    // Until the client is allowed again.
    world.clock.advance(Duration::from_secs(1));
    oauth(&world, &for_ada).await.assert_let_in();
    assert!(handle.revoke_client(I, "").await.is_err());
}

#[tokio::test]
async fn revoke_15_a_user_over_every_kind_of_credential() {
    let world = TokenWorld::new().await;
    let ada = world.access_token().subject("ada");
    let bob = world.access_token().subject("bob");
    let namesake = world
        .access_token()
        .subject("ada")
        .claim("org_id", "globex");
    // Clients and service accounts are not persons, whatever they are called.
    let client = world.access_token().subject("ada").client("ada");
    let account = NewToken::service_account("acme", "ada").created_by("ada");
    let account = issue(&world.tokens, account).await;
    let ada_was_here = world.ada().await;
    ada_was_here.assert_let_in();
    let handle = world.auth.handle();
    let subject = Subject::new("ada").unwrap();
    handle
        .revoke_user(&organization("acme"), &subject)
        .await
        .unwrap();
    assert_revoked(&oauth(&world, &ada).await);
    assert_revoked(&world.ada().await);
    for token in [&bob, &namesake, &client] {
        oauth(&world, token).await.assert_let_in();
    }
    world
        .present(crate::tokens_support::bearer(&account))
        .await
        .assert_let_in();
    world.clock.advance(Duration::from_secs(1));
    oauth(&world, &ada).await.assert_let_in();
    let new = issue(&world.tokens, NewToken::personal("acme", "ada", ADA)).await;
    world.present(basic(ADA, &new)).await.assert_let_in();
    assert_revoked(&world.ada().await);
}

#[tokio::test]
async fn revoke_15_a_user_of_several_issuers() {
    const OTHER: &str = "https://auth.example.com/t2";
    let issuers = [I, OTHER].map(|url| {
        let algorithms = [SigningAlgorithm::Es256];
        TestIssuer::builder()
            .url(url)
            .algorithms(algorithms)
            .in_process()
    });
    let resource = ProtectedResource::new(R)
        .issuer(Issuer::new(I).organization_claim("org_id"))
        .issuer(Issuer::new(OTHER).organization_claim("org_id"));
    let fetch = {
        let [one, other] = issuers.each_ref().map(TestIssuer::fetch);
        tower::service_fn(move |request: http::Request<_>| {
            let both = [one.clone(), other.clone()];
            let is_other = request.uri().path().contains("t2");
            let [one, other] = both;
            let chosen = if is_other { other } else { one };
            tower::ServiceExt::oneshot(chosen, request)
        })
    };
    let auth = Authenticator::builder(resource)
        .fetch(fetch)
        .build()
        .unwrap();
    let present = async |token: &str| {
        let request = crate::support::post().header("authorization", format!("Bearer {token}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let judged = auth.authenticate(&parts).await;
        judged.map_or_else(|refused| refused.reason().code(), |_| "let in")
    };
    let tokens = issuers.each_ref().map(|issuer| {
        let token = issuer.token(R).subject("ada").claim("org_id", "acme");
        token.sign()
    });
    for token in &tokens {
        assert_eq!(present(token).await, "let in");
    }
    let subject = Subject::new("ada").unwrap();
    let handle = auth.handle();
    handle
        .revoke_user(&organization("acme"), &subject)
        .await
        .unwrap();
    for token in &tokens {
        assert_eq!(present(token).await, "revoked");
    }
}

/// Who has a stolen key writes any `iat`.
#[tokio::test]
async fn revoke_16_a_key_for_good() {
    let algorithms = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
    let world = World::with_algorithms(algorithms, |resource| resource, |issuer| issuer);
    let world = world.warmed().await;
    let by = |algorithm| world.token().algorithm(algorithm);
    let stolen = by(SigningAlgorithm::Es256);
    let (parts, ()) = crate::support::post()
        .header("authorization", format!("Bearer {}", stolen.sign()))
        .body(())
        .unwrap()
        .into_parts();
    let seen = world.auth.authenticate(&parts).await.unwrap();
    let key_id = seen.principal().key_id().unwrap().to_owned();
    let remembered = stolen.sign();
    world.bearer(&remembered).await.assert_let_in();
    let handle = world.auth.handle();
    handle
        .revoke_key("https://elsewhere.example", &key_id)
        .await
        .unwrap();
    world.bearer(&remembered).await.assert_let_in();
    handle.revoke_key(I, &key_id).await.unwrap();
    world
        .bearer(&remembered)
        .await
        .assert_invalid_token("revoked");
    // Without a `kid` too: the key is the one that verified, not the one that is named.
    let unnamed = stolen.clone().without_header("kid");
    world
        .bearer(&unnamed.sign())
        .await
        .assert_invalid_token("revoked");
    world.clock.advance(Duration::from_secs(3600));
    world
        .bearer(&stolen.sign())
        .await
        .assert_invalid_token("revoked");
    let other = by(SigningAlgorithm::EdDsa).sign();
    world.bearer(&other).await.assert_let_in();
    assert_eq!(world.auth.revocations(), 2);
    assert!(world.auth.revocation_status().is_none());
}

#[tokio::test]
async fn edge_08_the_new_kinds_are_on_record_too() {
    let world = TokenWorld::new().await;
    let seen = world.access_token().sign();
    let seen = world.context(format!("Bearer {seen}")).await.unwrap();
    let _before = world.audit.take();
    let handle = world.auth.handle();
    let subject = seen.principal().subject();
    handle.revoke_client(I, "rogue").await.unwrap();
    handle.revoke_key(I, "k-1").await.unwrap();
    handle
        .revoke_user(&organization("acme"), subject)
        .await
        .unwrap();
    handle
        .revoke(RevocationTarget::TokenOf {
            issuer: I.into(),
            subject: subject.clone(),
            issued_at: seen.principal().issued_at().unwrap(),
        })
        .await
        .unwrap();
    let found: Vec<_> = world
        .audit
        .take()
        .into_iter()
        .map(|record| {
            let revocation = record.revocation.unwrap();
            let issuer = revocation.issuer.is_some();
            let organization = record.organization.is_some();
            (
                revocation.kind,
                revocation.id.as_str().to_owned(),
                issuer,
                organization,
            )
        })
        .collect();
    let expected = [
        ("client", "rogue", true, false),
        ("key", "k-1", true, false),
        ("user", "alice", false, true),
        ("token_of", "alice", true, false),
    ];
    let expected = expected.map(|(kind, id, issuer, org)| (kind, id.to_owned(), issuer, org));
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn mcp_20_open_streams_end_with_every_kind_here_and_elsewhere() {
    for what in ["client", "key", "user", "log"] {
        let log = MemoryRevocationLog::new();
        let world = TokenWorld::with(|builder, _| builder.revocations(log.clone())).await;
        let events = async |token: TokenBuilder| {
            let token = token.sign();
            world.events(&format!("Bearer {token}")).await
        };
        let mut rogue = events(world.access_token().client("rogue")).await;
        let mut bob = events(world.access_token().subject("bob")).await;
        let mut ada = world.events(&basic(ADA, &world.acme_user)).await;
        let handle = world.auth.handle();
        let alice = Subject::new("alice").unwrap();
        match what {
            "client" => handle.revoke_client(I, "rogue").await.unwrap(),
            "key" => {
                let kid = world.issuer.signing_kid();
                handle.revoke_key(I, &kid).await.unwrap();
            }
            "user" => handle
                .revoke_user(&organization("acme"), &alice)
                .await
                .unwrap(),
            _ => {
                let client = ClientId::new("rogue").unwrap();
                let target = RevocationTarget::Client {
                    issuer: I.into(),
                    client,
                };
                let entry = RevocationEntry::new(&target, world.clock.now());
                log.append(entry).await.unwrap();
                handle.notify();
            }
        }
        rogue.ended_for("revoked").await;
        if what == "key" {
            bob.ended_for("revoked").await;
        } else {
            bob.assert_open();
        }
        ada.assert_open();
    }
}
