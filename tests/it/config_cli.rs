//! `mcp-auth config`, as people run it.

use std::process::{Command, Output};

use serde_json::Value;
use tower_mcp_auth::config::Config;

use crate::config_file::Place;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command
        .env_clear()
        .args(arguments)
        .envs(variables.iter().copied());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const GOOD: &str = "resource: {identifier: https://mcp.example.com}\nissuers: [{identifier: https://a.example}]\nsessions: {key: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=}\n";

#[test]
fn a_good_file_is_good_and_a_secret_in_it_is_remarked() {
    let place = Place::new();
    let file = place.write("a.yaml", GOOD);
    let ran = run(&["config", "check", &file], &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert_eq!(text(&ran.stdout), format!("{file} is good\n"));
    assert!(
        text(&ran.stderr).starts_with("sessions.key stands in the file itself"),
        "{}",
        text(&ran.stderr)
    );
    assert!(!text(&ran.stderr).contains("QUJD"));
    let ran = run(&["--json", "config", "check", &file], &[]);
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(said["literal_secrets"], serde_json::json!(["sessions.key"]));
}

#[test]
fn every_mistake_is_told_and_the_exit_says_so() {
    let place = Place::new();
    let file = place.write(
        "a.yaml",
        &GOOD.replace("identifier: https://a", "profil: okta, identifier: ftp://a"),
    );
    let ran = run(&["config", "check", &file], &[]);
    assert_eq!(ran.status.code(), Some(1));
    let said = text(&ran.stderr);
    for part in [
        "issuers[0].profil",
        "did you mean `profile`?",
        "issuers[0].identifier",
        "docs/configuration.md",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(ran.stdout.is_empty());
}

#[test]
fn variables_count_where_they_are_asked_for() {
    let place = Place::new();
    let file = place.write("a.yaml", GOOD);
    let wrong = [("MCP_AUTH__ISSUERS__0__LEEWAY", "1y")];
    assert_eq!(
        run(&["config", "check", &file], &wrong).status.code(),
        Some(0)
    );
    let ran = run(&["config", "check", "--environment", &file], &wrong);
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("set by MCP_AUTH__ISSUERS__0__LEEWAY"));
}

#[test]
fn the_schema_is_the_one_of_the_crate() {
    let ran = run(&["config", "schema"], &[]);
    let schema: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(schema, Config::json_schema());
}
