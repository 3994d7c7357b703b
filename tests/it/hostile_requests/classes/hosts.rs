//! Hosts and origins.

use super::request::{Batch, Crafted, Hostile, UNAUTHORIZED};
use super::site::Site;
use super::targets::DOCUMENT;

/// With a perfect token in a browser that was led here.
pub fn t41(site: &Site) -> Vec<Hostile> {
    const FORBIDDEN: &[u16] = &[400, 403];
    let mut batch = Batch::default();
    let good = || Crafted::bearer(site.token().sign());
    let hosts = [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:8080",
        "localhost",
        "localhost:80",
        "[::1]",
        "[::1]:80",
        "0.0.0.0",
        "mcp.example.com.evil.example",
        "evil-mcp.example.com",
        "mcp.example.com.",
        "mcp.example.com:80",
        "mcp.example.com:8443",
        "mcp.example.com:0443",
        "mcp.example.com:",
        "mcp.example.com@evil.example",
        "xmcp.example.com",
        "mcp.example.co",
        "example.com",
        "MCP.EXAMPLE.COM.evil",
        "mcp.example.com%00",
        "mcp.example.com/x",
        "mcp.example.com,evil.example",
        "rebind.network",
        "7f000001.c0a80001.rbndr.us",
        "1.mcp.example.com",
        "*.example.com",
        "*",
        "mcp_example_com",
        "mcp.example.com:443:443",
        "mcp.example.com;x",
        "null",
        "",
    ];
    for host in hosts {
        if host == "mcp.example.com:" || host == "mcp.example.com:0443" {
            continue; // the same, as RFC 3986 §6.2.3 has it, or no number of a port
        }
        batch.request(
            format!("host {host:?}"),
            good().only("host", host),
            FORBIDDEN,
        );
        for name in [
            "x-forwarded-host",
            "x-host",
            "x-original-host",
            "x-forwarded-server",
        ] {
            batch.request(
                format!("host {host:?} and {name}"),
                good().only("host", host).with(name, "mcp.example.com"),
                FORBIDDEN,
            );
        }
    }
    batch.request("two hosts", good().with("host", "evil.example"), FORBIDDEN);
    let origins = [
        "https://evil.example",
        "http://mcp.example.com",
        "https://mcp.example.com.evil.example",
        "https://evilmcp.example.com",
        "https://mcp.example.com:8443",
        "null",
        "",
        "*",
        "http://localhost",
        "http://localhost:3000",
        "http://127.0.0.1",
        "http://[::1]",
        "https://example.com",
        "https://x.mcp.example.com",
        "https://mcp.example.com@evil.example",
        "https://mcp.example.com/",
        "https://mcp.example.com/x",
        "https://mcp.example.com, https://evil.example",
        "https://",
        "file://",
        "chrome-extension://abc",
        "moz-extension://abc",
        "vscode-webview://x",
        "javascript:alert(1)",
        "data:",
        "https://MCP.EXAMPLE.COM.",
        "https://mcp.example.com%00",
        "https://mcp.example.com\u{ff0e}evil",
        "//mcp.example.com",
        "mcp.example.com",
        "HTTPS://EVIL.EXAMPLE",
    ];
    for origin in origins {
        batch.request(
            format!("origin {origin:?}"),
            good().with("origin", origin),
            FORBIDDEN,
        );
        let read = good()
            .method("GET")
            .body("")
            .with("origin", origin)
            .with("sec-fetch-mode", "cors");
        batch.request(format!("origin {origin:?}, GET"), read, FORBIDDEN);
    }
    batch.request(
        "two origins",
        good()
            .with("origin", "https://mcp.example.com")
            .with("origin", "https://evil.example"),
        FORBIDDEN,
    );
    batch.0
}

/// Whatever a request says about the server's own name, no answer repeats it.
pub fn t42(_: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let evil = [
        "evil.example",
        "evil.example\"",
        "evil.example\", error=\"x",
        "evil.example>; rel=x",
        "evil.example/%0d%0aset-cookie:x",
    ];
    for host in evil {
        for name in [
            "x-forwarded-host",
            "x-host",
            "x-forwarded-server",
            "x-original-host",
            "x-http-host-override",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "origin-host",
        ] {
            batch.request(
                format!("{name}: {host}"),
                Crafted::default().with(name, host),
                UNAUTHORIZED,
            );
            batch.request(
                format!("{name}: {host}, proxied"),
                Crafted::default().with(name, host).proxied(),
                UNAUTHORIZED,
            );
        }
        batch.request(
            format!("forwarded host {host}"),
            Crafted::default()
                .with("forwarded", format!("host=\"{host}\";proto=http"))
                .proxied(),
            UNAUTHORIZED,
        );
        for target in [
            DOCUMENT.to_owned(),
            format!("{DOCUMENT}/mcp"),
            "/mcp".into(),
        ] {
            let sent = Crafted::default()
                .method("GET")
                .target(target.as_str())
                .body("")
                .only("host", host);
            // The document is for everybody, and says the same to all.
            batch.request(format!("{target} of {host}"), sent, &[200, 400, 403]);
        }
        let realm =
            Crafted::default().target(format!("/mcp?x={}", host.replace(['"', '>', ' '], "%22")));
        batch.request(format!("query {host}"), realm, UNAUTHORIZED);
    }
    batch.0
}
