//! Paths, hosts and origins.

use super::request::{Batch, Crafted, Hostile, UNAUTHORIZED};
use super::site::Site;

pub const DOCUMENT: &str = "/.well-known/oauth-protected-resource";

/// Nobody in particular asks for something that only looks public.
pub fn t35(_: &Site) -> Vec<Hostile> {
    const ANY: &[u16] = &[400, 401, 403, 404, 405];
    let mut batch = Batch::default();
    let mut targets: Vec<String> = [
        "/",
        "//",
        "/mcp",
        "/mcp/",
        "//mcp",
        "/mcp//",
        "/MCP",
        "/mcp.",
        "/mcp%2f",
        "/mcp%00",
        "/mcp;x",
        "/mcp?x",
        "/mcp?/.well-known/x",
        "/./mcp",
        "/x/../mcp",
        "/health",
        "/healthz",
        "/metrics",
        "/status",
        "/ping",
        "/public",
        "/favicon.ico",
        "/robots.txt",
        "/.well-known/",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/register",
        "/token",
        "/authorize",
        "/sse",
        "/messages",
        "/static/../mcp",
        "/%6dcp",
        "/mcp/..;/x",
        "/..",
        "/mcp/.well-known/oauth-protected-resource/x",
        "/*",
        "/mcp/sse",
    ]
    .map(str::to_owned)
    .into();
    for tail in [
        "/",
        "//mcp",
        "/mcp/",
        "/mcp//",
        "/mcp/..",
        "/mcp/../mcp",
        "/mcp/../../mcp",
        "/mcp;x",
        "/mcp%3f",
        "/mcp%20",
        "/mcp%00",
        "/mcp.json",
        "/MCP",
        "/%6dcp",
        "/mcp/x",
        "x",
        "/x",
        "/../mcp",
        "/..%2fmcp",
        "%2fmcp",
        "/mcp%23",
        "/mcp\\",
        ";/mcp",
        "/mcp&x",
        "/mcp:80",
    ] {
        targets.push(format!("{DOCUMENT}{tail}"));
    }
    for start in [
        "/.well-known//oauth-protected-resource/mcp",
        "/.Well-Known/oauth-protected-resource/mcp",
        "//.well-known/oauth-protected-resource/mcp",
        "/x/.well-known/oauth-protected-resource/mcp",
        "/%2ewell-known/oauth-protected-resource/mcp",
        "/.well-known/./oauth-protected-resource/mcp",
    ] {
        targets.push(start.into());
    }
    for target in &targets {
        for method in ["GET", "POST", "PUT"] {
            // A slash behind the resource leads back to it, and to nothing else.
            let refused = if target == "/mcp/" { &[308] } else { ANY };
            batch.request(
                format!("{method} {target}"),
                Crafted::default().method(method).target(target),
                refused,
            );
        }
    }
    for method in [
        "HEAD", "DELETE", "PATCH", "TRACE", "PROPFIND", "get", "Post", "X", "OPTIONS", "LINK",
        "PURGE", "M-SEARCH",
    ] {
        batch.request(
            format!("{method} /mcp"),
            Crafted::default().method(method).body(""),
            ANY,
        );
        if !["HEAD", "OPTIONS"].contains(&method) {
            batch.request(
                format!("{method} document"),
                Crafted::default()
                    .method(method)
                    .target(format!("{DOCUMENT}/mcp"))
                    .body(""),
                ANY,
            );
        }
    }
    for (name, value) in [
        ("user-agent", "kube-probe/1.30"),
        ("user-agent", "GoogleHC/1.0"),
        ("user-agent", "ELB-HealthChecker/2.0"),
        ("x-original-url", DOCUMENT),
        ("x-rewrite-url", DOCUMENT),
        ("x-forwarded-uri", DOCUMENT),
        ("x-forwarded-prefix", DOCUMENT),
        ("x-original-uri", "/public"),
        ("x-http-method-override", "OPTIONS"),
        ("x-method-override", "GET"),
        ("x-internal", "true"),
        ("x-debug", "1"),
        ("x-skip-auth", "true"),
        ("x-authenticated-user", "ada"),
        ("x-remote-user", "ada"),
        ("x-forwarded-user", "ada"),
        ("x-forwarded-email", "ada@acme.example"),
        ("x-webauth-user", "ada"),
        ("x-amzn-oidc-data", "x"),
        ("x-goog-iap-jwt-assertion", "x"),
        ("cf-access-jwt-assertion", "x"),
        ("x-ms-client-principal", "x"),
        ("x-consumer-username", "ada"),
        ("referer", "https://mcp.example.com/"),
    ] {
        batch.request(
            format!("{name}: {value}"),
            Crafted::default().with(name, value),
            UNAUTHORIZED,
        );
    }
    batch.0
}
