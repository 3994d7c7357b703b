//! The quickstart as a program: what it prints works when pasted, and Ctrl-C ends it.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clients::Folder;

/// The last line of what it prints.
const END: &str = "Ctrl-C ends all servers.";

/// A running quickstart, killed when dropped.
struct Program {
    child: Child,
    printed: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program beside this test, where cargo puts examples. `cargo test` and `cargo nextest run`
/// build it; with `--test it` alone they do not.
fn quickstart(arguments: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let directory = test.parent().and_then(|deps| deps.parent()).unwrap();
    let program = directory.join("examples").join("quickstart");
    assert!(
        program.exists(),
        "build the program first: cargo build --example quickstart"
    );
    let mut command = Command::new(program);
    command.args(arguments).env_remove("RUST_LOG");
    command
}

impl Program {
    fn start(data: &Path) -> Self {
        let mut command = quickstart(&["--port", "0", "--issuer-port", "0"]);
        command.arg("--data").arg(data);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut program = Self {
            child,
            printed: String::new(),
        };
        for line in lines.map(Result::unwrap) {
            program.printed += &line;
            program.printed += "\n";
            if line == END {
                return program;
            }
        }
        panic!("it ended early, having printed {:?}", program.printed);
    }

    /// Presses Ctrl-C; how the program ends.
    async fn interrupt(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
        assert!(sent.success());
        let (ended, end) = oneshot::channel();
        // A thread of its own, because a runtime would wait for it even after the deadline.
        std::thread::spawn(move || {
            let _ = ended.send(self.child.wait().unwrap());
        });
        let end = tokio::time::timeout(Duration::from_secs(20), end).await;
        if end.is_err() {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
        end.expect("Ctrl-C ends it").unwrap()
    }
}

/// The words of a line as a shell reads them, as far as single quotes go.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            *words.last_mut().unwrap() += part;
            continue;
        }
        for (index, word) in part.split(' ').enumerate() {
            if index > 0 {
                words.push(String::new());
            }
            *words.last_mut().unwrap() += word;
        }
    }
    words
}

/// Does what curl would.
async fn curl(line: &str) -> reqwest::Response {
    let words = words(line);
    let mut words = words.iter().map(String::as_str);
    assert_eq!(words.next(), Some("curl"));
    assert_eq!(words.next(), Some("-i"));
    let url = words.next().unwrap();
    let posts = line.contains(" -d ");
    let method = if posts { "POST" } else { "GET" };
    let client = reqwest::Client::new();
    let mut request = client.request(method.parse().unwrap(), url);
    while let Some(option) = words.next() {
        let value = words.next().unwrap().to_owned();
        request = match option {
            "-d" => request.body(value),
            "-H" => {
                let (name, value) = value.split_once(": ").unwrap();
                request.header(name, value)
            }
            "-u" => {
                let (email, token) = value.split_once(':').unwrap();
                request.basic_auth(email, Some(token))
            }
            "-X" => client.request(value.parse().unwrap(), url),
            other => panic!("this test does not know {other}"),
        };
    }
    request.send().await.unwrap()
}

/// What the answers to the printed lines say, in their order, until API tokens come.
const OAUTH: [&str; 6] = [
    "authentication_required",
    r#""name":"Alice Archer""#,
    "expired",
    "another resource",
    r#""missing_scopes":["write:issues"]"#,
    r#""title":"By curl""#,
];
const ACME: [&str; 4] = [
    r#""method":"api_token""#,
    r#""name":"Build bot""#,
    "invalid_credentials",
    "invalid_credentials",
];
const REFUSED: [&str; 2] = ["auth_method_disabled", "auth_method_disabled"];
const TAKEN: [&str; 2] = [r#""name":"Bob Baker""#, r#""name":"Report bot""#];

/// Sends every line that is printed; each answer is what stands beside its line.
async fn every_line(printed: &str) -> Vec<String> {
    let lines: Vec<_> = printed.lines().collect();
    let mut answers = Vec::new();
    for pair in lines.windows(2).filter(|pair| pair[1].starts_with("curl")) {
        let status = pair[0].strip_prefix("# ").and_then(|title| title.get(..3));
        let answer = curl(pair[1]).await;
        assert_eq!(Some(answer.status().as_str()), status, "{}", pair[0]);
        answers.push(answer.text().await.unwrap());
    }
    let sent: Vec<_> = lines.iter().filter(|l| l.starts_with("curl")).collect();
    assert_eq!(sent.len(), 16);
    assert_eq!(
        sent[10..12],
        sent[13..15],
        "the same lines, after the switch"
    );
    answers
}

#[tokio::test]
async fn the_quickstart_answers_as_printed_and_ends_on_ctrl_c() {
    let folder = Folder::new();
    // Three lives on one file: what the lines switch in one is how the next one finds it.
    let mut keys: Vec<String> = Vec::new();
    for (before, switched, after) in [
        (REFUSED, "are on", TAKEN),
        (TAKEN, "are off", REFUSED),
        (REFUSED, "are on", TAKEN),
    ] {
        let program = Program::start(&folder.file("mcp auth.db"));
        let answers = every_line(&program.printed).await;
        let said = OAUTH.into_iter().chain(ACME).chain(before);
        let said = said.chain([switched]).chain(after).chain(["mcps_"]);
        for (answer, said) in answers.iter().zip(said) {
            assert!(answer.contains(said), "{said}: {answer}");
        }
        let key = answers.last().unwrap().lines().next().unwrap();
        keys.push(key.to_owned());
        let lines = program.printed.lines();
        let whoami = lines.filter(|line| line.contains("Authorization: Bearer mcps_"));
        let line = whoami.map(str::to_owned).next().unwrap();
        let (start, rest) = line.split_once("Bearer ").unwrap();
        let (_, end) = rest.split_once('\'').unwrap();
        for key in &keys {
            let answer = curl(&format!("{start}Bearer {key}'{end}")).await;
            assert_eq!(answer.status(), 200, "a key of any life");
        }
        let file = folder.file("mcp%20auth.db");
        let told = format!(
            "mcp-auth --database sqlite:{} --pepper-file ",
            file.display()
        );
        assert!(program.printed.contains(&told), "{told}");
        the_metadata_is_as_printed(&program.printed).await;
        assert_eq!(program.interrupt().await.code(), Some(0));
    }
}

async fn the_metadata_is_as_printed(printed: &str) {
    let (_, metadata) = printed.split_once("Metadata").unwrap();
    let url = metadata.split_whitespace().next().unwrap();
    let metadata: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let resource = metadata["resource"].as_str().unwrap();
    let entry = format!(r#""quickstart": {{ "type": "http", "url": "{resource}" }}"#);
    assert!(printed.contains(&entry), "the mcp.json names it");
}

#[test]
fn a_bad_argument_is_explained() {
    let output = quickstart(&["--port", "many"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("quickstart: --port takes a number"),
        "{said}"
    );
    assert!(
        said.contains("Usage: cargo run --example quickstart"),
        "{said}"
    );
    let help = quickstart(&["--help"]).output().unwrap();
    assert_eq!(help.status.code(), Some(0));
}
