//! Access tokens, good ones among them, against the oracle of `oracle.rs`.
//!
//! The first byte says how the input is read: as the text of a token, as header and payload to sign, or
//! as changes to a good token.
#![no_main]

use std::sync::LazyLock;

use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::fuzzing::Tokens;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::principal::{Actor, Principal};
use tower_mcp_auth_fuzz::input::Input;
use tower_mcp_auth_fuzz::oracle::{Facts, judge};
use tower_mcp_auth_fuzz::world::{ISSUERS, KEYS, NOW, RESOURCE, tokens};
use tower_mcp_auth_fuzz::fuzz_target;

static TOKENS: LazyLock<Tokens> = LazyLock::new(tokens);

const MEMBERS: &[&str] = &[
    "alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "cty", "iss", "sub",
    "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "client_id", "cid", "azp", "act", "amr", "acr",
    "auth_time", "cnf", "roles", "groups", "entitlements", "org_id", "site", "realm_access",
    "cognito:groups", "nonce", "at_hash", "c_hash", "events", "token_use",
    "https://id.atlassian.com/atl_token_type", "\\u0061ud", "\\u0065xp", "x",
];

const VALUES: &[&str] = &[
    "null", "true", "0", "-0", "-1", "1e18", "1.7e9", "1700000030.9", "1700086431", "253402300799",
    "1e400", "\"\"", "\"x\"", "\"a b\"", "\"a\\u0000b\"", "\"\\ud800\"", "[]", "{}", "[1]", "[\"a\",\"b\"]",
    "\"https://mcp.example.com/mcp\"", "[\"https://mcp.example.com/mcp\"]",
    "[\"https://mcp.example.com/mcp\",5]", "\"https://mcp.example.com/mcp/\"", "\"other-name\"",
    "\"none\"", "\"HS256\"", "\"ES256\"", "\"EdDSA\"", "\"RS256\"", "\"at+jwt\"", "\"JWT\"",
    "\"application/at+jwt\"", "\"logout+jwt\"", "\"ed\"", "\"es\"", "\"access\"", "\"id\"", "\"Refresh\"",
    "\"app-1\"", "\"app-3\"", "\"default\"", "\"spiffe://x/y\"", "{\"sub\":\"a\"}", "{\"id\":\"s\"}",
    "{\"sub\":\"a\",\"act\":{\"client_id\":\"b\",\"act\":{\"sub\":\"c\",\"act\":{\"sub\":\"d\"}}}}",
    "{\"roles\":[\"r\",1]}", "{\"jkt\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    "{\"x5t#S256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", "{\"a\":1,\"\\u0061\":2}",
    "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
];

/// A good token of one of the issuers with a few members set, repeated or left out.
fn changed(input: &mut Input<'_>) -> String {
    let issuer = *input.pick(&ISSUERS);
    let ecdsa = input.yes();
    let (alg, kid) = if ecdsa { ("ES256", "es") } else { ("EdDSA", "ed") };
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let pairs = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        pairs.collect()
    };
    let mut header = own(&[("alg", &format!("\"{alg}\"")), ("kid", &format!("\"{kid}\"")), ("typ", "\"at+jwt\"")]);
    let mut claims = own(&[
        ("iss", &format!("\"{issuer}\"")),
        ("sub", "\"user-1\""),
        ("aud", &format!("\"{RESOURCE}\"")),
        ("exp", &(NOW + 300).to_string()),
        ("iat", &(NOW - 5).to_string()),
        ("jti", "\"id-1\""),
        ("client_id", "\"app-1\""),
        ("scope", "\"read write\""),
        ("org_id", "\"acme\""),
        ("token_use", "\"access\""),
    ]);
    while !input.is_empty() {
        let place = if input.below(4) == 0 { &mut header } else { &mut claims };
        let name = *input.pick(MEMBERS);
        let known = place.iter().position(|(known, _)| known == name);
        let value = match input.below(8) {
            0 => (NOW + i64::from(input.byte().cast_signed())).to_string(),
            1 => (NOW + 86_400 + i64::from(input.byte().cast_signed())).to_string(),
            2 => format!("{:?}", input.text()),
            3 => input.text(),
            _ => (*input.pick(VALUES)).to_owned(),
        };
        match (input.below(8), known) {
            (0, Some(index)) => drop(place.remove(index)),
            (1, _) | (_, None) => place.push((name.to_owned(), value)),
            (_, Some(index)) => place[index].1 = value,
        }
    }
    let json = |members: &[(String, String)]| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    KEYS.sign(json(&header).as_bytes(), json(&claims).as_bytes(), ecdsa)
}

fn facts((principal, organization): (Principal, OrganizationId)) -> Facts {
    let own = |text: Option<&str>| text.map(ToOwned::to_owned);
    let actor = |actor: &Actor| {
        let client = actor.client().map(|client| client.as_str());
        [own(actor.issuer()), own(actor.subject().map(|name| name.as_str())), own(client)]
    };
    let actors = std::iter::successors(principal.actor(), |actor| actor.before());
    let bound = principal.confirmation();
    let named = Some(organization.as_str()).filter(|_| organization != OrganizationId::implicit());
    Facts {
        issuer: principal.issuer().to_owned(),
        subject: principal.subject().to_string(),
        client: own(principal.client().map(|client| client.as_str())),
        scopes: principal.scopes().iter().map(Into::into).collect(),
        expires_at: principal.expires_at().as_secs(),
        issued_at: principal.issued_at().map(UnixTime::as_secs),
        authenticated_at: principal.authenticated_at().map(UnixTime::as_secs),
        class: own(principal.authentication_class()),
        methods: principal.authentication_methods().map(Into::into).collect(),
        actors: actors.map(actor).collect(),
        id: own(principal.token_id()),
        roles: principal.roles().map(Into::into).collect(),
        groups: principal.groups().map(Into::into).collect(),
        entitlements: principal.entitlements().map(Into::into).collect(),
        organization: own(named),
        tenant: own(principal.tenant().map(|tenant| tenant.as_str())),
        bound: [bound.and_then(|it| it.key()), bound.and_then(|it| it.certificate())]
            .map(|hash| hash.map(|hash| hash.to_vec())),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let token = match input.byte() % 4 {
        0 => String::from_utf8_lossy(input.0).into_owned(),
        1 => {
            let (header, payload) = (input.chunk(), input.0);
            KEYS.sign(header, payload, header.windows(5).any(|part| part == b"ES256"))
        }
        _ => changed(&mut input),
    };
    let theirs = judge(&token);
    // No answer: a key would have to be fetched, which nobody does here.
    let ours = TOKENS.access(&token, UnixTime::from_secs(NOW)).map(|ours| ours.map(facts));
    match (ours, theirs) {
        (Some(Ok(ours)), Ok(theirs)) => assert_eq!(ours, theirs, "{token}"),
        (Some(Err(ours)), Err(theirs)) => {
            assert!(theirs.contains(ours.reason().code()), "{:?}, not {theirs:?}: {token}", ours.reason());
        }
        (None, Err(theirs)) => assert!(theirs.contains("unknown_key"), "{theirs:?}: {token}"),
        (ours, theirs) => panic!("{ours:?}, but {theirs:?}: {token}"),
    }
});
