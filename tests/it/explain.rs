//! An explanation is the decision, step by step, and shows nothing that is secret.

use std::cell::OnceCell;
use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tower_mcp_auth::api_token::NewToken;
use tower_mcp_auth::audit::{AuditEvent, AuditRecord};
use tower_mcp_auth::explain::{Explanation, StepResult, Verdict};
use tower_mcp_auth::testing::{ManualClock, TestIssuer};
use tower_mcp_auth::{Authenticator, Introspection, Issuer, Rejection, ToolRules};

use crate::hostile::{for_all, mutate, mutation};
use crate::hostile_requests::classes::inner::Inner;
use crate::hostile_requests::classes::request::{Crafted, Wire};
use crate::hostile_requests::classes::site::{ADA as SITE_ADA, Site};
use crate::hostile_requests::classes::{CLASSES, requests};
use crate::support::{I, NOW, R, World, described, post};
use crate::tokens_support::{ADA, Mood, TokenWorld, basic, bearer, damaged, stranger};

/// The shortest piece of a secret that nobody may see.
const PIECE: usize = 12;

/// What of a header line is secret: all of it, but of an API token what comes before its secret.
fn secrets(parts: &Parts) -> Vec<String> {
    let tail = |text: &str| match text.split('_').collect::<Vec<_>>()[..] {
        ["mcps" | "mcpu", id, secret] if id.len() == 16 && secret.len() == 49 => secret.to_owned(),
        _ => text.to_owned(),
    };
    let mut all = Vec::new();
    for name in ["authorization", "dpop", "mcp-session-id", "x-api-key"] {
        for line in parts.headers.get_all(name) {
            let text = String::from_utf8_lossy(line.as_bytes()).into_owned();
            let credential = text.split_once(' ').map_or(&*text, |(_, rest)| rest.trim());
            let pair = STANDARD.decode(credential).ok();
            let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
            let token = pair.as_deref().and_then(|pair| pair.split_once(':'));
            all.extend(token.map(|(_, token)| tail(token)));
            all.push(tail(credential));
        }
    }
    all
}

/// Neither as text nor as JSON does it show a piece of a secret, or a character that acts.
fn assert_clean(explanation: &Explanation, parts: &Parts) {
    let json = serde_json::to_value(explanation).unwrap();
    let mut texts = vec![explanation.to_string()];
    collect(&json, &mut texts);
    let letters: Vec<Vec<char>> = texts.iter().map(|text| text.chars().collect()).collect();
    let shown: HashSet<&[char]> = letters
        .iter()
        .flat_map(|text| text.windows(PIECE))
        .collect();
    for secret in secrets(parts) {
        let letters: Vec<char> = secret.chars().collect();
        for piece in letters.windows(PIECE) {
            // Between the columns of the table there are blanks.
            let blank = piece.windows(2).any(|two| two == [' ', ' ']);
            assert!(
                blank || !shown.contains(piece),
                "{piece:?} stands in {explanation}"
            );
        }
    }
    for text in &texts {
        let acts = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202e}' | '\u{2028}'));
        assert!(!text.chars().any(acts), "{text:?}");
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values().for_each(|item| collect(item, texts)),
        _ => {}
    }
}

/// What a layer did.
#[derive(Debug)]
struct Done {
    status: StatusCode,
    rejection: Option<Rejection>,
    reached: bool,
}

fn assert_agrees(explanation: &Explanation, done: &Done, what: &str) {
    let reason = done.rejection.as_ref().map(Rejection::reason);
    let expected = match (done.reached, reason) {
        (true, _) => Verdict::LetIn,
        (false, Some(_)) => Verdict::Refused,
        (false, None) => Verdict::Answered,
    };
    assert_eq!(
        explanation.verdict, expected,
        "{what}: {explanation}\n{done:?}"
    );
    assert_eq!(explanation.reason, reason, "{what}: {explanation}");
    let status = (!done.reached).then_some(done.status.as_u16());
    assert_eq!(explanation.status, status, "{what}: {explanation}");
    let failed = |step: &&_| {
        let step: &tower_mcp_auth::explain::Step = step;
        step.result == StepResult::Failed
    };
    let failed: Vec<_> = explanation.steps.iter().filter(failed).collect();
    assert_eq!(failed.len(), usize::from(reason.is_some()), "{explanation}");
    assert_eq!(
        explanation.decided_by,
        failed.first().map(|step| step.name),
        "{explanation}"
    );
    if let Some(rejection) = &done.rejection {
        let fix = Some(rejection.reason().who_can_fix_it());
        assert_eq!(explanation.who_can_fix_it, fix);
    }
}

async fn compare(site: &Site, crafted: &Crafted, what: &str) -> Option<Explanation> {
    let request = crafted.request()?;
    let (parts, _) = crafted.request()?.into_parts();
    let inner = Inner::default();
    let auth = site.auth(crafted.door);
    let headless = auth.explain(&parts).await;
    let explanation = auth.explain_message(&parts, &crafted.body).await;
    let response = site.answer(request, crafted, &inner).await;
    let done = Done {
        status: response.status(),
        rejection: response.extensions().get().cloned(),
        reached: inner.calls() > 0,
    };
    assert_agrees(&explanation, &done, what);
    if headless.verdict != Verdict::DependsOnMessage {
        assert_agrees(&headless, &done, what);
    }
    assert_clean(&explanation, &parts);
    Some(explanation)
}

/// Every hostile request of every class, and what makes some of them good.
// also: T48, T49
#[tokio::test]
async fn g02_every_hostile_request_is_explained_as_it_is_decided() {
    let site = Site::new().await;
    let (mut compared, mut reasons, mut steps) = (0, HashSet::new(), HashSet::new());
    for class in CLASSES {
        for hostile in requests(&site, class).await {
            let Wire::Any(crafted) = &hostile.wire else {
                continue;
            };
            let what = format!("{class} {}", hostile.what);
            if let Some(explanation) = compare(&site, crafted, &what).await {
                compared += 1;
                reasons.extend(explanation.reason);
                steps.extend(explanation.decided_by);
            }
        }
        for good in [
            Crafted::bearer(site.token().sign()),
            Crafted::bearer(site.robot.token.expose()),
            Crafted::basic(format!("{SITE_ADA}:{}", site.ada.token.expose())),
        ] {
            // Once unknown, once remembered.
            for _ in 0..2 {
                let explained = compare(&site, &good, class).await.unwrap();
                assert_eq!(explained.verdict, Verdict::LetIn, "{explained}");
            }
        }
    }
    assert!(compared > 2000, "{compared}");
    assert!(reasons.len() > 25, "{reasons:?}");
    assert!(steps.len() > 12, "{steps:?}");
}

#[test]
fn t48_mutations_of_a_good_token_are_explained_as_they_are_decided() {
    let good = OnceCell::new();
    let lines = [
        None,
        Some(("origin", "https://evil.test")),
        Some(("origin", "https://ide.example")),
        Some(("host", "evil.test")),
        Some(("mcp-session-id", "made-up.AAAAAAAAAAAAAAAAAAAAAA")),
        Some(("content-type", "application/grpc")),
        Some(("connection", "authorization")),
        Some(("authorization", "Basic YTpi")),
    ];
    let method = select(vec!["POST", "GET", "DELETE", "OPTIONS", "HEAD"]);
    let target = select(vec![
        "/mcp",
        "/",
        "/.well-known/oauth-protected-resource/mcp",
    ]);
    let scheme = select(vec!["Bearer", "bearer ", "DPoP", "Basic", "Token", ""]);
    let mutations = prop::collection::vec(mutation(), 0..3);
    let values = (mutations, scheme, method, target, select(lines.to_vec()));
    for_all(
        3000,
        values,
        |world, answering, (mutations, scheme, method, target, line)| {
            let good: &String = good.get_or_init(|| world.token().sign());
            let mut bytes = good.clone().into_bytes();
            for mutation in mutations {
                mutate(&mut bytes, mutation);
            }
            let value = [scheme.as_bytes(), b" ", &bytes].concat();
            let Ok(value) = HeaderValue::from_bytes(&value) else {
                return Ok(());
            };
            let mut request = Request::builder()
                .method(method)
                .uri(target)
                .header("authorization", value)
                .body(Empty::new())
                .unwrap();
            if let Some((name, value)) = line {
                let name = HeaderName::from_static(name);
                request
                    .headers_mut()
                    .append(name, HeaderValue::from_static(value));
            }
            let (parts, body) = request.into_parts();
            let explanation = answering.runtime.block_on(world.auth.explain(&parts));
            let before = world.probe.calls();
            let answer = answering.send(Request::from_parts(parts.clone(), body));
            let done = Done {
                status: answer.status,
                rejection: answer.rejection,
                reached: world.probe.calls() > before,
            };
            assert_agrees(&explanation, &done, "mutated");
            assert_clean(&explanation, &parts);
            Ok(())
        },
    );
}

fn parts_of(authorization: impl AsRef<str>) -> Parts {
    let request = post().header("authorization", authorization.as_ref());
    request.body(()).unwrap().into_parts().0
}

async fn explained(auth: &Authenticator, authorization: impl AsRef<str>) -> Explanation {
    auth.explain(&parts_of(authorization)).await
}

#[track_caller]
fn step<'e>(explanation: &'e Explanation, name: &str) -> (StepResult, &'e str) {
    let step = explanation.steps.iter().find(|step| step.name == name);
    let step = step.unwrap_or_else(|| panic!("no step {name}: {explanation}"));
    (step.result, &step.text)
}

#[tokio::test]
async fn the_steps_say_what_was_looked_at() {
    let world = World::warm().await;
    let good = explained(&world.auth, format!("Bearer {}", world.token().sign())).await;
    assert_eq!(good.verdict, Verdict::LetIn);
    for name in [
        "edge",
        "credential",
        "form",
        "issuer",
        "type",
        "claims",
        "signature",
        "organization",
        "binding",
        "revocation",
        "policy",
        "network",
        "scopes",
        "directory",
        "session",
        "operation",
    ] {
        assert_eq!(step(&good, name).0, StepResult::Passed, "{name}: {good}");
    }
    assert!(step(&good, "policy").1.contains("no policies"), "{good}");
    assert!(
        step(&good, "directory").1.contains("no directory"),
        "{good}"
    );
    assert!(step(&good, "party").1.contains("alice"), "{good}");
    assert!(good.to_string().ends_with("VERDICT: let in"), "{good}");

    let token = world.token().expires_in(-600).sign();
    let old = explained(&world.auth, format!("Bearer {token}")).await;
    assert_eq!(old.decided_by, Some("claims"));
    let (result, text) = step(&old, "claims");
    assert_eq!(result, StepResult::Failed);
    assert!(text.starts_with("expired: "), "{text}");
    assert!(text.contains("exp 2027-01-15T07:50:00Z"), "{text}");
    assert!(text.contains(R), "{text}");
    assert_eq!(step(&old, "policy").0, StepResult::NotReached);
    assert_eq!(step(&old, "issuer").0, StepResult::Passed);
    assert_eq!(old.who_can_fix_it, Some("client: refresh"));
    assert!(old.to_string().contains("who can fix it: client: refresh"));

    let token = world
        .token()
        .claim("iss", "https://evil.example/\u{1b}[2J")
        .sign();
    let strange = explained(&world.auth, format!("Bearer {token}")).await;
    let (_, text) = step(&strange, "issuer");
    assert!(text.contains(r"https://evil.example/\u{1b}[2J"), "{text}");
    assert!(
        text.contains("trusted here: https://auth.example.com/t1"),
        "{text}"
    );
    let json = serde_json::to_value(&strange).unwrap();
    assert_eq!(json["verdict"], "refused");
    assert_eq!(json["reason"], "unknown_issuer");
    assert_eq!(json["status"], 401);
    assert_eq!(
        json["steps"][0],
        json!({
            "name": "edge", "result": "passed", "text": "Origin and Host are listed, or absent",
        })
    );
    assert_eq!(json.get("rule"), None);

    let (parts, ()) = post().body(()).unwrap().into_parts();
    let nobody = world.auth.explain(&parts).await;
    assert_eq!(nobody.decided_by, Some("credential"));
    assert_eq!(step(&nobody, "operation").0, StepResult::NotReached);
}

#[tokio::test]
async fn the_message_decides_where_there_are_tool_rules() {
    let rules = || {
        ToolRules::new()
            .tool("read", ["read:issues"])
            .public_method("ping")
    };
    let world = World::cold()
        .rebuilt(|builder| builder.tools(rules()))
        .warmed()
        .await;
    let parts = |authorization: Option<String>| {
        let request = post().header("content-type", "application/json");
        let request = match authorization {
            Some(line) => request.header("authorization", line),
            None => request,
        };
        request.body(()).unwrap().into_parts().0
    };
    let call = |method: &str| {
        let message =
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "write"}});
        message.to_string().into_bytes()
    };
    let alice = parts(Some(format!("Bearer {}", world.token().sign())));
    let open = world.auth.explain(&alice).await;
    assert_eq!(open.verdict, Verdict::DependsOnMessage);
    assert_eq!(open.status, None);
    let refused = world
        .auth
        .explain_message(&alice, &call("tools/call"))
        .await;
    assert_eq!(refused.decided_by, Some("operation"), "{refused}");
    assert_eq!(step(&refused, "party").0, StepResult::Fact);

    let nobody = parts(None);
    let open = world.auth.explain(&nobody).await;
    assert_eq!(open.verdict, Verdict::DependsOnMessage, "{open}");
    assert_eq!(step(&open, "credential").0, StepResult::Fact);
    let ping = world.auth.explain_message(&nobody, &call("ping")).await;
    assert_eq!(ping.verdict, Verdict::LetIn, "{ping}");
    let refused = world
        .auth
        .explain_message(&nobody, &call("tools/call"))
        .await;
    assert_eq!(refused.decided_by, Some("credential"), "{refused}");
    assert_eq!(refused.reason.unwrap().code(), "missing_credential");
}

/// Whoever explains bad tokens a hundred times is not slowed down for it, and good ones are not used.
// also: BAS-7, T27
#[tokio::test]
async fn edge_06_an_explanation_leaves_nothing_behind() {
    let world = TokenWorld::new().await;
    let unknown = stranger(NewToken::personal("acme", "ada", ADA)).await;
    let another = basic("bob@acme.example", &world.acme_user);
    for _ in 0..40 {
        for (bad, note) in [
            (format!("Bearer {}", damaged(&world.acme_key)), "checksum"),
            (basic(ADA, &unknown), "Unknown"),
            (another.clone(), "WrongEmail"),
            ("Basic %%%".to_owned(), "not_base64"),
        ] {
            let explanation = explained(&world.auth, &bad).await;
            assert_eq!(explanation.decided_by, Some("api_token"), "{explanation}");
            assert_eq!(explanation.status, Some(401), "{explanation}");
            let known = explanation.note.as_deref().unwrap();
            assert!(known.contains(note), "{known}");
            assert!(!explanation.to_string().contains('@'), "{explanation}");
            assert_eq!(step(&explanation, "credential").0, StepResult::Passed);
            assert_clean(&explanation, &parts_of(&bad));
        }
    }
    let good = bearer(&world.acme_key);
    let explanation = explained(&world.auth, &good).await;
    assert_eq!(explanation.verdict, Verdict::LetIn, "{explanation}");
    let id = world.acme_key.record.id();
    assert!(step(&explanation, "api_token").1.contains(id.as_str()));
    assert!(
        step(&explanation, "policy")
            .1
            .contains("the policy of acme, version 1")
    );
    assert_eq!(world.auth.verified_tokens(), 0);
    assert_eq!(world.store.notes.calls(), 0);
    let records = world.audit.take();
    assert_eq!(records.len(), 161);
    let only = |record: &AuditRecord| record.event == AuditEvent::AuthExplained;
    assert!(records.iter().all(only), "{records:?}");
    let last = records.last().unwrap();
    assert!(last.principal.is_some() && last.target.is_some());
    // Nothing of it stands in the way of those who come then.
    world.robot().await.assert_let_in();
    world.ada().await.assert_let_in();
}

#[tokio::test]
async fn edge_06_the_throttled_and_outages_are_explained_as_such() {
    let world = TokenWorld::new().await;
    for _ in 0..30 {
        world.present("Basic %%%").await;
    }
    let explanation = explained(&world.auth, bearer(&world.acme_key)).await;
    assert_eq!(explanation.reason.unwrap().code(), "too_many_failures");
    assert_eq!(explanation.status, Some(429));
    assert_eq!(explanation.decided_by, Some("api_token"));

    let world = TokenWorld::new().await;
    world.store.faults.set(Mood::Down);
    let explanation = explained(&world.auth, bearer(&world.acme_key)).await;
    assert_eq!(explanation.status, Some(503), "{explanation}");
    assert!(explanation.cause.unwrap().contains("db.internal"));
    world.store.faults.set(Mood::Well);
    world.policies.faults.set(Mood::Panics);
    world.clock.advance(std::time::Duration::from_secs(5));
    let explanation = explained(&world.auth, bearer(&world.acme_key)).await;
    assert_eq!(explanation.decided_by, Some("policy"), "{explanation}");
    assert_eq!(explanation.status, Some(503), "{explanation}");
}

#[tokio::test]
async fn a_rule_of_a_policy_is_named_with_who_can_change_it() {
    let world = TokenWorld::new().await;
    let explanation = explained(&world.auth, bearer(&world.globex_key)).await;
    assert_eq!(explanation.reason.unwrap().code(), "method_disabled");
    assert_eq!(explanation.decided_by, Some("policy"));
    assert_eq!(
        explanation.rule.as_deref(),
        Some("allow_service_account_keys")
    );
    assert!(explanation.who_can_fix_it.unwrap().contains("admin"));
    let (_, text) = step(&explanation, "policy");
    assert!(text.contains("the policy of globex, version 0"), "{text}");
    assert!(text.contains("address is not known"), "{text}");
}

/// A proof that was only explained is good for one request, and then no more.
#[cfg(feature = "dpop")]
#[tokio::test]
async fn dpop_09_an_explanation_uses_no_proof_up() {
    use tower_mcp_auth::clock::Clock;
    use tower_mcp_auth::dpop::Dpop;
    use tower_mcp_auth::testing::DpopKey;

    let world = World::cold().rebuilt(|builder| builder.dpop(Dpop::new()));
    let world = world.warmed().await;
    let key = DpopKey::generate();
    let token = world.token().dpop_key(&key).sign();
    let proof = key.proof("POST", R, &token).at(world.clock.now()).sign();
    let request = || {
        let request = post().header("authorization", format!("DPoP {token}"));
        request.header("dpop", &proof)
    };
    let (parts, ()) = request().body(()).unwrap().into_parts();
    for _ in 0..3 {
        let explanation = world.auth.explain(&parts).await;
        assert_eq!(explanation.verdict, Verdict::LetIn, "{explanation}");
        assert_eq!(step(&explanation, "proof").0, StepResult::Passed);
        assert!(step(&explanation, "binding").1.contains("has shown"));
        assert_clean(&explanation, &parts);
    }
    world.send(request()).await.assert_let_in();
    let explanation = world.auth.explain(&parts).await;
    assert_eq!(explanation.reason.unwrap().code(), "dpop_replayed");
    assert_eq!(explanation.decided_by, Some("proof"));
    assert_eq!(world.send(request()).await.code(), "dpop_replayed");
}

#[tokio::test]
async fn opq_01_an_opaque_token_is_explained_by_what_its_issuer_says() {
    let clock = ManualClock::at(NOW);
    let issuer = TestIssuer::builder().url(I).clock(clock.clone());
    let issuer = issuer.client("mcp", "introspecting").in_process();
    let asking = Introspection::new().client_secret_basic("mcp", "introspecting");
    let auth = Authenticator::builder(described(Issuer::new(I).introspection(asking)))
        .clock(clock)
        .fetch(issuer.fetch())
        .build()
        .unwrap();
    let token = issuer.token(R).opaque();
    let line = format!("Bearer {token}");
    let explanation = explained(&auth, &line).await;
    assert_eq!(explanation.verdict, Verdict::LetIn, "{explanation}");
    for name in ["introspection", "claims", "revocation"] {
        assert_eq!(step(&explanation, name).0, StepResult::Passed, "{name}");
    }
    assert!(explanation.steps.iter().all(|step| step.name != "form"));
    assert_clean(&explanation, &parts_of(&line));
    issuer.answer_introspection("application/json", r#"{"active":false}"#);
    auth.handle().flush();
    let explanation = explained(&auth, &line).await;
    assert_eq!(explanation.reason.unwrap().code(), "inactive_token");
    assert_eq!(explanation.decided_by, Some("introspection"));
}
