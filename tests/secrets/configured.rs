//! Secrets that are configured: what settings, their errors and whatever was made of them show.

use std::time::Duration;

use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers, StoredToken};
use tower_mcp_auth::policy::MemoryPolicyStore;
use tower_mcp_auth::testing::{MemoryAudit, TestIssuer};
use tower_mcp_auth::{Authenticator, Introspection, Issuer, SigningAlgorithm, ToolRules};

use crate::canaries::Canaries;
use crate::heard::Heard;
use crate::support::{I, described};
use crate::tokens_support::{ADA, issue};

/// 32 characters that stand for bytes: what is made of them is found in every form.
pub fn secret(name: &str) -> String {
    format!("{name}-c4n4ry-7Hq2ZpXw9LkVb3Nd5Rt8Ys")
}

pub async fn all(heard: &Heard, canaries: &mut Canaries) {
    peppers_and_tokens(heard, canaries).await;
    introspection(heard, canaries);
    keys_of_our_own(heard, canaries);
    #[cfg(feature = "redis")]
    redis(heard, canaries).await;
    #[cfg(feature = "postgres")]
    postgres(heard, canaries).await;
}

async fn peppers_and_tokens(heard: &Heard, canaries: &mut Canaries) {
    let (one, other) = (secret("pepper-one"), secret("pepper-two"));
    canaries.add("pepper one", &one);
    canaries.add("pepper two", &other);
    let peppers = Peppers::new("a", &one).and("b", &other);
    heard.show(&peppers);
    let store = MemoryStore::new();
    let tokens = ApiTokens::new(store.clone(), peppers);
    let new = [
        NewToken::personal("acme", "ada", ADA),
        NewToken::service_account("acme", "robot").created_by("ada"),
    ];
    for new in new {
        heard.show(&new);
        let issued = issue(&tokens, new).await;
        canaries.add_token("issued", issued.token.expose());
        heard.show(&issued);
        heard.show(&issued.token);
        heard.show(&issued.record);
        heard.show(&StoredToken::from(&issued.record));
        let rolled = tokens
            .roll(issued.record.id(), Duration::from_secs(60))
            .await
            .unwrap();
        canaries.add_token("rolled", rolled.token.expose());
        heard.show(&rolled);
        let leak = format!("found in a log: {}", rolled.token.expose());
        heard.show(&tokens.revoke_leaked(&leak).await.unwrap());
        heard.show(&tokens.find(issued.record.id()).await.unwrap());
        let text = rolled.token.expose();
        heard.show(
            &tokens
                .format()
                .parse(text)
                .map(|parsed| format!("{parsed:?}")),
        );
        for broken in [&text[..40], &format!("{text}x"), &text.replace('_', "-")] {
            if let Err(error) = tokens.format().parse(broken) {
                heard.fail(&error);
            }
        }
    }
    heard.show(&tokens);
    heard.show(&store);
    // Too short, the same twice, none: the setting is named, and never its value.
    let short = &secret("short")[..31];
    canaries.add("short pepper", short);
    for peppers in [
        Peppers::new("a", short),
        Peppers::new("a", &one).and("a", &one),
        Peppers::new("", &one),
    ] {
        heard.show(&peppers);
        let tokens = ApiTokens::new(MemoryStore::new(), peppers);
        heard.show(&tokens);
        if let Err(error) = tokens.check() {
            heard.fail(&error);
        }
    }
}

fn introspection(heard: &Heard, canaries: &mut Canaries) {
    let key = TestIssuer::builder().in_process();
    let private = key.private_der(&key.signing_kid());
    canaries.add("private key", &private);
    let pem = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &private);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
    let (basic, post, broken) = (secret("basic"), secret("post"), secret("broken-key"));
    for one in [&basic, &post, &broken] {
        canaries.add("introspection", one);
    }
    let es256 = SigningAlgorithm::Es256;
    let ways = [
        Introspection::new().client_secret_basic("mcp", &basic),
        Introspection::new().client_secret_post("mcp", &post),
        Introspection::new().private_key_jwt("mcp", &pem, es256),
        Introspection::new().private_key_jwt("mcp", &pem, SigningAlgorithm::Rs256),
        Introspection::new().private_key_jwt("mcp", &broken, es256),
        Introspection::new().private_key_jwt(
            "mcp",
            format!("-----BEGIN PRIVATE KEY-----\n{broken}"),
            es256,
        ),
        Introspection::new().private_key_jwt(
            "mcp",
            format!(r#"{{"kty":"EC","d":"{broken}"}}"#),
            es256,
        ),
        Introspection::new()
            .client_secret_basic("mcp", &basic)
            .client_secret_post("mcp", &post),
        Introspection::new().client_secret_basic("", &basic),
        Introspection::new()
            .client_secret_basic("mcp", &basic)
            .endpoint(format!("http://user:{basic}@evil/")),
    ];
    for way in ways {
        heard.show(&way);
        let issuer = Issuer::new(I).introspection(way);
        heard.show(&issuer);
        let resource = described(issuer);
        heard.show(&resource);
        let builder = Authenticator::builder(resource);
        heard.show(&builder);
        match builder.build() {
            Ok(auth) => heard.show(&auth),
            Err(error) => heard.fail(&error),
        }
    }
}

fn keys_of_our_own(heard: &Heard, canaries: &mut Canaries) {
    let [session, audit, nonces] = ["session", "audit", "nonces"].map(secret);
    for key in [&session, &audit, &nonces] {
        canaries.add("key of our own", key);
    }
    for length in [5, 31, session.len()] {
        let cut = |key: &str| key[..length.min(key.len())].to_owned();
        let builder = Authenticator::builder(described(Issuer::new(I)))
            .tools(ToolRules::new())
            .policies(MemoryPolicyStore::new())
            .session_key(cut(&session))
            .audit(MemoryAudit::new())
            .audit_key(cut(&audit));
        #[cfg(feature = "dpop")]
        let builder = builder.dpop(tower_mcp_auth::dpop::Dpop::new().nonces(cut(&nonces)));
        heard.show(&builder);
        match builder.build() {
            Ok(auth) => heard.show(&auth),
            Err(error) => heard.fail(&error),
        }
    }
}

#[cfg(feature = "redis")]
async fn redis(heard: &Heard, canaries: &mut Canaries) {
    use tower_mcp_auth::backend::{RedisFailures, RedisHints};
    use tower_mcp_auth::revocation::Hints;

    let password = secret("redis");
    canaries.add("redis", &password);
    for url in [
        format!("redis://user:{password}@127.0.0.1:1"),
        format!("rediss://:{password}@127.0.0.1:1/7"),
        format!("redis://user:{password}@[::1"),
        format!("http://{password}"),
        format!("redis://127.0.0.1:{password}"),
        format!("redis://127.0.0.1/{password}"),
    ] {
        match RedisFailures::new(&url) {
            Ok(failures) => heard.show(&failures),
            Err(error) => heard.fail(&error),
        }
        match RedisHints::new(&url) {
            Ok(hints) => {
                heard.show(&hints);
                if let Err(error) = hints.send().await {
                    heard.fail(&error);
                }
            }
            Err(error) => heard.fail(&error),
        }
    }
}

#[cfg(feature = "postgres")]
async fn postgres(heard: &Heard, canaries: &mut Canaries) {
    use tower_mcp_auth::backend::SqlStore;

    let password = secret("postgres");
    canaries.add("postgres", &password);
    for url in [
        format!("postgres://user:{password}@127.0.0.1:1/db"),
        format!("postgres://user:{password}@127.0.0.1:x/db"),
        format!("postgres://127.0.0.1:1/db?password={password}"),
        format!("postgres://127.0.0.1:1/db?sslmode={password}"),
        format!("mysql://user:{password}@127.0.0.1/db"),
        format!("sqlite:///nowhere/{password}?mode={password}"),
        password.clone(),
    ] {
        heard.show(&SqlStore::builder(url.clone()));
        match SqlStore::connect(url).await {
            Ok(store) => heard.show(&store),
            Err(error) => heard.fail(&error),
        }
    }
}
