//! The fixtures themselves: complete, and of the vendor they are kept under.

use std::fs;
use std::path::Path;

use super::{fixture, identifier};

#[test]
fn jwt_05_every_vendor_is_recorded_with_its_sources() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vendors");
    let mut vendors = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_dir() {
            continue;
        }
        vendors += 1;
        let vendor = entry.file_name().into_string().unwrap();
        for needed in ["discovery", "jwks", "access_token", "id_token"] {
            fixture(&vendor, needed);
        }
        for file in fs::read_dir(entry.path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let name = name.strip_suffix(".json").unwrap();
            let recorded = fixture(&vendor, name);
            if name.starts_with("discovery") || name == "jwks" {
                continue;
            }
            assert!(
                recorded["source"]
                    .as_str()
                    .is_some_and(|source| source.len() > 20),
                "{vendor}/{name} does not say where it is from"
            );
            if recorded.get("opaque").is_none() {
                assert_eq!(
                    recorded["claims"]["iss"],
                    identifier(&vendor),
                    "{vendor}/{name}"
                );
            }
        }
    }
    assert!(vendors >= 10, "only {vendors} vendors");
}
