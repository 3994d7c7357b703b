//! Patterns over the URLs of OAuth clients: what one lets in, against a URL parser for browsers.
//!
//! The input is a pattern, and behind a byte 0 the URL of a client; without one, a URL that the pattern must match.
#![no_main]

use tower_mcp_auth::policy::ClientPattern;
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;
use url::Url;

/// A pattern, taken apart by hand. Only for patterns without a problem.
struct Meant<'p> {
    scheme: String,
    host: &'p str,
    port: Option<&'p str>,
    path: &'p str,
}

fn taken_apart(pattern: &str) -> Meant<'_> {
    let (scheme, rest) = pattern.split_once("://").expect("a scheme");
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = (&rest[..slash], &rest[slash..]);
    let (host, port) = match authority.find(':') {
        Some(colon) => (&authority[..colon], Some(&authority[colon + 1..])),
        None => (authority, None),
    };
    Meant { scheme: scheme.to_ascii_lowercase(), host, port, path }
}

/// All that one label stands for; `None`: any.
fn names(label: &str) -> Option<Vec<String>> {
    if label == "*" {
        return None;
    }
    let label = label.to_ascii_lowercase();
    let Some(open) = label.find('{') else {
        return Some(vec![label]);
    };
    let close = label.rfind('}').expect("closed");
    let each = label[open + 1..close].split(',');
    Some(each.map(|name| format!("{}{name}{}", &label[..open], &label[close + 1..])).collect())
}

impl Meant<'_> {
    fn is_web(&self) -> bool {
        ["http", "https"].contains(&&*self.scheme)
    }

    /// Whether a browser would come out where the pattern says.
    fn lets_in(&self, client: &Url) -> bool {
        let host = client.host_str().unwrap_or_default();
        let port = match self.port {
            Some("*" | "**") => true,
            Some(port) => client.port_or_known_default().map(|port| port.to_string()).as_deref() == Some(port),
            None => client.port().is_none(),
        };
        let path = match self.path.strip_suffix("/**") {
            Some("") => true,
            Some(folder) => client.path().starts_with(&format!("{folder}/")),
            None if ["", "/"].contains(&self.path) => true,
            None => client.path() == self.path && client.query().is_none(),
        };
        let nobody = client.username().is_empty() && client.password().is_none() && client.fragment().is_none();
        let host = match (self.is_web(), self.host) {
            (false, "") => self.port.is_none(),
            (false, own) => host == own,
            (true, labels) => {
                let (labels, found): (Vec<_>, Vec<_>) = (labels.split('.').collect(), host.split('.').collect());
                let is = |(label, found): (&&str, &&str)| {
                    !found.is_empty() && names(label).is_none_or(|names| names.iter().any(|name| name == found))
                };
                labels.len() == found.len() && labels.iter().zip(&found).all(is)
            }
        };
        client.scheme() == self.scheme && nobody && host && port && path
    }

    /// A URL that is meant.
    fn example(&self) -> String {
        let first = |label: &str| names(label).map_or_else(|| "x1".into(), |names| names[0].clone());
        let host = if self.is_web() {
            self.host.split('.').map(first).collect::<Vec<_>>().join(".")
        } else {
            self.host.to_owned()
        };
        let port = match self.port {
            Some("*" | "**") => ":8080".to_owned(),
            Some(port) => format!(":{port}"),
            None => String::new(),
        };
        let path = self.path.strip_suffix("**").map_or(self.path.into(), |folder| format!("{folder}x/y.json"));
        format!("{}://{host}{port}{path}", self.scheme)
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (text, client) = (input.text(), input.text());
    let pattern = ClientPattern::new(&text);
    if pattern.problem().is_some() {
        assert!(!pattern.matches(&client), "{text} is no pattern, and matches {client}");
        return;
    }
    let meant = taken_apart(&text);
    if client.is_empty() {
        let example = meant.example();
        assert!(pattern.matches(&example), "{text} is to match {example}");
    } else if pattern.matches(&client) {
        let url = Url::parse(&client).unwrap_or_else(|why| panic!("{text} matches {client}: {why}"));
        assert!(meant.lets_in(&url), "{text} matches {client}, which is {url}");
    }
});
