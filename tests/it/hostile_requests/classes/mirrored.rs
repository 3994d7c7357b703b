//! Headers that say something else than the body, and credentials beside the header.

use super::bodies::{DENIED, bodies};
use super::request::{Batch, Crafted, Hostile, base64url};
use super::site::Site;

const REFUSED: &[u16] = &[400, 403, 413];

pub fn t36(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let good = || Crafted::bearer(site.token().sign());
    for (what, body) in bodies() {
        batch.request(what.clone(), good().body(body.clone()), REFUSED);
        if !body.is_empty() && body != b" \n" {
            batch.request(
                format!("{what}, no content type"),
                good().without("content-type").body(body),
                REFUSED,
            );
        }
    }
    let modern = || {
        good()
            .with("mcp-protocol-version", "2026-07-28")
            .with("mcp-method", "tools/call")
            .with("mcp-name", "getIssue")
    };
    for (name, value) in [
        ("mcp-method", "tools/list"),
        ("mcp-method", ""),
        ("mcp-method", "TOOLS/CALL"),
        ("mcp-method", "tools/call, tools/list"),
        ("mcp-method", "tools%2fcall"),
        ("mcp-method", "\"tools/call\""),
        ("mcp-name", "wipe"),
        ("mcp-name", ""),
        ("mcp-name", "getissue"),
        ("mcp-name", "getIssue, wipe"),
        ("mcp-name", "=?base64?d2lwZQ==?="),
        ("mcp-name", "=?base64?%%%?="),
        ("mcp-name", "=?base64?/w==?="),
        ("mcp-name", "=?base64?Z2V0SXNzdWU?="),
        ("mcp-name", "getIssue%00"),
        ("mcp-name", "\"getIssue\""),
        ("mcp-name", "get\u{131}ssue"),
    ] {
        batch.request(
            format!("{name}: {value}"),
            modern().only(name, value),
            REFUSED,
        );
        batch.request(
            format!("{name}: {value}, and the right one"),
            modern().with(name, value),
            REFUSED,
        );
        batch.request(
            format!("{name}: {value}, of old"),
            good()
                .with("mcp-protocol-version", "2025-11-25")
                .with("mcp-method", "tools/call")
                .with("mcp-name", "getIssue")
                .only(name, value),
            REFUSED,
        );
        batch.request(
            format!("{name}: {value}, denied"),
            modern().only(name, value).body(DENIED),
            REFUSED,
        );
    }
    for missing in ["mcp-method", "mcp-name"] {
        batch.request(format!("no {missing}"), modern().without(missing), REFUSED);
    }
    batch.request("denied by its body only", modern().body(DENIED), REFUSED);
    batch.request(
        "two versions",
        modern().with("mcp-protocol-version", "2025-11-25"),
        REFUSED,
    );
    for kind in [
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "text/plain; charset=latin1",
        "application/json; charset=",
        "application/json;charset*=utf-8''utf-7",
    ] {
        batch.request(
            format!("content type {kind}"),
            good().only("content-type", kind),
            REFUSED,
        );
    }
    for coding in [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "gzip, identity",
        "x-gzip",
        "",
        "compress",
        "aes128gcm",
    ] {
        batch.request(
            format!("coding {coding:?}"),
            good().with("content-encoding", coding),
            REFUSED,
        );
    }
    batch.request(
        "two content types",
        good().with("content-type", "application/json"),
        REFUSED,
    );
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/vnd.api+json",
        "*/*",
        "",
        "application/json-rpc",
        "x",
        "application/json, image/png",
        "text/html",
        "application/xml",
        "application/cbor",
    ] {
        for method in ["POST", "PUT", "PATCH", "QUERY", "X-POST"] {
            batch.request(
                format!("denied as {kind}, {method}"),
                good()
                    .only("content-type", kind)
                    .method(method)
                    .body(DENIED),
                REFUSED,
            );
        }
    }
    // Legal without a credential somewhere, and never with a bad one.
    for kind in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc-web",
        "application/grpc-web+json",
        "APPLICATION/GRPC",
        "application/grpc+json",
    ] {
        for token in ["x", "a.b.c", "mcps_x"] {
            batch.request(
                format!("{kind}, {token}"),
                Crafted::bearer(token)
                    .only("content-type", kind)
                    .with("te", "trailers"),
                &[200, 400, 401],
            );
        }
        batch.request(
            format!("{kind}, nobody"),
            Crafted::default().only("content-type", kind),
            &[200, 400, 401],
        );
    }
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"getIssue","arguments":{{"a":"{}"}}}}}}"#,
        "x".repeat(5 * 1024 * 1024)
    );
    for token in [site.token().sign(), "x".into()] {
        batch.0.push(Hostile {
            what: "5 MiB".into(),
            wire: super::request::Wire::Http1(
                Crafted::bearer(token).body(long.as_bytes()).http1(),
                false,
            ),
            refused: &[],
        });
    }
    batch.0
}

/// A credential beside the header, for somebody behind to use.
pub fn t46(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let (token, key) = (site.token().sign(), site.robot.token.expose());
    for text in [&*token, key] {
        for parameter in [
            "access_token",
            "token",
            "auth",
            "authorization",
            "api_key",
            "apikey",
            "key",
            "jwt",
            "bearer",
            "id_token",
            "code",
            "access%5ftoken",
            "Access_Token",
        ] {
            batch.request(
                format!("query {parameter}"),
                Crafted::default().target(format!("/mcp?{parameter}={text}")),
                &[400, 401],
            );
            let form = Crafted::default()
                .only("content-type", "application/x-www-form-urlencoded")
                .body(format!("{parameter}={text}"));
            batch.request(format!("form {parameter}"), form, &[400, 401]);
            batch.request(
                format!("cookie {parameter}"),
                Crafted::default().with("cookie", format!("{parameter}={text}")),
                &[401],
            );
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"getIssue","_meta":{{"{parameter}":"{text}"}}}}}}"#
            );
            batch.request(
                format!("member {parameter}"),
                Crafted::default().body(body),
                &[401],
            );
        }
        batch.request(
            "user of the URL",
            Crafted::default().target(format!("/mcp?x#{text}").replace('#', "%23")),
            &[401],
        );
        batch.request(
            "path",
            Crafted::default().target(format!("/mcp/{text}")),
            &[401],
        );
        batch.request(
            "referer",
            Crafted::default().with(
                "referer",
                format!("https://mcp.example.com/?access_token={text}"),
            ),
            &[401],
        );
        batch.request(
            "protocols",
            Crafted::default().with(
                "sec-websocket-protocol",
                format!("bearer, {}", base64url(text)),
            ),
            &[401],
        );
    }
    batch.0
}
