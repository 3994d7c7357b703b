//! Two thousand hostile tokens, each labelled with what the RFCs say of it.
//!
//! Here our own verdict is held against the label. `scripts/second-opinion` has the same tokens
//! judged by `jose` of Node and `joserfc` of Python under the same rules, and fails if we accept one that
//! both refuse: then our label, too, would be our own mistake.

mod claims;
mod dice;
mod forge;
mod headers;
mod signatures;
mod structure;
mod times;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use http::HeaderValue;
use serde_json::{Value, json};
use tower_mcp_auth::SigningAlgorithm;

use self::forge::{Forge, Label, Mutation};
use crate::support::{I, NOW, R, World};

/// The same tokens (but for keys, ids and signatures) in every run.
const SEED: u64 = 0x5eed_0b57_11e7_0ce5;

/// How often each mutation is tried, with other dice and algorithms.
const ROUNDS: usize = 13;

/// Where the script wants tokens, keys and rules.
const FOLDER: &str = "TOWER_MCP_AUTH_SECOND_OPINION";

const ALGORITHMS: [SigningAlgorithm; 4] = [
    SigningAlgorithm::Es256,
    SigningAlgorithm::Rs256,
    SigningAlgorithm::Ps256,
    SigningAlgorithm::EdDsa,
];

/// `aud` means this resource in this spelling too: scheme and host know no case (JWT-12).
const R_SPELLED: &str = "HTTPS://MCP.Example.COM/mcp";

fn mutations() -> Vec<Mutation> {
    [
        headers::all(),
        signatures::all(),
        structure::all(),
        claims::all(),
        times::all(),
    ]
    .concat()
}

struct Judged {
    mutation: Mutation,
    token: String,
    /// Empty if accepted.
    reason: &'static str,
}

async fn judge_all(world: &World) -> Vec<Judged> {
    let mut forge = Forge::new(&world.issuer, SEED);
    let mut judged = Vec::new();
    for mutation in mutations() {
        for _ in 0..ROUNDS {
            forge.next_token();
            let token = (mutation.forge)(&mut forge);
            let reason = match HeaderValue::from_str(&format!("Bearer {token}")) {
                Ok(value) => {
                    let before = world.probe.calls();
                    let answer = world.present(value.as_bytes()).await;
                    let let_in = answer.status == 200;
                    assert_eq!(world.probe.calls() - before, usize::from(let_in));
                    assert!(let_in || answer.status == 401, "{:?}", answer.status);
                    answer.code()
                }
                Err(_) => "not a header value",
            };
            judged.push(Judged {
                mutation,
                token,
                reason,
            });
        }
    }
    judged
}

/// What the other two are told, in words that mean the same to them.
fn rules() -> Value {
    json!({
        "now": NOW, "issuer": I, "audiences": [R, R_SPELLED], "tolerance": 30, "typ": "at+jwt",
        "algorithms": ALGORITHMS.map(SigningAlgorithm::name),
        "required": ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"],
    })
}

fn write(folder: &Path, world: &World, judged: &[Judged]) {
    fs::create_dir_all(folder).unwrap();
    let keys: Vec<Value> = world
        .issuer
        .kids()
        .iter()
        .map(|kid| world.issuer.public_jwk(kid))
        .collect();
    fs::write(folder.join("jwks.json"), json!({"keys": keys}).to_string()).unwrap();
    fs::write(folder.join("rules.json"), rules().to_string()).unwrap();
    let mut lines = String::new();
    for (id, case) in judged.iter().enumerate() {
        let case = json!({
            "id": id, "mutation": case.mutation.name, "label": case.mutation.label.name(),
            "token": case.token, "reason": case.reason,
        });
        writeln!(lines, "{case}").unwrap();
    }
    fs::write(folder.join("tokens.jsonl"), lines).unwrap();
}

#[tokio::test]
async fn t_all_two_thousand_hostile_tokens_are_judged_as_the_rfcs_say() {
    let world = World::with_algorithms(ALGORITHMS, |resource| resource, |issuer| issuer)
        .warmed()
        .await;
    let judged = judge_all(&world).await;
    if let Some(folder) = std::env::var_os(FOLDER) {
        write(Path::new(&folder), &world, &judged);
    }
    let mut wrong: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in &judged {
        let accepted = case.reason.is_empty();
        let right = match case.mutation.label {
            Label::Good => accepted,
            Label::Must => !accepted,
            Label::May => true,
        };
        if !right {
            wrong
                .entry(case.mutation.name)
                .or_default()
                .push(case.reason);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let hostile = judged
        .iter()
        .filter(|case| case.mutation.label != Label::Good);
    assert!(hostile.count() >= 2_000, "{}", judged.len());
    // Nothing is proven by tokens that all fall at the first fence.
    let reasons: BTreeMap<&str, usize> = judged.iter().fold(BTreeMap::new(), |mut all, case| {
        *all.entry(case.reason).or_default() += 1;
        all
    });
    assert!(reasons.len() >= 18, "{reasons:#?}");
    eprintln!("{} tokens: {reasons:#?}", judged.len());
}

#[test]
fn mutations_have_names_of_their_own() {
    let all = mutations();
    let names: std::collections::BTreeSet<_> = all.iter().map(|mutation| mutation.name).collect();
    assert_eq!(names.len(), all.len());
}
