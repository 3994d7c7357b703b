//! Bytes in names, values and the framing of a request that make other requests of it.

use super::lines::BAD;
use super::request::{Batch, CALL, Crafted, Hostile, UNAUTHORIZED};
use super::site::Site;

/// Bytes in the names and values that make other lines of them, as some gateways forward them.
pub fn t40(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let token = format!("Bearer {}", site.token().sign());
    for connection in [
        "authorization",
        "Authorization",
        "close, authorization",
        "keep-alive,AUTHORIZATION",
        "authorization ,close",
        "\tauthorization",
        "x, authorization, y",
        ",authorization",
    ] {
        let start = format!(
            "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-type: application/json\r\nconnection: {connection}\r\ncontent-length: {}\r\nauthorization: {token}\r\n",
            CALL.len()
        );
        batch.http1(
            format!("connection {connection}"),
            format!("{start}connection: close\r\n\r\n{CALL}"),
        );
    }
    for name in [
        "x_authorization",
        "http_authorization",
        "authorization_",
        "x-forwarded-authorization",
        "x-original-authorization",
        "remote_user",
        "x_user",
        "x-mcp-auth",
        "x-auth-context",
        "auth-context",
    ] {
        batch.request(name, Crafted::default().with(name, &*token), UNAUTHORIZED);
    }
    let heads = "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\n";
    let second = format!(
        "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\nauthorization: {BAD}\r\ncontent-length: 0\r\n\r\n"
    );
    // A body within a body: the inner request has no good credential either way it is read.
    for framing in [
        "content-length: 0\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 0",
        "content-length: 5, 5",
        "content-length: +5",
        "content-length: -1",
        "content-length: 0x5",
        "content-length: 5.0",
        "content-length: ",
        "content-length: a",
        "content-length: 99999999999999999999",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity",
        "transfer-encoding: x",
        "transfer-encoding: chunked\r\ntransfer-encoding: x",
        "transfer-encoding: \x0bchunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding : chunked",
        "transfer-encoding: xchunked",
        "transfer-encoding: Chunked",
        "transfer-encoding:\tchunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked;x",
        "x: y\r\n transfer-encoding: chunked",
        "transfer-encoding: \"chunked\"",
        "content-length: 0\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings",
        "upgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 0",
        "expect: 100-continue\r\ncontent-length: 5",
        "expect: x\r\ncontent-length: 0",
        "content-length: 5\r\nkeep-alive: 300",
        "content-length : 5",
        "content_length: 5\r\ncontent-length: 0",
    ] {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "ffffffffffffffff\r\n",
            "5;x=\"\n\"\r\nhello\r\n0\r\n\r\n",
            "-1\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
        ] {
            batch.http1(
                format!("{framing:.60?}, {body:.12?}"),
                format!("{heads}authorization: {BAD}\r\n{framing}\r\n\r\n{body}{second}"),
            );
        }
    }
    // With a good credential: what one reading calls allowed is denied in the other.
    let denied = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wipe"}}"#;
    for lengths in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
        "transfer-encoding: chunked",
    ] {
        let chunks = format!("{:x}\r\n{denied}\r\n0\r\n\r\n", denied.len());
        batch.http1(format!("denied, {lengths:?}"), format!("{heads}content-type: application/json\r\nauthorization: {token}\r\n{lengths}\r\n\r\n{chunks}"));
        let pieces: String = denied
            .bytes()
            .map(|byte| format!("1\r\n{}\r\n", char::from(byte)))
            .collect();
        batch.http1(format!("denied in pieces, {lengths:?}"), format!("{heads}content-type: application/json\r\nauthorization: {token}\r\n{lengths}\r\n\r\n{pieces}0\r\nauthorization: {token}\r\n\r\n"));
    }
    // Trailers are no headers.
    let body = format!(
        "{:x}\r\n{CALL}\r\n0\r\nauthorization: {token}\r\n\r\n",
        CALL.len()
    );
    batch.http1("a credential in the trailers", format!("{heads}content-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: authorization\r\n\r\n{body}"));
    for count in [2, 10, 100] {
        batch.http1(format!("{count} at once"), second.repeat(count));
    }
    // No connection is logged in by the request before: only the last has no credential of its own.
    batch.0
}
