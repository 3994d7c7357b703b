//! What only the frames of HTTP/2 can say.

use super::frames::{field, frame, headers, pseudo};
use super::lines::BAD;
use super::request::Batch;
use super::site::Site;

pub fn http2(batch: &mut Batch, site: &Site) {
    let token = format!("Bearer {}", site.token().sign());
    let line = |name: &str, value: &str| field(name.as_bytes(), value.as_bytes());
    let bad = || [pseudo("POST", "/mcp"), line("authorization", BAD)].concat();
    for (what, block) in [
        (
            ":path twice",
            [pseudo("POST", "/mcp"), line(":path", "/mcp")].concat(),
        ),
        (
            ":method twice",
            [pseudo("POST", "/mcp"), line(":method", "GET")].concat(),
        ),
        (
            ":authority twice",
            [
                pseudo("POST", "/mcp"),
                line(":authority", "mcp.example.com"),
            ]
            .concat(),
        ),
        (
            ":scheme twice",
            [pseudo("POST", "/mcp"), line(":scheme", "http")].concat(),
        ),
        (
            ":status",
            [pseudo("POST", "/mcp"), line(":status", "200")].concat(),
        ),
        (":x", [pseudo("POST", "/mcp"), line(":x", "y")].concat()),
        (
            ":protocol",
            [pseudo("CONNECT", "/mcp"), line(":protocol", "websocket")].concat(),
        ),
        (
            "pseudo behind",
            [line("authorization", BAD), pseudo("POST", "/mcp")].concat(),
        ),
        ("nothing", Vec::new()),
        ("no path", line(":method", "POST")),
        (
            "upper case",
            [pseudo("POST", "/mcp"), line("Authorization", &token)].concat(),
        ),
        (
            "connection",
            [
                pseudo("POST", "/mcp"),
                line("connection", "authorization"),
                line("authorization", &token),
            ]
            .concat(),
        ),
        (
            "transfer-encoding",
            [
                pseudo("POST", "/mcp"),
                line("transfer-encoding", "chunked"),
                line("authorization", &token),
            ]
            .concat(),
        ),
        (
            "te",
            [
                pseudo("POST", "/mcp"),
                line("te", "gzip"),
                line("authorization", BAD),
            ]
            .concat(),
        ),
        (
            "NUL in a value",
            [
                pseudo("POST", "/mcp"),
                field(b"authorization", b"Bearer \0"),
            ]
            .concat(),
        ),
        (
            "CRLF in a value",
            [
                pseudo("POST", "/mcp"),
                line("x", &format!("y\r\nauthorization: {token}")),
            ]
            .concat(),
        ),
        (
            "CRLF in a name",
            [
                pseudo("POST", "/mcp"),
                line(&format!("x\r\nauthorization: {token}"), "y"),
            ]
            .concat(),
        ),
        (
            "CRLF in the path",
            pseudo(
                "POST",
                &format!("/mcp HTTP/1.1\r\nauthorization: {token}\r\nx: "),
            ),
        ),
        (
            "an empty name",
            [pseudo("POST", "/mcp"), line("", "y")].concat(),
        ),
        ("an empty path", pseudo("POST", "")),
        (
            "another host",
            [
                pseudo("POST", "/mcp"),
                line("host", "evil.example"),
                line("authorization", &token),
            ]
            .concat(),
        ),
        (
            "two credentials",
            [
                pseudo("POST", "/mcp"),
                line("authorization", &token),
                line("authorization", &token),
            ]
            .concat(),
        ),
        (
            "an index beyond the table",
            vec![0xff, 0xff, 0xff, 0xff, 0x0f],
        ),
        ("index zero", vec![0x80]),
        (
            "a size beyond the setting",
            vec![0x3f, 0xff, 0xff, 0xff, 0x0f],
        ),
        (
            "a broken Huffman code",
            vec![0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x81, 0xff],
        ),
        (
            "a length beyond the block",
            vec![0x00, 0x7f, 0xff, 0xff, 0x0f],
        ),
        ("garbage", vec![0x55; 300]),
        (
            "wrong length",
            [
                pseudo("POST", "/mcp"),
                line("content-length", "5"),
                line("authorization", &token),
            ]
            .concat(),
        ),
        (
            "negative length",
            [
                pseudo("POST", "/mcp"),
                line("content-length", "-1"),
                line("authorization", BAD),
            ]
            .concat(),
        ),
    ] {
        batch.http2(what, headers(1, &block));
        batch.http2(format!("{what}, stream 3"), headers(3, &block));
    }
    for count in [200, 3000] {
        let many: Vec<u8> = (0..count)
            .flat_map(|at| line(&format!("x-{at}"), "y"))
            .collect();
        batch.http2(
            format!("{count} headers"),
            headers(1, &[bad(), many].concat()),
        );
    }
    for size in [16_000, 40_000, 200_000] {
        batch.http2(
            format!("a header of {size}"),
            headers(1, &[bad(), line("x", &"a".repeat(size))].concat()),
        );
        batch.http2(
            format!("a credential of {size}"),
            headers(
                1,
                &[
                    pseudo("POST", "/mcp"),
                    line("authorization", &format!("Bearer {}", "a".repeat(size))),
                ]
                .concat(),
            ),
        );
    }
    // Without an end: CONTINUATION after CONTINUATION, requests that are reset at once, settings and pings.
    let open = frame(1, 0x1, 1, &bad());
    batch.http2(
        "CONTINUATION without end",
        [open.clone(), frame(9, 0, 1, &line("x", "y")).repeat(5000)].concat(),
    );
    batch.http2(
        "empty CONTINUATION without end",
        [open.clone(), frame(9, 0, 1, b"").repeat(5000)].concat(),
    );
    batch.http2(
        "CONTINUATION of another stream",
        [open.clone(), frame(9, 4, 3, b"")].concat(),
    );
    batch.http2(
        "data instead of CONTINUATION",
        [open, frame(0, 1, 1, b"x")].concat(),
    );
    let reset: Vec<u8> = (0..2000)
        .flat_map(|at| {
            [
                headers(1 + 2 * at, &bad()),
                frame(3, 0, 1 + 2 * at, &[0, 0, 0, 8]),
            ]
            .concat()
        })
        .collect();
    batch.http2("2000 streams that are reset", reset);
    for (what, frames) in [
        (
            "settings",
            frame(4, 0, 0, &[0, 4, 0, 0, 255, 255]).repeat(3000),
        ),
        ("pings", frame(6, 0, 0, &[7; 8]).repeat(3000)),
        ("priorities", frame(2, 0, 1, &[0, 0, 0, 0, 16]).repeat(3000)),
        ("empty data", frame(0, 0, 1, b"").repeat(3000)),
        ("a window of zero", frame(8, 0, 0, &[0; 4])),
        (
            "a window beyond",
            frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(3),
        ),
        ("a push", frame(5, 4, 1, &[0, 0, 0, 2])),
        ("a frame that is too long", frame(0, 0, 1, &vec![0; 17_000])),
        ("stream 0", frame(1, 5, 0, &bad())),
        ("an even stream", frame(1, 5, 2, &bad())),
        ("an unknown frame", frame(0xbe, 0, 1, &[0; 100])),
        ("padding beyond", frame(1, 0xd, 1, &[255, 0])),
        ("wrong settings", frame(4, 0, 0, &[0; 5])),
        (
            "depends on itself",
            frame(1, 0x25, 1, &[&[0, 0, 0, 1, 16][..], &bad()].concat()),
        ),
    ] {
        batch.http2(what, [frames, headers(5, &bad())].concat());
    }
}
