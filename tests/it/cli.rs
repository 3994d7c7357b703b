//! The program `mcp-auth`, run as people run it, on an SQLite file of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower_mcp_auth::testing::TestIssuer;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A folder with a database and peppers, gone when dropped.
struct Place(PathBuf);

/// What a run left behind.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Place {
    /// A folder with nothing in it.
    fn empty() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcp-auth-cli-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Of a process that was killed, and had the same number.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// A migrated database and a pepper.
    fn ready() -> Self {
        let place = Self::empty();
        place.done(&["migrate"]);
        let pepper = place.done(&["pepper", "new", "--id", "first"]);
        place.write("peppers", &pepper.out);
        place
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = self.file(name);
        std::fs::write(&file, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&file, private).unwrap();
        }
        file
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MCP_AUTH")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(&self.0)
            .env("USER", "tester")
            .env(
                "MCP_AUTH_DATABASE_URL",
                format!("sqlite:{}", self.file("a.db")),
            );
        if self.0.join("peppers").exists() {
            command.env("MCP_AUTH_PEPPER_FILE", self.file("peppers"));
        }
        command
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> Ran {
        ended(self.command(arguments), stdin)
    }

    /// Runs what has to succeed.
    fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments, "");
        assert_eq!(ran.code, 0, "{arguments:?}: {} {}", ran.out, ran.err);
        ran
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let ran = self.done(&all);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }

    /// A service account's key, and its id.
    fn key(&self) -> (String, String) {
        let issue = [
            "token",
            "issue",
            "service-account",
            "--org",
            "acme",
            "--owner",
            "ci",
        ];
        let issue = [&issue[..], &["--scope", "read:issues"]].concat();
        let secret = self.done(&issue).out.trim_end().to_owned();
        let id = id_of(&secret);
        (secret, id)
    }
}

fn ended(mut command: Command, stdin: &str) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn id_of(secret: &str) -> String {
    secret.split('_').nth(1).unwrap().to_owned()
}

/// No twelve characters in a row of `secret` stand in what was printed.
fn assert_hidden(secret: &str, ran: &Ran) {
    let pieces: Vec<_> = secret.as_bytes().windows(12).collect();
    assert!(!pieces.is_empty(), "nothing to hide");
    for piece in pieces {
        let piece = std::str::from_utf8(piece).unwrap();
        assert!(
            !ran.out.contains(piece) && !ran.err.contains(piece),
            "{piece} in {} {}",
            ran.out,
            ran.err
        );
    }
}

fn verdict(ran: &Ran) -> &str {
    ran.out.lines().last().unwrap_or_default()
}

#[test]
fn the_life_of_a_token() {
    let place = Place::ready();
    let ran = place.run(&["migrate", "--check"], "");
    assert!(ran.code == 0 && ran.out.contains("current"), "{}", ran.out);
    let (secret, id) = place.key();
    let hidden = secret.rsplit('_').next().unwrap();

    // Not before its organization says so, and the way there is printed.
    let ran = place.run(&["explain"], &secret);
    assert_eq!(
        (ran.code, verdict(&ran)),
        (3, "VERDICT: refused, 401 method_disabled")
    );
    assert!(
        ran.out
            .contains("mcp-auth policy allow-tokens acme service-account"),
        "{}",
        ran.out
    );
    place.done(&["policy", "allow-tokens", "acme", "service-account"]);

    for written in [
        secret.clone(),
        format!("Bearer {secret}\n"),
        format!("authorization:  bearer {secret}"),
    ] {
        let ran = place.run(&["explain"], &written);
        assert_eq!(
            (ran.code, verdict(&ran)),
            (0, "VERDICT: accepted"),
            "{}",
            ran.out
        );
        assert_hidden(hidden, &ran);
    }
    let listed = place.done(&["token", "list", "--org", "acme"]);
    assert!(
        listed.out.contains(&id) && listed.out.contains("active"),
        "{}",
        listed.out
    );
    let shown = place.done(&["token", "show", &id]);
    assert!(shown.out.contains("tester"), "who issued it: {}", shown.out);
    for ran in [&listed, &shown] {
        assert_hidden(hidden, ran);
    }

    let new = place.done(&["token", "roll", &id, "--overlap", "1h"]);
    let new = new.out.trim_end();
    for secret in [&*secret, new] {
        let ran = place.run(&["explain"], secret);
        assert_eq!(
            (ran.code, verdict(&ran)),
            (0, "VERDICT: accepted"),
            "{}",
            ran.out
        );
    }
    place.done(&["token", "roll", &id, "--overlap", "0s"]);
    let ran = place.run(&["explain"], new);
    assert!(
        ran.code == 3 && verdict(&ran).contains("WrongSecret"),
        "{}",
        ran.out
    );

    place.done(&["token", "revoke", &id]);
    let ran = place.run(&["explain"], &secret);
    assert!(
        ran.code == 3 && ran.out.contains("revoked since"),
        "{}",
        ran.out
    );
    assert!(
        !place
            .done(&["token", "list", "--org", "acme"])
            .out
            .contains(&id)
    );
    assert!(
        place
            .done(&["token", "list", "--org", "acme", "--all"])
            .out
            .contains("revoked")
    );
    let nobody = place.done(&["token", "list", "--org", "acme", "--owner", "nobody"]);
    let told = "There is no token of nobody in the organization acme.";
    assert!(nobody.err.contains(told), "{}", nobody.err);
    assert_eq!(
        place.run(&["token", "revoke", "AAAAAAAAAAAAAAAA"], "").code,
        3
    );
}

#[test]
fn explaining_writes_nothing() {
    let place = Place::ready();
    let (secret, id) = place.key();
    place.done(&["policy", "allow-tokens", "acme"]);
    let before = (
        place.json(&["token", "show", &id]),
        place.done(&["log"]).out.lines().count(),
    );
    assert_eq!(place.run(&["explain"], &secret).code, 0);
    let after = (
        place.json(&["token", "show", &id]),
        place.done(&["log"]).out.lines().count(),
    );
    assert_eq!(before, after);
    assert_eq!(before.0["last_used"], Value::Null);
}

#[test]
fn a_personal_token_needs_its_email() {
    let place = Place::ready();
    place.done(&["policy", "allow-tokens", "acme", "personal"]);
    let issue = [
        "token",
        "issue",
        "personal",
        "--org",
        "acme",
        "--owner",
        "u1",
        "--email",
        "ada@acme.example",
    ];
    let issued = place.json(
        &[
            &issue[..],
            &["--scope", "read:issues", "--expires-in", "30d"],
        ]
        .concat(),
    );
    let secret = issued["token"].as_str().unwrap();
    assert_eq!(issued["email"], "ada@acme.example");
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    let table = [
        (format!("ada@acme.example:{secret}"), 0, "accepted"),
        (basic(format!("ada@acme.example:{secret}")), 0, "accepted"),
        (secret.to_owned(), 0, "as far as known"),
        (format!("bob@acme.example:{secret}"), 3, "WrongEmail"),
        (format!("Bearer {secret}"), 3, "wrong_scheme_for_token"),
        (
            basic(format!("ada@acme.example:{secret}\n")),
            3,
            "trailing_newline",
        ),
        (
            format!("ada@acme.example:extra:{secret}"),
            3,
            "invalid_api_token",
        ),
    ];
    for (written, code, expected) in table {
        let ran = place.run(&["explain"], &written);
        assert_eq!(ran.code, code, "{}", ran.out);
        assert!(verdict(&ran).contains(expected), "{expected}: {}", ran.out);
        assert_hidden(secret.rsplit('_').next().unwrap(), &ran);
    }
    let ran = place.run(&["explain"], &format!("ada@acme.example:extra:{secret}"));
    assert!(ran.out.contains("two colons"), "{}", ran.out);
}

/// A JWT by the test issuer, and its key file.
struct Jwts {
    issuer: TestIssuer,
    keys: String,
}

impl Jwts {
    fn new(place: &Place) -> Self {
        let issuer = TestIssuer::builder().in_process();
        let key = issuer.public_jwk(&issuer.signing_kid());
        let keys = place.write("keys.json", &json!({ "keys": [key] }).to_string());
        Self { issuer, keys }
    }

    fn explain(&self, place: &Place, credential: &str) -> Ran {
        let arguments = [
            "--database",
            "",
            "explain",
            "--resource",
            RESOURCE,
            "--issuer",
            self.issuer.url(),
        ];
        place.run(
            &[&arguments[..], &["--jwks", &self.keys]].concat(),
            credential,
        )
    }
}

#[test]
fn every_kind_of_credential_gets_its_verdict() {
    let place = Place::empty();
    let jwts = Jwts::new(&place);
    let token = || jwts.issuer.token(RESOURCE);
    let good = token().sign();
    let (body, signature) = good.rsplit_once('.').unwrap();
    let flipped: String = signature.chars().rev().collect();
    let table = [
        (good.clone(), "accepted, as far as known", ""),
        (format!("Bearer {good}"), "accepted, as far as known", ""),
        (
            format!("Authorization: Bearer Bearer {good}"),
            "malformed_credential",
            "twice",
        ),
        (
            format!("Bearer \"{good}\""),
            "malformed_credential",
            "quotes",
        ),
        (format!("Basic {good}"), "malformed_basic", ""),
        (format!("Digest {good}"), "unsupported_scheme", ""),
        (
            format!("Authorization: Token {good}"),
            "unsupported_scheme",
            "",
        ),
        (
            token().expires_in(-600).sign(),
            "expired",
            "expired 10 min ago",
        ),
        (
            token().audience("https://other.example/mcp").sign(),
            "wrong_audience",
            "resource=",
        ),
        (
            token().audience(format!("{RESOURCE}/")).sign(),
            "wrong_audience",
            "slash",
        ),
        (
            token().claim("nonce", "n").header("typ", "JWT").sign(),
            "wrong_token_type",
            "ID token",
        ),
        (
            token().header("typ", "JWT").sign(),
            "wrong_token_type",
            "--profile",
        ),
        (
            token().claim("iss", "https://evil.example").sign(),
            "unknown_issuer",
            "evil.example",
        ),
        (
            token().header("kid", "other").sign(),
            "unknown_key",
            "the file has",
        ),
        (token().without("exp").sign(), "missing_claim", ""),
        (token().unsigned().sign(), "algorithm_not_allowed", "none"),
        (format!("{body}.{flipped}"), "401", ""),
        (
            "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ".to_owned(),
            "unrecognized_credential",
            "opaque",
        ),
        ("mcps_short".to_owned(), "invalid_api_token", ""),
        (
            "xyzs_short\nand a second line".to_owned(),
            "no header can hold it",
            "one line",
        ),
    ];
    for (credential, expected, hint) in table {
        let ran = jwts.explain(&place, &credential);
        let accepted = expected.starts_with("accepted");
        assert_eq!(
            ran.code,
            if accepted { 0 } else { 3 },
            "{expected}: {} {}",
            ran.out,
            ran.err
        );
        assert!(verdict(&ran).contains(expected), "{expected}: {}", ran.out);
        assert!(ran.out.contains(hint), "{hint}: {}", ran.out);
        if let Some((_, signature)) = credential
            .trim_matches('"')
            .rsplit_once('.')
            .filter(|(_, s)| s.len() >= 12)
        {
            assert_hidden(signature, &ran);
        }
    }
}

#[test]
fn what_is_not_known_is_not_held_against_a_token() {
    let place = Place::empty();
    let jwts = Jwts::new(&place);
    let good = jwts.issuer.token(RESOURCE).sign();
    let offline = |arguments: &[&str], credential: &str| {
        place.run(
            &[&["--database", "", "explain"], arguments].concat(),
            credential,
        )
    };
    let ran = offline(&[], &good);
    assert_eq!(ran.code, 0, "{}", ran.out);
    for missing in ["--jwks", "--resource", "--issuer", "--database"] {
        assert!(ran.out.contains(missing), "{missing}: {}", ran.out);
    }
    assert_eq!(
        offline(&["--resource", "https://other.example/"], &good).code,
        3
    );
    assert_eq!(
        offline(&["--issuer", "https://other.example"], &good).code,
        3
    );
    let bound = jwts
        .issuer
        .token(RESOURCE)
        .claim("cnf", json!({ "jkt": "x" }))
        .sign();
    assert!(verdict(&offline(&[], &bound)).contains("sender_constrained"));
    assert!(verdict(&jwts.explain(&place, &bound)).contains("sender_constrained"));
    let forged = jwts.issuer.token(RESOURCE).expires_in(-600).sign();
    assert!(verdict(&offline(&[], &forged)).contains("expired"));
}

#[test]
fn the_wrong_pepper_is_explained() {
    let place = Place::ready();
    let (secret, _) = place.key();
    place.done(&["policy", "allow-tokens", "acme"]);
    let other = place.done(&["pepper", "new", "--id", "second"]).out;
    let peppers = std::fs::read_to_string(place.file("peppers")).unwrap();
    // A new one first: it signs, and the old one still counts.
    place.write("peppers", &format!("{other}{peppers}"));
    assert_eq!(place.run(&["explain"], &secret).code, 0);
    let (_, id) = place.key();
    assert_eq!(place.json(&["token", "show", &id])["pepper"], "second");
    place.write("peppers", &other);
    let ran = place.run(&["explain"], &secret);
    assert!(
        ran.code == 3 && ran.out.contains("sealed with the pepper first"),
        "{}",
        ran.out
    );
    // The same name, another key.
    place.write("peppers", &other.replace("second", "first"));
    let ran = place.run(&["explain"], &secret);
    assert!(
        ran.code == 3 && ran.out.contains("not the one it was sealed with"),
        "{}",
        ran.out
    );
    // None at all: everything but the secret is looked at.
    std::fs::remove_file(place.file("peppers")).unwrap();
    let ran = place.run(&["explain"], &secret);
    assert!(
        ran.code == 0 && ran.out.contains("its secret (--pepper-file FILE)"),
        "{}",
        ran.out
    );
    let ran = place.run(&["token", "roll", &id], "");
    assert!(
        ran.code == 2 && ran.err.contains("mcp-auth pepper new"),
        "{}",
        ran.err
    );
    place.write("peppers", "first:tooshort\n");
    let ran = place.run(&["token", "roll", &id], "");
    assert!(
        ran.code == 1 && !ran.err.contains("tooshort"),
        "{}",
        ran.err
    );
}

#[test]
fn revocations_stand_in_the_log_and_hold() {
    let place = Place::ready();
    let (secret, _) = place.key();
    place.done(&["policy", "allow-tokens", "acme"]);
    let issuer = "https://auth.example.com/t1";
    let commands: [&[&str]; 7] = [
        &[
            "revoke",
            "user",
            "u1",
            "--org",
            "acme",
            "--reason",
            "left\u{1b}[2J the company",
        ],
        &["revoke", "client", "ide", "--issuer", issuer],
        &["revoke", "principal", "u1", "--issuer", issuer],
        &["revoke", "key", "k1", "--issuer", issuer],
        &["revoke", "issuer", issuer],
        &["revoke", "token", "jti-1", "--issuer", issuer],
        &["revoke", "organization", "acme"],
    ];
    for (number, command) in (2_u64..).zip(commands) {
        assert_eq!(place.json(command)["sequence"], number, "{command:?}");
    }
    let log = place.done(&["log"]);
    assert!(
        !log.out.contains('\u{1b}') && log.out.contains(r"\u{1b}[2J"),
        "{}",
        log.out
    );
    let lines = place.done(&["log", "--json", "--since", "1"]).out;
    let kinds: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["entry"]["kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "user",
            "client",
            "principal",
            "key",
            "issuer",
            "token",
            "organization"
        ]
    );
    let ran = place.run(&["explain"], &secret);
    assert!(
        ran.code == 3 && verdict(&ran).contains("revoked"),
        "{}",
        ran.out
    );
}

#[test]
fn a_policy_with_three_mistakes_has_three_messages() {
    let place = Place::ready();
    let wrong = r#"{ "netwroks": [], "networks": ["nonsense"], "max_token_age": 5 }"#;
    let ran = place.run(&["--json", "policy", "set", "acme", "-"], wrong);
    assert_eq!(ran.code, 1);
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(
        error["error"]["why"].as_array().unwrap().len(),
        3,
        "{error}"
    );
    assert_eq!(place.json(&["policy", "list"])["policies"], json!([]));

    let right = r#"{ "allow_personal_tokens": true, "networks": ["203.0.113.0/24"], "max_token_lifetime": 86400 }"#;
    assert_eq!(place.run(&["policy", "set", "acme", "-"], right).code, 0);
    let shown = place.json(&["policy", "show", "acme"]);
    assert_eq!(
        (&shown["version"], &shown["allow_personal_tokens"]),
        (&json!(1), &json!(true))
    );
    place.done(&["policy", "forbid-tokens", "acme"]);
    // What was shown before somebody else's change is not put over it.
    let ran = place.run(&["policy", "set", "acme", "-"], &shown.to_string());
    assert!(
        ran.code == 1 && ran.err.contains("version 2"),
        "{}",
        ran.err
    );
    let history = place.json(&["policy", "history", "acme"]);
    let revisions = history["revisions"].as_array().unwrap();
    assert_eq!(
        (revisions.len(), &revisions[0]["author"]),
        (2, &json!("tester"))
    );
    let table = place
        .done(&["--by", "admin", "policy", "history", "acme"])
        .out;
    assert!(
        table.contains("allow_personal_tokens"),
        "what changed: {table}"
    );

    // The organization's longest life is kept, as default and as limit.
    let issue = [
        "token",
        "issue",
        "service-account",
        "--org",
        "acme",
        "--owner",
        "ci",
        "--scope",
        "read:issues",
    ];
    assert_eq!(place.run(&issue, "").code, 0);
    let ran = place.run(&[&issue[..], &["--expires-in", "2d"]].concat(), "");
    assert!(ran.code == 1 && ran.err.contains("86400 s"), "{}", ran.err);
}

#[test]
fn networks_count_where_the_address_is_known() {
    let place = Place::ready();
    let (secret, _) = place.key();
    let rules = r#"{ "allow_service_account_keys": true, "networks": ["203.0.113.0/24"] }"#;
    assert_eq!(place.run(&["policy", "set", "acme", "-"], rules).code, 0);
    let unknown = place.run(&["explain"], &secret);
    assert!(
        unknown.code == 0 && unknown.out.contains("--from"),
        "{}",
        unknown.out
    );
    assert_eq!(
        place
            .run(&["explain", "--from", "203.0.113.7"], &secret)
            .code,
        0
    );
    let ran = place.run(&["explain", "--from", "198.51.100.1"], &secret);
    assert!(
        ran.code == 3 && verdict(&ran).contains("network_not_allowed"),
        "{}",
        ran.out
    );
}

#[test]
fn leaked_tokens_and_owners_that_left() {
    let place = Place::ready();
    let (secret, id) = place.key();
    let text = format!("2026-11-23 curl -H 'Authorization: Bearer {secret}' https://…");
    let ran = place.run(&["token", "revoke-leaked"], &text);
    assert!(
        ran.code == 0 && ran.out.contains(&id) && ran.out.contains("revoked"),
        "{}",
        ran.out
    );
    assert_hidden(secret.rsplit('_').next().unwrap(), &ran);
    let (_, id) = place.key();
    let owner = ["token", "owner-active", "--org", "acme", "--owner", "ci"];
    place.done(&[&owner[..], &["false"]].concat());
    assert_eq!(
        place.json(&["token", "show", &id])["state"],
        "owner inactive"
    );
    place.done(&[&owner[..], &["true"]].concat());
    assert_eq!(place.json(&["token", "show", &id])["state"], "active");
}

#[test]
fn every_usage_error_names_the_remedy() {
    let place = Place::ready();
    let unnamed = ended(
        {
            let mut command = place.command(&["token", "list", "--org", "acme"]);
            command.env_remove("MCP_AUTH_DATABASE_URL");
            command
        },
        "",
    );
    assert!(
        unnamed.code == 2 && unnamed.err.contains("sqlite:mcp-auth.db"),
        "{}",
        unnamed.err
    );
    let table: [(&[&str], &str); 9] = [
        (&["tokne"], "token"),
        (&["token", "list"], "--org"),
        (&["token", "show", "too-short"], "16 letters"),
        (
            &["token", "roll", "AAAAAAAAAAAAAAAA", "--overlap", "30"],
            "unit",
        ),
        (&["explain", "no-such-file"], "pipe"),
        (&["explain", "Bearer", "mcps_x"], "pipe"),
        (&["audit", "--event", "auth.bad"], "auth.fail"),
        (&["audit", "--since", "yesterday"], "2h"),
        (
            &["token", "list", "--org", "acme", "--brand", "X"],
            "lower-case",
        ),
    ];
    for (arguments, remedy) in table {
        let ran = place.run(arguments, "");
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{arguments:?}: {}",
            ran.err
        );
        assert!(
            ran.err.contains(remedy) && ran.err.contains("do:"),
            "{arguments:?}: {}",
            ran.err
        );
        let ran = place.run(&[&["--json"], arguments].concat(), "");
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        assert!(ran.code == 2 && error["error"]["do"].is_string(), "{error}");
    }
    let missing = place.run(
        &[
            "--database",
            "sqlite:none.db",
            "token",
            "list",
            "--org",
            "acme",
        ],
        "",
    );
    assert!(
        missing.code == 1 && missing.err.contains("mcp-auth migrate"),
        "{}",
        missing.err
    );
    let help = place.run(&["help"], "");
    assert!(
        help.code == 0 && help.out.contains("explain"),
        "{}",
        help.out
    );
}

#[test]
fn a_credential_in_the_arguments_is_not_repeated() {
    let place = Place::ready();
    let (secret, _) = place.key();
    let hidden = secret.rsplit('_').next().unwrap();
    let commands: [&[&str]; 4] = [
        &["explain", &secret],
        &["explain", "Bearer", &secret],
        &["token", "revoke", &secret],
        &["token", "show", &secret],
    ];
    for command in commands {
        let ran = place.run(command, "");
        assert_eq!(ran.code, 2, "{command:?}");
        assert_hidden(hidden, &ran);
    }
}

#[test]
fn names_cannot_move_the_cursor() {
    let place = Place::ready();
    let issue = [
        "token",
        "issue",
        "service-account",
        "--org",
        "acme",
        "--owner",
        "ci",
        "--scope",
        "read:issues",
    ];
    place.done(&[&issue[..], &["--name", "a\u{202e}b\u{200b}c"]].concat());
    let listed = place.done(&["token", "list", "--org", "acme"]).out;
    assert!(
        listed.contains(r"a\u{202e}b\u{200b}c") && !listed.contains('\u{202e}'),
        "{listed}"
    );
    let shown = place.json(&["token", "list", "--org", "acme"]);
    assert_eq!(shown["tokens"][0]["name"], "a\u{202e}b\u{200b}c");
    assert!(
        !place
            .done(&["--json", "token", "list", "--org", "acme"])
            .out
            .contains('\u{202e}')
    );
    let jwt = TestIssuer::builder()
        .in_process()
        .token(RESOURCE)
        .subject("x\u{202e}y\u{9b}2J")
        .sign();
    let ran = place.run(&["explain"], &jwt);
    assert!(ran.out.contains(r"x\u{202e}y\u{9b}2J"), "{}", ran.out);
}

#[test]
fn audit_records_as_a_table() {
    let place = Place::empty();
    let lines = concat!(
        r#"{"v":1,"ts":"2026-11-23T08:00:00Z","seq":1,"event":"auth.fail","outcome":"refused","reason":"expired","status":401,"organization":"acme","target":{"resource":"r","method":"POST","path":"/mcp"},"net":{"client":"192.0.2.1","via_trusted_proxy":false}}"#,
        "\nnot a record\n\n",
        r#"{"v":1,"ts":"2026-11-23T09:00:00Z","seq":2,"event":"auth.ok","outcome":"allowed","organization":"other","principal":{"kind":"user","issuer":"i","subject":"ada\u001b[2J"},"target":{"resource":"r","method":"POST","path":"/mcp","mcp_method":"tools/call","mcp_name":"search"}}"#,
    );
    let file = place.write("audit.jsonl", lines);
    let ran = place.run(&["audit", &file], "");
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{}", ran.out);
    assert!(
        ran.err.contains("line 2 ") && !ran.out.contains('\u{1b}'),
        "{} {}",
        ran.out,
        ran.err
    );
    assert!(
        ran.out.contains("tools/call search") && ran.out.contains("POST /mcp"),
        "{}",
        ran.out
    );
    let table: [(&[&str], &[u64]); 6] = [
        (&["--org", "acme"], &[1]),
        (&["--event", "auth"], &[1, 2]),
        (&["--event", "auth.ok"], &[2]),
        (&["--reason", "expired"], &[1]),
        (&["--since", "2026-11-23T08:30:00Z"], &[2]),
        (&["--org", "acme", "--event", "auth.ok"], &[]),
    ];
    for (filter, expected) in table {
        let ran = place.run(&[&["--json", "audit", "-"], filter].concat(), lines);
        let numbers: Vec<_> = ran
            .out
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["seq"]
                    .as_u64()
                    .unwrap()
            })
            .collect();
        assert_eq!(numbers, expected, "{filter:?}");
    }
}

#[test]
fn json_of_every_command_parses() {
    let place = Place::ready();
    let (secret, id) = place.key();
    place.done(&["policy", "allow-tokens", "acme"]);
    let commands: [&[&str]; 10] = [
        &["migrate"],
        &["migrate", "--check"],
        &["pepper", "new"],
        &["token", "show", &id],
        &["token", "list", "--org", "acme"],
        &["token", "roll", &id],
        &["policy", "show", "acme"],
        &["policy", "history", "acme"],
        &["policy", "list"],
        &["token", "revoke", &id],
    ];
    for command in commands {
        assert!(place.json(command).is_object(), "{command:?}");
    }
    let ran = place.run(&["--json", "explain"], &secret);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&report["verdict"], &report["reason"], &report["status"]),
        (&json!("refused"), &json!("invalid_api_token"), &json!(401))
    );
    assert_eq!(ran.code, 3);
}
