//! Every fault, every kind of credential, cold and warm: nothing fails open, nothing hangs, no outage
//! of ours is a 401, and what is over is over (G9).

#![expect(
    clippy::print_stdout,
    reason = "how much was tried is part of the result"
)]
#![expect(clippy::as_conversions, reason = "a kind is an index here")]

mod cancelled;
mod day;
mod flood;
mod rows;
mod site;

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::support::Answer;
use rows::{Row, expected};
use site::{Kind, Mood, Setup, Site};

/// What G9 promises: beyond the deadline of the part that fails.
const GRACE: Duration = Duration::from_secs(2);

/// And how soon everything is as before.
const RECOVERY: Duration = Duration::from_secs(30);

/// What is asserted, for the record.
#[derive(Default)]
struct Count {
    faults: BTreeSet<String>,
    cells: usize,
    good: usize,
    bad: usize,
    slowest: Duration,
    recovery: Duration,
}

#[tokio::test(start_paused = true)]
async fn g09_access_tokens_through_every_fault_cold_and_warm() {
    all_rows(Kind::Jwt).await;
}

#[tokio::test(start_paused = true)]
async fn g09_opaque_tokens_through_every_fault_cold_and_warm() {
    all_rows(Kind::Opaque).await;
}

#[tokio::test(start_paused = true)]
async fn g09_personal_tokens_through_every_fault_cold_and_warm() {
    all_rows(Kind::Personal).await;
}

#[tokio::test(start_paused = true)]
async fn g09_service_keys_through_every_fault_cold_and_warm() {
    all_rows(Kind::Service).await;
}

async fn all_rows(kind: Kind) {
    quiet();
    let mut count = Count::default();
    let mut wrong = Vec::new();
    for row in rows::all() {
        for memory in [true, false] {
            for warm in [false, true] {
                run(&row, kind, memory, warm, &mut count, &mut wrong).await;
            }
        }
    }
    println!(
        "{kind:?}: {} faults, {} cells, {} good requests, {} bad ones; slowest {:?}, recovery at most {:?}",
        count.faults.len(),
        count.cells,
        count.good,
        count.bad,
        count.slowest,
        count.recovery
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count.faults.len() >= 40 && count.cells >= 160);
}

/// Panics that are meant to be are not written out.
pub(crate) fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>();
            if !text.is_some_and(|text| text.starts_with("a fault of")) {
                before(info);
            }
        }));
    });
}

/// One cell.
async fn run(
    row: &Row,
    kind: Kind,
    memory: bool,
    warm: bool,
    count: &mut Count,
    wrong: &mut Vec<String>,
) {
    let cell = format!(
        "{}, {kind:?}, {}{}",
        row.name,
        if warm { "warm" } else { "cold" },
        if memory { "" } else { ", nothing remembered" }
    );
    let mut site = Site::new(Setup {
        memory,
        ..row.setup
    })
    .await;
    if warm {
        site = site.warmed().await;
    }
    (row.begin)(&mut site);
    let expected: Vec<char> = expected(row.case, memory)[kind as usize].chars().collect();
    let phases: &[(usize, u64)] = if warm { &[(1, 1), (2, 69)] } else { &[(0, 0)] };
    for (phase, later) in phases {
        sleep(Duration::from_secs(*later)).await;
        let start = Instant::now();
        let answer = site.good(kind).await;
        let took = start.elapsed();
        count.slowest = count.slowest.max(took);
        if took > Duration::from_millis(row.deadline) + GRACE {
            wrong.push(format!("{cell}, phase {phase}: took {took:?}"));
        }
        if let Err(problem) = check(&answer, expected[*phase]) {
            wrong.push(format!("{cell}, phase {phase}: {problem}"));
        }
        count.good += 1;
        let but = row.but.filter(|(_, knows_none)| !warm || *knows_none);
        count.bad += site
            .assert_closed(kind, but.map(|(why, _)| why), &cell, wrong)
            .await;
    }
    site.heal();
    let start = Instant::now();
    loop {
        let answer = site.good(kind).await;
        if answer.status == StatusCode::OK {
            break;
        }
        if start.elapsed() > RECOVERY {
            wrong.push(format!(
                "{cell}: not over after {:?}: {}",
                start.elapsed(),
                answer.code()
            ));
            break;
        }
        sleep(Duration::from_millis(250)).await;
    }
    count.recovery = count.recovery.max(start.elapsed());
    let but = row.but.filter(|(_, knows_none)| !warm || *knows_none);
    count.bad += site
        .assert_closed(kind, but.map(|(why, _)| why), &cell, wrong)
        .await;
    let hosts = site.hosts.lock().unwrap().clone();
    assert!(
        hosts.iter().all(|host| host == "auth.example.com"),
        "{cell}: asked {hosts:?}"
    );
    count.faults.insert(row.name.clone());
    count.cells += 1;
}

/// Whether this is the answer that the table names.
fn check(answer: &Answer, expected: char) -> Result<(), String> {
    let status = match expected {
        'i' => StatusCode::OK,
        'u' => StatusCode::SERVICE_UNAVAILABLE,
        'r' => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if answer.status != status {
        return Err(format!(
            "{} ({}) for {status}",
            answer.status,
            answer.code()
        ));
    }
    let wait = answer
        .header("retry-after")
        .and_then(|wait| wait.parse::<u64>().ok());
    let says_when = wait.is_some_and(|wait| (1..=60).contains(&wait));
    if expected == 'u' && (!says_when || !answer.challenge().is_empty()) {
        return Err(format!("503 with {:?}", answer.headers));
    }
    Ok(())
}

/// However long it was, and at whatever point between two attempts it ends.
#[tokio::test(start_paused = true)]
async fn g09_r01_an_outage_of_any_length_is_over_within_thirty_seconds() {
    let mut longest = Duration::ZERO;
    for length in 0..120 {
        let site = Site::new(Setup::PLAIN).await;
        site.parts.fetch.set(Mood::Down);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(length) {
            let answer = site.good(Kind::Jwt).await;
            assert_eq!(check(&answer, 'u'), Ok(()), "{length} s");
            sleep(Duration::from_secs(1)).await;
        }
        site.heal();
        let start = Instant::now();
        while site.good(Kind::Jwt).await.status != StatusCode::OK {
            assert!(start.elapsed() <= RECOVERY, "after {length} s");
            sleep(Duration::from_millis(100)).await;
        }
        longest = longest.max(start.elapsed());
    }
    println!("recovery at most {longest:?}");
}
