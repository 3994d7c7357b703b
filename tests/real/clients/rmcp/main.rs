//! rmcp's own client with its feature `auth`. `scripts/real` runs it, one flow at a time.
//!
//! By itself rmcp tells refusals apart, reads challenges, finds, registers, makes login pages and
//! fetches and refreshes tokens. The program around it starts these, plays the browser and calls
//! again.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value answers null for what it has not"
)]

use std::error::Error;
use std::process::ExitCode;

use serde_json::{Value, json};

use app::{App, Login};
use given::Given;

mod app;
mod given;

type Failure = Box<dyn Error + Send + Sync>;
type Outcome = Result<Said, Failure>;

/// What is said of a flow that went as it should.
enum Said {
    Done(String),
    /// It does, and what its users must know.
    But(&'static str),
    /// The client cannot do this, and how that was seen.
    Limit(&'static str),
}

const HANDS: &str = "hands the challenge to the program, which logs in and connects anew";

fn done(note: impl Into<String>) -> Said {
    Said::Done(note.into())
}

fn check(good: bool, seen: impl std::fmt::Debug) -> Result<(), Failure> {
    if good {
        return Ok(());
    }
    Err(format!("not so: {seen:?}").into())
}

#[tokio::main]
async fn main() -> ExitCode {
    let flow = std::env::args().nth(1).unwrap_or_default();
    let outcome = match Given::from_environment() {
        Ok(given) => run(&flow, &given).await,
        Err(error) => Err(error),
    };
    let (result, code) = match outcome {
        Ok(Said::Done(note)) => (json!({"ok": true, "note": note}), ExitCode::SUCCESS),
        Ok(Said::But(but)) => (json!({"ok": true, "but": but}), ExitCode::SUCCESS),
        Ok(Said::Limit(limit)) => (json!({"ok": false, "limit": limit}), ExitCode::SUCCESS),
        Err(error) => (
            json!({"ok": false, "error": chain(&*error)}),
            ExitCode::FAILURE,
        ),
    };
    println!("{result}");
    code
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join("\n  caused by ")
}

async fn run(flow: &str, given: &Given) -> Outcome {
    match flow {
        "login" => login(given).await,
        "client_document" => client_document(given).await,
        "step_up" => step_up(given, json!({"registeredScope": "dropped"})).await,
        "step_up_strict" => step_up_strict(given).await,
        "step_up_with_refresh_token" => {
            let always = json!({"registeredScope": "dropped", "refreshTokens": "always"});
            step_up(given, always).await
        }
        "all_scopes_at_once" => all_scopes_at_once(given).await,
        "refresh" => refresh(given).await,
        "login_again" => login_again(given).await,
        "api_token" => static_header(given, &given.basic(), "alice").await,
        "api_key" => static_header(given, &given.bearer(), "build-bot").await,
        "stream" => stream(given).await,
        "switched_off" => switched_off(given).await,
        _ => Err(format!("there is no flow {flow:?}").into()),
    }
}

async fn login(given: &Given) -> Outcome {
    let mut app = App::new(given, &given.mcp);
    app.log_in().await?;
    app.connect().await?;
    let who = app.call("whoami", json!({})).await?;
    let found = (&who["user"], &who["organization"], &who["method"]);
    check(
        found == (&json!("alice"), &json!("acme"), &json!("oauth2")),
        &who,
    )?;
    check(who["scopes"] == json!(["read:issues"]), &who)?;
    let events = given.events().await?;
    let registered = kinds(&events, "registered").count();
    let grants: Vec<_> = kinds(&events, "granted")
        .map(|event| &event["grant"])
        .collect();
    check(
        (registered, &*grants) == (1, &[&json!("authorization_code")]),
        &events,
    )?;
    let log = given.log().await?;
    let versions: Vec<_> = log.iter().map(|line| &line["version"]).collect();
    check(versions.contains(&&json!([given.protocol])), &versions)?;
    let said = log
        .iter()
        .map(|line| format!("{} {} {}", line["method"], line["path"], line["status"]));
    Ok(done(said.collect::<Vec<_>>().join(", ").replace('"', "")))
}

async fn client_document(given: &Given) -> Outcome {
    let url = "https://client.example/rmcp.json";
    let document = json!({
        "client_id": url,
        "client_name": "documented",
        "redirect_uris": [app::CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    });
    let documents = json!({"documents": {url: document}});
    given.control(&documents).await?;
    let mut app = App::new(given, &given.mcp);
    app.document = Some(url);
    app.log_in().await?;
    app.connect().await?;
    let who = app.call("whoami", json!({})).await?;
    check(who["client"] == url, &who)?;
    let events = given.events().await?;
    check(kinds(&events, "registered").count() == 0, &events)?;
    Ok(done(url))
}

async fn step_up(given: &Given, changes: Value) -> Outcome {
    given.control(&changes).await?;
    step_up_now(given).await
}

async fn step_up_now(given: &Given) -> Outcome {
    let mut app = App::new(given, &given.mcp);
    app.log_in().await?;
    app.connect().await?;
    let title = json!({"title": "stepped up"});
    let error = match app.call("createIssue", title.clone()).await {
        Ok(result) => return Err(format!("allowed at once: {result}").into()),
        Err(error) => error,
    };
    let required = app::required_scope(&*error).ok_or_else(|| chain(&*error))?;
    app.step_up(&required).await?;
    check(
        app.call("createIssue", title.clone()).await? == title,
        "created",
    )?;
    let who = app.call("whoami", json!({})).await?;
    check(
        who["scopes"] == json!(["read:issues", "write:issues"]),
        &who,
    )?;
    let events = given.events().await?;
    check(kinds(&events, "registered").count() == 1, &events)?;
    Ok(done("logged in twice, by the same registration"))
}

async fn step_up_strict(given: &Given) -> Outcome {
    let Err(error) = step_up_now(given).await else {
        return Err("stepped up after all".into());
    };
    check(error.to_string().contains("invalid_scope"), chain(&*error))?;
    let events = given.events().await?;
    let registered = kinds(&events, "registered")
        .next()
        .ok_or("not registered")?;
    let scope = registered["scope"].as_str().unwrap_or_default();
    check(!scope.contains("write:issues"), registered)?;
    Ok(Said::Limit(
        "registers itself with the scopes of the first challenge and may not ask for more",
    ))
}

async fn all_scopes_at_once(given: &Given) -> Outcome {
    let mut app = App::new(given, &given.mcp_everything);
    app.log_in().await?;
    app.connect().await?;
    app.call("createIssue", json!({"title": "at once"})).await?;
    Ok(done("one login"))
}

async fn refresh(given: &Given) -> Outcome {
    if expired(given, json!({"seconds": 2})).await?.is_ok() {
        return Ok(done("asks for offline_access by itself"));
    }
    // The authorization server follows OpenID Connect Core, section 11.
    check(
        expired(given, json!({"refreshTokens": "always"}))
            .await?
            .is_ok(),
        "refreshed",
    )?;
    Ok(Said::But(
        "asks for `offline_access` without `prompt=consent`: only where refresh tokens come without that",
    ))
}

/// A token expires, and the next call gets another without a person; or there is no way, because no
/// refresh token was given for the scope `offline_access`.
async fn expired(given: &Given, changes: Value) -> Result<Result<(), ()>, Failure> {
    given.control(&changes).await?;
    let mut app = App::new(given, &given.mcp);
    app.log_in().await?;
    app.connect().await?;
    app.call("whoami", json!({})).await?;
    given.events().await?;
    given.expire().await;
    let who = app.call("whoami", json!({})).await;
    let events = given.events().await?;
    let grants: Vec<_> = kinds(&events, "granted")
        .map(|event| &event["grant"])
        .collect();
    let asked = app
        .asked("scope")
        .is_some_and(|scope| scope.contains("offline_access"));
    check(asked, app.asked("scope"))?;
    match who {
        Ok(who) => {
            check(who["user"] == "alice", &who)?;
            check(grants.first() == Some(&&json!("refresh_token")), &events)?;
            Ok(Ok(()))
        }
        Err(error) => {
            check(app.asked("prompt").is_none(), app.asked("prompt"))?;
            check(app::challenge(&*error).is_some(), chain(&*error))?;
            check(grants.is_empty(), &events)?;
            Ok(Err(()))
        }
    }
}

async fn login_again(given: &Given) -> Outcome {
    let short = json!({"seconds": 2, "refreshTokens": "never"});
    given.control(&short).await?;
    let mut app = App::new(given, &given.mcp);
    app.log_in().await?;
    app.connect().await?;
    app.call("whoami", json!({})).await?;
    given.expire().await;
    let error = match app.call("whoami", json!({})).await {
        Ok(who) => return Err(format!("an expired token went through: {who}").into()),
        Err(error) => error,
    };
    check(app::challenge(&*error).is_some(), chain(&*error))?;
    app.log_in().await?;
    app.connect().await?;
    let who = app.call("whoami", json!({})).await?;
    check(who["user"] == "alice", &who)?;
    Ok(Said::But(HANDS))
}

async fn static_header(given: &Given, header: &str, user: &str) -> Outcome {
    let mut app = App::new(given, &given.mcp);
    app.login = Login::Header(header.parse()?);
    app.connect().await?;
    let who = app.call("whoami", json!({})).await?;
    check(who["user"] == user && who["organization"] == "acme", &who)?;
    Ok(done(who["method"].as_str().unwrap_or_default()))
}

async fn stream(given: &Given) -> Outcome {
    let mut app = App::new(given, &given.mcp);
    app.log_in().await?;
    app.connect().await?;
    let result = app.call("watch", json!({})).await?;
    check(result["steps"] == 3, &result)?;
    let steps = app.progress();
    check(steps == [1.0, 2.0, 3.0], &steps)?;
    Ok(done("three events before the result"))
}

async fn switched_off(given: &Given) -> Outcome {
    let mut app = App::new(given, &given.mcp);
    app.login = Login::Header(given.basic().parse()?);
    app.connect().await?;
    let who = app.call("whoami", json!({})).await?;
    check(who["method"] == "api_token", &who)?;
    given.api_tokens("off").await?;
    let error = match app.call("whoami", json!({})).await {
        Ok(who) => return Err(format!("still let in: {who}").into()),
        Err(error) => error,
    };
    let challenge = app::challenge(&*error).ok_or_else(|| chain(&*error))?;
    check(challenge.contains("resource_metadata="), &challenge)?;
    // A header of its own and tokens of its own exclude each other: another connection.
    app.log_in().await?;
    app.connect().await?;
    let who = app.call("whoami", json!({})).await?;
    check(
        (&who["user"], &who["method"]) == (&json!("alice"), &json!("oauth2")),
        &who,
    )?;
    Ok(Said::But(HANDS))
}

fn kinds<'e>(events: &'e [Value], kind: &str) -> impl Iterator<Item = &'e Value> {
    events.iter().filter(move |event| event["kind"] == kind)
}
