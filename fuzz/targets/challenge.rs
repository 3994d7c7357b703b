//! Challenges from any text: each parses back, by RFC 9110 alone, to the parameters that went in.
#![no_main]

use tower_mcp_auth::ScopeSet;
use tower_mcp_auth::fuzzing::{Challenge, basic_challenge};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;

/// RFC 9110 §11.6.1 with all its white space, commas, tokens and quoted pairs: every challenge of a line.
fn parse(line: &str) -> Option<Vec<(String, Vec<(String, String)>)>> {
    let tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let mut challenges: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(challenges);
        }
        let end = rest.find(|c| !tchar(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        let trimmed = after.trim_start_matches([' ', '\t']);
        let Some(value) = trimmed.strip_prefix('=') else {
            // A scheme: a space and its first parameter follow, or the end.
            if !after.is_empty() && !after.starts_with([' ', ',']) {
                return None;
            }
            challenges.push((name.to_owned(), Vec::new()));
            rest = after;
            continue;
        };
        let value = value.trim_start_matches([' ', '\t']);
        let (value, after) = match value.strip_prefix('"') {
            None => {
                let end = value.find(|c| !tchar(c)).unwrap_or(value.len());
                let (value, after) = value.split_at(end);
                (value.to_owned(), after)
            }
            Some(quoted) => {
                let (mut value, mut chars) = (String::new(), quoted.chars());
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => value.push(chars.next()?),
                        c => value.push(c),
                    }
                }
                (value, chars.as_str())
            }
        };
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        challenges.last_mut()?.1.push((name.to_ascii_lowercase(), value));
        rest = after;
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let error = *input.pick(&[None, Some("invalid_token"), Some("insufficient_scope")]);
    let max_age = input.yes().then(|| input.number().unsigned_abs());
    let (description, login, realm) = (input.text(), input.text(), input.text());
    let (description, login) = (Some(description).filter(|_| input.yes()), Some(login).filter(|_| input.yes()));
    let scope = ScopeSet::parse(&input.text()).unwrap_or_default();
    let metadata = format!("https://mcp.example.com/{}", input.text());
    let challenge = Challenge {
        error,
        description: description.as_deref(),
        scope: &scope,
        acr_values: login.as_deref(),
        max_age,
        metadata: &metadata,
    };
    for (line, scheme) in challenge.lines("ES256 EdDSA").into_iter().zip(["Bearer", "DPoP"]) {
        let line = line.to_str().expect("printable ASCII");
        let challenges = parse(line).unwrap_or_else(|| panic!("{line}"));
        let [(named, parameters)] = &challenges[..] else { panic!("{line}") };
        assert_eq!(named, scheme);
        let value = |wanted: &str| {
            let mut values = parameters.iter().filter(|(name, _)| name == wanted);
            let value = values.next().map(|(_, value)| value.as_str());
            assert!(values.next().is_none(), "{wanted} twice: {line}");
            value
        };
        let known = ["error", "error_description", "scope", "algs", "resource_metadata", "acr_values", "max_age"];
        assert!(parameters.iter().all(|(name, _)| known.contains(&name.as_str())), "{line}");
        assert_eq!(value("error"), error);
        assert_eq!(value("scope"), Some(scope.to_string().as_str()).filter(|scope| !scope.is_empty()));
        assert_eq!(value("max_age"), max_age.map(|age| age.to_string()).as_deref());
        assert_eq!(value("algs"), (scheme == "DPoP").then_some("ES256 EdDSA"));
        assert_eq!(value("error_description").is_some(), description.is_some());
        assert!(value("error_description").is_none_or(|text| text.len() <= 512 && !text.contains(['=', '\\'])));
        assert_eq!(value("acr_values").is_some(), login.is_some());
        let kept: String = metadata.chars().filter(|c| ('!'..='~').contains(c)).collect();
        let kept = kept.replace('"', "%22").replace('\\', "%5C");
        assert_eq!(value("resource_metadata"), Some(kept.as_str()));
    }
    if let Some(line) = basic_challenge(&realm) {
        let line = line.to_str().expect("printable ASCII");
        let wanted = vec![("realm".to_owned(), realm.clone()), ("charset".to_owned(), "UTF-8".to_owned())];
        assert_eq!(parse(line), Some(vec![("Basic".to_owned(), wanted)]), "{line}");
    }
});
