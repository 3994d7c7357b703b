//! Header lines and the framing of requests, as bytes on an HTTP/1.1 connection and as frames of HTTP/2.

use super::request::{Batch, Crafted, Hostile, UNAUTHORIZED};
use super::site::Site;

/// A bad credential for what must not get in by its framing: whatever a parser takes the rest for.
pub const BAD: &str = "Bearer not-a-credential";

pub fn t38(_: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    batch.request("no credential", Crafted::default(), UNAUTHORIZED);
    for line in [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic ",
        "DPoP",
        "Bearer null",
        "Bearer undefined",
        "Bearer none",
        "Bearer {token}",
        "Bearer $TOKEN",
        "Bearer <token>",
        "Bearer xxx",
        "Bearer 0",
        "Bearer true",
        "null",
        "None",
        "anonymous",
        "Anonymous anonymous",
        "Basic Og==",
        "Basic YW5vbnltb3VzOg==",
        "Basic Z3Vlc3Q6Z3Vlc3Q=",
        "Basic YWRtaW46YWRtaW4=",
        "Negotiate TlRMTVNTUAAB",
        "NTLM x",
        "Digest username=\"ada\"",
        "AWS4-HMAC-SHA256 Credential=x",
        "Hawk id=\"x\"",
        "Signature keyId=\"x\"",
        "GNAP x",
        "PrivateToken x",
        "HOBA x",
        "Mutual x",
        "SCRAM-SHA-256 x",
        "vapid t=x",
        "Token x",
        "Key x",
        "ApiKey x",
        "OAuth x",
        "*",
        ",",
        "=",
        "Bearer =",
    ] {
        for door in [Crafted::default(), Crafted::default().proxied()] {
            batch.request(
                format!("{line:?}"),
                door.with("authorization", line),
                UNAUTHORIZED,
            );
        }
    }
    batch.0
}

pub fn t39(site: &Site) -> Vec<Hostile> {
    const REFUSED: &[u16] = &[400, 401];
    let mut batch = Batch::default();
    let token = format!("Bearer {}", site.token().sign());
    let key = format!("Bearer {}", site.robot.token.expose());
    let all = [
        &*token,
        &key,
        "Basic YTpi",
        "",
        "Bearer",
        BAD,
        "Negotiate x",
    ];
    for one in all {
        for other in all {
            let both = Crafted::default()
                .with("authorization", one)
                .with("authorization", other);
            batch.request(format!("{one:.16?} and {other:.16?}"), both, REFUSED);
            let odd = Crafted::default()
                .with("Authorization", one)
                .with("AUTHORIZATION", other)
                .with("host2", "x");
            batch.request(
                format!("{one:.16?} and {other:.16?} in other letters"),
                odd,
                REFUSED,
            );
            for glue in [", ", ",", "; ", " , ", "  "] {
                let joined =
                    Crafted::default().with("authorization", format!("{one}{glue}{other}"));
                let harmless = glue == "  " && (one.is_empty() || other.is_empty());
                if !harmless {
                    batch.request(format!("{one:.16?}{glue}{other:.16?}"), joined, REFUSED);
                }
            }
        }
    }
    let three = Crafted::default()
        .with("authorization", &*token)
        .with("authorization", &*token)
        .with("authorization", &*token);
    batch.request("three times", three, REFUSED);
    // Lines that are folded, split or dressed up.
    let start =
        "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\nconnection: close\r\ncontent-length: 0\r\n";
    for lines in [
        format!("authorization:\r\n {token}\r\n"),
        format!("authorization: Bearer\r\n {}\r\n", &token[7..]),
        format!("authorization: {token}\r\n , {BAD}\r\n"),
        format!("authorization\r\n: {token}\r\n"),
        format!("authorization : {token}\r\n"),
        format!(" authorization: {token}\r\n"),
        format!("x: y\r\n authorization: {token}\r\n"),
        format!("authorization: {token}\0\r\n"),
        format!("authorization: {token}\r \r\n"),
        format!("author\0ization: {token}\r\n"),
        format!("authorization\u{a0}: {token}\r\n"),
        format!("\u{feff}authorization: {token}\r\n"),
        format!("x\rauthorization: {token}\r\n"),
        format!("authorization; {token}\r\n"),
        format!("authorization={token}\r\n"),
        format!("(authorization): {token}\r\n"),
        format!("authorization_: {token}\r\n"),
        format!(":authorization: {token}\r\n"),
        format!("auth\u{f6}rization: {token}\r\n"),
        format!("authorization: \"{token}\"\r\n"),
        format!("authorization: {token}\x7f\r\n"),
        format!("authorization: {token} {token}\r\n"),
        format!("authorization:{token}\x0b\r\n"),
        format!("authorization: {token}\u{2028}\r\n"),
        format!("authorization: x\r\nauthorization: {token}\r\n"),
    ] {
        batch.http1(format!("{lines:.40?}"), format!("{start}{lines}\r\n"));
    }
    batch.0
}
