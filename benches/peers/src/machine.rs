//! What was measured, and on what.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// The packages whose versions a reader wants to know.
const PACKAGES: [&str; 12] = [
    "aliri_tower",
    "aws-lc-rs",
    "axum-jwks",
    "hyper",
    "jsonwebtoken",
    "jwt-authorizer",
    "oauth-resource-server",
    "ring",
    "tokio",
    "tower-http",
    "tower-mcp-auth",
    "tower-oauth2-resource-server",
];

/// The machine, its kernel and compiler, and how busy it is just now.
#[must_use]
pub fn machine() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    json!({
        "cpu": cpu.map(|name| name.trim_start_matches([' ', '\t', ':'])),
        "threads": std::thread::available_parallelism().ok(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "kernel": read("/proc/sys/kernel/osrelease"),
        "rustc": rustc(),
        "load": load(),
    })
}

/// How many programs wanted to run in the last minute, on average (on Linux).
#[must_use]
pub fn load() -> Option<f64> {
    read("/proc/loadavg")?.split(' ').next()?.parse().ok()
}

/// The versions of the packages that matter, from the lock file; more than one where more are in it.
#[must_use]
pub fn versions() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut versions = BTreeMap::<_, Vec<_>>::new();
    let mut name = "";
    for line in include_str!("../Cargo.lock").lines() {
        let value = |key| {
            line.strip_prefix(key)
                .map(|value: &str| value.trim_matches('"'))
        };
        if let Some(value) = value("name = ") {
            name = value;
        }
        if let (Some(version), true) = (value("version = "), PACKAGES.contains(&name)) {
            versions.entry(name).or_default().push(version);
        }
    }
    versions
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn rustc() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
