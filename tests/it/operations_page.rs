//! The page for operators has what the code can tell them.

use std::fs;
use std::path::Path;

use tower_mcp_auth::audit::AuditEvent;

const PAGE: &str = include_str!("../../docs/operations.md");

/// Every source file but tests and programs.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !["bin", "testing", "tests"].contains(&name.as_str()) {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && name != "tests.rs" {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// The text of each warning and error: the last literal of its macro, up to where it is continued on
/// another line.
fn alarms() -> Vec<String> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root, &mut files);
    let mut found = Vec::new();
    for file in &files {
        for start in ["tracing::warn!(", "tracing::error!("] {
            for rest in file.split(start).skip(1) {
                let call = rest.split(");").next().unwrap();
                let text = call.rsplit('"').nth(1).unwrap();
                let line = text.split(" \\\n").next().unwrap();
                found.push(line.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_warning_and_error_has_its_row() {
    let alarms = alarms();
    assert!(alarms.len() > 20, "{alarms:?}");
    let missing: Vec<_> = alarms
        .iter()
        // An extractor's text is made when it is used; others name what is sent along.
        .filter(|text| !text.starts_with('{') && !PAGE.contains(text.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_row_is_told_by_the_code() {
    let alarms = alarms();
    let rows = PAGE
        .lines()
        .filter(|line| line.starts_with("| WARN") || line.starts_with("| ERROR"));
    for row in rows {
        let message = row.split(" | ").nth(2).unwrap();
        assert!(
            alarms.iter().any(|text| text.starts_with(message)),
            "{message}"
        );
    }
}

#[test]
fn every_event_has_its_class() {
    use tower_mcp_auth::audit::AuditRecord;
    use tower_mcp_auth::clock::UnixTime;

    for event in AuditEvent::ALL {
        let ocsf = AuditRecord::new(event, UnixTime::from_secs(0)).to_ocsf();
        let class = format!(
            "| {} {} |",
            ocsf["class_uid"],
            ocsf["class_name"].as_str().unwrap()
        );
        let severity = ocsf["severity"].as_str().unwrap();
        let name = format!("`{}`", event.name());
        let row = PAGE
            .lines()
            .find(|line| line.contains(&name) && line.contains(&class));
        let row = row.unwrap_or_else(|| panic!("no row of {name} with {class}"));
        assert!(row.ends_with(&format!("| {severity} |")), "{row}");
    }
}
