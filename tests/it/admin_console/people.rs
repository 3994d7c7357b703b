//! Who gets in, what they see of others, and what other people's pages can do.

use http::StatusCode;
use reqwest::Method;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::PolicyStore;

use super::console::args::{Options, parse};
use super::{Answer, Browser, Console};

/// Of a form.
type Fields<'f> = &'f [(&'f str, &'f str)];

async fn version(console: &Console, organization: &str) -> u64 {
    let organization = OrganizationId::new(organization).unwrap();
    let store = &console.running.desk.store;
    store.load(&organization).await.unwrap().unwrap().version()
}

#[tokio::test]
async fn an_administrator_logs_in_and_out() {
    let console = Console::start().await;
    let mut alice = Browser::new(console.origin());
    let welcome = alice.get("/").await;
    assert_eq!(welcome.status, StatusCode::OK);
    welcome.says("Sign in");
    for place in ["/networks", "/clients", "/permissions", "/tokens", "/audit"] {
        assert_eq!(alice.get(place).await.location(), "/", "{place}");
    }

    let entered = alice.log_in("alice").await;
    let cookies: Vec<_> = entered.headers.get_all("set-cookie").iter().collect();
    let session = cookies[0].to_str().unwrap();
    assert!(session.starts_with("console="), "{session}");
    assert!(
        session.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{session}"
    );
    let home = alice.get("/").await;
    home.says("<strong>alice</strong>");
    home.says("<strong>acme</strong>");

    let kept = alice.cookies.clone();
    let out = alice.post("/", "/logout", &[]).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    // Whoever has copied the cookie is out as well.
    alice.cookies = kept;
    alice.get("/").await.says("Sign in");
}

#[tokio::test]
async fn who_is_no_administrator_is_told_so() {
    let console = Console::start().await;
    let mut adam = Browser::new(console.origin());
    let refused = adam.log_in("adam").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.says("You are adam of acme, and acme has not made you an administrator.");
    assert!(!adam.cookies.keys().any(|(_, name)| name == "console"));
    assert_eq!(adam.get("/tokens").await.location(), "/");
    // Those who administer see that he was there.
    let audit = console.admin("alice").await.get("/audit").await;
    audit.says("Tried to open this console");
    audit.says("Only administrators may.");
}

#[tokio::test]
async fn a_revoked_person_is_out_at_once() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    alice.get("/tokens").await.says("API tokens");
    let issuer = console.running.issuer.url();
    let handle = console.running.desk.auth.handle();
    handle.revoke_issuer(issuer).await.unwrap();
    assert_eq!(alice.get("/tokens").await.location(), "/");
}

#[tokio::test]
async fn a_login_belongs_to_the_browser_that_began_it() {
    let console = Console::start().await;
    let mut mallory = Browser::new(console.origin());
    let to = mallory.get("/login").await;
    let consent = mallory.get(to.location()).await;
    let request = consent.field("request").to_owned();
    let form = [
        ("request", &*request),
        ("user", "gina"),
        ("decision", "allow"),
    ];
    let place = to.location().to_owned();
    let back = mallory.send(Method::POST, &place, Some(&form), None).await;

    let mut victim = Browser::new(console.origin());
    let answer = victim.get(back.location()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.says("begun in another browser");
    assert!(victim.cookies.is_empty());
    // The same with a login of the victim's own under way.
    victim.get("/login").await;
    let answer = victim.get(back.location()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);

    // An answer of another issuer, and one that was used already.
    let mixed = back.location().replace("iss=http", "iss=https");
    assert_eq!(mallory.get(&mixed).await.status, StatusCode::BAD_REQUEST);
    let spent = mallory.get(back.location()).await;
    assert_eq!(spent.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn forms_of_other_pages_change_nothing() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let mut gina = console.admin("gina").await;
    let before = version(&console, "acme").await;
    let page = alice.get("/").await;
    let (csrf, seen) = (
        page.field("csrf").to_owned(),
        page.field("version").to_owned(),
    );
    let foreign = gina.get("/").await.field("csrf").to_owned();
    let own = console.origin().to_owned();
    let good = [("csrf", &*csrf), ("version", &*seen), ("personal", "on")];
    let forms: [(Fields<'_>, Option<&str>); 5] = [
        (&good, None),
        (&good, Some("null")),
        (&good, Some("https://evil.example")),
        (&good[1..], Some(&own)),
        (&[("csrf", &*foreign), good[1], good[2]], Some(&own)),
    ];
    for (form, origin) in forms {
        let answer = alice
            .send(Method::POST, "/access", Some(form), origin)
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form:?} {origin:?}");
        answer.says("Nothing was changed");
    }
    for place in ["/access", "/logout", "/tokens/0000000000000000/revoke"] {
        let answer = alice.get(place).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{place}");
    }
    assert_eq!(version(&console, "acme").await, before);
    // Signed out, the same form is answered with a page and not carried out later.
    let mut nobody = Browser::new(console.origin());
    let answer = nobody.submit("/access", &good).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        alice.submit("/access", &good).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(version(&console, "acme").await, before + 1);
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    for place in [
        "/",
        "/tokens/new",
        "/audit",
        "/nowhere",
        "/console.css",
        "/login",
    ] {
        let answer = alice.get(place).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{place}");
        assert!(!policy.contains("unsafe"), "{place}");
        assert!(policy.contains("frame-ancestors 'none'"), "{place}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        if place != "/console.css" {
            assert_eq!(answer.header("cache-control"), "no-store", "{place}");
        }
        inline(&answer);
    }
    // A name that somebody made point here.
    let request = alice
        .http
        .get(console.origin())
        .header("host", "evil.example");
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

/// Nothing that the policy would have to allow.
fn inline(answer: &Answer) {
    for mark in ["<style", " style=", " onclick=", "javascript:"] {
        assert!(!answer.text.contains(mark), "{mark}");
    }
    let scripts = answer.text.matches("<script").count();
    let ours = answer
        .text
        .matches("<script src=\"/console.js\" defer></script>")
        .count();
    assert_eq!(scripts, ours);
}

#[tokio::test]
async fn words_of_strangers_stay_words() {
    let console = Console::start().await;
    let mut alice = console.admin("alice").await;
    let bad = "\"><script>alert(1)</script>";
    let answer = alice
        .post("/networks", "/networks", &[("network", bad)])
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    inline(&answer);
    let form = [
        ("kind", "service_account"),
        ("account", bad),
        ("name", bad),
        ("days", "7"),
    ];
    let form = [&form[..], &[("scope", "read:issues")]].concat();
    let answer = alice.post("/tokens/new", "/tokens", &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    for place in [answer.location(), "/tokens", "/audit"] {
        let page = alice.get(place).await;
        page.says("alert(1)");
        inline(&page);
    }
}

#[tokio::test]
async fn what_was_changed_outlives_the_program() {
    let console = Console::start().await;
    let guide = console.running.guide();
    assert!(guide.contains(console.origin()), "{guide}");
    let mut alice = console.admin("alice").await;
    alice.post("/", "/access", &[("personal", "on")]).await;
    let console = console.again().await;
    assert_eq!(version(&console, "acme").await, 5);
    // Nobody stays signed in, whatever cookie they bring.
    alice.origin = console.origin().to_owned();
    alice.get("/").await.says("Sign in");
}

#[test]
fn the_command_line_is_read() {
    let read = |line: &str| parse(line.split_whitespace().map(str::to_owned));
    let options = Options {
        port: 0,
        at: Some(5),
        quiet: true,
        ..Options::default()
    };
    assert_eq!(read("--port 0 --at=5 --quiet"), Ok(Some(options)));
    assert_eq!(read("--port 1 --help"), Ok(None));
    for line in ["--prot 1", "--port", "--port 65536", "--at soon", "--data="] {
        assert!(read(line).is_err(), "{line}");
    }
}
