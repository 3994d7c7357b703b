//! What the builder says, in the words of a configuration file.

use crate::error::Problem;

/// The beginning of a path in the builder, and what it is in a file.
const PATHS: &[(&str, &str)] = &[
    ("resource.issuers", "issuers"),
    ("resource.baseline_scopes", "scopes.baseline"),
    ("resource.allow_origin", "resource.allowed_origins"),
    ("resource.allow_host", "resource.allowed_hosts"),
    ("resource.audience", "resource.audiences"),
    ("resource.metadata", "resource.metadata"),
    ("resource", "resource.identifier"),
    ("require_scopes", "scopes.required"),
    ("max_credential_bytes", "limits.max_credential_bytes"),
    ("verified_token_bytes", "limits.verified_token_bytes"),
    ("api_key_header", "api_tokens.api_key_header"),
    ("basic_challenge", "api_tokens.basic_challenge"),
    ("api_tokens.pepper", "api_tokens.peppers"),
    ("session_key", "sessions.key"),
    ("audit_instance", "audit.instance"),
    ("audit_key", "audit.key"),
    ("dpop.nonces", "dpop.nonce_key"),
    ("fetch", "http"),
];

/// The same below an issuer.
const ISSUER_PATHS: &[(&str, &str)] = &[
    (
        ".introspection.client_secret",
        ".introspection.client_secret",
    ),
    (".introspection.client", ".introspection.client_id"),
    (
        ".introspection.token_prefix",
        ".introspection.token_prefixes",
    ),
    (
        ".introspection.private_key_jwt",
        ".introspection.private_key",
    ),
    (".audience", ".audiences"),
    ("", ".identifier"),
];

/// Advice that speaks of code, by the path in the file.
const REMEDIES: &[(&str, &str)] = &[
    (
        "issuers",
        "nobody could get in; add the authorization server: [[issuers]] identifier = \"https://…\"",
    ),
    (
        "policies",
        "no organization could switch API tokens on; write `[policies] store = \"database\"`, or [[policies]]",
    ),
    (
        "client_certificates",
        "no proxy is trusted; name those that send Client-Cert in `network.trusted_proxies`",
    ),
];

/// `places` are the indexes in the file of the issuers that the builder has.
pub(super) fn builder(problem: &Problem, places: &[usize]) -> (String, String) {
    let field = path(&problem.field, places);
    let own = REMEDIES.iter().find(|(path, _)| *path == field);
    let remedy = match own {
        Some((_, remedy)) => (*remedy).to_owned(),
        None if field.ends_with(".introspection") => {
            "several issuers are asked about tokens: say which are this one's with `token_prefixes`, because a \
             token must be shown to nobody but its issuer"
                .to_owned()
        }
        None if field.ends_with(".client_claims") => {
            "name the claim that holds the client, or write `without_client = true`".to_owned()
        }
        None => problem.remedy.clone(),
    };
    (field, remedy)
}

fn path(field: &str, places: &[usize]) -> String {
    if let Some(issuer) = field.strip_prefix("issuer[")
        && let Some((index, rest)) = issuer.split_once(']')
    {
        let index = place(index, places);
        return format!("issuers[{index}]{}", replaced(rest, ISSUER_PATHS));
    }
    replaced(field, PATHS)
}

/// The first beginning that fits, replaced. What fits none stays.
fn replaced(field: &str, table: &[(&str, &str)]) -> String {
    for (from, to) in table {
        if let Some(rest) = field.strip_prefix(from)
            && (rest.is_empty() || (!from.is_empty() && rest.starts_with(['[', '.'])))
        {
            return format!("{to}{rest}");
        }
    }
    field.to_owned()
}

/// `trusted_proxies[1]` as an item of a list in the file, of which the right ones were taken.
pub(super) fn item(list: &str, field: &str, places: &[usize]) -> String {
    let index = field
        .split_once('[')
        .and_then(|(_, rest)| rest.strip_suffix(']'));
    match index {
        Some(index) => format!("{list}[{}]", place(index, places)),
        None => list.to_owned(),
    }
}

fn place(index: &str, places: &[usize]) -> String {
    let index_there = index
        .parse()
        .ok()
        .and_then(|index: usize| places.get(index));
    index_there.map_or_else(|| index.to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_builder_are_paths_of_the_file() {
        for (from, to) in [
            ("resource", "resource.identifier"),
            ("resource.issuers", "issuers"),
            ("resource.allow_origin[2]", "resource.allowed_origins[2]"),
            (
                "resource.metadata.scopes_supported",
                "resource.metadata.scopes_supported",
            ),
            ("issuer[0]", "issuers[3].identifier"),
            ("issuer[1].jwks_uri", "issuers[5].jwks_uri"),
            ("issuer[1].audience", "issuers[5].audiences"),
            ("issuer[1].introspection", "issuers[5].introspection"),
            (
                "issuer[1].introspection.client",
                "issuers[5].introspection.client_id",
            ),
            (
                "issuer[1].introspection.client_secret",
                "issuers[5].introspection.client_secret",
            ),
            ("require_scopes", "scopes.required"),
            ("api_tokens.pepper.secret", "api_tokens.peppers.secret"),
            ("throttle.per_address", "throttle.per_address"),
        ] {
            assert_eq!(path(from, &[3, 5]), to, "{from}");
        }
        assert_eq!(
            item("network.trusted_proxies", "trusted_proxies[1]", &[0, 4]),
            "network.trusted_proxies[4]"
        );
        assert_eq!(
            item("network.trusted_proxies", "trusted_proxies", &[0]),
            "network.trusted_proxies"
        );
    }
}
