//! Where Redis is: the URL, read without a word of it getting into an error.

use redis::{Client, ConnectionAddr};

use crate::error::{ConfigError, Problems};

/// Reads `redis://[user:password@]host[:port][/database]`, `rediss://…` for TLS, or `unix:///path`.
pub(super) fn read(url: &str) -> Result<Client, ConfigError> {
    let mut problems = Problems::default();
    let client = match Client::open(url) {
        Ok(client) if insecure(&client) => {
            let remedy = "`#insecure` is not taken: anybody could answer as that server; drop it";
            problems.add("redis.url", shown(url), remedy);
            None
        }
        Ok(client) => Some(client),
        Err(_) => {
            problems.add("redis.url", shown(url), remedy(url));
            None
        }
    };
    problems.or(client)
}

fn insecure(client: &Client) -> bool {
    let address = client.get_connection_info().addr();
    matches!(address, ConnectionAddr::TcpTls { insecure: true, .. })
}

/// The scheme alone: in a broken URL the password may stand anywhere.
fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, _))
            if scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'+') =>
        {
            format!("{scheme}://…")
        }
        _ if url.is_empty() => String::new(),
        _ => "…".into(),
    }
}

fn remedy(url: &str) -> &'static str {
    match url.split_once("://") {
        Some(("redis" | "rediss" | "valkey" | "valkeys", _)) => {
            "use redis://user:password@host:port/database: the port and the database are numbers, and \
             signs such as @ : / # in a password are percent-encoded"
        }
        Some(_) => "use a URL that begins with redis://, or rediss:// for TLS",
        None => "use a whole URL: redis://host:port, or rediss:// for TLS",
    }
}

/// Sees to it that TLS finds its cryptography, where the process has not chosen any: rustls would
/// choose by itself, and panic if the build has several.
pub(super) fn provide_crypto(client: &Client) {
    let tls = matches!(
        client.get_connection_info().addr(),
        ConnectionAddr::TcpTls { .. }
    );
    if tls && rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else was faster, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_urls_are_read_without_a_runtime() {
        for url in [
            "redis://127.0.0.1",
            "redis://127.0.0.1:6379/",
            "redis://:secret@cache.example.com:6380/2",
            "redis://user:se%40cret@[::1]:6379",
            "rediss://cache.example.com",
            "unix:///run/redis.sock",
        ] {
            assert!(read(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn mistakes_say_what_to_write_and_not_what_was_written() {
        for (url, remedy) in [
            ("", "whole URL"),
            ("127.0.0.1:6379", "whole URL"),
            ("user:hunter2@cache:6379", "whole URL"),
            ("http://hunter2@cache", "redis://"),
            ("postgres://u:hunter2@db/x", "redis://"),
            ("redis://u:hunter2@cache:port", "percent-encoded"),
            ("redis://u:hunter2/@cache:6379", "percent-encoded"),
            ("redis://:hunter2", "percent-encoded"),
            ("redis://cache/hunter2", "percent-encoded"),
            ("rediss://u:hunter2@cache/#insecure", "#insecure"),
        ] {
            let error = read(url).unwrap_err();
            let [problem] = error.problems() else {
                panic!("{url}: {error}");
            };
            assert_eq!(problem.field, "redis.url", "{url}");
            assert!(problem.remedy.contains(remedy), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }
}
