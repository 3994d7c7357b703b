//! The house, enforced: ranks, file sizes, and what may stand where (DESIGN.md, "Ranks").

use std::fs;
use std::path::{Path, PathBuf};

/// A module's rank, by the first step of its path below `src/`.
const RANKS: &[(&str, u8)] = &[
    ("address", 0),
    ("algorithm", 0),
    ("clock", 0),
    ("confirmation", 0),
    ("error", 0),
    ("ident", 0),
    ("keyed_hash", 0),
    ("method", 0),
    ("operation", 0),
    ("scope", 0),
    ("secret", 0),
    ("issuer", 1),
    ("principal", 1),
    ("profile", 1),
    ("rejection", 1),
    ("resource", 1),
    ("rpc", 2),
    ("wire", 2),
    ("audit", 3),
    ("cache", 3),
    ("enrich", 3),
    ("fetch", 3),
    ("jose", 3),
    ("pulse", 3),
    ("revocation", 3),
    ("session", 3),
    ("signal", 3),
    ("stage", 3),
    ("telemetry", 3),
    ("throttle", 3),
    ("api_token", 4),
    ("dpop", 4),
    ("mtls", 4),
    ("oauth", 4),
    ("authenticator", 5),
    ("context", 5),
    ("policy", 5),
    ("step_up", 5),
    ("tool", 5),
    ("response", 6),
    ("events", 7),
    ("explain", 7),
    ("middleware", 7),
    ("backend", 8),
    ("cors", 8),
    ("fuzzing", 8),
    ("testing", 8),
    ("config", 9),
    ("guide", 9),
    ("lib", 10),
    ("bin", 10),
];

/// Imports against the arrow, each with its reason in DESIGN.md.
const EXCEPTIONS: [(&str, &str); 1] = [("authenticator/builder.rs", "backend")];

struct Source {
    /// Path below `src/`, with `/`.
    name: String,
    text: String,
}

impl Source {
    fn rank(&self) -> u8 {
        let module = self.name.split(['/', '.']).next().unwrap();
        rank_of(module)
            .unwrap_or_else(|| panic!("{}: give it a rank in tests/it/layering.rs", self.name))
    }

    /// Lines of code outside comments and test modules.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
    }

    fn is_test(&self) -> bool {
        self.name
            .split('/')
            .any(|step| step == "tests" || step == "tests.rs")
    }
}

fn rank_of(module: &str) -> Option<u8> {
    RANKS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, rank)| *rank)
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .into_iter()
        .map(|path| Source {
            name: path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/"),
            text: fs::read_to_string(&path).unwrap(),
        })
        .filter(|source| !source.is_test())
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn imports_point_to_lower_ranks_only() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.name != "lib.rs") {
        for line in source.code() {
            for imported in line.split("crate::").skip(1) {
                let module: String = imported
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                let Some(rank) = rank_of(&module) else {
                    continue;
                };
                let excused = EXCEPTIONS.contains(&(source.name.as_str(), module.as_str()));
                if rank > source.rank() && !excused {
                    wrong.push(format!("{} imports {module}", source.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the ranks: {wrong:#?}");
}

#[test]
fn no_file_has_more_than_300_code_lines() {
    let long: Vec<_> = sources()
        .iter()
        .map(|source| (source.code().count(), source.name.clone()))
        .filter(|(lines, _)| *lines > 300)
        .collect();
    assert!(long.is_empty(), "split these: {long:?}");
}

#[test]
fn signatures_boxes_and_clocks_stand_only_where_they_belong() {
    let only = |word: &str, places: &[&str]| {
        for source in sources() {
            let used = source.code().any(|line| line.contains(word));
            let allowed = places.iter().any(|place| source.name.starts_with(place));
            assert!(
                !used || allowed,
                "{word} in {}, allowed in {places:?}",
                source.name
            );
        }
    };
    // Verifying others' signatures, and signing what this server authenticates with (RFC 7523).
    only("jsonwebtoken::", &["jose/verify.rs", "jose/sign.rs"]);
    only("SystemTime::now", &["clock.rs"]);
    only(
        "Box::pin",
        &[
            "api_token/foreign.rs",
            "api_token/store.rs",
            "authenticator/",
            "cache.rs",
            "dpop/replay.rs",
            "enrich.rs",
            "events/mod.rs",
            "fetch/mod.rs",
            "backend/",
            "testing/",
            "oauth/keys/",
            "policy/store.rs",
            "revocation/hints.rs",
            "revocation/log.rs",
            "throttle/shared.rs",
        ],
    );
    only(
        "aws_lc_rs::",
        &[
            "testing/",
            "jose/verify.rs",
            "backend/http/builder.rs",
            "backend/redis/address.rs",
        ],
    );
}

#[test]
fn the_pure_ranks_do_no_io_and_do_not_wait() {
    for source in sources() {
        let pure = matches!(source.rank(), 0..=2 | 6) || source.name.starts_with("jose/");
        if !pure {
            continue;
        }
        for word in ["async fn", ".await", "tokio::", "Mutex", "std::net::Tcp"] {
            assert!(
                !source.code().any(|line| line.contains(word)),
                "{word} in {}",
                source.name
            );
        }
    }
}

#[test]
fn there_is_no_unsafe_code_and_nothing_unfinished() {
    for source in sources() {
        for word in [
            "unsafe ",
            "todo!(",
            "unimplemented!(",
            "allow(dead_code",
            "allow(unused",
        ] {
            assert!(
                !source.code().any(|line| line.contains(word)),
                "{word} in {}",
                source.name
            );
        }
    }
}
