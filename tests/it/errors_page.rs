//! The page of errors has a section for every reason, with the status and the code that clients receive.

use std::collections::BTreeSet;

use tower_mcp_auth::Reason;

const PAGE: &str = include_str!("../../docs/errors.md");

/// The cells of a table row.
fn cells(line: &'static str) -> Vec<&'static str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// The cells of each table row whose first cell is a code, below the tables of the beginning.
fn rows() -> Vec<Vec<&'static str>> {
    let (_, sections) = PAGE.split_once("\n### ").unwrap();
    let lines = sections.lines().filter(|line| line.starts_with("| `"));
    lines.map(cells).collect()
}

/// The rows of a table at the beginning.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| "));
    lines.skip(2).map(cells).collect()
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

#[test]
fn every_reason_has_an_anchor_and_says_how_to_fix_it() {
    let sections: Vec<_> = PAGE.split("\n### ").skip(1).collect();
    for reason in Reason::ALL {
        let code = reason.code();
        let begin = format!("`{code}`\n");
        let found: Vec<_> = sections.iter().filter(|s| s.starts_with(&begin)).collect();
        let [section] = found[..] else {
            panic!("docs/errors.md has {} sections for {code}", found.len());
        };
        assert!(section.contains(&format!("\n| `{code}` | ")), "{code}: row");
        assert!(section.contains("\n**How:** "), "{code}: how");
    }
    assert_eq!(sections.len(), Reason::ALL.len());
}

#[test]
fn the_table_of_errors_leads_to_every_reason_once() {
    let mut listed: Vec<(String, String, String)> = Vec::new();
    for row in table("By `error`") {
        for link in row[2].split(", ") {
            listed.push((row[0].into(), row[1].into(), link.into()));
        }
    }
    listed.sort();
    let mut expected: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| {
            let (error, code) = (reason.error(), reason.code());
            let link = format!("[`{code}`](#{code})");
            (format!("`{error}`"), reason.status().as_str().into(), link)
        })
        .collect();
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn the_table_of_statuses_has_each_once() {
    let listed: Vec<_> = table("By status").iter().map(|row| row[0]).collect();
    let used: BTreeSet<_> = Reason::ALL
        .iter()
        .map(|reason| reason.status().as_u16().to_string())
        .collect();
    assert_eq!(listed, used.iter().collect::<Vec<_>>());
}
