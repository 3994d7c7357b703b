//! What a remembered caller may not do.

use super::request::{Batch, Crafted, Hostile};
use super::site::{ADA, Site};

/// The same token, remembered with what it may do, asks for what it may not.
pub async fn t23(site: &Site) -> Vec<Hostile> {
    const FORBIDDEN: &[u16] = &[403];
    let mut batch = Batch::default();
    let token = site.token().sign();
    let key = site.robot.token.expose().to_owned();
    let ada = format!("{ADA}:{}", site.ada.token.expose());
    let all = [
        Crafted::bearer(&token),
        Crafted::bearer(&key),
        Crafted::basic(&ada),
    ];
    for good in &all {
        site.let_in(good).await;
    }
    let ask = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#)
    };
    for good in &all {
        for tool in [
            "createIssue",
            "wipe",
            "unknown",
            "getissue",
            "GETISSUE",
            "getIssue ",
            " getIssue",
            "get_issue",
            "getIssue/x",
            "getIssue\\u0000",
            "*",
            "",
            "get%49ssue",
            "getIssue\\n",
            "g\\u0435tIssue",
        ] {
            let body = ask(
                "tools/call",
                &format!(r#"{{"name":"{tool}","arguments":{{}}}}"#),
            );
            batch.request(
                format!("tool {tool:?}"),
                good.clone().body(body),
                &[400, 403],
            );
        }
        for prompt in [
            "secret-notes",
            "unknown",
            "release-notes ",
            "../secret-notes",
        ] {
            batch.request(
                format!("prompt {prompt}"),
                good.clone()
                    .body(ask("prompts/get", &format!(r#"{{"name":"{prompt}"}}"#))),
                FORBIDDEN,
            );
        }
        for uri in [
            "file:///secret/a",
            "file:///projects/../secret/a",
            "file:///projects/%2e%2e/secret/a",
            "FILE:///secret/a",
            "file://localhost/secret/a",
            "file:///projects",
            "file:///projectsx/a",
            "file:////projects/a",
            "http:///projects/a",
            "file:///projects/..",
            "file:///projects/..%2fsecret/a",
            "file:///Projects/a",
            "unknown:x",
        ] {
            for method in ["resources/read", "resources/subscribe"] {
                batch.request(
                    format!("{method} {uri}"),
                    good.clone()
                        .body(ask(method, &format!(r#"{{"uri":"{uri}"}}"#))),
                    &[400, 403],
                );
            }
        }
        for method in [
            "tools/Call",
            "TOOLS/CALL",
            "admin/x",
            "tools/call ",
            "logging/setlevel",
            "rpc.discover",
            "../tools/list",
            "tools",
            "sampling/createMessage",
        ] {
            batch.request(
                format!("method {method}"),
                good.clone().body(ask(method, "{}")),
                &[400, 403],
            );
        }
    }
    batch.0
}
