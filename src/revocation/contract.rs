//! What every [`RevocationLog`] must do, as tests that any log can run.
#![expect(clippy::panic, reason = "a test ends by panicking")]

use std::fmt::Debug;

use futures_util::future::join_all;

use super::entry::RevocationEntry;
use super::log::RevocationLog;
use crate::error::BackendError;

/// Expands to one `#[tokio::test]` for each thing a
/// [`RevocationLog`](crate::revocation::RevocationLog) must do.
///
/// The argument is an expression that yields a fresh, empty log; it may `.await`. The calling crate
/// needs `tokio` with its features `macros` and `rt`. Call it once per module.
///
/// ```
/// mod memory_log {
///     use tower_mcp_auth::revocation::MemoryRevocationLog;
///
///     tower_mcp_auth::revocation_log_contract!(MemoryRevocationLog::new());
/// }
/// ```
#[macro_export]
macro_rules! revocation_log_contract {
    ($log:expr) => {
        $crate::revocation_log_contract! { @tests $log;
            an_empty_log_has_nothing
            an_entry_comes_back_whole
            an_unknown_kind_is_kept
            numbers_begin_at_one_and_leave_none_out
            a_reader_is_given_what_comes_after_and_no_more_than_it_asked_for
            of_many_writers_each_gets_a_number_of_its_own
        }
    };
    (@tests $log:expr; $($name:ident)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let log = $log;
                $crate::revocation::contract::$name(&log).await;
            }
        )+
    };
}

fn fine<T: Debug>(result: Result<T, BackendError>) -> T {
    result.unwrap_or_else(|error| panic!("the log: {}", error.report()))
}

fn entry(id: impl Into<String>) -> RevocationEntry {
    RevocationEntry {
        kind: "token_of".into(),
        scope: "https://auth.example.com/t1".into(),
        id: id.into(),
        issued_at: Some(1_800_000_000),
        revoked_at: 1_800_000_001,
        expires_at: 1_800_086_400,
        reason: Some("left the company: '; DROP TABLE revocations; -- \u{1f511}".into()),
    }
}

/// # Panics
///
/// If there is something.
pub async fn an_empty_log_has_nothing(log: &impl RevocationLog) {
    for sequence in [0, 1, u64::from(u32::MAX)] {
        assert_eq!(fine(log.read_since(sequence, 10).await), []);
    }
}

/// Every field, the absent ones too.
///
/// # Panics
///
/// If the log does not.
pub async fn an_entry_comes_back_whole(log: &impl RevocationLog) {
    let full = entry("ada");
    let bare = RevocationEntry {
        scope: String::new(),
        issued_at: None,
        reason: None,
        revoked_at: -1,
        ..entry("Ada")
    };
    fine(log.append(full.clone()).await);
    fine(log.append(bare.clone()).await);
    assert_eq!(fine(log.read_since(0, 10).await), [(1, full), (2, bare)]);
}

/// # Panics
///
/// If the log refuses or changes it.
pub async fn an_unknown_kind_is_kept(log: &impl RevocationLog) {
    let unknown = RevocationEntry {
        kind: "device_of_the_future".into(),
        ..entry("d-1")
    };
    assert_eq!(fine(log.append(unknown.clone()).await), 1);
    assert_eq!(fine(log.read_since(0, 10).await), [(1, unknown)]);
}

/// # Panics
///
/// If they do not. The same entry again is another entry.
pub async fn numbers_begin_at_one_and_leave_none_out(log: &impl RevocationLog) {
    for expected in 1..=5 {
        assert_eq!(fine(log.append(entry("again")).await), expected);
    }
    let read = fine(log.read_since(0, 10).await);
    assert!(read.iter().map(|(number, _)| *number).eq(1..=5));
}

/// # Panics
///
/// If the reader is given something else.
pub async fn a_reader_is_given_what_comes_after_and_no_more_than_it_asked_for(
    log: &impl RevocationLog,
) {
    for id in 1..=7 {
        fine(log.append(entry(format!("id-{id}"))).await);
    }
    for (since, limit, expected) in [(0, 3, 1..=3), (3, 3, 4..=6), (6, 3, 7..=7), (5, 100, 6..=7)] {
        let read = fine(log.read_since(since, limit).await);
        let read: Vec<_> = read
            .into_iter()
            .map(|(number, entry)| (number, entry.id))
            .collect();
        let expected: Vec<_> = expected
            .map(|number| (number, format!("id-{number}")))
            .collect();
        assert_eq!(read, expected);
    }
    assert_eq!(fine(log.read_since(7, 3).await), []);
    assert_eq!(fine(log.read_since(8, 3).await), []);
}

/// # Panics
///
/// If two share a number, one is left out, or one cannot be read when its writer was told.
pub async fn of_many_writers_each_gets_a_number_of_its_own(log: &impl RevocationLog) {
    let writers = (0..16).map(|writer| async move {
        let id = format!("writer-{writer}");
        let number = fine(log.append(entry(id.clone())).await);
        let read = fine(log.read_since(number - 1, 1).await);
        assert_eq!(read, [(number, entry(id))]);
        number
    });
    let mut numbers = join_all(writers).await;
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=16));
}
