//! From an administrator's text to a pattern, or to what they should write instead.

use super::url::is_plain_path;
use super::{Host, Label, Path, Pattern, Port, is_label, is_scheme, port_number};

/// Longest pattern, in bytes.
const MAX_BYTES: usize = 512;
/// Most names in one list of alternatives.
const MAX_ALTERNATIVES: usize = 32;

/// Schemes in which no application lives, or in which every page can run code.
const REFUSED_SCHEMES: [&str; 12] = [
    "about",
    "blob",
    "data",
    "file",
    "filesystem",
    "ftp",
    "javascript",
    "mailto",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// Labels under which country registries sell names to everybody: `*` right before one of them and
/// a country code is everybody there.
const SECOND_LEVEL: [&str; 12] = [
    "ac", "co", "com", "edu", "gob", "gov", "ltd", "ne", "net", "or", "org", "plc",
];

const SCHEME: &str = "begin with a scheme, e.g. https://app.example.com/**";
const BAD_SCHEME: &str =
    "use https, http for localhost, or the scheme of an application such as cursor://";
const CHARACTERS: &str =
    "use printable ASCII without spaces, and write international names as xn--…";
const PLAIN_HTTP: &str = "http is accepted for localhost and 127.0.0.1 only; use https";
const NOT_REGISTRABLE: &str =
    "name a domain of your own: the last two labels cannot be *, e.g. https://*.example.com/**";
const PUBLIC_SUFFIX: &str = "everybody can register a name there; put your own name after the *, e.g. https://*.example.co.uk/**";
const LABEL: &str =
    "write host names from letters, digits and hyphens, e.g. https://app.example.com";
const STAR: &str = "in a host, * stands for one whole label; write e.g. https://*.example.com/**";
const BRACES: &str =
    "write a list inside one label, e.g. https://{dev,prod}.example.com, with at most 32 names";
const PORT: &str = "write a port from 1 to 65535, or * for any";
const PATH: &str = "in a path only a final /** is a wildcard; remove . and .., encoded slashes and characters \
    that no URL has";
const OWN_SCHEME_HOST: &str =
    "in an application's own scheme write the host exactly, or nothing after :// to mean all of it";

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or(SCHEME)?;
        if !is_scheme(scheme) {
            return Err(SCHEME);
        }
        let scheme = scheme.to_ascii_lowercase();
        if REFUSED_SCHEMES.contains(&scheme.as_str()) {
            return Err(BAD_SCHEME);
        }
        if text.len() > MAX_BYTES {
            return Err("shorten the pattern to 512 bytes");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CHARACTERS);
        }
        if rest.contains(['@', '?', '#', '\\', '[', ']']) {
            return Err(
                "write scheme, host, port and path only: no user name, query or IPv6 address",
            );
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.split_once(':') {
            None => (authority, Port::Default),
            Some((host, "*" | "**")) => (host, Port::Any),
            Some((host, port)) => (host, Port::Exact(port_number(port).ok_or(PORT)?)),
        };
        let host = match scheme.as_str() {
            "https" => web_host(host)?,
            "http" if is_loopback(host) => web_host(host)?,
            "http" => return Err(PLAIN_HTTP),
            _ => own_scheme_host(host, rest)?,
        };
        Ok(Self {
            host,
            port,
            path: parse_path(path)?,
            scheme: scheme.into(),
        })
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1"
}

fn own_scheme_host(host: &str, rest: &str) -> Result<Host, &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    match host {
        "" if rest.is_empty() => Ok(Host::Any),
        // A port of nothing.
        "" if rest.starts_with(':') => Err(OWN_SCHEME_HOST),
        host if host.bytes().all(plain) => Ok(Host::Exact(host.into())),
        _ => Err(OWN_SCHEME_HOST),
    }
}

fn web_host(host: &str) -> Result<Host, &'static str> {
    let host = host.to_ascii_lowercase();
    if host.len() > 253 + MAX_BYTES {
        return Err(LABEL);
    }
    let labels: Vec<Label> = host.split('.').map(parse_label).collect::<Result<_, _>>()?;
    if !is_loopback(&host) {
        check_registrable(&labels)?;
    }
    Ok(Host::Labels(labels.into()))
}

fn parse_label(text: &str) -> Result<Label, &'static str> {
    if text == "*" {
        return Ok(Label::Any);
    }
    if text.contains('*') {
        return Err(STAR);
    }
    let names: Vec<Box<str>> = match text.split_once('{') {
        None if text.contains([',', '}']) => return Err(BRACES),
        None => vec![text.into()],
        Some((before, rest)) => {
            let (inner, after) = rest.split_once('}').ok_or(BRACES)?;
            let joined = |name: &str| format!("{before}{name}{after}").into_boxed_str();
            let several = inner.split(',');
            if several.clone().count() > MAX_ALTERNATIVES || several.clone().any(str::is_empty) {
                return Err(BRACES);
            }
            several.map(joined).collect()
        }
    };
    if names.iter().any(|name| name.contains(['{', '}', ','])) {
        return Err(BRACES);
    }
    if !names.iter().all(|name| is_label(name)) {
        return Err(LABEL);
    }
    Ok(Label::OneOf(names.into()))
}

/// At least two labels of the administrator's own at the end. Without the list of public suffixes
/// that is the most that can be told; see [`ClientPattern`](super::ClientPattern).
fn check_registrable(labels: &[Label]) -> Result<(), &'static str> {
    let mut from_the_end = labels.iter().rev();
    let (Some(Label::OneOf(top)), Some(Label::OneOf(second))) =
        (from_the_end.next(), from_the_end.next())
    else {
        return Err(NOT_REGISTRABLE);
    };
    // A number at the end is an IPv4 address in one of its spellings (WHATWG URL §3.5).
    if !top
        .iter()
        .all(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
    {
        return Err(NOT_REGISTRABLE);
    }
    let is_suffix = top.iter().any(|name| name.len() == 2)
        && second.iter().any(|name| SECOND_LEVEL.contains(&&**name));
    match from_the_end.next() {
        Some(Label::Any) if is_suffix => Err(PUBLIC_SUFFIX),
        _ => Ok(()),
    }
}

fn parse_path(path: &str) -> Result<Path, &'static str> {
    let (fixed, open) = match path.strip_suffix("/**") {
        Some(fixed) => (fixed, true),
        None => (path, false),
    };
    // What no client's URL can have would match nobody, and nobody would be told.
    if fixed.contains('*') || !is_plain_path(fixed) {
        return Err(PATH);
    }
    Ok(match (fixed, open) {
        ("", _) | ("/", false) => Path::Any,
        (folder, true) => Path::Below(format!("{folder}/").into()),
        (path, false) => Path::Exact(path.into()),
    })
}
