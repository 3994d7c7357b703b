//! Bodies that two readers would read as two messages, and headers that say something else.

use super::request::{Batch, CALL, Crafted, Hostile, base64url};
use super::site::Site;

/// Denied to whoever may only read.
const DENIED: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wipe","arguments":{}}}"#;
const REFUSED: &[u16] = &[400, 403, 413];

fn bodies() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, body: &[u8]| all.push((what.to_owned(), body.to_vec()));
    for (what, body) in [
        ("nothing", ""), ("blank", " \n"), ("null", "null"), ("a number", "7"), ("a string", "\"x\""), ("an empty batch", "[]"), ("an empty object", "{}"), ("cut", "{\"jsonrpc\":"),
        ("no version", r#"{"id":1,"method":"tools/list"}"#), ("version 1", r#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#), ("version as a number", r#"{"jsonrpc":2.0,"id":1,"method":"tools/list"}"#),
        ("id null", r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#), ("id object", r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#), ("id fraction", r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#),
        ("id true", r#"{"jsonrpc":"2.0","id":true,"method":"tools/list"}"#), ("method null", r#"{"jsonrpc":"2.0","id":1,"method":null}"#), ("method list", r#"{"jsonrpc":"2.0","id":1,"method":["tools/list"]}"#),
        ("params list", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["getIssue"]}"#), ("params text", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"getIssue"}"#),
        ("no name", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#), ("name null", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":null}}"#),
        ("name list", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["getIssue"]}}"#), ("arguments list", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getIssue","arguments":[]}}"#),
        ("request and response", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}"#), ("result and error", r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#), ("single quotes", "{'jsonrpc':'2.0'}"),
        ("comment", "{\"jsonrpc\":\"2.0\",/*x*/\"id\":1,\"method\":\"tools/list\"}"), ("trailing comma", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list",}"#), ("NaN", r#"{"jsonrpc":"2.0","id":NaN,"method":"tools/list"}"#),
        ("plus", r#"{"jsonrpc":"2.0","id":+1,"method":"tools/list"}"#), ("hex", r#"{"jsonrpc":"2.0","id":0x1,"method":"tools/list"}"#), ("huge id", r#"{"jsonrpc":"2.0","id":99999999999999999999999,"method":"tools/list"}"#),
        ("form", "jsonrpc=2.0&method=tools/call"), ("xml", "<x/>"), ("control", "{\"jsonrpc\":\"2.0\",\"id\":\"\u{1}\",\"method\":\"tools/list\"}"),
    ] {
        add(what, body.as_bytes());
    }
    for (what, body) in [
        ("denied", DENIED.to_owned()), ("batch of one", format!("[{CALL}]")), ("batch", format!("[{CALL},{DENIED}]")), ("two values", format!("{CALL}{DENIED}")), ("two lines", format!("{CALL}\n{DENIED}")),
        ("mark", format!("\u{feff}{CALL}")), ("then NUL", format!("{CALL}\0")), ("then a comma", format!("{CALL},")), ("NUL first", format!("\0{CALL}")), ("xssi", format!(")]}}',\n{CALL}")),
        ("record separator", format!("\u{1e}{CALL}")),
    ] {
        add(what, body.as_bytes());
    }
    // The same name twice, in every place and spelling, the allowed one first or last.
    for (place, one, other) in [
        ("method", r#""method":"tools/list""#, r#""method":"admin/x""#), ("method", r#""method":"tools/list""#, r#""m\u0065thod":"admin/x""#), ("id", r#""id":1"#, r#""id":2"#),
        ("jsonrpc", r#""jsonrpc":"2.0""#, r#""jsonrpc":"1.0""#), ("params", r#""params":{"name":"getIssue"}"#, r#""params":{"name":"wipe"}"#), ("Method", r#""method":"tools/list""#, r#""Method":"admin/x""#),
        ("METHOD", r#""method":"tools/list""#, r#""METHOD":"admin/x""#), ("Params", r#""params":{"name":"getIssue"}"#, r#""Params":{"name":"wipe"}"#),
    ] {
        for (first, second) in [(one, other), (other, one)] {
            let rest = r#""jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getIssue"}"#;
            add(&format!("{place} doubled by {first}"), format!("{{{rest},{first},{second}}}").as_bytes());
            add(&format!("{place} doubled before by {second}"), format!("{{{second},{first},{rest}}}").as_bytes());
        }
    }
    for (one, other) in [
        (r#""name":"getIssue""#, r#""name":"wipe""#), (r#""name":"getIssue""#, r#""n\u0061me":"wipe""#), (r#""name":"getIssue""#, r#""Name":"wipe""#), (r#""name":"getIssue""#, r#""NAME":"wipe""#),
        (r#""name":"getIssue","arguments":{"a":1"#, r#""a":2}"#), (r#""name":"getIssue","arguments":{"a":{"b":1"#, r#""b":2}}"#), (r#""name":"getIssue","_meta":{"a":1"#, r#""\u0061":2}"#),
        (r#""name":"getIssue","arguments":{}"#, r#""arguments":{"x":1}"#), (r#""name":"getIssue","arguments":{}"#, r#""Arguments":{"x":1}"#),
    ] {
        add(&format!("{one} and {other}"), format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{one},{other}}}}}"#).as_bytes());
        if !one.contains('{') {
            add(&format!("{other} and {one}"), format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{other},{one}}}}}"#).as_bytes());
        }
    }
    for depth in [65, 100, 1000, 20_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            add(&format!("{depth} of {open}"), format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"getIssue","arguments":{{"a":{nested}}}}}}}"#).as_bytes());
            add(&format!("{depth} of {open}, never closed"), open.repeat(depth).as_bytes());
        }
    }
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xc3"] {
        let text = br#"{"jsonrpc":"2.0","id":"@","method":"tools/list"}"#;
        let at = text.iter().position(|byte| *byte == b'@').unwrap();
        add(&format!("{bytes:?} in a string"), &[&text[..at], bytes, &text[at + 1..]].concat());
    }
    for escape in ["\\ud800", "\\udc00", "\\ud800\\u0041", "\\x41", "\\u00", "\\u{41}", "\\0", "\\'"] {
        add(&format!("escape {escape}"), format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"getIssue","arguments":{{"a":"{escape}"}}}}}}"#).as_bytes());
    }
    all.push(("UTF-16".into(), CALL.encode_utf16().flat_map(u16::to_le_bytes).collect()));
    all.push(("UTF-32".into(), CALL.chars().flat_map(|letter| u32::from(letter).to_be_bytes()).collect()));
    all.push(("gzip".into(), b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec()));
    all
}

pub fn t36(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let good = || Crafted::bearer(site.token().sign());
    for (what, body) in bodies() {
        batch.request(what.clone(), good().body(body.clone()), REFUSED);
        if !body.is_empty() && body != b" \n" {
            batch.request(format!("{what}, no content type"), good().without("content-type").body(body), REFUSED);
        }
    }
    let modern = || good().with("mcp-protocol-version", "2026-07-28").with("mcp-method", "tools/call").with("mcp-name", "getIssue");
    for (name, value) in [
        ("mcp-method", "tools/list"), ("mcp-method", ""), ("mcp-method", "TOOLS/CALL"), ("mcp-method", "tools/call, tools/list"), ("mcp-method", "tools%2fcall"), ("mcp-method", "\"tools/call\""), ("mcp-name", "wipe"),
        ("mcp-name", ""), ("mcp-name", "getissue"), ("mcp-name", "getIssue, wipe"), ("mcp-name", "=?base64?d2lwZQ==?="), ("mcp-name", "=?base64?%%%?="), ("mcp-name", "=?base64?/w==?="), ("mcp-name", "=?base64?Z2V0SXNzdWU?="),
        ("mcp-name", "getIssue%00"), ("mcp-name", "\"getIssue\""), ("mcp-name", "get\u{131}ssue"),
    ] {
        batch.request(format!("{name}: {value}"), modern().only(name, value), REFUSED);
        batch.request(format!("{name}: {value}, and the right one"), modern().with(name, value), REFUSED);
        batch.request(format!("{name}: {value}, of old"), good().with("mcp-protocol-version", "2025-11-25").with("mcp-method", "tools/call").with("mcp-name", "getIssue").only(name, value), REFUSED);
        batch.request(format!("{name}: {value}, denied"), modern().only(name, value).body(DENIED), REFUSED);
    }
    for missing in ["mcp-method", "mcp-name"] {
        batch.request(format!("no {missing}"), modern().without(missing), REFUSED);
    }
    batch.request("denied by its body only", modern().body(DENIED), REFUSED);
    batch.request("two versions", modern().with("mcp-protocol-version", "2025-11-25"), REFUSED);
    for kind in ["application/json; charset=utf-7", "application/json; charset=utf-16", "text/plain; charset=latin1", "application/json; charset=", "application/json;charset*=utf-8''utf-7"] {
        batch.request(format!("content type {kind}"), good().only("content-type", kind), REFUSED);
    }
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, identity", "x-gzip", "", "compress", "aes128gcm"] {
        batch.request(format!("coding {coding:?}"), good().with("content-encoding", coding), REFUSED);
    }
    batch.request("two content types", good().with("content-type", "application/json"), REFUSED);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/vnd.api+json", "*/*", "", "application/json-rpc", "x", "application/json, image/png", "text/html", "application/xml", "application/cbor"] {
        for method in ["POST", "PUT", "PATCH", "QUERY", "X-POST"] {
            batch.request(format!("denied as {kind}, {method}"), good().only("content-type", kind).method(method).body(DENIED), REFUSED);
        }
    }
    // Legal without a credential somewhere, and never with a bad one.
    for kind in ["application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web+json", "APPLICATION/GRPC", "application/grpc+json"] {
        for token in ["x", "a.b.c", "mcps_x"] {
            batch.request(format!("{kind}, {token}"), Crafted::bearer(token).only("content-type", kind).with("te", "trailers"), &[200, 400, 401]);
        }
        batch.request(format!("{kind}, nobody"), Crafted::default().only("content-type", kind), &[200, 400, 401]);
    }
    let long = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"getIssue","arguments":{{"a":"{}"}}}}}}"#, "x".repeat(5 * 1024 * 1024));
    for token in [site.token().sign(), "x".into()] {
        batch.0.push(Hostile { what: "5 MiB".into(), wire: super::request::Wire::Http1(Crafted::bearer(token).body(long.as_bytes()).http1(), false), refused: &[] });
    }
    batch.0
}

/// A credential beside the header, for somebody behind to use.
pub fn t46(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let (token, key) = (site.token().sign(), site.robot.token.expose());
    for text in [&*token, key] {
        for parameter in ["access_token", "token", "auth", "authorization", "api_key", "apikey", "key", "jwt", "bearer", "id_token", "code", "access%5ftoken", "Access_Token"] {
            batch.request(format!("query {parameter}"), Crafted::default().target(format!("/mcp?{parameter}={text}")), &[400, 401]);
            let form = Crafted::default().only("content-type", "application/x-www-form-urlencoded").body(format!("{parameter}={text}"));
            batch.request(format!("form {parameter}"), form, &[400, 401]);
            batch.request(format!("cookie {parameter}"), Crafted::default().with("cookie", format!("{parameter}={text}")), &[401]);
            let body = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"getIssue","_meta":{{"{parameter}":"{text}"}}}}}}"#);
            batch.request(format!("member {parameter}"), Crafted::default().body(body), &[401]);
        }
        batch.request("user of the URL", Crafted::default().target(format!("/mcp?x#{text}").replace('#', "%23")), &[401]);
        batch.request("path", Crafted::default().target(format!("/mcp/{text}")), &[401]);
        batch.request("referer", Crafted::default().with("referer", format!("https://mcp.example.com/?access_token={text}")), &[401]);
        batch.request("protocols", Crafted::default().with("sec-websocket-protocol", format!("bearer, {}", base64url(text))), &[401]);
    }
    batch.0
}
