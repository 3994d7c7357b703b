//! What is written about metrics and spans, beside the code: the page, the dashboard, the alert rules.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use regex_lite::Regex;
use serde_json::Value;
use tower_mcp_auth::telemetry::{MetricDescription, MetricKind, Metrics};

const PAGE: &str = include_str!("../../docs/telemetry.md");
const DASHBOARD: &str = include_str!("../../docs/grafana/mcp-auth.json");
const RULES: &str = include_str!("../../docs/prometheus/mcp-auth.rules.yml");

/// Labels that Prometheus adds.
const THEIRS: [&str; 3] = ["job", "instance", "le"];

fn rows(of: &str) -> Vec<Vec<&'static str>> {
    let lines = PAGE.lines().filter(|line| line.starts_with(of));
    lines
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_metric_has_its_row_on_the_page() {
    let rows = rows("| `mcp_auth_");
    let catalogue = Metrics::catalogue();
    assert_eq!(rows.len(), catalogue.len());
    for (metric, row) in catalogue.iter().zip(&rows) {
        assert_eq!(row[0], format!("`{}`", metric.name));
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            _ => "histogram",
        };
        assert_eq!(row[1], kind, "{}", metric.name);
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        assert_eq!(row[2], labels.join(", "), "{}", metric.name);
        let (none, one) = (metric.max_series(0), metric.max_series(1));
        let most = match one - none {
            0 => none.to_string(),
            each if none == 0 => format!("{each} per issuer"),
            each => format!("{none} and {each} per issuer"),
        };
        assert_eq!(row[3], most, "{}", metric.name);
        assert_eq!(row[4], metric.help, "{}", metric.name);
        let named = [
            metric.name.ends_with("_total"),
            metric.name.ends_with("_seconds"),
        ];
        assert_eq!(
            named[0],
            metric.kind == MetricKind::Counter,
            "{}",
            metric.name
        );
        assert!(
            metric.kind != MetricKind::Histogram || named[1],
            "{}",
            metric.name
        );
    }
    let none = Metrics::max_series(0);
    let each = Metrics::max_series(1) - none;
    let sum = format!("at most {none} series and {each} per issuer");
    assert!(PAGE.contains(&sum), "the page says: {sum}");
}

#[test]
fn every_label_has_its_values_on_the_page() {
    let rows = rows("| label `");
    for metric in Metrics::catalogue() {
        for label in metric.labels {
            let values = metric.values(label);
            if *label == "issuer" || *label == "reason" {
                assert_eq!(values.is_empty(), *label == "issuer");
                continue;
            }
            let cell = format!("label `{label}`");
            let said = rows
                .iter()
                .filter(|row| row[0] == cell && row[1].contains(metric.name));
            let [row] = said.collect::<Vec<_>>()[..] else {
                panic!("one row of {label} for {}", metric.name);
            };
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            assert_eq!(row[2], values.join(", "), "{label} of {}", metric.name);
        }
    }
}

#[test]
fn every_field_of_the_span_has_its_row_on_the_page() {
    let code = include_str!("../../src/telemetry/span.rs");
    let quoted = Regex::new(r#""([a-z_]+(?:\.[a-z_]+)+)" ="#).unwrap();
    let in_code: BTreeSet<&str> = quoted
        .captures_iter(code)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert!(in_code.contains("mcp_auth.waited") && in_code.len() > 8);
    let on_page: BTreeSet<&str> = rows("| field `")
        .iter()
        .map(|row| row[0].trim_start_matches("field ").trim_matches('`'))
        .collect();
    assert_eq!(on_page, in_code);
}

/// A metric by the name that stands in an expression: of histograms, the lines that they are made of.
fn metric_of(name: &str) -> Option<&'static MetricDescription> {
    let catalogue = || Metrics::catalogue().iter();
    let exact = catalogue().find(|metric| metric.name == name);
    let histogram = || {
        let ends = ["_bucket", "_sum", "_count"];
        let base = ends.iter().find_map(|end| name.strip_suffix(end))?;
        let metric = catalogue().find(|metric| metric.name == base)?;
        (metric.kind == MetricKind::Histogram).then_some(metric)
    };
    exact
        .filter(|metric| metric.kind != MetricKind::Histogram)
        .or_else(histogram)
}

/// The metrics that an expression is about, with every label and value in it looked up in the code.
fn examined(expression: &str, recorded: &BTreeSet<String>) -> BTreeSet<&'static str> {
    let name = Regex::new(r"(mcp_auth[a-z0-9_:]*)(\{([^}]*)\})?").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)""#).unwrap();
    let mut found = BTreeSet::new();
    let mut labels: BTreeSet<&str> = THEIRS.into();
    for names in name.captures_iter(expression) {
        let name = &names[1];
        if recorded.contains(name) {
            continue;
        }
        let metric = metric_of(name).unwrap_or_else(|| panic!("{name} in {expression}"));
        found.insert(metric.name);
        labels.extend(metric.labels);
        let matchers = names.get(3).map_or("", |inside| inside.as_str());
        for pair in matcher.captures_iter(matchers) {
            let label = &pair[1];
            let known = THEIRS.contains(&label) || metric.labels.contains(&label);
            assert!(known, "{label} in {expression}");
            let values = metric.values(label);
            if !values.is_empty() {
                for value in pair[3].split('|') {
                    assert!(values.contains(&value), "{label}={value:?} in {expression}");
                }
            }
        }
        assert_eq!(
            matcher.captures_iter(matchers).count(),
            matchers
                .split("\",")
                .filter(|part| !part.trim().is_empty())
                .count(),
            "matchers of {expression}"
        );
    }
    let groups = Regex::new(r"(?:by|without|on|ignoring)\s*\(([^)]*)\)").unwrap();
    for group in groups.captures_iter(expression) {
        for label in group[1]
            .split(',')
            .map(str::trim)
            .filter(|label| !label.is_empty())
        {
            assert!(labels.contains(label), "{label} in {expression}");
        }
    }
    let pairs = |open, close| expression.matches(open).count() == expression.matches(close).count();
    assert!(
        pairs('(', ')') && pairs('{', '}') && pairs('[', ']'),
        "{expression}"
    );
    found
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().unwrap().iter();
    all.filter(|panel| panel["type"] != "row").collect()
}

#[test]
fn the_dashboard_shows_every_metric_and_nothing_else() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut shown = BTreeSet::new();
    for panel in panels(&dashboard) {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            // Variables of the dashboard are no labels of ours.
            let expression = target["expr"].as_str().unwrap();
            let expression = expression
                .replace(r#"job=~"$job",instance=~"$instance""#, "")
                .replace("{,", "{")
                .replace("$__rate_interval", "5m");
            shown.extend(examined(&expression, &BTreeSet::new()));
        }
    }
    let all: BTreeSet<_> = Metrics::catalogue()
        .iter()
        .map(|metric| metric.name)
        .collect();
    assert_eq!(shown, all);
}

#[test]
fn panels_of_the_dashboard_can_be_read() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let all = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in all {
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "two panels of one id"
        );
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} overlaps", panel["title"]);
            }
        }
        assert!(
            panel["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
    }
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        let said = panel["description"].as_str().unwrap_or_default();
        assert!(said.len() > 20, "{title}: say what it means and what to do");
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
        assert!(unit.is_some_and(|unit| !unit.is_empty()), "{title}: a unit");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let names = expression.matches("mcp_auth_").count();
            let chosen = expression
                .matches(r#"job=~"$job",instance=~"$instance""#)
                .count();
            assert_eq!(
                names, chosen,
                "{title}: every metric of the chosen instances"
            );
        }
    }
    // What on-call looks at first can be seen without scrolling.
    let first: Vec<_> = panels(&dashboard)
        .into_iter()
        .filter(|panel| panel["gridPos"]["y"].as_u64().unwrap() < 6)
        .collect();
    assert!(first.iter().all(|panel| panel["type"] == "stat"));
    assert!(first.len() >= 5, "{}", first.len());
    for panel in first {
        let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array();
        assert!(
            steps.is_some_and(|steps| steps.len() > 1),
            "{}",
            panel["title"]
        );
    }
}

#[derive(serde::Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(serde::Deserialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: Option<String>,
    record: Option<String>,
    expr: String,
    r#for: Option<String>,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[test]
fn alert_rules_name_what_there_is_and_say_what_to_do() {
    let rules: Rules = serde_saphyr::from_str(RULES).unwrap();
    let mut recorded = BTreeSet::new();
    let mut alerts = BTreeSet::new();
    for group in &rules.groups {
        assert!(group.name.starts_with("mcp-auth"), "{}", group.name);
        for rule in &group.rules {
            let about = examined(&rule.expr, &recorded);
            if let Some(name) = &rule.record {
                let builds_on = recorded.iter().any(|other| rule.expr.contains(other));
                assert!(builds_on || !about.is_empty(), "{name}");
                assert!(recorded.insert(name.clone()), "{name} twice");
                continue;
            }
            let name = rule.alert.as_ref().unwrap();
            assert!(alerts.insert(name.clone()), "{name} twice");
            assert!(name.starts_with("McpAuth"), "{name}");
            assert!(rule.r#for.is_some(), "{name}: a moment is no alert");
            let severity = rule.labels.get("severity").map(String::as_str);
            assert!(
                matches!(severity, Some("page" | "ticket")),
                "{name}: {severity:?}"
            );
            let texts: RangeInclusive<usize> = 20..=600;
            for text in ["summary", "description"] {
                let said = rule.annotations.get(text).map_or(0, String::len);
                assert!(texts.contains(&said), "{name}: {text}");
            }
            assert!(PAGE.contains(&format!("`{name}`")), "{name} is on the page");
        }
    }
    assert!(alerts.len() >= 10, "{}", alerts.len());
}
