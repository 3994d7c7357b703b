//! `explain`: what a server would make of a credential, step by step, and what to do about it.
//!
//! Steps and verdict are those of an [`Authenticator`](tower_mcp_auth::Authenticator) that is put together from what
//! is known here ([`explain`](tower_mcp_auth::Authenticator::explain)), so that no second opinion can drift away from
//! the first. What is told besides is how the credential is written, and what the database has of it. Where something
//! is not known (no keys, no database), its refusal for exactly that is taken for "as far as known".

mod api_token;
mod build;
mod guard;
mod jwt;
mod mistakes;
mod read;
mod server;
mod stores;
mod verdict;

use serde_json::{Map, Value, json};
use tower_mcp_auth::Explanation;
use tower_mcp_auth::explain::StepResult;

use crate::args::{Explain, Global};
use crate::failure::{Exit, Failure};
use crate::output::Out;
use crate::{parse, token};

use guard::Guard;
use verdict::Verdict;

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Good,
    Bad,
    /// It cannot be told from what is at hand.
    Unknown,
    /// A fact, neither good nor bad.
    Fact,
}

impl Mark {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Bad => "no",
            Self::Unknown => "?",
            Self::Fact => "",
        }
    }
}

/// Steps that are not about a credential.
const OF_A_REQUEST: [&str; 3] = ["edge", "session", "operation"];

/// The steps so far.
#[derive(Debug, Default)]
struct Steps(Vec<(Mark, &'static str, String)>);

impl Steps {
    fn add(&mut self, mark: Mark, step: &'static str, text: impl Into<String>) {
        self.0.push((mark, step, text.into()));
    }

    /// The way of the credential, as the server tells it. What it refuses for want of something that is not at hand
    /// is unknown. Of the request around it nothing is known here.
    fn follow(&mut self, explanation: &Explanation, is_known: bool) {
        let steps = explanation.steps.iter();
        for step in steps.filter(|step| !OF_A_REQUEST.contains(&step.name)) {
            let mark = match step.result {
                StepResult::Passed => Mark::Good,
                StepResult::Failed if is_known => Mark::Bad,
                StepResult::Failed => Mark::Unknown,
                StepResult::NotReached => continue,
                _ => Mark::Fact,
            };
            self.add(mark, step.name, &step.text);
        }
    }
}

pub(crate) async fn run(global: &Global, wanted: &Explain, out: Out) -> Result<Exit, Failure> {
    let text = credential(wanted)?;
    let format = token::brand(global)?;
    let mut steps = Steps::default();
    let given = read::read(&text, &format);
    let guard = Guard::new(&given);
    given.tell(&mut steps);
    let known = server::Known::gather(global, wanted, &given, out).await?;
    known.tell(&given, &mut steps)?;
    let verdict = known.judge(&given, &mut steps).await?;
    print(&steps, &verdict, &guard, out)?;
    Ok(if verdict.is_accepted() {
        Exit::Done
    } else {
        Exit::No
    })
}

/// The text of the credential: from a file or stdin, never from an argument, which is not repeated either.
fn credential(wanted: &Explain) -> Result<zeroize::Zeroizing<String>, Failure> {
    let remedy =
        "pipe it in, for example: pbpaste | mcp-auth explain, or name a file that holds it";
    let argument = || {
        let what = "a credential belongs into no command line: it stays in the shell's history, and others can \
                    read it in the list of processes";
        Failure::usage(what, remedy)
    };
    let file = match wanted.file.as_slice() {
        [] => None,
        [file] => Some(std::path::Path::new(file)),
        _ => return Err(argument()),
    };
    if let Some(path) = parse::named(file)
        && !path.exists()
    {
        let what = "there is no such file (if it was the credential itself: it now stands in the shell's history, \
                    so make a new one)";
        return Err(Failure::usage(what, remedy));
    }
    let text = zeroize::Zeroizing::new(parse::text(file)?);
    if text.trim().is_empty() {
        return Err(Failure::usage("nothing was read", remedy));
    }
    Ok(text)
}

fn print(steps: &Steps, verdict: &Verdict, guard: &Guard, out: Out) -> Result<(), Failure> {
    if out.json {
        let told = steps.0.iter().map(|(mark, step, text)| {
            json!({ "step": step, "result": result(*mark), "text": guard.clean(text) })
        });
        let mut report = Map::new();
        report.insert("steps".to_owned(), told.collect());
        verdict.add_to(&mut report, |text| guard.clean(text));
        return out.value(&Value::Object(report));
    }
    let width = steps
        .0
        .iter()
        .map(|(_, step, _)| step.len())
        .max()
        .unwrap_or_default();
    for (mark, step, text) in &steps.0 {
        out.line(&format!(
            "{:2}  {step:<width$}  {}",
            mark.word(),
            guard.clean(text)
        ))?;
    }
    verdict
        .lines()
        .iter()
        .try_for_each(|line| out.line(&guard.clean(line)))
}

const fn result(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "ok",
        Mark::Bad => "no",
        Mark::Unknown => "unknown",
        Mark::Fact => "fact",
    }
}
