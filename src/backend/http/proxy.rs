//! The URL of an HTTP CONNECT proxy, taken apart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use url::Url;

/// What a proxy URL is shown as when it cannot be taken apart: it may hold a password.
const HIDDEN: &str = "(not shown)";

/// Where the proxy is, and what it is told about us.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) address: Uri,
    pub(super) authorization: Option<HeaderValue>,
}

/// Takes a proxy URL apart.
///
/// # Errors
///
/// The URL as it may be shown, and what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Proxy, (String, &'static str)> {
    const REMEDY: &str = "not a URL; write it as http://proxy.example.com:3128";
    let url = Url::parse(text).map_err(|_| (HIDDEN.to_owned(), REMEDY))?;
    let host = url.host_str().unwrap_or_default();
    let shown = match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    };
    // Without `//` the whole text can be a "scheme": `user:password@proxy`.
    if host.is_empty() {
        return Err((HIDDEN.to_owned(), REMEDY));
    }
    if url.scheme() != "http" {
        return Err((
            shown,
            "only http proxies are spoken to; the tunnel inside is TLS",
        ));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err((shown, "a proxy has no path, query or fragment; remove it"));
    }
    match shown.parse() {
        Ok(address) => Ok(Proxy {
            address,
            authorization: authorization(&url),
        }),
        Err(_) => Err((shown, REMEDY)),
    }
}

/// Basic credentials (RFC 7617) from the userinfo of the URL.
fn authorization(url: &Url) -> Option<HeaderValue> {
    let password = url.password();
    if url.username().is_empty() && password.is_none() {
        return None;
    }
    let mut pair = percent_decoded(url.username());
    pair.push(b':');
    pair.extend(percent_decoded(password.unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// RFC 3986 §2.1; a `%` without two digits stands for itself.
fn percent_decoded(text: &str) -> Vec<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        decoded.push(match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high * 16 + low
                }
                _ => *first,
            },
            _ => *first,
        });
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_url_gives_address_and_basic_credentials() {
        let proxy = parse("http://us%40er:p%3Aw%2@proxy.example.com:3128").unwrap();
        assert_eq!(proxy.address, "http://proxy.example.com:3128");
        let value = proxy.authorization.clone().unwrap();
        let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), b"us@er:p:w%2");
        assert!(!format!("{proxy:?}").contains(encoded));

        let proxy = parse("http://[::1]:3128/").unwrap();
        assert_eq!(proxy.address, "http://[::1]:3128");
        assert!(proxy.authorization.is_none());
    }

    #[test]
    fn a_refused_proxy_url_never_shows_its_password() {
        for bad in [
            "",
            "proxy:3128",
            "user:hunter2@proxy:3128",
            "//user:hunter2@proxy",
            "http://user:hunter2@:3128",
            "https://user:hunter2@proxy:3128",
            "socks5://user:hunter2@proxy:1080",
            "http://user:hunter2@proxy:3128/path",
            "http://user:hunter2@proxy:3128/?q",
            "http://user:hunter2@proxy:99999",
        ] {
            let (shown, remedy) = parse(bad).map(|_| ()).unwrap_err();
            assert!(!shown.contains("hunter2"), "{bad}: {shown}");
            assert!(!remedy.is_empty());
        }
    }
}
