//! The URL a proof is for (RFC 9449 §4.2, `htu`), compared with the public URL of a request.

use std::borrow::Cow;

use url::Url;

/// Whether a proof for `htu` is for a request to `path` of the resource with this identifier.
///
/// The public URL is the configured one: what a request says of host and port is as its proxies left
/// it. Only its path may say more, where it lies below the resource's own. Query and fragment are
/// ignored (RFC 9449 §4.3).
pub(super) fn is_for(htu: &str, identifier: &str, base: &str, path: &str) -> bool {
    // Nobody knows where it leads once somebody has resolved its dots.
    if !is_resolved(path) {
        return false;
    }
    let below = is_below(&normal(base), &normal(path));
    if !below && htu == identifier {
        return true;
    }
    let (Some(sent), Ok(mut own)) = (read(htu), Url::parse(identifier)) else {
        return false;
    };
    if below {
        own.set_path(path);
    }
    sent.scheme() == own.scheme()
        && sent.host() == own.host()
        && sent.port_or_known_default() == own.port_or_known_default()
        && sent.username().is_empty()
        && sent.password().is_none()
        && normal(sent.path()) == normal(own.path())
}

/// The reader of URLs mends what browsers mend; a proof has to be right as it stands.
fn read(htu: &str) -> Option<Url> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte);
    let (scheme, rest) = htu.split_once("://")?;
    let sound = htu.bytes().all(plain) && !scheme.is_empty() && !rest.starts_with('/');
    sound.then(|| Url::parse(htu).ok()).flatten()
}

fn is_below(base: &str, path: &str) -> bool {
    let rest = path.strip_prefix(base).unwrap_or_default();
    !rest.is_empty() && (base.ends_with('/') || rest.starts_with('/'))
}

/// Whether no reader of URLs takes this path for another one: no dot segments, in no spelling, and no
/// other slashes.
fn is_resolved(path: &str) -> bool {
    let dots = |segment| matches!(&*normal(segment), "." | "..");
    !path.contains('\\') && !path.split('/').any(dots)
}

/// Percent-encodings in one spelling (RFC 3986 §6.2.2.1, §6.2.2.2).
fn normal(path: &str) -> Cow<'_, str> {
    let mut parts = path.split('%');
    let first = parts.next().unwrap_or_default();
    let mut normal = String::from(first);
    let mut encoded = false;
    for part in parts {
        encoded = true;
        let code = part.get(..2);
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        let rest = part.get(2..).unwrap_or_default();
        match (byte, code) {
            (Some(byte), _) if is_unreserved(byte) => normal.push(char::from(byte)),
            (Some(_), Some(code)) => normal.extend(["%", &code.to_ascii_uppercase()]),
            _ => {
                normal.extend(["%", part]);
                continue;
            }
        }
        normal.push_str(rest);
    }
    if encoded { normal.into() } else { path.into() }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const R: &str = "https://mcp.example.com/mcp";

    fn at(htu: &str) -> bool {
        is_for(htu, R, "/mcp", "/mcp")
    }

    #[test]
    fn dpop_03_the_same_url_in_other_spellings() {
        for same in [
            R,
            "https://mcp.example.com:443/mcp",
            "https://MCP.Example.COM/mcp",
            "HTTPS://mcp.example.com/mcp",
            "https://mcp.example.com/mcp?session=1",
            "https://mcp.example.com/mcp#top",
            "https://mcp.example.com/%6dcp",
            "https://mcp.example.com/%6Dcp",
            "https://mcp.example.com/./mcp",
        ] {
            assert!(at(same), "{same}");
        }
    }

    #[test]
    fn dpop_03_another_url() {
        for other in [
            "",
            "/mcp",
            "mcp.example.com/mcp",
            "//mcp.example.com/mcp",
            "http://mcp.example.com/mcp",
            "https://mcp.example.com",
            "https://mcp.example.com/",
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com/mcp/x",
            "https://mcp.example.com/MCP",
            "https://mcp.example.com:8443/mcp",
            "https://mcp.example.com.evil.example/mcp",
            "https://evil.example/mcp",
            "https://user@mcp.example.com/mcp",
            "https://mcp.example.com@evil.example/mcp",
            "https://mcp.example.com\\@evil.example/mcp",
            "https:\\\\mcp.example.com\\mcp",
            "https:/mcp.example.com/mcp",
            "https:mcp.example.com/mcp",
            "https:///mcp.example.com/mcp",
            " https://mcp.example.com/mcp",
            "https://mcp.example.com/mcp\n",
            "https://mcp.exa\tmple.com/mcp",
            "https://mcp.example.com/%2fmcp",
            "https://mcp.example.com/%zzmcp",
        ] {
            assert!(!at(other), "{other:?}");
        }
    }

    #[test]
    fn dpop_03_below_the_resource_the_path_of_the_request_counts() {
        let is = |htu: &str, path| is_for(htu, R, "/mcp", path);
        assert!(is("https://mcp.example.com/mcp/v2", "/mcp/v2"));
        assert!(!is(R, "/mcp/v2") && !is("https://mcp.example.com/mcp/v3", "/mcp/v2"));
        assert!(is("https://mcp.example.com/mcp/a%2Fb", "/mcp/a%2fb"));
        assert!(!is("https://mcp.example.com/mcp/a/b", "/mcp/a%2fb"));
        // A router that takes the prefix off leaves no more than the configured URL.
        assert!(is(R, "/") && is(R, "/mcp2") && !is("https://mcp.example.com/", "/"));
        let root = |htu: &str, path| is_for(htu, "https://grpc.example.com", "/", path);
        assert!(root("https://grpc.example.com/a.B/C", "/a.B/C"));
        assert!(root("https://grpc.example.com", "/") && root("https://grpc.example.com/", "/"));
        assert!(!root("https://grpc.example.com/", "/a.B/C"));
    }

    proptest! {
        #[test]
        fn dpop_03_any_text_is_judged_without_a_panic(htu in any::<String>(), path in "/[ -~é]{0,20}") {
            let _ = is_for(&htu, R, "/mcp", &path);
            let _ = is_for(&format!("https://mcp.example.com{path}"), R, "/mcp", &path);
        }
    }
}
