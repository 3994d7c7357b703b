//! Issuer metadata, against the same rules on a plain `Value`.
#![no_main]

use serde_json::Value;
use tower_mcp_auth::fuzzing::metadata;
use tower_mcp_auth::{Introspection, Issuer};
use tower_mcp_auth_fuzz::fuzz_target;

/// What any URL we would fetch must look like once it is read.
fn check(url: &str, local: bool) {
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let authority = rest.split(['/', '?']).next().expect("an authority");
    let bare = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let host = bare.map_or(authority, |(host, _)| host);
    let loopback = host == "localhost"
        || host == "[::1]"
        || host.starts_with("127.") && host.parse::<std::net::Ipv4Addr>().is_ok();
    assert!(scheme == "https" || (scheme == "http" && loopback), "{url}");
    assert!(!host.is_empty() && !authority.contains('@') && !url.contains('#'), "{url}");
    assert!(local || !loopback, "{url} leads home");
}

fuzz_target!(|data: &[u8]| {
    let (first, body) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let local = first & 1 == 1;
    let name = if local { "http://localhost:8080" } else { "https://auth.example.com/t1" };
    let asked = first & 2 == 2;
    let issuer = Issuer::new(name);
    let issuer = if asked { issuer.introspection(Introspection::new()) } else { issuer };
    let read = metadata(&issuer, body);
    let whole: Option<Value> = serde_json::from_slice(body).ok();
    let whole = whole.filter(Value::is_object);
    let Ok((keys, introspection)) = read else {
        // Refused for a reason: not the plainest document there is.
        let plain = whole.as_ref().is_some_and(|whole| {
            let uri = whole["jwks_uri"].as_str();
            let good = uri.and_then(|uri| uri.strip_prefix("https://keys.example.com/"));
            let good = good.is_some_and(|path| path.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            whole["issuer"] == name && good
        });
        let twice = |word: &str| body.windows(word.len()).filter(|part| *part == word.as_bytes()).count() > 1;
        assert!(
            !plain
                || twice("issuer")
                || twice("jwks_uri")
                || twice("\\u")
                || body.contains(&b'\\')
                || twice("_endpoint")
                || twice("scopes_supported")
        );
        return;
    };
    assert!(keys.is_some() || asked, "no keys");
    // A member that nobody reads may hold what `Value` cannot: a number beyond f64, half a surrogate.
    if let Some(whole) = whole {
        assert_eq!(whole["issuer"], name);
        assert_eq!(keys.is_some(), whole["jwks_uri"].is_string());
        assert!(introspection.is_none() || whole["introspection_endpoint"].is_string());
    }
    for url in [keys, introspection].into_iter().flatten() {
        check(&url, local);
    }
});
