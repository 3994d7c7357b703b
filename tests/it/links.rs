//! Links lead somewhere: every relative link and anchor in the repository's Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 3] = ["target", "node_modules", "corpus"];

fn is_there(path: &Path) -> bool {
    root().join(path).exists()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, by its path below the root.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with('.') || FOREIGN.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if Path::new(&name)
                .extension()
                .is_some_and(|kind| kind == "md")
            {
                let text = fs::read_to_string(&path).unwrap();
                pages.insert(path.strip_prefix(root()).unwrap().to_owned(), text);
            }
        }
    }
    pages
}

/// The lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fence = None;
    text.lines().filter(move |line| {
        let mark = line.trim_start().split(|c| c != '`').next().unwrap();
        match fence {
            Some(open) if mark.len() >= open => fence = None,
            Some(_) => {}
            None if mark.len() >= 3 => fence = Some(mark.len()),
            None => return true,
        }
        false
    })
}

/// A line without its code spans, and the spans.
fn without_code(line: &str) -> (String, Vec<&str>) {
    let parts: Vec<_> = line.split('`').collect();
    let spans = parts.iter().skip(1).step_by(2).copied().collect();
    let text: Vec<_> = parts.iter().step_by(2).copied().collect();
    (text.join("``"), spans)
}

/// Where the links of a page lead: `[…](here)`, `![…](here)` and `[…]: here`.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let (line, _) = without_code(line);
        for after in line.split("](").skip(1) {
            let target = after.split([')', ' ']).next().unwrap();
            found.push(target.to_owned());
        }
        if line.starts_with('[')
            && let Some((_, target)) = line.split_once("]: ")
        {
            found.push(target.trim().to_owned());
        }
    }
    found
}

/// The anchors of a page: its headings, as code hosts spell them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for line in prose(text) {
        let Some((level, heading)) = line.split_once(' ') else {
            continue;
        };
        if level.is_empty() || level.chars().any(|c| c != '#') {
            continue;
        }
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                c if c.is_alphanumeric() => Some(c),
                _ => None,
            })
            .collect();
        let again = seen.entry(slug.clone()).or_default();
        anchors.insert(match *again {
            0 => slug,
            again => format!("{slug}-{again}"),
        });
        *again += 1;
    }
    anchors
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// What is wrong with one link; nothing if it leads somewhere.
fn problem(pages: &BTreeMap<PathBuf, String>, page: &Path, target: &str) -> Option<String> {
    // Rustdoc follows paths of this crate itself.
    if target.contains("://") || target.starts_with("mailto:") || target.starts_with("crate::") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => page.to_owned(),
        file => plain(&page.parent().unwrap().join(file)),
    };
    if !is_there(&path) {
        return Some(format!("{}: {target}: no such file", page.display()));
    }
    let known = anchor.is_empty() || anchors(pages.get(&path)?).contains(anchor);
    (!known).then(|| format!("{}: {target}: no such heading", page.display()))
}

#[test]
fn every_relative_link_leads_somewhere() {
    let pages = pages();
    let mut wrong = Vec::new();
    let mut followed = 0;
    for (page, text) in &pages {
        for target in targets(text) {
            followed += 1;
            wrong.extend(problem(&pages, page, &target));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(followed > 100, "{followed} links are too few to be all");
}

/// The guide cannot link to pages that docs.rs does not have, so it names them.
#[test]
fn every_file_the_guide_names_is_there() {
    let mut wrong = Vec::new();
    let mut named = 0;
    for (page, text) in pages() {
        if !page.starts_with("src/docs") {
            continue;
        }
        for span in prose(&text).flat_map(|line| without_code(line).1) {
            let ours = ["docs/", "examples/", "scripts/", "tests/"];
            if !ours.iter().any(|folder| span.starts_with(folder)) {
                continue;
            }
            named += 1;
            let file = span.split(' ').next().unwrap();
            if !is_there(Path::new(file)) {
                wrong.push(format!("{}: {span}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(named > 10, "{named}");
}

#[test]
fn links_and_anchors_are_found_and_missed() {
    let text = "# A `b`_c, d\n## Again\n## Again\n[x](y.md#z) `[no](no)` ![p](p.svg)\n```\n[no](no)\n```\n[r]: s.md\n";
    assert_eq!(targets(text), ["y.md#z", "p.svg", "s.md"]);
    let found: Vec<_> = anchors(text).into_iter().collect();
    assert_eq!(found, ["a-b_c-d", "again", "again-1"]);
    let pages = BTreeMap::from([(PathBuf::from("README.md"), text.to_owned())]);
    let problem = |target| problem(&pages, Path::new("README.md"), target);
    assert_eq!(problem("#again-1"), None);
    assert_eq!(problem("https://example.com/x#y"), None);
    assert!(problem("#gone").unwrap().ends_with("no such heading"));
    assert!(problem("docs/gone.md").unwrap().ends_with("no such file"));
}
