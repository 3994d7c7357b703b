//! Configurations that cannot work, and what they say (requirements KEY, PRM, threats T38).

use std::time::Duration;

use serde_json::json;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::{
    Authenticator, ConfigError, Freshness, HttpClient, Issuer, Profile, ProtectedResource,
};

use crate::support::{I, R};

fn good() -> ProtectedResource {
    ProtectedResource::new(R).issuer(Issuer::new(I))
}

fn trusting(issuer: Issuer) -> AuthenticatorBuilder {
    Authenticator::builder(ProtectedResource::new(R).issuer(issuer))
}

fn resource(
    configure: impl FnOnce(ProtectedResource) -> ProtectedResource,
) -> AuthenticatorBuilder {
    Authenticator::builder(configure(good()))
}

fn identified(identifier: &str) -> AuthenticatorBuilder {
    Authenticator::builder(ProtectedResource::new(identifier).issuer(Issuer::new(I)))
}

fn fresh(freshness: Freshness) -> AuthenticatorBuilder {
    trusting(Issuer::new(I).freshness(freshness))
}

/// A mistake, the setting and value its report must name, and a word of the remedy.
type Case = (
    AuthenticatorBuilder,
    &'static str,
    &'static str,
    &'static str,
);

#[expect(clippy::too_many_lines, reason = "a table")]
fn mistakes_in_resource() -> Vec<Case> {
    let origin = |origin: &'static str| resource(|r| r.allow_origin(origin));
    let host = |host: &'static str| resource(|r| r.allow_host(host));
    vec![
        (identified("mcp"), "resource", "mcp", "https://"),
        (
            identified("http://mcp.example.com"),
            "resource",
            "http://mcp.example.com",
            "use https",
        ),
        (
            identified("ftp://mcp.example.com"),
            "resource",
            "ftp://",
            "https",
        ),
        (identified("https://h/mcp#x"), "resource", "#x", "fragment"),
        (
            identified("https://h/m\tcp"),
            "resource",
            "\t",
            "white space",
        ),
        (
            identified("https://u:p@h/mcp"),
            "resource",
            "h/mcp",
            "password",
        ),
        (
            Authenticator::builder(ProtectedResource::new(R)),
            "resource.issuers",
            "[]",
            ".issuer(",
        ),
        (
            resource(|r| r.issuer(Issuer::new(I))),
            "issuer[1]",
            I,
            "twice",
        ),
        (
            resource(|r| r.baseline_scopes(["a", "b c"])),
            "resource.baseline_scopes[1]",
            "b c",
            "one word",
        ),
        (
            resource(|r| r.baseline_scopes([""])),
            "resource.baseline_scopes[0]",
            "",
            "one word",
        ),
        (
            origin("ide.example"),
            "resource.allow_origin[0]",
            "ide.example",
            "https://ide.example",
        ),
        (
            origin("https://ide.example/app"),
            "resource.allow_origin[0]",
            "/app",
            "no path",
        ),
        (origin("*"), "resource.allow_origin[0]", "*", "no wildcard"),
        (
            origin("https://*.example.com"),
            "resource.allow_origin[0]",
            "*.example.com",
            "no wildcard",
        ),
        (
            origin("https://u@ide.example"),
            "resource.allow_origin[0]",
            "ide.example",
            "only",
        ),
        (
            host("https://mcp.internal"),
            "resource.allow_host[0]",
            "https://",
            "host name",
        ),
        (
            host("mcp.internal/x"),
            "resource.allow_host[0]",
            "/x",
            "host name",
        ),
        (
            host("*.internal"),
            "resource.allow_host[0]",
            "*.internal",
            "host name",
        ),
        (host(""), "resource.allow_host[0]", "", "host name"),
        (
            resource(|r| r.audience(" ")),
            "resource.audience",
            " ",
            "exact",
        ),
        (
            resource(|r| r.metadata("scopes_supported", json!([]))),
            "resource.metadata.scopes_supported",
            "scopes_supported",
            "derived",
        ),
    ]
}

fn mistakes_in_issuer() -> Vec<Case> {
    let day = Duration::from_secs(24 * 3600);
    let second = Duration::from_secs(1);
    let none: [&str; 0] = [];
    let profile = |profile| trusting(Issuer::new(I).profile(profile));
    vec![
        (
            trusting(Issuer::new("http://auth.example.com")),
            "issuer[0]",
            "http://auth",
            "use https",
        ),
        (
            trusting(Issuer::new(I).jwks_uri("/jwks")),
            "issuer[0].jwks_uri",
            "/jwks",
            "not a URL",
        ),
        (
            trusting(Issuer::new(I).jwks_uri("http://10.0.0.1/k")),
            "issuer[0].jwks_uri",
            "10.0.0.1",
            "use https",
        ),
        (
            trusting(Issuer::new(I).algorithms(Vec::new())),
            "issuer[0].algorithms",
            "[]",
            "Es256",
        ),
        (
            trusting(Issuer::new(I).leeway(301 * second)),
            "issuer[0].leeway",
            "301s",
            "0 to 300",
        ),
        (
            trusting(Issuer::new(I).max_lifetime(Duration::ZERO)),
            "issuer[0].max_lifetime",
            "0ns",
            "1 second",
        ),
        (
            trusting(Issuer::new(I).max_lifetime(367 * day)),
            "issuer[0].max_lifetime",
            "s",
            "366 days",
        ),
        (
            fresh(Freshness::default().lifetime(59 * second)),
            "issuer[0].freshness.lifetime",
            "59s",
            "1 to 60",
        ),
        (
            fresh(Freshness::default().lifetime(3601 * second)),
            "issuer[0].freshness.lifetime",
            "3601s",
            "1 to 60",
        ),
        (
            fresh(Freshness::default().stale(8 * day)),
            "issuer[0].freshness.stale",
            "691200s",
            "0 to 7",
        ),
        (
            profile(Profile::rfc9068().client_claims(none)),
            "issuer[0].profile.client_claims",
            "[]",
            "without_client",
        ),
        (
            profile(Profile::cognito(none)),
            "issuer[0].profile",
            "cognito",
            "list the clients",
        ),
        (
            trusting(Issuer::new(I).organization_claim("")),
            "issuer[0].organization_claim",
            "",
            "org_id",
        ),
        (
            trusting(Issuer::new(I).tenant_claim("/")),
            "issuer[0].tenant_claim",
            "",
            "name a claim",
        ),
        (
            trusting(Issuer::new(I).audience("")),
            "issuer[0].audience",
            "",
            "exact",
        ),
    ]
}

fn mistakes_elsewhere() -> Vec<Case> {
    const DOCUMENT: &str = "https://auth.example.com/t1/.well-known/openid-configuration";
    let auth = || Authenticator::builder(good());
    vec![
        (
            trusting(Issuer::new(DOCUMENT)),
            "issuer[0]",
            "openid-configuration",
            "as `issuer` in this document says it",
        ),
        (
            auth().basic_challenge("Example"),
            "basic_challenge",
            "Example",
            "api_tokens",
        ),
        (
            auth().basic_challenge("a\"b\n"),
            "basic_challenge",
            "a\"b\n",
            "quote",
        ),
        (
            auth().basic_challenge(""),
            "basic_challenge",
            "",
            "1 to 128",
        ),
        (
            auth().basic_challenge("x, scope=all"),
            "basic_challenge",
            "x, scope=all",
            "scope=",
        ),
        (
            auth().require_scopes(["a b"]),
            "require_scopes",
            "a b",
            "one word",
        ),
        (
            auth().max_credential_bytes(1023),
            "max_credential_bytes",
            "1023",
            "1,024",
        ),
        (
            auth().max_credential_bytes(16_385),
            "max_credential_bytes",
            "16385",
            "16,384",
        ),
    ]
}

#[test]
fn t38_every_mistake_is_named_with_its_value_and_its_remedy() {
    let cases = [
        mistakes_in_resource(),
        mistakes_in_issuer(),
        mistakes_elsewhere(),
    ];
    for (builder, field, value, remedy) in cases.into_iter().flatten() {
        let error = builder.build().expect_err(field);
        let [problem] = error.problems() else {
            panic!("{field}: one mistake, {error}");
        };
        assert_eq!(problem.field, field);
        assert!(problem.value.contains(value), "{problem}");
        assert!(problem.remedy.contains(remedy), "{problem}");
        let shown = error.to_string();
        for part in [
            &problem.field,
            &format!("{:?}", problem.value),
            &problem.remedy,
        ] {
            assert!(shown.contains(part.as_str()), "{shown}");
        }
    }
}

#[test]
fn t38_what_is_right_is_built() {
    let built = resource(|r| {
        r.allow_origin("null")
            .allow_origin("https://ide.example/")
            .allow_origin("vscode-webview://panel")
            .allow_host("mcp.internal:8080")
            .allow_host("[::1]:8080")
            .metadata("resource_documentation", json!("https://docs.example"))
    });
    built.build().unwrap();
    for identifier in [
        "http://localhost:8080/mcp",
        "http://127.0.0.1/mcp",
        "http://[::1]:1/mcp",
        "https://h",
    ] {
        identified(identifier).build().expect(identifier);
    }
}

#[test]
fn t38_ten_mistakes_are_ten_problems_in_one_error() {
    let broken = Issuer::new("http://auth.example.com")
        .jwks_uri("nowhere")
        .algorithms([])
        .leeway(Duration::from_secs(999))
        .organization_claim("/");
    let resource = ProtectedResource::new("https://h/mcp#fragment")
        .issuer(broken)
        .baseline_scopes(["\u{e9}"])
        .allow_origin("ide")
        .allow_host("a/b");
    let error = Authenticator::builder(resource)
        .max_credential_bytes(0)
        .build()
        .unwrap_err();
    assert_eq!(error.problems().len(), 10, "{error}");
    let shown = error.to_string();
    assert!(shown.starts_with("invalid configuration, 10 problems:\n  - resource = "));
    assert_eq!(shown.lines().count(), 11);
}

#[test]
fn edge_10_a_password_in_a_configuration_is_not_repeated() {
    const CANARY: &str = "hunter2canary";
    let with = |host: &str| format!("https://{CANARY}:{CANARY}@{host}");
    let mut errors: Vec<ConfigError> = [
        identified(&with("mcp.example.com/mcp")),
        identified(&format!("http://{CANARY}@mcp.example.com/mcp#x y")),
        trusting(Issuer::new(with("auth.example.com"))),
        trusting(Issuer::new(I).jwks_uri(with("auth.example.com/jwks"))),
        resource(|r| r.allow_origin(with("ide.example"))),
        resource(|r| r.allow_host(format!("{CANARY}:{CANARY}@mcp.internal"))),
        resource(|r| {
            r.issuer(Issuer::new(with("a")))
                .issuer(Issuer::new(with("a")))
        }),
        identified(&format!("https://{CANARY}:{CANARY}@:bad:port")),
    ]
    .into_iter()
    .map(|builder| builder.build().unwrap_err())
    .collect();
    for proxy in [
        format!("https://user:{CANARY}@proxy.example.com"),
        format!("http://user:{CANARY}@proxy.example.com/path"),
        format!("user:{CANARY}@proxy.example.com:3128"),
        format!("http://user:{CANARY}@"),
    ] {
        let builder = HttpClient::builder().proxy(proxy);
        assert!(!format!("{builder:?}").contains(CANARY));
        errors.push(builder.build().unwrap_err());
    }
    let good = HttpClient::builder().proxy(format!("http://user:{CANARY}@proxy.example.com:3128"));
    let client = good.build().unwrap();
    assert!(!format!("{client:?}").contains(CANARY));
    for error in errors {
        assert!(!error.problems().is_empty());
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn a_long_value_is_shortened() {
    let error = identified(&format!("x{}", "y".repeat(10_000)))
        .build()
        .unwrap_err();
    assert!(error.to_string().len() < 1000);
}

#[test]
#[cfg(feature = "client")]
fn t43_an_address_range_that_holds_everything_is_refused() {
    let everything = "0.0.0.0/0".parse().unwrap();
    let error = HttpClient::builder()
        .allow_addresses([everything])
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("0.0.0.0/0"), "{error}");
}
