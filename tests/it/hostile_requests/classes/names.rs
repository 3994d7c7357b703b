//! Names that look like the right ones: issuers, audiences, email addresses.

use serde_json::json;

use super::request::{Batch, Crafted, Hostile, UNAUTHORIZED};
use super::site::{ADA, ISSUER, RESOURCE, Site};

/// Other spellings of a URL, none of which is it.
fn near(url: &str) -> Vec<String> {
    let rest = url.strip_prefix("https://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut all = vec![
        format!("{url}/"),
        format!(" {url}"),
        format!("{url} "),
        format!("{url}\0"),
        format!("{url}\n"),
        format!("{url}?"),
        format!("{url}#"),
        format!("{url}#x"),
        format!("{url}?x=1"),
        format!("{url}//"),
        format!("{url}/."),
        format!("{url}/.."),
        format!("{url}/x"),
        format!("{url};x"),
        format!("{url}%20"),
        format!("{url}%00"),
        format!("{url}\u{200b}"),
        format!("{url},https://evil.example"),
        format!("{url} https://evil.example"),
        url.to_uppercase(),
        format!("HTTPS://{rest}"),
        format!("http://{rest}"),
        format!("https:{rest}"),
        format!("https:/{rest}"),
        format!("https:///{rest}"),
        format!("//{rest}"),
        rest.to_owned(),
        format!("https://{}/{path}", host.to_uppercase()),
        format!("https://{host}:443/{path}"),
        format!("https://{host}:80/{path}"),
        format!("https://{host}.:443/{path}"),
        format!("https://{host}./{path}"),
        format!("https://{host}//{path}"),
        format!("https://{host}/./{path}"),
        format!("https://{host}/x/../{path}"),
        format!("https://{host}/%2e/{path}"),
        format!("https://{host}\\{path}"),
        format!("https://user@{host}/{path}"),
        format!("https://{host}@evil.example/{path}"),
        format!("https://{host}.evil.example/{path}"),
        format!("https://evil.example/{url}"),
        format!("https://evil.example/{path}"),
        format!("https://evil{host}/{path}"),
        format!("https://{host}/{}", path.to_uppercase()),
        format!("https://{host}/"),
        format!("https://{host}"),
        format!("https://{}/{path}", host.replace('e', "\u{435}")),
        format!("https://{}/{path}", host.replace('.', "\u{3002}")),
        format!("https://{}/{path}", host.replace('a', "\u{ff41}")),
        format!("https://xn--{host}/{path}"),
        format!("https://*.example.com/{path}"),
        "*".into(),
        "https://*".into(),
        String::new(),
        "null".into(),
        "undefined".into(),
        ".*".into(),
        "https://".into(),
        "urn:mcp".into(),
    ];
    all.extend(
        (1..rest.len())
            .step_by(3)
            .map(|length| url[..url.len() - length].to_owned()),
    );
    all.retain(|other| other != url);
    all
}

pub fn t09(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    for issuer in near(ISSUER) {
        batch.token(
            format!("iss {issuer:?}"),
            site.token().claim("iss", issuer.clone()).sign(),
        );
    }
    for issuer in [
        json!([ISSUER]),
        json!([ISSUER, "https://evil.example"]),
        json!({"iss": ISSUER}),
        json!(["https://evil.example", ISSUER]),
    ] {
        batch.token(
            format!("iss {issuer}"),
            site.token().claim("iss", issuer.clone()).sign(),
        );
    }
    batch.0
}

pub fn t10(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    // What names the resource by RFC 3986 alone is it; the rest is not.
    let same = [
        "HTTPS://mcp.example.com/mcp",
        "https://MCP.EXAMPLE.COM/mcp",
        "https://mcp.example.com:443/mcp",
        "https://mcp.example.com/mcp/",
    ];
    for audience in near(RESOURCE) {
        if same.contains(&audience.as_str()) {
            continue;
        }
        batch.token(
            format!("aud {audience:?}"),
            site.token().audience(audience.clone()).sign(),
        );
        batch.token(
            format!("aud [{audience:?}]"),
            site.token()
                .audience(json!([audience, "https://other.example"]))
                .sign(),
        );
    }
    for audience in [
        json!([[RESOURCE]]),
        json!({"aud": RESOURCE}),
        json!([RESOURCE, 5]),
        json!([RESOURCE, null]),
        json!([5, RESOURCE]),
        json!({"0": RESOURCE}),
        json!(["https://mcp.example.com", "/mcp"]),
        json!("mcp"),
        json!("test-client"),
        json!("api://default"),
        json!("account"),
        json!(ISSUER),
        json!([ISSUER]),
        json!("00000003-0000-0000-c000-000000000000"),
        json!("https://graph.microsoft.com"),
    ] {
        batch.token(
            format!("aud {audience}"),
            site.token().audience(audience).sign(),
        );
    }
    for member in ["resource", "azp", "client_id", "audience", "target"] {
        let token = site
            .token()
            .audience("https://other.example/mcp")
            .claim(member, RESOURCE)
            .sign();
        batch.token(format!("another audience, and {member}"), token);
        if member != "client_id" {
            batch.token(
                format!("no audience, and {member}"),
                site.token().without("aud").claim(member, RESOURCE).sign(),
            );
        }
    }
    batch.0
}

/// Ada's own token, in the name of somebody who only looks like her.
pub fn t30(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let token = site.ada.token.expose();
    let (local, domain) = ADA.split_once('@').unwrap();
    let emails = [
        format!("{local}@{domain}@{domain}"),
        format!("{local}@evil@{domain}"),
        format!("@{domain}"),
        format!("{local}@"),
        local.to_owned(),
        String::new(),
        " ".into(),
        "@".into(),
        "@@".into(),
        format!("{ADA} "),
        format!(" {ADA}"),
        format!("{ADA}\0"),
        format!("{ADA}\n"),
        format!("{ADA}\r\nx: y"),
        format!("{local}+x@{domain}"),
        format!("{local}.x@{domain}"),
        format!("\"{local}\"@{domain}"),
        format!("{local}@{domain}."),
        format!("{local}@.{domain}"),
        format!("{local}@x.{domain}"),
        format!("{local}@evil-{domain}"),
        format!("{local}@{domain}.evil.example"),
        format!("{local}%40{domain}"),
        format!("{local}\u{ff20}{domain}"),
        format!("{local}\u{fe6b}{domain}"),
        format!("\u{430}da@{domain}"),
        format!("{}@{domain}", local.replace('a', "\u{e4}")),
        format!("ad\u{e1}@{domain}"),
        format!("a\u{200b}da@{domain}"),
        format!("\u{feff}{ADA}"),
        format!("{local}@acme\u{3002}example"),
        format!("{local}@\u{ff41}cme.example"),
        format!("{local}@acm\u{435}.example"),
        format!("{local}@xn--acme.example"),
        format!("<{ADA}>"),
        format!("Ada <{ADA}>"),
        format!("{ADA},mallory@evil.example"),
        format!("{ADA};x"),
        format!("mailto:{ADA}"),
        format!("{ADA}/x"),
        format!("{local}@[127.0.0.1]"),
        format!("{local}(x)@{domain}"),
        format!("{local}\\@{domain}"),
        "gil@globex.example".into(),
        "lee@acme.example".into(),
        "robot".into(),
        "admin@acme.example".into(),
        "ada".into(),
        "acme".into(),
        "*".into(),
        "' OR 1=1--".into(),
        "%".into(),
        "_da@acme.example".into(),
        "ada@acme_example".into(),
        "ada@%.example".into(),
        "ADA\u{17f}@acme.example".into(),
        "x".repeat(300),
        format!("{}@{domain}", "a".repeat(400)),
    ];
    for email in &emails {
        batch.request(
            format!("{email:?}"),
            Crafted::basic(format!("{email}:{token}")),
            UNAUTHORIZED,
        );
    }
    for pair in [
        token.to_owned(),
        format!("{token}:{ADA}"),
        format!("{ADA}{token}"),
        format!("{ADA}::{token}"),
        format!("{ADA}:{token}:"),
        format!("{ADA}:{token}:x"),
        format!("{ADA}: {token}"),
        format!("{ADA}:{token}\0"),
        format!("{ADA};{token}"),
        format!(":{token}"),
        format!("{ADA}:"),
        ":".into(),
        String::new(),
        format!("{ADA}\0:{token}"),
        format!("{ADA}:\0{token}"),
        format!("{ADA}:x\n{token}"),
    ] {
        batch.request(
            format!("pair {pair:.20?}"),
            Crafted::basic(pair),
            UNAUTHORIZED,
        );
    }
    for bytes in [
        &b"\xff:\xff"[..],
        b"\xc0\x80:",
        b"\xed\xa0\x80:x",
        b"ada@acme.example:\xff",
        b"\xef\xbb\xbfada@acme.example:",
    ] {
        batch.request(
            format!("bytes {bytes:?}"),
            Crafted::basic([bytes, token.as_bytes()].concat()),
            UNAUTHORIZED,
        );
    }
    batch.0
}
