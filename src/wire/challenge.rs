//! The writers of `WWW-Authenticate`: `Bearer …` (OAuth 2.1 §5.3.1, RFC 9728 §5.1), `DPoP …` (RFC 9449
//! §7.1) and `Basic …` (RFC 7617 §2).

use http::HeaderValue;

use crate::scope::ScopeSet;

/// Longest text of an `error_description`, in bytes. The body has the whole message; header lines
/// beyond a few kilobytes are dropped by proxies.
const MAX_TEXT: usize = 512;

/// One Bearer challenge. `resource_metadata` is not optional, so that it is never a bare `Bearer`
/// (AUTH-2), and each parameter is a field, so that none is written twice (AUTH-5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct BearerChallenge<'a> {
    pub(crate) error: Option<&'static str>,
    pub(crate) error_description: Option<&'a str>,
    /// Left out when empty.
    pub(crate) scope: &'a ScopeSet,
    /// The kinds of login that would do, separated by spaces (RFC 9470 §3).
    pub(crate) acr_values: Option<&'a str>,
    /// How many seconds ago the login may have been at most (RFC 9470 §3).
    pub(crate) max_age: Option<u64>,
    /// The URL of the metadata document.
    pub(crate) resource_metadata: &'a str,
}

impl<'a> BearerChallenge<'a> {
    /// One that only says where the metadata is.
    pub(crate) fn bare(none: &'a ScopeSet, resource_metadata: &'a str) -> Self {
        Self {
            error: None,
            error_description: None,
            scope: none,
            acr_values: None,
            max_age: None,
            resource_metadata,
        }
    }

    /// The header line. Whatever the texts, it is one challenge with unique parameters: bytes
    /// outside the grammar are replaced, never escaped, since client libraries look for the next
    /// quote without knowing escapes (AUTH-6).
    pub(crate) fn to_header(self) -> HeaderValue {
        self.line("Bearer ", None)
    }

    /// The same as a DPoP challenge, with the algorithms of proofs, separated by spaces (RFC 9449
    /// §7.1).
    pub(crate) fn to_dpop_header(self, algorithms: &str) -> HeaderValue {
        self.line("DPoP ", Some(algorithms))
    }

    fn line(self, scheme: &str, algorithms: Option<&str>) -> HeaderValue {
        let mut line = String::from(scheme);
        let scope = (!self.scope.is_empty()).then(|| self.scope.to_string());
        let description = self.error_description.map(defused);
        let metadata = url_safe(self.resource_metadata);
        let acr_values = self.acr_values.map(words);
        let max_age = self.max_age.map(|seconds| seconds.to_string());
        let error = ("error", self.error);
        let scope = ("scope", scope.as_deref());
        let description = ("error_description", description.as_deref());
        let metadata = ("resource_metadata", Some(metadata.as_str()));
        let algorithms = ("algs", algorithms);
        // The error comes first where there is one, the way to get a token where there is none:
        // people read these lines in terminals that cut them off.
        let parameters = match self.error {
            Some(_) => [error, scope, description, algorithms, metadata],
            None => [algorithms, metadata, scope, description, error],
        };
        let login = [
            ("acr_values", acr_values.as_deref()),
            ("max_age", max_age.as_deref()),
        ];
        let mut separator = "";
        for (name, value) in parameters.into_iter().chain(login) {
            if let Some(value) = value {
                line.extend([separator, name, "=\"", value, "\""]);
                separator = ", ";
            }
        }
        // Cannot fail: every part above is printable ASCII.
        HeaderValue::try_from(line)
            .unwrap_or(HeaderValue::from_static("Bearer realm=\"unavailable\""))
    }
}

/// Longest realm, in bytes.
const MAX_REALM: usize = 128;

/// The Basic challenge, with the two parameters it knows and no other (BAS-10). `None` if the realm
/// would not be one quoted string without escapes, or could pose as a parameter (AUTH-8).
pub(crate) fn basic_challenge(realm: &str) -> Option<HeaderValue> {
    let plain = realm
        .bytes()
        .all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'));
    let lower = realm.to_ascii_lowercase();
    let poses = ["scope=", "error=", "resource_metadata="]
        .iter()
        .any(|parameter| lower.contains(parameter));
    if !plain || poses || !(1..=MAX_REALM).contains(&realm.len()) {
        return None;
    }
    HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")).ok()
}

/// Text for people, within the grammar of `error_description` (OAuth 2.1 §5.3.1), and without any
/// `=`: clients find `scope=` and its like by searching the whole line (AUTH-8).
fn defused(text: &str) -> String {
    text.chars()
        .take(MAX_TEXT)
        .map(|c| match c {
            '"' => '\'',
            '=' => ':',
            '\\' => '/',
            ' '..='~' => c,
            _ if c.is_whitespace() || c.is_control() => ' ',
            _ => '?',
        })
        .collect()
}

/// Words as configured, which an issuer compares byte for byte, but nothing that ends the quotes.
fn words(text: &str) -> String {
    let harmless = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    text.chars().filter(harmless).collect()
}

/// A URL as it is, except for the bytes that would end or escape the quoted string.
fn url_safe(url: &str) -> String {
    let mut safe = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '"' => safe.push_str("%22"),
            '\\' => safe.push_str("%5C"),
            '!'..='~' => safe.push(c),
            // The `url` crate has encoded all else before.
            _ => {}
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

    fn line(error: Option<&'static str>, description: Option<&str>, scope: &str) -> String {
        let scope = ScopeSet::parse(scope).unwrap();
        BearerChallenge {
            error,
            error_description: description,
            scope: &scope,
            acr_values: None,
            max_age: None,
            resource_metadata: METADATA,
        }
        .to_header()
        .to_str()
        .unwrap()
        .to_owned()
    }

    #[test]
    fn auth_07_no_credential_is_e1() {
        assert_eq!(
            line(None, None, "read:issues"),
            format!("Bearer resource_metadata=\"{METADATA}\", scope=\"read:issues\"")
        );
        assert_eq!(
            line(None, None, ""),
            format!("Bearer resource_metadata=\"{METADATA}\"")
        );
    }

    #[test]
    fn auth_01_bad_token_is_e2() {
        assert_eq!(
            line(Some("invalid_token"), Some("The access token expired"), ""),
            format!(
                "Bearer error=\"invalid_token\", error_description=\"The access token expired\", resource_metadata=\"{METADATA}\""
            )
        );
    }

    #[test]
    fn scp_01_insufficient_scope_is_e3() {
        assert_eq!(
            line(
                Some("insufficient_scope"),
                Some("createIssue needs write:issues"),
                "read:issues write:issues"
            ),
            format!(
                "Bearer error=\"insufficient_scope\", scope=\"read:issues write:issues\", error_description=\"createIssue needs write:issues\", resource_metadata=\"{METADATA}\""
            )
        );
    }

    #[test]
    fn step_01_a_login_is_asked_for_as_rfc_9470_has_it() {
        let line = BearerChallenge {
            error: Some("insufficient_user_authentication"),
            error_description: Some("A more recent login is required"),
            scope: &ScopeSet::empty(),
            acr_values: Some("phr phrh"),
            max_age: Some(300),
            resource_metadata: METADATA,
        }
        .to_header();
        assert_eq!(
            line.to_str().unwrap(),
            format!(
                "Bearer error=\"insufficient_user_authentication\", error_description=\"A more recent login is required\", resource_metadata=\"{METADATA}\", acr_values=\"phr phrh\", max_age=\"300\""
            )
        );
    }

    #[test]
    fn auth_08_text_cannot_pose_as_a_parameter() {
        let line = line(
            Some("invalid_token"),
            Some("needs scope=admin, error=none, Resource_Metadata=https://evil.test"),
            "",
        );
        assert_eq!(line.matches("scope=").count(), 0, "{line}");
        assert_eq!(line.matches("error=").count(), 1, "{line}");
        assert_eq!(
            line.to_lowercase().matches("resource_metadata=").count(),
            1,
            "{line}"
        );
    }

    #[test]
    fn bas_10_a_realm_is_one_quoted_string() {
        assert_eq!(
            basic_challenge("Example API tokens").unwrap(),
            "Basic realm=\"Example API tokens\", charset=\"UTF-8\""
        );
        assert!(basic_challenge(&"x".repeat(128)).is_some());
        for realm in [
            "",
            "a\"b",
            "a\\b",
            "a\nb",
            "a\tb",
            "a\u{7f}",
            "r\u{e9}alm",
            "Scope=all",
            "error=none",
            "resource_metadata=https://evil.test",
            &"x".repeat(129),
        ] {
            assert_eq!(basic_challenge(realm), None, "{realm:?}");
        }
    }

    /// RFC 9110 §11.6.1, strictly, and with no code of the writer: `Bearer` SP
    /// name="value" *( ", " name="value" ).
    fn parse(line: &str) -> Option<Vec<(String, String)>> {
        let mut rest = line.strip_prefix("Bearer ")?;
        let mut parameters = Vec::new();
        loop {
            let (name, after) = rest.split_once("=\"")?;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                return None;
            }
            let (value, after) = after.split_once('"')?;
            if !value
                .bytes()
                .all(|b| matches!(b, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
            {
                return None;
            }
            parameters.push((name.to_owned(), value.to_owned()));
            match after.strip_prefix(", ") {
                Some(next) => rest = next,
                None if after.is_empty() => return Some(parameters),
                None => return None,
            }
        }
    }

    proptest! {
        #[test]
        fn auth_05_auth_06_any_text_makes_one_challenge_with_unique_names(
            error in prop::sample::select(vec![None, Some("invalid_token"), Some("insufficient_scope")]),
            description in prop::option::of(any::<String>()),
            hostile in prop::option::of("[\"\\\\,= a-z\r\n\u{e9}]{0,40}"),
            words in prop::collection::vec("[!#-\\[\\]-~]{1,8}", 0..5),
            path in "[ -~]{0,30}",
            logins in prop::option::of(any::<String>()),
            max_age in prop::option::of(any::<u64>()),
        ) {
            let description = hostile.or(description);
            let scope = ScopeSet::from_words(&words).unwrap();
            let metadata = format!("{METADATA}/{path}");
            let header = BearerChallenge {
                error,
                error_description: description.as_deref(),
                scope: &scope,
                acr_values: logins.as_deref(),
                max_age,
                resource_metadata: &metadata,
            }
            .to_header();
            let parameters = parse(header.to_str().unwrap()).expect("a well-formed challenge");
            let value = |name: &str| {
                parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
            };
            let mut names: Vec<_> = parameters.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(names.len(), parameters.len());
            prop_assert_eq!(value("error"), error);
            prop_assert_eq!(value("error_description").is_some(), description.is_some());
            let written = (!scope.is_empty()).then(|| scope.to_string());
            prop_assert_eq!(value("scope"), written.as_deref());
            prop_assert!(value("resource_metadata").unwrap().starts_with(METADATA));
            if let Some(text) = value("error_description") {
                prop_assert!(!text.contains('='));
            }
        }
    }
}
