//! Too much of everything.

use super::lines::BAD;
use super::request::{Batch, Hostile};
use super::site::Site;

pub fn t47(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let start =
        "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-length: 0\r\nconnection: close\r\n";
    for count in [50, 99, 100, 101, 500, 5000] {
        let lines: String = (0..count).map(|at| format!("x-{at}: {at}\r\n")).collect();
        batch.http1(format!("{count} headers"), format!("{start}{lines}\r\n"));
        batch.http1(
            format!("{count} credentials"),
            format!(
                "{start}{}\r\n",
                format!("authorization: {BAD}\r\n").repeat(count)
            ),
        );
        batch.http1(
            format!("{count} cookies"),
            format!("{start}{}\r\n", "cookie: a=b\r\n".repeat(count)),
        );
        batch.http1(
            format!("{count} hosts"),
            format!("{start}{}\r\n", "host: mcp.example.com\r\n".repeat(count)),
        );
    }
    for size in [8_100, 16_000, 60_000, 400_000, 1_000_000] {
        let long = "a".repeat(size);
        for line in [
            format!("authorization: Bearer {long}"),
            format!("authorization: Basic {long}"),
            format!("x: {long}"),
            format!("{long}: x"),
            format!("origin: https://{long}"),
            format!("mcp-session-id: {long}"),
            format!("dpop: {long}"),
        ] {
            batch.http1(
                format!("{size} of {line:.20}"),
                format!("{start}{line}\r\n\r\n"),
            );
        }
        batch.http1(
            format!("{size} of target"),
            format!("GET /{long} HTTP/1.1\r\nhost: mcp.example.com\r\nconnection: close\r\n\r\n"),
        );
        batch.http1(
            format!("{size} of method"),
            format!(
                "{} /mcp HTTP/1.1\r\nhost: mcp.example.com\r\n\r\n",
                "A".repeat(size)
            ),
        );
        batch.http1(
            format!("{size} of dots"),
            format!("{start}authorization: Bearer {}\r\n\r\n", ".".repeat(size)),
        );
        batch.http1(format!("{size} of blank lines"), "\r\n".repeat(size / 2));
    }
    for first in [
        "POST /mcp HTTP/1.0",
        "POST /mcp HTTP/0.9",
        "POST /mcp HTTP/2.0",
        "POST /mcp HTTP/3",
        "POST /mcp",
        "POST  /mcp  HTTP/1.1",
        "POST\t/mcp\tHTTP/1.1",
        "POST /mcp HTTP/1.1 x",
        "/mcp",
        "POST mcp HTTP/1.1",
        "POST http://evil.example/mcp HTTP/1.1",
        "POST https://mcp.example.com/mcp HTTP/1.1",
        "POST mcp.example.com:443 HTTP/1.1",
        "CONNECT mcp.example.com:443 HTTP/1.1",
        "CONNECT evil.example:22 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "PRI * HTTP/2.0",
        "POST /mcp\0 HTTP/1.1",
        "P\0ST /mcp HTTP/1.1",
        "POST /mcp\u{e9} HTTP/1.1",
        "POST /mcp HTTP/1.1\r",
        "\x16\x03\x01\x02\0\x01\0",
        "GET /mcp HTTP/1.1\nx",
        "POST /mcp#frag HTTP/1.1",
        "POST \\mcp HTTP/1.1",
        "POST //mcp HTTP/1.1",
        "POST ?x HTTP/1.1",
        "{\"jsonrpc\":\"2.0\"}",
    ] {
        batch.http1(format!("{first:?}"), format!("{first}\r\nhost: mcp.example.com\r\nauthorization: {BAD}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
        batch.http1(format!("{first:?} alone"), format!("{first}\r\n\r\n"));
    }
    super::streams::http2(&mut batch, site);
    batch.0
}
