use proptest::prelude::*;

use super::*;
use crate::{Issuer, ProtectedResource};

const P: &str = "/.well-known/oauth-protected-resource";

fn resource(identifier: &str) -> Resource {
    ProtectedResource::new(identifier)
        .issuer(Issuer::new("https://auth.example.com/t1"))
        .build()
        .unwrap()
}

fn get(resources: &[Resource], uri: &str) -> Option<Response<Bytes>> {
    let uri: Uri = uri.parse().unwrap();
    answer(resources, &Method::GET, &uri, &HeaderMap::new())
}

fn served(resources: &[Resource], uri: &str) -> Option<String> {
    let body = get(resources, uri)?.into_body();
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    Some(document["resource"].as_str().unwrap().to_owned())
}

#[test]
fn prm_02_a_query_in_the_identifier_is_part_of_the_location() {
    let plain = resource("https://h.test/m");
    let query = resource("https://h.test/m?x=1");
    let both = [plain, query.clone()];
    let found = |query: &str| served(&both, &format!("{P}/m{query}")).unwrap();
    assert_eq!(found(""), "https://h.test/m");
    assert_eq!(found("?x=1"), "https://h.test/m?x=1");
    assert_eq!(found("?x=2"), "https://h.test/m");
    assert!(get(&[query], &format!("{P}/m")).is_none());
    let root = [resource("https://h.test/")];
    assert_eq!(served(&root, P).unwrap(), "https://h.test/");
}

#[test]
fn prm_03_the_root_location_answers_for_one_resource_only() {
    let [a, b] = ["https://h.test/a", "https://h.test/b"].map(resource);
    let one = [a.clone()];
    assert_eq!(served(&one, P).unwrap(), "https://h.test/a");
    assert!(get(&[a, b], P).is_none());
    let with_root = ["https://h.test/a", "https://h.test/"].map(resource);
    assert_eq!(served(&with_root, P).unwrap(), "https://h.test/");
}

#[test]
fn prm_05_one_path_on_two_hosts_is_told_apart_by_host() {
    let both = ["https://a.test/m", "https://b.test/m"].map(resource);
    let found = |host: &str| served(&both, &format!("https://{host}{P}/m"));
    assert_eq!(found("a.test").unwrap(), "https://a.test/m");
    assert_eq!(found("b.test").unwrap(), "https://b.test/m");
    assert!(found("evil.test").is_none());
    let twin = get(&both, "https://b.test/m/").unwrap();
    assert_eq!(twin.headers()[LOCATION], "https://b.test/m");
}

#[test]
fn prm_06_the_slash_twin_leads_to_the_identifier() {
    for (identifier, twin) in [
        ("https://h.test/mcp", "/mcp/"),
        ("https://h.test/mcp/", "/mcp"),
        ("https://h.test/a/b?x=1", "/a/b/?x=2"),
    ] {
        let response = get(&[resource(identifier)], twin).unwrap();
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(response.headers()[LOCATION], identifier);
    }
    let root = [resource("https://h.test/")];
    assert!(get(&root, "/").is_none());
    assert!(get(&root, "//").is_none());
    let slashed = [resource("https://h.test/mcp/")];
    assert!(get(&slashed, "/mcp//").is_none());
    let own_entry = ["https://h.test/mcp", "https://h.test/mcp/"].map(resource);
    assert!(get(&own_entry, "/mcp").is_none());
    assert!(get(&own_entry, "/mcp/").is_none());
}

#[test]
fn prm_06_a_location_outside_ascii_is_encoded() {
    let response = get(&[resource("https://h.test/\u{fc}")], "/%C3%BC/").unwrap();
    assert_eq!(response.headers()[LOCATION], "https://h.test/%C3%BC");
}

#[test]
fn t35_other_spellings_of_the_path_are_not_public() {
    let one = [resource("https://h.test/mcp")];
    for path in [
        "/.well-known/oauth-protected-resource%2Fmcp",
        "/.well-known/oauth-protected-resource/%6Dcp",
        "/.well-known//oauth-protected-resource/mcp",
        "//.well-known/oauth-protected-resource/mcp",
        "/x/../.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/mcp;x",
        "/.well-known/oauth-protected-resource;x/mcp",
        "/.well-known/oauth-protected-resource/mcp/",
        "/.well-known/oauth-protected-resource/",
        "/.WELL-KNOWN/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/mcp/x",
        "/.well-known/oauth-protected-resourcex",
        "/mcp",
        "/mcp%2F",
        "/mcp//",
        "/mcp/.",
        "/MCP/",
    ] {
        assert!(get(&one, path).is_none(), "{path}");
    }
    let asterisk = Uri::from_static("*");
    assert!(answer(&one, &Method::OPTIONS, &asterisk, &HeaderMap::new()).is_none());
}

proptest! {
    #[test]
    fn t35_only_three_paths_are_public(
        head in "(/\\.well-known/oauth-protected-resource)?",
        middle in "(/mcp)?",
        tail in "[/a-z.%;0-9~]{0,3}",
    ) {
        let path = format!("{head}{middle}{tail}");
        if let Ok(uri) = path.parse::<Uri>() {
            let one = [resource("https://h.test/mcp")];
            let found = answer(&one, &Method::POST, &uri, &HeaderMap::new()).is_some();
            let public = [P.to_owned(), format!("{P}/mcp"), "/mcp/".to_owned()];
            prop_assert_eq!(found, public.contains(&path), "{}", path);
        }
    }
}
