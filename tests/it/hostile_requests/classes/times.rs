//! Times, and organizations.

use super::claims::{OUTSIDE, payload};
use super::request::{Batch, Crafted, Hostile};
use super::site::{ISSUER, KID, RESOURCE, SECOND, Site};

pub fn t18(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let day = 24 * 3600;
    // A leeway of 30 s is still accepted on either side, and nothing beyond.
    for late in [31, 32, 60, 300, 3600, day, 365 * day, 1_700_000_000] {
        batch.token(
            format!("expired {late} s ago"),
            site.token().issued_in(-late - 300).expires_in(-late).sign(),
        );
        let now = 1_800_000_000 + late;
        batch.token(
            format!("not before {late} s from now"),
            site.token().claim("nbf", now + 60).sign(),
        );
        batch.token(
            format!("issued {late} s from now"),
            site.token()
                .issued_in(late + 60)
                .expires_in(late + 600)
                .sign(),
        );
    }
    for beyond in [61, 600, day, 365 * day] {
        batch.token(
            format!("a day and {beyond} s"),
            site.token().expires_in(day + beyond).sign(),
        );
    }
    for exp in [
        "1e18",
        "9223372036854775807",
        "253402300800",
        "99999999999999999999",
        "1e309",
        "253402300799",
        "4102444800",
        "4102444800.9",
        "\"1800000300\"",
        "-1",
        "-0.5",
        "0",
        "1e3",
        "0x7fffffff",
        "1800000300s",
        "NaN",
        "Infinity",
        "[1800000300]",
        "1799999969.9",
    ] {
        let mut said = payload(site);
        said["exp"] = "@".into();
        let text = said
            .to_string()
            .replace("\"exp\":\"@\"", &format!("\"exp\":{exp}"));
        batch.token(format!("exp {exp}"), site.token().raw_claims(text).sign());
    }
    for iat in [
        "1e18",
        "4000000000",
        "9223372036854775807",
        "\"1800000000\"",
        "-1",
        "1e309",
    ] {
        let mut said = payload(site);
        said["iat"] = "@".into();
        let text = said
            .to_string()
            .replace("\"iat\":\"@\"", &format!("\"iat\":{iat}"));
        batch.token(format!("iat {iat}"), site.token().raw_claims(text).sign());
    }
    batch.0
}

pub fn t19(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let issuers = [
        (&site.issuer, ISSUER),
        (&site.second, SECOND),
        (&site.stranger, "https://evil.example/t9"),
    ];
    for (signer, own) in issuers {
        for claimed in [
            ISSUER,
            SECOND,
            "https://auth.example.com/t3",
            "https://evil.example/t9",
        ] {
            if claimed == own && own != "https://evil.example/t9" {
                continue;
            }
            for kid in [KID, "good", "other"] {
                let token = signer
                    .token(RESOURCE)
                    .claim("iss", claimed)
                    .scope("read:issues")
                    .header("kid", kid)
                    .sign();
                batch.token(format!("{own} signs for {claimed} as {kid}"), token);
            }
            let without = signer
                .token(RESOURCE)
                .claim("iss", claimed)
                .without_header("kid")
                .sign();
            batch.token(format!("{own} signs for {claimed} without kid"), without);
        }
    }
    for org in [
        "default",
        "",
        "acme\0",
        "acme\n",
        "\u{1b}acme",
        "acme\u{7f}",
        "acme\t",
        "acme\r",
    ] {
        let token = site.token().claim("org_id", org).sign();
        batch.request(
            format!("organization {org:?}"),
            Crafted::bearer(token),
            OUTSIDE,
        );
    }
    // An organization that allows another issuer only.
    for subject in ["alice", "ada", "root", "admin"] {
        let token = site
            .token()
            .subject(subject)
            .claim("org_id", "hooli")
            .sign();
        batch.request(
            format!("{subject} of hooli by the wrong issuer"),
            Crafted::bearer(token),
            &[403],
        );
    }
    batch.0
}
