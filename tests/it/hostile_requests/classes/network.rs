//! Where a request comes from, and which organization it says it is for.

use super::request::{Batch, Crafted, Hostile};
use super::site::Site;

const FORBIDDEN: &[u16] = &[403];

/// What claims to come from `10.0.0.0/8` and does not: the peer is loopback.
fn claims_to_be_inside() -> Vec<(&'static str, String)> {
    let addresses = [
        "10.0.0.1",
        "10.255.255.254",
        " 10.0.0.1",
        "10.0.0.1 ",
        "10.0.0.1:80",
        "[10.0.0.1]",
        "\"10.0.0.1\"",
        "10.0.0.1%eth0",
        "::ffff:10.0.0.1",
        "[::ffff:10.0.0.1]",
        "[::ffff:a00:1]:443",
        "010.0.0.1",
        "012.0.0.1",
        "0x0a000001",
        "167772161",
        "10.1",
        "10.0.1",
        "10.0.0.1, 10.0.0.2",
        "10.0.0.1,10.0.0.1,10.0.0.1",
        "127.0.0.1, 10.0.0.1",
        "10.0.0.1, unknown",
        "unknown",
        "_hidden",
        "",
        ",",
        "10.0.0.1,",
        ",10.0.0.1",
        "10.0.0.1\t",
        "10.0.0.1;x",
        "localhost",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "*",
        "127.0.0.1",
        "::1",
    ];
    let mut all = Vec::new();
    for address in addresses {
        all.push(("x-forwarded-for", address.to_owned()));
        all.push(("forwarded", format!("for={address}")));
        all.push((
            "forwarded",
            format!("for=\"{address}\";proto=https;by=127.0.0.1"),
        ));
    }
    for name in [
        "x-real-ip",
        "x-client-ip",
        "client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "x-cluster-client-ip",
        "x-originating-ip",
        "x-remote-ip",
        "x-remote-addr",
        "x-forwarded",
        "forwarded-for",
        "x_forwarded_for",
        "x-forwarded-for-original",
        "fastly-client-ip",
        "x-envoy-external-address",
        "x-azure-clientip",
        "x-original-forwarded-for",
        "via",
        "remote-addr",
        "x-forwarded-client-cert",
    ] {
        all.push((name, "10.0.0.1".into()));
    }
    all
}

pub fn t34(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let inside = || Crafted::bearer(site.token().claim("org_id", "initech").sign());
    batch.request("from outside", inside(), FORBIDDEN);
    for (name, value) in claims_to_be_inside() {
        batch.request(
            format!("{name}: {value}"),
            inside().with(name, value),
            FORBIDDEN,
        );
    }
    for second in ["x-forwarded-for", "forwarded"] {
        for value in ["10.0.0.1", "for=10.0.0.1"] {
            let both = inside()
                .with("x-forwarded-for", "10.0.0.1")
                .with(second, value);
            batch.request(format!("and {second}: {value}"), both, FORBIDDEN);
        }
    }
    // Behind a proxy that is believed: the first from the right that is none decides, not the leftmost.
    for chain in [
        "8.8.8.8",
        "10.0.0.1, 8.8.8.8",
        "10.0.0.1, 8.8.8.8, 127.0.0.1",
        "10.0.0.1, 8.8.8.8, 192.0.2.7",
        "10.0.0.1,8.8.8.8,192.0.2.7,127.0.0.2",
        "10.0.0.1, unknown",
        "10.0.0.1, _x",
        "10.0.0.1, ",
        "10.0.0.1, 10.0.0",
        "10.0.0.1, 010.0.0.1",
        "10.0.0.1, 0x0a000001",
        "10.0.0.1, 10.1",
        "10.0.0.1, 167772161",
        "10.0.0.1, [10.0.0.1",
        "10.0.0.1, 10.0.0.1%eth0",
        "10.0.0.1, localhost",
        "10.0.0.1, 8.8.8.8:10",
        "::ffff:8.8.8.8",
        "10.0.0.1, ::ffff:8.8.8.8",
        "10.0.0.1, 2001:db8::1",
        "10.0.0.1, fe80::1%1",
        "10.0.0.1;8.8.8.8",
        "10.0.0.1 8.8.8.8",
        "\"10.0.0.1\", 8.8.8.8",
        "127.0.0.1",
        "192.0.2.1",
        "192.0.2.1, 127.0.0.1",
        "10.0.0.1, 11.0.0.1",
        "10.0.0.1, 9.255.255.255",
    ] {
        let sent = inside().proxied().with("x-forwarded-for", chain);
        batch.request(format!("behind a proxy: {chain}"), sent, FORBIDDEN);
        let last = chain.rsplit(',').next().unwrap().trim();
        let lines = inside()
            .proxied()
            .with("x-forwarded-for", "10.0.0.1")
            .with("x-forwarded-for", last);
        if !last.starts_with("127") && !last.starts_with("192.0.2.") {
            batch.request(
                format!("behind a proxy, in two lines: {chain}"),
                lines,
                FORBIDDEN,
            );
        }
        let elements: Vec<String> = chain
            .split(',')
            .map(|one| format!("for=\"{}\"", one.trim()))
            .collect();
        let sent = inside().proxied().with("forwarded", elements.join(", "));
        batch.request(
            format!("behind a proxy, Forwarded: {chain}"),
            sent,
            FORBIDDEN,
        );
    }
    for (one, other) in [
        ("10.0.0.1", "for=8.8.8.8"),
        ("8.8.8.8", "for=10.0.0.1"),
        ("10.0.0.1", "for=unknown"),
        ("10.0.0.1", "for"),
        ("x", "for=10.0.0.1"),
    ] {
        let sent = inside()
            .proxied()
            .with("x-forwarded-for", one)
            .with("forwarded", other);
        batch.request(format!("{one} and {other}"), sent, FORBIDDEN);
    }
    // An API token in the clear, as the proxy says.
    for (name, value) in [
        ("x-forwarded-proto", "http"),
        ("forwarded", "for=8.8.8.8;proto=http"),
    ] {
        let key = Crafted::bearer(site.robot.token.expose())
            .proxied()
            .with("x-forwarded-for", "8.8.8.8");
        let key = if name == "forwarded" {
            key.without("x-forwarded-for")
        } else {
            key
        };
        batch.request(format!("{name}: {value}"), key.with(name, value), FORBIDDEN);
    }
    batch.0
}

/// The organization is the credential's: what else names one counts for nothing.
pub fn t37(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let headers = [
        "x-organization",
        "x-org-id",
        "x-tenant",
        "x-tenant-id",
        "organization",
        "x-auth-org",
        "x-forwarded-groups",
        "mcp-param-org",
        "x-user",
        "remote-user",
    ];
    // `hooli` refuses tokens of this issuer, `initech` this network: to be taken for `acme` would help.
    for own in ["hooli", "initech"] {
        let token = || site.token().claim("org_id", own);
        for name in headers {
            batch.request(
                format!("{own}, {name}"),
                Crafted::bearer(token().sign()).with(name, "acme"),
                FORBIDDEN,
            );
        }
        for target in [
            "/mcp?org=acme",
            "/mcp?org_id=acme",
            "/mcp/acme",
            "/mcp/orgs/acme",
            "/acme/mcp",
            "/mcp;org=acme",
            "/mcp?tenant=acme#x",
        ] {
            batch.request(
                format!("{own}, {target}"),
                Crafted::bearer(token().sign()).target(target.replace('#', "%23")),
                FORBIDDEN,
            );
        }
        for name in [
            "org",
            "organization",
            "organization_id",
            "orgId",
            "ORG_ID",
            "org_id ",
            "tenant",
            "tid",
            "cloudId",
            "https://x/org_id",
        ] {
            batch.request(
                format!("{own}, claim {name}"),
                Crafted::bearer(token().claim(name, "acme").sign()),
                FORBIDDEN,
            );
        }
        for name in ["org", "organization", "cloudId", "tenant"] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"getIssue","arguments":{{"{name}":"acme"}},"_meta":{{"{name}":"acme"}}}}}}"#
            );
            batch.request(
                format!("{own}, argument {name}"),
                Crafted::bearer(token().sign()).body(body),
                FORBIDDEN,
            );
        }
    }
    batch.0
}
