//! The page of errors lists every reason, with the status and the code that clients receive.

use tower_mcp_auth::Reason;

const PAGE: &str = include_str!("../../docs/errors.md");

/// The cells of each table row whose first cell is a code.
fn rows() -> Vec<Vec<&'static str>> {
    let lines = PAGE.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_reason_has_its_row() {
    let rows = rows();
    for reason in Reason::ALL {
        let code = format!("`{}`", reason.code());
        let found: Vec<_> = rows.iter().filter(|row| row[0] == code).collect();
        let [row] = found[..] else {
            panic!("docs/errors.md has {} rows for {code}", found.len());
        };
        assert_eq!(row.len(), 6, "{code} has six cells");
        assert!(
            row.iter().all(|cell| !cell.is_empty()),
            "{code} is filled in"
        );
        let status = reason.status();
        let status = status.as_str();
        assert!(row[1].starts_with(status), "{code}: {status} in {}", row[1]);
        assert_eq!(row[2], format!("`{}`", reason.error()), "{code}");
    }
    assert_eq!(
        rows.len(),
        Reason::ALL.len(),
        "no row of a reason that is gone"
    );
}
