//! Which URLs may name a party or be fetched, judged on the text alone (KEY-3, PRM-16, T43).

use std::net::IpAddr;

use url::Url;

/// Says why `url` can neither identify a party nor be fetched, and what to do about it.
///
/// Plain `http` is for loopback only: there nobody stands between us and the issuer. Where a
/// *name* leads is not decided here but at the dial, on the address really used.
pub(crate) fn check_url(url: &Url) -> Result<(), &'static str> {
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return Err("the URL has no host; write it as https://host/path");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback_host(host) => {}
        "http" => return Err("plain http is accepted for loopback hosts only; use https"),
        _ => return Err("use an https URL"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL carries a user name or password; remove it");
    }
    if url.fragment().is_some() {
        return Err("the URL has a fragment (#…), which is never sent; remove it");
    }
    Ok(())
}

/// Whether a host, as written in a URL, means this machine whatever DNS says: `localhost`,
/// `127.0.0.0/8` or `[::1]`. Sub-domains of `localhost` are left to DNS, so they do not count.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    literal(host).map_or_else(
        || host.eq_ignore_ascii_case("localhost"),
        |address| address.is_loopback(),
    )
}

/// The address a URL host spells out, with or without the brackets of IPv6.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_03_only_https_or_loopback_http_is_fetched() {
        for good in [
            "https://auth.example.com/t1",
            "https://auth.example.com:8443/jwks?v=1",
            "https://10.0.0.7/",
            "http://localhost:8080/",
            "http://LOCALHOST/",
            "http://127.0.0.1:1/",
            "http://127.9.9.9/",
            "http://0x7f.1/",
            "http://[::1]:80/",
        ] {
            assert_eq!(check_url(&Url::parse(good).unwrap()), Ok(()), "{good}");
        }
        for (bad, word) in [
            ("http://auth.example.com/", "loopback"),
            ("http://localhost.example.com/", "loopback"),
            ("http://a.localhost/", "loopback"),
            ("http://localhost./", "loopback"),
            ("http://127.0.0.1.example.com/", "loopback"),
            ("http://[::ffff:127.0.0.1]/", "loopback"),
            ("http://10.0.0.7/", "loopback"),
            ("http://0.0.0.0/", "loopback"),
            ("ftp://auth.example.com/", "https"),
            ("file:///etc/passwd", "no host"),
            ("data:application/json,{}", "no host"),
            ("https://user@auth.example.com/", "user name"),
            ("https://:pw@auth.example.com/", "user name"),
            ("http://127.0.0.1@auth.example.com/", "loopback"),
            ("https://auth.example.com/#keys", "fragment"),
            ("https://auth.example.com/#", "fragment"),
        ] {
            let problem = check_url(&Url::parse(bad).unwrap()).unwrap_err();
            assert!(problem.contains(word), "{bad}: {problem}");
        }
    }
}
