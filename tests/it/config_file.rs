//! Configurations from files and the environment: what they mean, and what they say when they are wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};
use tower_mcp_auth::ConfigError;
use tower_mcp_auth::config::Config;

const CANARY: &str = "hunter2canary";

const SMALL: &str = r#"
[resource]
identifier = "https://mcp.example.com/mcp"
[[issuers]]
identifier = "https://auth.example.com/t1"
"#;

/// A folder of its own, gone when dropped.
pub struct Place(PathBuf);

impl Place {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcp-auth-config-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Of a process that was killed, and had the same number.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let file = self.file(name);
        std::fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn with(more: &str) -> Config {
    Config::from_toml(&format!("{SMALL}{more}")).unwrap()
}

fn error(toml: &str) -> ConfigError {
    Config::from_toml(toml)
        .and_then(|config| config.check())
        .unwrap_err()
}

fn told(error: &ConfigError) -> Vec<(&str, &str, &str)> {
    let problems = error.problems().iter();
    problems
        .map(|one| (one.field.as_str(), one.value.as_str(), one.remedy.as_str()))
        .collect()
}

/// That these are all problems: path, value, a part of the remedy.
fn assert_told(error: &ConfigError, expected: &[(&str, &str, &str)]) {
    let told = told(error);
    for (path, value, remedy) in expected {
        let found = told.iter().any(|(field, shown, advice)| {
            field == path && shown == value && advice.contains(remedy)
        });
        assert!(found, "{path} = {value:?}: …{remedy}… is not in {error}");
    }
    assert_eq!(told.len(), expected.len(), "{error}");
}

#[test]
fn t38_a_remedy_names_everything_that_could_stand_there() {
    let both = "e.g. [\"one\", \"two\"]";
    for (text, path, value, remedies) in [
        // Whoever forgot the brackets is not led to switch a rule off.
        (
            "[tools.tools]\nread = 'read:issues'",
            "tools.tools.read",
            "read:issues",
            ["`always_on`; or a list of texts", both],
        ),
        (
            "[throttle]\nper_address = 'on'",
            "throttle.per_address",
            "on",
            ["`off`", "; or a table"],
        ),
        (
            "[scopes]\nbaseline = 'read:issues'",
            "scopes.baseline",
            "(text)",
            ["a list of texts", both],
        ),
    ] {
        let error = error(&format!("{SMALL}{text}"));
        for remedy in remedies {
            assert_told(&error, &[(path, value, remedy)]);
        }
    }
    let one = SMALL.replace("[[issuers]]", "[issuers]");
    assert_told(&error(&one), &[("issuers", "(a table)", "[[…]]")]);
    let algorithm = format!("{SMALL}algorithms = ['HS256']");
    let all = "did you mean `RS256`? There are `RS256`, `RS384`";
    assert_told(
        &error(&algorithm),
        &[("issuers[0].algorithms[0]", "HS256", all)],
    );
    let file = format!("{SMALL}[api_tokens]\npeppers = {{ file = './none' }}");
    let error = error(&file).to_string();
    assert!(error.contains("relative name"), "{error}");
}

#[test]
fn t38_broken_toml_is_told_by_its_place_and_in_the_words_of_its_reader() {
    let error = Config::from_toml("[resource\nx = 'hunter2canary'\n").unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.starts_with("invalid configuration: line 1, column "),
        "{shown}"
    );
    assert!(
        shown.contains(": this is no TOML: unclosed table"),
        "{shown}"
    );
    assert!(
        !shown.contains(CANARY) && !shown.contains("= \"\""),
        "{shown}"
    );
}

const TEN: &str = r#"
insecure_forward_credentials = true
supported_clients = ["https://*.com/**"]

[resource]
identifier = "http://mcp.example.com/mcp"
allowed_origins = ["https://ide.example", "https://*.example"]

[[issuers]]
identifier = "https://auth.example.com/t1"
profile = "keyclock"
leeway = "1h"
algorithms = ["RS256", "HS256"]

[[issuers]]
profil = "okta"
identifier = "https://auth.example.com/t1"
jwks_uri = "nowhere"

[limits]
verified_token_bytes = "32MB"

[tools.tools]
createIssue = ["write issues"]
"#;

#[test]
fn t38_ten_mistakes_in_a_file_are_ten_messages_at_once() {
    let expected = [
        (
            "insecure_forward_credentials",
            "true",
            "did you mean `insecure_forward_credential`?",
        ),
        ("supported_clients", "https://*.com/**", ""),
        (
            "resource.identifier",
            "http://mcp.example.com/mcp",
            "use https",
        ),
        (
            "resource.allowed_origins[1]",
            "https://*.example",
            "no wildcard",
        ),
        ("issuers[0].profile", "keyclock", "did you mean `keycloak`?"),
        ("issuers[0].leeway", "1h", "0s to 5m"),
        ("issuers[0].algorithms[1]", "HS256", "did you mean `"),
        ("issuers[1].profil", "(text)", "did you mean `profile`?"),
        ("issuers[1].jwks_uri", "nowhere", "not a URL"),
        (
            "issuers[1].identifier",
            "https://auth.example.com/t1",
            "listed twice",
        ),
        ("limits.verified_token_bytes", "32MB", "MiB"),
        ("tools.tools.createIssue.scopes", "write issues", ""),
    ];
    assert_told(&error(TEN), &expected);
    // As JSON and YAML the same.
    let value: Value = toml::from_str(TEN).unwrap();
    let text = value.to_string();
    assert_told(
        &Config::from_json(&text).unwrap().check().unwrap_err(),
        &expected,
    );
    assert_told(
        &Config::from_yaml(&text).unwrap().check().unwrap_err(),
        &expected,
    );
}

#[test]
fn t38_the_same_words_mean_the_same_in_every_language() {
    let yaml = "resource: { identifier: 'https://mcp.example.com/mcp' }\nissuers:\n  - identifier: https://auth.example.com/t1\n    leeway: 10s\nstreams: {close: false}\n";
    let json = r#"{ "$schema": "x", "resource": { "identifier": "https://mcp.example.com/mcp" },
        "issuers": [{ "identifier": "https://auth.example.com/t1", "leeway": "10s" }], "streams": { "close": false } }"#;
    let toml = format!("{SMALL}leeway = \"10s\"\n[streams]\nclose = false\n");
    let place = Place::new();
    for (extension, text) in [
        ("yaml", yaml),
        ("yml", yaml),
        ("json", json),
        ("toml", &toml),
    ] {
        let file = place.write(&format!("mcp-auth.{extension}"), text);
        let auth = Config::from_file(&file)
            .unwrap()
            .settings()
            .unwrap()
            .build()
            .unwrap();
        assert_eq!(
            auth.resource().identifier(),
            "https://mcp.example.com/mcp",
            "{extension}"
        );
    }
    for (name, advice) in [("none.toml", "cannot be read"), ("x.ini", ".toml, .yaml")] {
        let error = Config::from_file(place.file(name)).unwrap_err();
        assert!(error.to_string().contains(advice), "{error}");
    }
    let bytes = place.file("bytes.json");
    std::fs::write(&bytes, [0xff, 0xfe]).unwrap();
    assert!(
        Config::from_file(bytes)
            .unwrap_err()
            .to_string()
            .contains("UTF-8")
    );
}

#[test]
fn t38_a_name_that_comes_twice_is_a_mistake_in_every_language() {
    let json = r#"{"resource": {"identifier": "a", "identifier": "b"}, "resource": {}}"#;
    let twice = [
        ("resource.identifier", "", "twice"),
        ("resource", "", "twice"),
    ];
    assert_told(&Config::from_json(json).unwrap_err(), &twice);
    assert_told(&Config::from_yaml(json).unwrap_err(), &twice);
    let block = "resource:\n  identifier: a\n  identifier: b\nresource: {}\n";
    assert_told(&Config::from_yaml(block).unwrap_err(), &twice);
    let toml = "[resource]\nidentifier = 'a'\nidentifier = 'b'\n[streams]\n[streams]\n";
    let error = Config::from_toml(toml).unwrap_err();
    let [one, two] = told(&error)[..] else {
        panic!("{error}");
    };
    assert_eq!((one.0, two.0), ("line 3, column 1", "line 5, column 2"));
    assert!(
        one.2.contains("twice") && two.2.contains("twice"),
        "{error}"
    );
}

/// One mistake each, in what is added to a configuration without one.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("algorithms = []", "issuers[0].algorithms", "at least one"),
    ("audiences = [' ']", "issuers[0].audiences", "aud"),
    (
        "organization_claim = '/'",
        "issuers[0].organization_claim",
        "name a claim",
    ),
    (
        "profile = 'cognito'",
        "issuers[0].profile",
        "list the clients",
    ),
    (
        "profile = { name = 'okta', client_claims = [] }",
        "issuers[0].profile.client_claims",
        "without_client",
    ),
    (
        "freshness = { lifetime = '1s' }",
        "issuers[0].freshness.lifetime",
        "1m to 1h",
    ),
    (
        "freshness = { lifetime = 300 }",
        "issuers[0].freshness.lifetime",
        "with a unit",
    ),
    (
        "introspection = { client_id = 'a' }",
        "issuers[0].introspection.client_secret",
        "RFC 7662",
    ),
    (
        "introspection = { client_secret = 'a' }",
        "issuers[0].introspection.client_id",
        "this is needed: Who this server is",
    ),
    (
        "introspection = { client_id = 'a', client_secret = '' }",
        "issuers[0].introspection.client_secret",
        "empty",
    ),
    (
        "introspection = { client_id = 'a', client_secret = 'b', private_key = 'c' }",
        "issuers[0].introspection.private_key",
        "does not use it",
    ),
    (
        "introspection = { client_id = 'a', client_secret = 'b', endpoint = 'ftp://x' }",
        "issuers[0].introspection.endpoint",
        "https",
    ),
    (
        "introspection = { client_id = 'a', client_secret = 'b', token_prefixes = [''] }",
        "issuers[0].introspection.token_prefixes[0]",
        "between the quotes",
    ),
    (
        "introspection = { client_id = 'a', authentication = 'private_key_jwt', private_key = 'c' }",
        "issuers[0].introspection.private_key",
        "",
    ),
    ("introspection = 'x'", "issuers[0].introspection", "a table"),
    ("leeway = true", "issuers[0].leeway", "e.g. \"30s\""),
    ("jwks_uri = 7", "issuers[0].jwks_uri", "quotes"),
    (
        "[scopes]\nrequired = ['a b']",
        "scopes.required",
        "not a scope",
    ),
    (
        "[scopes]\nbaseline = ['a', 'b\\u0000']",
        "scopes.baseline[1]",
        "not a scope",
    ),
    (
        "[scopes]\nchallenge = 'all'",
        "scopes.challenge",
        "`everything`",
    ),
    (
        "[resource.metadata]\nresource = 'x'",
        "resource.metadata.resource",
        "derived",
    ),
    (
        "[limits]\nmax_credential_bytes = 10",
        "limits.max_credential_bytes",
        "1KiB to 16KiB",
    ),
    (
        "[throttle]\nper_address = { burst = 0, per_minute = 1 }",
        "throttle.per_address.burst",
        "1 to",
    ),
    (
        "[throttle]\nper_address = 'of'",
        "throttle.per_address",
        "`off`",
    ),
    (
        "[network]\ntrusted_proxies = ['10.0.0.1', '10.0.0.1/8']",
        "network.trusted_proxies[1]",
        "bits are set",
    ),
    (
        "[sessions]\nkey = 'AAAA'",
        "sessions.key",
        "32 random bytes",
    ),
    ("[sessions]\nkey = '!'", "sessions.key", "openssl rand"),
    (
        "[sessions]\nkey = { file = '/nowhere/key' }",
        "sessions.key",
        "cannot be read",
    ),
    (
        "[sessions]\nkey = { env = 'NO_SUCH_VARIABLE' }",
        "sessions.key",
        "not set",
    ),
    (
        "[sessions]\nkey = { path = 'x' }",
        "sessions.key",
        "{ env =",
    ),
    ("[audit]", "audit", "exactly one"),
    (
        "[audit]\nstdout = true\ntracing = true",
        "audit",
        "exactly one",
    ),
    (
        "[audit]\nstdout = true\ninstance = 'a b'",
        "audit.instance",
        "without a space",
    ),
    (
        "[audit]\nstdout = true\nkey = 'AAAA'",
        "audit.key",
        "32 random bytes",
    ),
    (
        "[policies]\nstore = 'database'",
        "policies.store",
        "[database]",
    ),
    (
        "[[policies]]\norganization = 'a'\nnetworks = ['0.0.0.0/0']",
        "policies[0].networks[0]",
        "whole internet",
    ),
    (
        "[[policies]]\norganization = 'a'\nhelp_url = 'http://help.example'",
        "policies[0].help_url",
        "https",
    ),
    (
        "[[policies]]\norganization = 'a'\n[[policies]]\norganization = 'a'",
        "policies[1].organization",
        "merge",
    ),
    (
        "[[policies]]\norganization = 'a'\nmax_token_age = '1d'",
        "policies[0].max_token_age",
        "whole number",
    ),
    (
        "policies = 'database'",
        "issuers[0].policies",
        "no such setting",
    ),
    (
        "[tools]\nunknown_tools = 'allow'",
        "tools.unknown_tools",
        "`deny`",
    ),
    (
        "[tools.tools.x]\nscope = ['a']",
        "tools.tools.x.scope",
        "`scopes`",
    ),
    (
        "[tools.tools.x]\nscopes = ['a']\nany_of = [['b']]",
        "tools.tools.x.any_of",
        "alternatives",
    ),
    (
        "[tools.tools.x]\nmax_age = '15m'",
        "tools.tools.x.max_age",
        "whole number",
    ),
    (
        "[tools.tools.x]\ngroup = 'jira:rad'",
        "tools.tools.x.group",
        "read, write",
    ),
    (
        "[tools]\nmax_body_bytes = 1",
        "tools.max_body_bytes",
        "1024",
    ),
    (
        "[database]\nurl = 'mysql://h/d'",
        "database.url",
        "sqlite:FILE",
    ),
    (
        "[redis]\nurl = 'rediss://h'\nroot_certificates = 'no such file'",
        "redis.root_certificates",
        "cannot be read",
    ),
    (
        "[redis]\nurl = 'redis://h'\nroot_certificates = 'Cargo.toml'",
        "redis.root_certificates",
        "rediss://",
    ),
    (
        "[database]\nurl = 'sqlite:x.db'\ncreate = true",
        "database.create",
        "migrate",
    ),
    (
        "[database]\nurl = 'sqlite:x.db'\nmax_connections = 0",
        "database.max_connections",
        "1 to 1000",
    ),
];

#[test]
fn t38_every_mistake_is_told_under_the_path_in_the_file() {
    for (more, path, remedy) in ELSEWHERE {
        let error = error(&format!("{SMALL}{more}"));
        let [(field, _, advice)] = told(&error)[..] else {
            panic!("{more}: {error}");
        };
        assert_eq!(field, *path, "{more}: {error}");
        assert!(advice.contains(remedy), "{more}: {error}");
    }
    with("").check().unwrap();
    let empty = error("");
    assert_told(
        &empty,
        &[("resource", "left out", "this is needed: The MCP endpoint")],
    );
    let nobody = error("[resource]\nidentifier = 'https://mcp.example.com'");
    assert_told(&nobody, &[("issuers", "[]", "[[issuers]]")]);
}

#[test]
fn t38_what_follows_from_a_mistake_is_not_told() {
    let toml = "[resource]\nidentifier = 'https://h'\n[[issuers]]\nidentifer = 'https://a'\n";
    assert_told(
        &error(toml),
        &[("issuers[0].identifer", "(text)", "`identifier`")],
    );
    // Mistakes in other issuers are told under their own number.
    let more = "[[issuers]]\nidentifier = 'ftp://b'\n";
    assert_told(
        &error(&format!("{toml}{more}")),
        &[
            ("issuers[0].identifer", "(text)", "`identifier`"),
            ("issuers[1].identifier", "ftp://b", "https"),
        ],
    );
}

#[test]
fn edge_10_no_secret_is_shown() {
    let place = Place::new();
    let file = place.write("secret", CANARY);
    let shown = [
        format!(
            "introspection = {{ client_id = 'a', client_secret = '{CANARY}', endpoint = 'x' }}"
        ),
        format!("introspection = {{ client_id = 'a', client_secret = ['{CANARY}'] }}"),
        format!("introspection = {{ client_id = 'a', client_secret = {{ env = '{CANARY}' }} }}"),
        format!("introspection = {{ client_id = 'a', client_secret = {{ file = '{CANARY}' }} }}"),
        format!("introspection = {{ client_id = 'a', client_secret = {{ {CANARY} = 'x' }} }}"),
        format!("introspection = {{ client_id = 'a', client_secrt = '{CANARY}' }}"),
        format!(
            "introspection = {{ client_id = 'a', authentication = 'private_key_jwt', private_key = '{CANARY}' }}"
        ),
        format!("introspection = '{CANARY}'"),
        format!("[sessions]\nkey = '{CANARY}'"),
        format!("[sessions]\nkey = {{ file = '{file}' }}"),
        format!("[sessions]\nkey = '{CANARY}'\ninsecure_unbound_sessions = true"),
        format!("[audit]\nstdout = true\nkey = '{CANARY}'"),
        format!("database = 'postgres://u:{CANARY}@h/d'"),
        format!("[database]\nurl = 'postgres://u:{CANARY}@h:bad/d?password={CANARY}'\nx = 1"),
        format!("[database]\nurl = '{CANARY}'"),
        format!("[database]\nurl = 'sqlite:x.db'\n[api_tokens]\npeppers = '{CANARY}'"),
        format!("[database]\nurl = 'sqlite:x.db'\n[api_tokens]\npeppers = 'id:{CANARY}'"),
        format!("jwks_uri = 'https://{CANARY}:{CANARY}@h'"),
        format!("[http]\nproxy = 'socks://u:{CANARY}@h'"),
        format!("x = '{CANARY}"),
        format!("x = {CANARY}"),
        format!("[[[{CANARY}"),
        format!("[redis]\nurl = 'http://u:{CANARY}@h'\nx = 1"),
    ];
    for more in shown {
        let text = format!("{SMALL}{more}");
        let config = Config::from_toml(&text);
        let debug = format!("{config:?}");
        let error = config.and_then(|config| config.check()).expect_err(&more);
        let all = format!("{error} {error:?} {debug}");
        assert!(!all.contains(CANARY), "{more}: {all}");
        assert!(!all.contains("invalid configuration, 0"), "{more}: {all}");
    }
    for broken in [
        format!("a: \"{CANARY}"),
        format!("a: {{ {CANARY}"),
        format!("a: *{CANARY}"),
        format!("a: !!binary {CANARY}!"),
        format!("- {CANARY}\nb: 1"),
        format!("a: &x {CANARY}\n<<: *x"),
        format!("%{CANARY}"),
        format!("a: \"\\{CANARY}\""),
        format!("? [{CANARY}]\n: b"),
    ] {
        let (yaml, json) = (Config::from_yaml(&broken), Config::from_json(&broken));
        let all = format!("{yaml:?} {json:?}");
        assert!(!all.contains(CANARY), "{broken}: {all}");
        assert!(json.is_err());
    }
}

fn variables<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn variables_change_and_add_settings() {
    let place = Place::new();
    let secret = place.write("secret", "s3cret\n");
    let name = place.write("name", "Example MCP\r\n");
    let config = Config::from_json("{}").unwrap().environment(
        "MCP_AUTH",
        variables([
            (
                "MCP_AUTH__RESOURCE__IDENTIFIER",
                "https://mcp.example.com/mcp",
            ),
            ("MCP_AUTH__RESOURCE__NAME_FILE", name.as_str()),
            ("MCP_AUTH__ISSUERS__0__IDENTIFIER", "https://a.example"),
            ("MCP_AUTH__ISSUERS__1__IDENTIFIER", "https://b.example"),
            ("MCP_AUTH__ISSUERS__1__PROFILE", "okta"),
            ("MCP_AUTH__ISSUERS__1__ALGORITHMS", "RS256, ES256"),
            ("MCP_AUTH__ISSUERS__0__PROFILE__NAME", "keycloak"),
            ("MCP_AUTH__ISSUERS__0__INTROSPECTION__CLIENT_ID", "me"),
            (
                "MCP_AUTH__ISSUERS__0__INTROSPECTION__CLIENT_SECRET_FILE",
                secret.as_str(),
            ),
            ("MCP_AUTH__SCOPES__BASELINE", r#"["read:issues"]"#),
            ("MCP_AUTH__STREAMS__CLOSE", "false"),
            ("MCP_AUTH__LIMITS__VERIFIED_TOKEN_BYTES", "0"),
            (
                "MCP_AUTH__TOOLS__TOOLS__createIssue",
                "write:issues,read:issues",
            ),
            ("MCP_AUTH__SESSIONS__KEY__ENV", "SESSION_KEY"),
            (
                "SESSION_KEY",
                "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK",
            ),
            ("MCP_AUTH_DATABASE_URL", "of another program"),
            ("HOME", "/root"),
        ]),
    );
    let auth = config.settings().unwrap().build().unwrap();
    let document: Value = serde_json::from_slice(auth.resource().document()).unwrap();
    assert_eq!(document["resource_name"], "Example MCP");
    assert_eq!(
        document["authorization_servers"],
        json!(["https://a.example", "https://b.example"])
    );
    assert_eq!(document["scopes_supported"], json!(["read:issues"]));
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn a_list_of_variables_grows_by_number_and_not_by_letter() {
    let mut all = variables([("M__RESOURCE__IDENTIFIER", "https://mcp.example.com")]);
    all.extend((0..12).rev().map(|number| {
        (
            format!("M__ISSUERS__{number}__IDENTIFIER"),
            format!("https://i{number}.example"),
        )
    }));
    let config = Config::from_json("{}").unwrap().environment("M", all);
    let auth = config.settings().unwrap().build().unwrap();
    let document: Value = serde_json::from_slice(auth.resource().document()).unwrap();
    assert_eq!(document["authorization_servers"][11], "https://i11.example");
}

#[test]
fn a_wrong_variable_is_named_and_not_shown() {
    let config = with("").environment(
        "MCP_AUTH",
        variables([
            ("MCP_AUTH__ISSUERS__0__PROFIL", CANARY),
            ("MCP_AUTH__ISSUERS__7__PROFILE", CANARY),
            ("MCP_AUTH__ISSUERS__0__PROFILE__NAME__X", CANARY),
            ("MCP_AUTH__ISSUERS__0__LEEWAY", "1h"),
            ("MCP_AUTH__SESSIONS__KEY_FILE", "/nowhere/key"),
            ("MCP_AUTH__RESOURCE__NAME_FILE", "/nowhere/name"),
            ("MCP_AUTH__", CANARY),
            ("MCP_AUTH__SCOPES__BASELINE", "[hunter2canary"),
        ]),
    );
    let error = config.check().unwrap_err();
    assert_told(
        &error,
        &[
            ("MCP_AUTH__ISSUERS__0__PROFIL", "…", "did you mean PROFILE?"),
            ("MCP_AUTH__ISSUERS__7__PROFILE", "…", "next free place is 1"),
            (
                "MCP_AUTH__ISSUERS__0__PROFILE__NAME__X",
                "…",
                "nothing below",
            ),
            (
                "issuers[0].leeway",
                "1h",
                "(set by MCP_AUTH__ISSUERS__0__LEEWAY)",
            ),
            ("sessions.key", "/nowhere/key", "cannot be read"),
            ("MCP_AUTH__RESOURCE__NAME_FILE", "…", "cannot be read"),
            ("MCP_AUTH__", "…", "no such setting"),
            ("MCP_AUTH__SCOPES__BASELINE", "…", "no JSON"),
        ],
    );
    assert!(!format!("{error} {error:?}").contains(CANARY));
}

#[test]
fn r07_hostile_texts_are_refused_and_nothing_falls() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000));
    for text in [deep("[", "]"), deep("{\"a\":", "}"), deep("[{\"a\":", "}]")] {
        Config::from_json(&text).unwrap_err();
        Config::from_yaml(&text).unwrap_err();
        Config::from_toml(&format!("a = {text}")).unwrap_err();
    }
    let below = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    Config::from_json(&below(33)).unwrap_err();
    Config::from_toml(&format!("a = {}1{}", "[".repeat(33), "]".repeat(33))).unwrap_err();
    Config::from_toml(&format!("{} = 1", vec!["a"; 5000].join("."))).unwrap_err();
    Config::from_toml(&format!("[{}]", vec!["a"; 5000].join("."))).unwrap_err();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}", level - 1);
        let line = format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
        bomb.push_str(&line);
    }
    let error = Config::from_yaml(&bomb).unwrap_err();
    assert!(error.to_string().contains("aliases multiply"), "{error}");
    let long = "#".repeat(4 * 1024 * 1024 + 1);
    for read in [Config::from_toml, Config::from_yaml, Config::from_json] {
        assert!(read(&long).unwrap_err().to_string().contains("4 MiB"));
    }
    for text in [
        "\0",
        "a = \"\\u0000\"",
        "---\na: 1\n---\nb: 2\n",
        "a: 1e999",
        "a: .nan",
        "a: &a [*a]",
        "a: !!binary zz",
    ] {
        let _ = Config::from_toml(text).map(|config| config.check());
        let _ = Config::from_json(text).map(|config| config.check());
        let _ = Config::from_yaml(text).map(|config| config.check());
    }
    let flood: Vec<String> = (0..20_000).map(|number| format!("x{number} = 1")).collect();
    let error = Config::from_toml(&flood.join("\n"))
        .unwrap()
        .check()
        .unwrap_err();
    assert!(error.problems().len() < 300, "{}", error.problems().len());
    assert!(error.to_string().len() < 300_000);
    let twice = "{".to_owned() + &"\"a\":1,".repeat(20_000) + "\"a\":1}";
    assert!(Config::from_json(&twice).unwrap_err().problems().len() < 300);
}

#[test]
fn yaml_means_what_it_says() {
    for text in ["a: yes", "a: no", "a: on"] {
        let error = Config::from_yaml(&format!("insecure_forward_credential: {}", &text[3..]))
            .unwrap()
            .check()
            .unwrap_err();
        let told = told(&error);
        assert!(
            told.iter()
                .any(|one| one.0 == "insecure_forward_credential"),
            "{error}"
        );
    }
    let shared = "resource: {identifier: https://h}\nissuers: [{identifier: https://a, audiences: &both [x, y]}, {identifier: https://b, audiences: *both}]";
    Config::from_yaml(shared).unwrap().check().unwrap();
    let error = Config::from_yaml("a: &a {b: 1}\nc:\n  <<: *a\n").unwrap_err();
    assert!(error.to_string().contains("merge keys"), "{error}");
    let number = Config::from_yaml("resource: {identifier: 7}")
        .unwrap()
        .check()
        .unwrap_err();
    assert!(number.to_string().contains("quotes"), "{number}");
}

/// Every default of the schema, as a document with only that setting beside what is needed.
fn defaults(schema: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
    if let Some(default) = schema.get("default") {
        found.push((path.clone(), default.clone()));
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        defaults(inner, path, found);
        path.pop();
    }
    if let Some(items) = schema.get("items") {
        path.push("0".into());
        defaults(items, path, found);
        path.pop();
    }
    for inner in schema["anyOf"].as_array().into_iter().flatten() {
        defaults(inner, path, found);
    }
}

#[test]
fn every_default_may_be_written_out() {
    let mut found = Vec::new();
    defaults(&Config::json_schema(), &mut Vec::new(), &mut found);
    assert!(found.len() > 60, "{}", found.len());
    for (path, default) in found {
        let mut document = json!({
            "resource": { "identifier": "https://h" },
            "issuers": [{ "identifier": "https://a" }],
        });
        let mut place = &mut document;
        for step in &path {
            if let Ok(index) = step.parse::<usize>() {
                if place.is_null() {
                    *place = json!([]);
                }
                let items = place.as_array_mut().unwrap();
                if items.len() <= index {
                    items.push(Value::Null);
                }
                place = &mut items[index];
            } else {
                place = &mut place[step.as_str()];
            }
        }
        *place = default.clone();
        let error = Config::from_json(&document.to_string())
            .unwrap()
            .check()
            .err();
        let shown = path
            .iter()
            .fold(String::new(), |path, step| match step.parse::<usize>() {
                Ok(index) => format!("{path}[{index}]"),
                Err(_) if path.is_empty() => step.clone(),
                Err(_) => format!("{path}.{step}"),
            });
        // What else the section needs may be missing; the default itself is never what is wrong.
        let wrong = error
            .iter()
            .flat_map(told)
            .find(|(field, ..)| *field == shown);
        assert_eq!(wrong, None, "{shown} = {default}");
    }
}

proptest! {
    #[test]
    fn r07_any_text_is_read_without_a_panic(text in "\\PC{0,200}|[\\[\\]{}:,&*!|>'\"=#.\n a-c0-9_-]{0,200}") {
        for read in [Config::from_toml, Config::from_yaml, Config::from_json] {
            if let Ok(config) = read(&text) {
                prop_assert!(config.check().is_err());
            }
        }
    }

    #[test]
    fn r07_any_tree_is_read_without_a_panic(tree in tree()) {
        let text = json!({ "resource": tree, "issuers": [tree], "tools": tree, "policies": tree, "database": tree,
            "api_tokens": tree, "audit": tree, "throttle": tree, "sessions": tree }).to_string();
        prop_assert!(Config::from_json(&text).unwrap().check().is_err());
        prop_assert!(Config::from_yaml(&text).is_err() || Config::from_yaml(&text).unwrap().check().is_err());
    }

    #[test]
    fn r07_any_variable_is_read_without_a_panic(name in "[A-Z_0-9a-z]{0,40}", value in "\\PC{0,40}") {
        let pairs = [(format!("M__{name}"), value.clone()), (format!("M__ISSUERS__{name}"), value)];
        let _ = with("").environment("M", pairs).check();
    }
}

fn tree() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 14] = [
        "identifier",
        "profile",
        "name",
        "tools",
        "organization",
        "url",
        "key",
        "file",
        "env",
        "clients",
        "introspection",
        "per_address",
        "groups",
        "x",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,12}|https://h|30s|\0".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((0..NAMES.len(), inner), 0..6).prop_map(|pairs| {
                let pairs = pairs
                    .into_iter()
                    .map(|(name, value)| (NAMES[name].to_owned(), value));
                Value::Object(pairs.collect::<BTreeMap<_, _>>().into_iter().collect())
            }),
        ]
    })
}
