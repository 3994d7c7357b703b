//! Which OAuth clients an administrator means when they write down a domain (POL-11).

mod parse;
mod url;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::url::ClientUrl;

/// A pattern over the URLs that identify OAuth clients: `client_id`s that are URLs of a metadata
/// document, and redirect URIs.
///
/// ```text
/// pattern  scheme "://" host [":" port] [path]
/// scheme   https; http for the hosts localhost and 127.0.0.1 only; an application's own scheme
/// host     labels separated by dots; "*" is exactly one label, "{a,b}" one of several
/// port     a number, or "*" or "**" for any; absent: the scheme's default
/// path     absent or "/": any; ending in "/**": that and everything below; else exactly that
/// ```
///
/// - `https://app.example.com`: every URL of exactly that origin, port 443, no sub-domain.
/// - `https://*.example.com/**`: one label before `example.com`, not two and not none.
/// - `https://{dev,prod}.example.com`, `https://app-{eu,us}.example.com`: one list per label.
/// - `http://localhost:*/**`: tools on the person's own machine.
/// - `cursor://`: the whole scheme of that application; `cursor://host/path` is exact, without
///   wildcards in the host.
///
/// A pattern needs a registrable name: its last two labels may not be `*`. Public suffixes such as
/// `github.io` are not known here, except that `*` right before the likes of `co.uk` and `com.au`
/// is refused; whoever lists `https://*.github.io` lets in everybody with a page there.
///
/// Nothing is checked by [`new`](Self::new): a bad pattern matches nothing, and
/// [`problem`](Self::problem) says why, which a policy reports when it is stored. Matching is
/// linear in the lengths, with no regular expression and no backtracking.
///
/// ```
/// use tower_mcp_auth::policy::ClientPattern;
///
/// let pattern = ClientPattern::new("https://{dev,prod}.example.com/**");
/// assert!(pattern.matches("https://dev.example.com/client.json"));
/// assert!(!pattern.matches("https://dev.example.com.evil.test/client.json"));
/// assert!(ClientPattern::new("https://*.com/**").problem().is_some());
/// ```
#[derive(Clone)]
pub struct ClientPattern(Arc<Inner>);

struct Inner {
    text: Box<str>,
    parsed: Result<Pattern, &'static str>,
}

/// A pattern whose grammar holds. All letters of scheme and host are small.
struct Pattern {
    scheme: Box<str>,
    host: Host,
    port: Port,
    path: Path,
}

enum Host {
    /// A DNS name or `127.0.0.1`, label by label.
    Labels(Box<[Label]>),
    /// The authority of an application's own scheme.
    Exact(Box<str>),
    /// Everything in an application's own scheme.
    Any,
}

enum Label {
    Any,
    /// Never empty; one entry for a plain label.
    OneOf(Box<[Box<str>]>),
}

#[derive(Clone, Copy)]
enum Port {
    Default,
    Exact(u16),
    Any,
}

enum Path {
    Any,
    Exact(Box<str>),
    /// With its final `/`.
    Below(Box<str>),
}

impl ClientPattern {
    /// A pattern as the administrator wrote it.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        Self(Arc::new(Inner {
            text: text.into(),
            parsed: Pattern::parse(text),
        }))
    }

    /// The text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Why the pattern cannot be used and what to write instead; `None` for a good one.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        self.0.parsed.as_ref().err().copied()
    }

    /// Whether the URL `client` is one of those meant.
    ///
    /// Strict with the URL: white space, backslashes, user names, fragments, dot segments, encoded
    /// slashes, a trailing dot of the host, and IPv6 hosts make it match nothing. Scheme and host
    /// are compared without regard to case, the path with it.
    #[must_use]
    pub fn matches(&self, client: &str) -> bool {
        self.meets(ClientUrl::parse(client).as_ref())
    }

    /// Whether any of `patterns` matches; `client` is taken apart once.
    pub(super) fn any_matches<'p>(
        mut patterns: impl Iterator<Item = &'p Self>,
        client: &str,
    ) -> bool {
        let url = ClientUrl::parse(client);
        patterns.any(|pattern| pattern.meets(url.as_ref()))
    }

    fn meets(&self, url: Option<&ClientUrl<'_>>) -> bool {
        match (&self.0.parsed, url) {
            (Ok(pattern), Some(url)) => pattern.matches(url),
            _ => false,
        }
    }
}

impl Pattern {
    fn matches(&self, url: &ClientUrl<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(url.scheme)
            && self.host.matches(url.host)
            && self.matches_port(url.port)
            && self.path.matches(url)
    }

    fn matches_port(&self, port: Option<u16>) -> bool {
        let default = match &*self.scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        };
        match self.port {
            Port::Any => true,
            Port::Exact(expected) => port.or(default) == Some(expected),
            Port::Default => port.or(default) == default,
        }
    }
}

impl Host {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(expected) => **expected == *host,
            Self::Labels(expected) => {
                let mut labels = host.split('.');
                let each = expected
                    .iter()
                    .all(|label| labels.next().is_some_and(|found| label.matches(found)));
                each && labels.next().is_none()
            }
        }
    }
}

impl Label {
    fn matches(&self, label: &str) -> bool {
        match self {
            Self::Any => is_label(label),
            Self::OneOf(names) => names.iter().any(|name| name.eq_ignore_ascii_case(label)),
        }
    }
}

impl Path {
    fn matches(&self, url: &ClientUrl<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(path) => **path == *url.path && !url.has_query,
            Self::Below(folder) => url.path.starts_with(&**folder),
        }
    }
}

/// Letters, digits and inner hyphens (RFC 1123 §2.1).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// RFC 3986 §3.1.
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// A port as people write it: no sign, no leading zero, not 0.
fn port_number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

/// `.` and `..`, also with their dots encoded, which URL parsers resolve (WHATWG URL §4.1).
fn is_dot_segment(segment: &str) -> bool {
    [".", "..", "%2e", ".%2e", "%2e.", "%2e%2e"]
        .iter()
        .any(|dots| segment.eq_ignore_ascii_case(dots))
}

impl PartialEq for ClientPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for ClientPattern {}

impl fmt::Debug for ClientPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.text, f)
    }
}

impl fmt::Display for ClientPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl Serialize for ClientPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}

impl<'de> Deserialize<'de> for ClientPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests;
