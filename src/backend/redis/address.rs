//! Where Redis is: the URL, read without a word of it getting into an error.

use redis::{Client, ConnectionAddr, TlsCertificates};

use crate::backend::roots;
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

/// The same server, if its certificate is by one of these authorities.
pub(super) fn trusting(client: &Client, pem: &[u8]) -> Result<Client, ConfigError> {
    let mut problems = Problems::default();
    let built = match roots::from_pem(pem) {
        _ if !is_tls(client) => Err(
            "a URL without TLS has no certificate to look at; begin it with rediss://, or \
             leave the roots out"
                .to_owned(),
        ),
        Ok(_) => {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(pem.to_vec()),
            };
            let built = Client::build_with_tls(client.get_connection_info().clone(), certificates);
            built.map_err(|_| "not usable as a root; give X.509 certificates".to_owned())
        }
        Err(remedy) => Err(remedy),
    };
    let built = built.map_err(|remedy| problems.add("redis.root_certificates", "…", remedy));
    problems.or(built.ok())
}

fn is_tls(client: &Client) -> bool {
    let address = client.get_connection_info().addr();
    matches!(address, ConnectionAddr::TcpTls { .. })
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
    if is_tls(client) && rustls::crypto::CryptoProvider::get_default().is_none() {
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
    fn roots_are_certificates_of_a_server_that_speaks_tls() {
        let authority = rcgen::generate_simple_self_signed(["cache.example.com".to_owned()]);
        let der = authority.unwrap().cert.der().to_vec();
        let pem = |der: &[u8]| {
            let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
            format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
        };
        let good = pem(&der);
        let roots = |url: &str, pem: &str| {
            let trusting = trusting(&read(url).unwrap(), pem.as_bytes());
            trusting
                .map(drop)
                .map_err(|error| error.problems()[0].clone())
        };
        assert_eq!(roots("rediss://cache.example.com", &good), Ok(()));
        for (url, pem, remedy) in [
            ("redis://cache.example.com", good.as_str(), "rediss://"),
            ("rediss://cache.example.com", "", "no CERTIFICATE"),
            ("rediss://cache.example.com", "hunter2", "no CERTIFICATE"),
            ("rediss://cache.example.com", &good[..60], "PEM"),
            ("rediss://cache.example.com", &pem(b"hunter2"), "X.509"),
        ] {
            let problem = roots(url, pem).unwrap_err();
            assert_eq!(problem.field, "redis.root_certificates");
            assert!(problem.remedy.contains(remedy), "{problem:?}");
            assert!(!format!("{problem:?}").contains("hunter2"));
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
