//! From one file to the next while the server runs.

use http::Request;
use http::header::AUTHORIZATION;
use tower_mcp_auth::Authenticator;
use tower_mcp_auth::authenticator::PeerAddress;
use tower_mcp_auth::config::Config;
use tower_mcp_auth::testing::TestIssuer;

use crate::config_file::Place;
use crate::support::{I, R};

fn text(more: &str) -> String {
    format!(
        "[resource]\nidentifier = '{R}'\n[[issuers]]\nidentifier = '{I}'\nalgorithms = ['ES256']\norganization_claim = 'org_id'\n{more}"
    )
}

fn config(more: &str) -> Config {
    Config::from_toml(&text(more)).unwrap()
}

async fn built(config: &Config, issuer: &TestIssuer) -> Authenticator {
    let builder = config.open().await.unwrap();
    builder.fetch(issuer.fetch()).build().unwrap()
}

async fn status(auth: &Authenticator, issuer: &TestIssuer, peer: &str) -> u16 {
    let token = issuer
        .token(R)
        .claim("org_id", "acme")
        .scope("read:issues")
        .sign();
    let mut request = Request::post("/mcp")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(())
        .unwrap();
    let peer = PeerAddress(peer.parse().unwrap());
    request.extensions_mut().insert(peer);
    let (head, ()) = request.into_parts();
    let refused = auth.authenticate(&head).await.err();
    refused.map_or(200, |refusal| refusal.status().as_u16())
}

#[tokio::test]
async fn another_file_is_taken_as_a_whole() {
    let issuer = TestIssuer::builder().url(I).in_process();
    let policy = "[[policies]]\norganization = 'acme'\nnetworks = ['192.0.2.0/24']\n";
    let mut running = config(policy);
    let auth = built(&running, &issuer).await;
    let ask = async |peer| status(&auth, &issuer, peer).await;
    assert_eq!(
        (ask("192.0.2.1").await, ask("198.51.100.1").await),
        (200, 403)
    );

    let moved = policy.replace("192.0.2.0", "198.51.100.0");
    assert_eq!(running.reload(&auth, config(&moved)).unwrap(), 2);
    assert_eq!(
        (ask("192.0.2.1").await, ask("198.51.100.1").await),
        (403, 200)
    );

    // A policy that has gone is none: OAuth only, from anywhere.
    assert_eq!(
        running.reload(&auth, config("")).unwrap_err().problems()[0].field,
        "policies"
    );
    let other = policy.replace("acme", "other");
    assert_eq!(running.reload(&auth, config(&other)).unwrap(), 3);
    assert_eq!(
        (ask("192.0.2.1").await, ask("198.51.100.1").await),
        (200, 200)
    );

    let strict = format!("{other}[scopes]\nrequired = ['admin:issues']\n");
    assert_eq!(running.reload(&auth, config(&strict)).unwrap(), 4);
    assert_eq!(ask("192.0.2.1").await, 403);
    assert_eq!(issuer.hits().jwks, 1, "keys are not fetched again");
}

#[tokio::test]
async fn a_mistake_leaves_everything_as_it_was() {
    let issuer = TestIssuer::builder().url(I).in_process();
    let mut running = config("[[policies]]\norganization = 'acme'\n");
    let auth = built(&running, &issuer).await;
    let wrong = "leeway = '1h'\n[[policies]]\norganization = 'acme'\nnetworks = ['192.0.2.0/24']\n[scopes]\nrequired = ['admin:issues']";
    let error = running.reload(&auth, config(wrong)).unwrap_err();
    assert_eq!(error.problems()[0].field, "issuers[0].leeway");
    assert_eq!(auth.generation(), 1);
    assert_eq!(status(&auth, &issuer, "198.51.100.1").await, 200);
}

/// A secret is rotated from one file to another, and the old one is deleted.
#[tokio::test]
async fn the_files_of_what_is_replaced_need_not_be_there() {
    let issuer = TestIssuer::builder().url(I).in_process();
    let place = Place::new();
    let with = |secret: &str, network: &str| {
        let file = place.write(secret, "introspecting");
        config(&format!(
            "introspection = {{ client_id = 'mcp', client_secret = {{ file = '{file}' }} }}\n\
             [[policies]]\norganization = 'acme'\nnetworks = ['{network}']\n"
        ))
    };
    let mut running = with("one", "198.51.100.0/24");
    let auth = built(&running, &issuer).await;
    assert_eq!(status(&auth, &issuer, "198.51.100.1").await, 200);
    let new = with("two", "192.0.2.0/24");
    std::fs::remove_file(place.file("one")).unwrap();
    assert_eq!(running.reload(&auth, new), Ok(2));
    assert_eq!(status(&auth, &issuer, "198.51.100.1").await, 403);
    let again = with("two", "198.51.100.0/24");
    assert_eq!(running.reload(&auth, again), Ok(3));
}

#[tokio::test]
async fn what_takes_a_restart_is_refused_path_by_path() {
    let issuer = TestIssuer::builder().url(I).in_process();
    let place = Place::new();
    let key = |letter: &str| letter.repeat(43) + "=";
    let (one, two) = (key("A"), "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=");
    let audit = |file: &str| format!("[audit]\nfile = '{}'\n", place.file(file));
    let mut running = config(&format!(
        "[sessions]\nkey = '{two}'\n{}[http]\nconnect_timeout = '3s'",
        audit("a")
    ));
    let auth = built(&running, &issuer).await;
    let new = format!(
        "[sessions]\nkey = '{one}'\n{}[http]\nconnect_timeout = '4s'\n[redis]\nurl = 'redis://u:hunter2canary@h'\n[streams]\nclose = false",
        audit("b")
    );
    let error = running.reload(&auth, config(&new)).unwrap_err();
    let fields: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    for field in [
        "redis",
        "sessions.key",
        "http.connect_timeout",
        "audit.file",
    ] {
        assert!(fields.contains(&field), "{field}: {error}");
    }
    assert!(!fields.contains(&"streams.close"), "{error}");
    let shown = format!("{error} {error:?}");
    for secret in ["hunter2canary", one.as_str(), two] {
        assert!(!shown.contains(secret), "{shown}");
    }
    // The same again is none of these.
    let same = format!(
        "[sessions]\nkey = '{two}'\n{}[http]\nconnect_timeout = '3s'\n[streams]\nclose = false",
        audit("a")
    );
    assert_eq!(running.reload(&auth, config(&same)).unwrap(), 2);
}

/// Its store is opened at the start. Without one every process would take the same proof once.
#[cfg(all(feature = "dpop", feature = "redis"))]
#[tokio::test]
async fn proofs_that_are_to_be_kept_in_redis_take_a_restart() {
    let issuer = TestIssuer::builder().url(I).in_process();
    let redis = |more: &str| {
        config(&format!(
            "[redis]\nurl = 'redis://127.0.0.1:1'\nhints = false\nshared_failures = false\n{more}"
        ))
    };
    let mut running = redis("");
    let auth = built(&running, &issuer).await;
    let error = running.reload(&auth, redis("[dpop]")).unwrap_err();
    assert_eq!(error.problems()[0].field, "dpop");
    assert_eq!(auth.generation(), 1);

    let here = "replay_store = false\n";
    let mut running = redis(here);
    let auth = built(&running, &issuer).await;
    let with_proofs = format!("{here}[dpop]");
    assert_eq!(running.reload(&auth, redis(&with_proofs)).unwrap(), 2);
}
