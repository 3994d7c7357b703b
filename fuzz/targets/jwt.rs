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
use tower_mcp_auth_fuzz::changes::{changed, compact};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;
use tower_mcp_auth_fuzz::oracle::{Facts, judge};
use tower_mcp_auth_fuzz::world::{NOW, tokens};

static TOKENS: LazyLock<Tokens> = LazyLock::new(tokens);

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
    let token = compact(&mut input, changed);
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
