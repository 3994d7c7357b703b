//! What is there with a feature only: the client of issuers, Redis, bound tokens.

use super::super::parts::Settings;
use super::super::read::Reader;
use crate::authenticator::AuthenticatorBuilder;
#[cfg(feature = "redis")]
use crate::backend::RedisFailures;
#[cfg(all(feature = "dpop", feature = "redis"))]
use crate::backend::RedisReplayStore;

/// The client of issuers; failures and used proofs shared through Redis.
pub(in crate::config) fn with_clients(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    let builder = with_http(settings, builder, reader);
    let builder = with_failures(settings, builder, reader);
    with_proofs(settings, builder, reader)
}

#[cfg(feature = "client")]
fn with_http(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    let Some(http) = &settings.http else {
        return builder;
    };
    let mut client = crate::backend::HttpClient::builder();
    if let Some(proxy) = &http.proxy {
        client = client.proxy(proxy.expose());
    }
    if let Some(file) = &http.root_certificates {
        let path = std::path::Path::new(&file.0);
        match super::super::secret::read_certificates(path) {
            Ok(pem) => client = client.add_root_certificates_pem(&pem),
            Err(problem) => {
                reader.add(
                    "http.root_certificates",
                    &file.0,
                    format!("the file {problem}"),
                );
            }
        }
    }
    if http.without_default_roots {
        client = client.without_default_roots();
    }
    if let Some(limit) = &http.connect_timeout {
        client = client.connect_timeout(limit.0);
    }
    client = with_addresses(http, client, reader);
    match client.build() {
        Ok(client) => builder.fetch(client),
        Err(error) => {
            reader.adopt(&error, |problem| {
                (http_path(&problem.field), problem.remedy.clone())
            });
            builder
        }
    }
}

#[cfg(feature = "client")]
fn with_addresses(
    http: &super::super::parts::edge::Http,
    mut client: crate::backend::HttpClientBuilder,
    reader: &mut Reader<'_>,
) -> crate::backend::HttpClientBuilder {
    for (index, network) in &http.allow_addresses.0 {
        let network = crate::policy::Network::new(&network.0);
        let parsed = match network.problem() {
            Some(remedy) => Err(remedy),
            None => network
                .to_string()
                .parse()
                .map_err(|_| "write a range, e.g. 10.1.0.0/16"),
        };
        match parsed {
            Ok(network) => client = client.allow_addresses([network]),
            Err(remedy) => reader.add(&format!("http.allow_addresses[{index}]"), network, remedy),
        }
    }
    client
}

#[cfg(feature = "client")]
fn http_path(field: &str) -> String {
    match field {
        "proxy" | "connect_timeout" | "allow_addresses" => format!("http.{field}"),
        _ => "http.root_certificates".into(),
    }
}

#[cfg(not(feature = "client"))]
fn with_http(
    _: &Settings,
    builder: AuthenticatorBuilder,
    _: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    builder
}

#[cfg(feature = "redis")]
fn with_failures(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    let Some(redis) = &settings.redis else {
        return builder;
    };
    let roots = RedisFailures::root_certificates_pem;
    // Looked at in any case, since URL and roots are wrong for everything.
    match redis.adapter(RedisFailures::new, roots, reader) {
        Some(failures) if redis.shared_failures != Some(false) => {
            builder.shared_failures(match &redis.key_prefix {
                Some(prefix) => failures.key_prefix(&prefix.0),
                None => failures,
            })
        }
        _ => builder,
    }
}

#[cfg(not(feature = "redis"))]
fn with_failures(
    _: &Settings,
    builder: AuthenticatorBuilder,
    _: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    builder
}

/// How proofs are judged. What outlives settings, such as the proofs that were used, is no part of it.
#[cfg(feature = "dpop")]
pub(in crate::config) fn with_dpop(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    match &settings.dpop {
        Some(dpop) => builder.dpop(judged(dpop, reader)),
        None => builder,
    }
}

#[cfg(feature = "dpop")]
fn judged(dpop: &super::super::parts::binding::Dpop, reader: &mut Reader<'_>) -> crate::dpop::Dpop {
    let mut judged = crate::dpop::Dpop::new();
    if dpop.required {
        judged = judged.required();
    }
    if let Some(algorithms) = &dpop.algorithms {
        judged = judged.algorithms(algorithms.iter().copied());
    }
    if let Some(age) = &dpop.max_age {
        judged = judged.max_age(age.0);
    }
    match (&dpop.nonce_key, dpop.nonces) {
        (Some(key), true) => match key.key("dpop.nonce_key", reader) {
            Some(key) => judged.nonces(&*key),
            None => judged,
        },
        (Some(_), false) if !reader.is_broken("dpop") => {
            let remedy = "the key is of no use without nonces; write `nonces = true` as well";
            reader.add("dpop.nonce_key", "…", remedy);
            judged
        }
        (None, true) => judged.nonces_random(),
        _ => judged,
    }
}

#[cfg(not(feature = "dpop"))]
pub(in crate::config) fn with_dpop(
    _: &Settings,
    builder: AuthenticatorBuilder,
    _: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    builder
}

#[cfg(all(feature = "dpop", feature = "redis"))]
fn with_proofs(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    let (Some(dpop), Some(redis)) = (&settings.dpop, &settings.redis) else {
        return builder;
    };
    if redis.replay_store == Some(false) {
        return builder;
    }
    let roots = RedisReplayStore::root_certificates_pem;
    let Some(store) = redis.adapter(RedisReplayStore::new, roots, reader) else {
        return builder;
    };
    let store = match &redis.key_prefix {
        Some(prefix) => store.key_prefix(&prefix.0),
        None => store,
    };
    builder.dpop(judged(dpop, reader).replay_store(store))
}

#[cfg(not(all(feature = "dpop", feature = "redis")))]
fn with_proofs(
    _: &Settings,
    builder: AuthenticatorBuilder,
    _: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    builder
}

#[cfg(feature = "mtls")]
pub(in crate::config) fn with_certificates(
    settings: &Settings,
    builder: AuthenticatorBuilder,
    reader: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    use crate::mtls::ClientCertificates;

    let Some(wanted) = &settings.client_certificates else {
        return builder;
    };
    let certificates = match (wanted.from_connection, wanted.from_proxy) {
        (true, true) => ClientCertificates::from_connection().or_from_proxy(),
        (true, false) => ClientCertificates::from_connection(),
        (false, true) => ClientCertificates::from_proxy(),
        (false, false) => {
            let remedy =
                "say where they are found: `from_connection = true` or `from_proxy = true`";
            reader.add("client_certificates", "nowhere", remedy);
            return builder;
        }
    };
    builder.client_certificates(certificates)
}

#[cfg(not(feature = "mtls"))]
pub(in crate::config) fn with_certificates(
    _: &Settings,
    builder: AuthenticatorBuilder,
    _: &mut Reader<'_>,
) -> AuthenticatorBuilder {
    builder
}
