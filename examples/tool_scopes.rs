//! What each tool needs, from code and from a file: no network, no server.
//!
//! `cargo run --example tool_scopes` prints, for a few callers, which tools they may call and the
//! answer each call gets. The rules come from code and once more from JSON, and say the same.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
use tower_mcp_auth::clock::{Clock, SystemClock};
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::policy::{GroupRules, Intent, MemoryPolicyStore};
use tower_mcp_auth::testing::TestIssuer;
use tower_mcp_auth::tool::{Dispatch, ToolRule};
use tower_mcp_auth::{
    AuthMethod, Authenticator, Issuer, McpAuthLayer, OrganizationPolicy, ProtectedResource,
    Rejection, ToolRules,
};

const URL: &str = "https://mcp.example.com/mcp";

/// Name and arguments of the calls everybody makes.
const CALLS: [(&str, &str); 6] = [
    ("whoami", "{}"),
    ("listIssues", "{}"),
    ("createIssue", "{}"),
    ("deleteIssue", "{}"),
    ("execute", r#"{"action":"close"}"#),
    ("dropTables", "{}"),
];

/// The scope, and a group that an organization's administrator may switch off.
fn write() -> ToolRule {
    ToolRule::scopes(["write:issues"]).group("issues", Intent::Write)
}

fn from_code() -> ToolRules {
    ToolRules::new()
        .tool("whoami", ToolRule::always_on())
        .tool("list*", ["read:issues"])
        .tool("createIssue", write())
        .tool(
            "deleteIssue",
            ToolRule::scopes(["admin:issues"])
                .methods([AuthMethod::OAuth]) // no API tokens
                .max_age(Duration::from_secs(900)), // of the login
        )
        .scope_includes("admin:issues", ["read:issues", "write:issues"])
}

fn from_json() -> serde_json::Result<ToolRules> {
    serde_json::from_value(json!({
        "tools": {
            "whoami": "always_on",
            "list*": ["read:issues"],
            "createIssue": { "scopes": ["write:issues"], "group": "issues:write" },
            "deleteIssue": { "scopes": ["admin:issues"], "methods": ["oauth2"], "max_age": 900 },
        },
        "scope_includes": { "admin:issues": ["read:issues", "write:issues"] },
    }))
}

/// A tool whose arguments say what it does needs code, whichever way the others are written.
fn with_dispatcher(rules: ToolRules) -> ToolRules {
    rules.dispatcher("execute", |call| match call.text("action") {
        Some("list") => ["read:issues"].into(),
        Some("close") => write().into(),
        _ => Dispatch::Deny,
    })
}

/// The answer to one call.
async fn call(auth: &Authenticator, credential: &str, (name, arguments): (&str, &str)) -> String {
    let message = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{arguments}}}}}"#
    );
    let request = Request::post(URL)
        .header(AUTHORIZATION, format!("Bearer {credential}"))
        .body(Full::new(Bytes::from(message)));
    let Ok(request) = request else {
        unreachable!("credentials are printable ASCII")
    };
    // Your MCP server, which is only reached by calls that may be made.
    let server = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("done"))))
    });
    let server = McpAuthLayer::new(auth.clone()).layer(server);
    let Ok(answer) = server.oneshot(request).await;
    let status = answer.status().as_u16();
    let Some(refusal) = answer.extensions().get::<Rejection>() else {
        return format!("{status}");
    };
    let challenged = answer.headers().contains_key(WWW_AUTHENTICATE);
    let challenge = if challenged { ", can step up" } else { "" };
    let message = refusal.message();
    format!("{status} {}: {message}{challenge}", refusal.reason().code())
}

/// What a caller sees: the tools that would be listed to it, and the answer to each of [`CALLS`].
struct Outcome {
    who: &'static str,
    may_call: Vec<&'static str>,
    answers: Vec<String>,
}

/// Who calls, and the credential they present.
type Caller = (&'static str, String);

/// A server with these rules, and callers of two organizations: acme allows everything, globex has
/// switched writing off.
async fn world(rules: ToolRules) -> Result<(Authenticator, [Caller; 6]), Box<dyn Error>> {
    let issuer = TestIssuer::builder().in_process();
    let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate()?);
    let acme = OrganizationPolicy::new("acme".parse()?).api_tokens(true);
    let read_only = GroupRules::new().product("issues", [Intent::Read]);
    let globex = OrganizationPolicy::new("globex".parse()?).groups(read_only);
    let auth = Authenticator::builder(
        ProtectedResource::new(URL)
            .issuer(Issuer::new(issuer.url()).organization_claim("org_id"))
            .baseline_scopes(["read:issues"]),
    )
    .fetch(issuer.fetch())
    .tools(with_dispatcher(rules))
    .api_tokens(tokens.clone())
    .policies(MemoryPolicyStore::new().with(acme)?.with(globex)?)
    .build()?;

    let (read, write, admin) = ("read:issues", "read:issues write:issues", "admin:issues");
    let key = NewToken::service_account("acme", "bot").created_by("alice");
    let key = tokens.issue(key.scopes([admin])).await?.token;
    let now = SystemClock::new().now().as_secs();
    let token = |organization: &str, scopes: &str, login: i64| {
        let token = issuer.token(URL).claim("org_id", organization);
        token.scope(scopes).claim("auth_time", now - login).sign()
    };
    let callers = [
        ("a reader", token("acme", read, 60)),
        ("a writer", token("acme", write, 60)),
        ("a writer of globex", token("globex", write, 60)),
        ("an administrator since morning", token("acme", admin, 7200)),
        ("the same, logged in again", token("acme", admin, 60)),
        ("a bot with such a key", key.expose().to_owned()),
    ];
    Ok((auth, callers))
}

async fn story(rules: ToolRules) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let (auth, callers) = world(rules).await?;
    let mut outcomes = Vec::new();
    for (who, credential) in callers {
        let request = Request::post(URL).header(AUTHORIZATION, format!("Bearer {credential}"));
        let (head, ()) = request.body(())?.into_parts();
        let known = auth.authenticate(&head).await;
        let known = known.map_err(|refusal| refusal.message().to_owned())?;
        let names = CALLS.map(|(name, _)| name).into_iter();
        let mut answers = Vec::new();
        for one in CALLS {
            answers.push(call(&auth, &credential, one).await);
        }
        outcomes.push(Outcome {
            who,
            may_call: names.filter(|name| known.may_call(name)).collect(),
            answers,
        });
    }
    Ok(outcomes)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for Outcome {
        who,
        may_call,
        answers,
    } in story(from_code()).await?
    {
        println!("{who}; listed: {}", may_call.join(" "));
        for ((name, _), answer) in CALLS.iter().zip(answers) {
            println!("  {name:<12} {answer}");
        }
    }
    from_json()?.check()?; // every mistake at once, with the name of its rule
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mcp_09_code_and_file_give_the_same_answers() {
        let outcomes = story(from_code()).await.unwrap();
        let from_file = story(from_json().unwrap()).await.unwrap();
        for (code, file) in outcomes.iter().zip(&from_file) {
            assert_eq!(
                (&code.may_call, &code.answers),
                (&file.may_call, &file.answers)
            );
        }
        let table = outcomes.iter().map(|outcome| {
            let answers = outcome.answers.iter();
            answers.map(|answer| &answer[..3]).collect::<Vec<_>>()
        });
        let expected = [
            ["200", "200", "403", "403", "403", "403"], // a reader
            ["200", "200", "200", "403", "200", "403"], // a writer
            ["200", "200", "403", "403", "403", "403"], // of globex
            ["200", "200", "200", "401", "200", "403"], // too old a login
            ["200", "200", "200", "200", "200", "403"],
            ["200", "200", "200", "403", "200", "403"], // a bot
        ];
        assert_eq!(table.collect::<Vec<_>>(), expected);
    }
}
