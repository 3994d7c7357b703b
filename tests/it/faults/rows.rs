//! The faults, and what becomes of requests: the one table.

use std::time::Duration;

use serde_json::{Value, json};
use tower_mcp_auth::enrich::EnrichmentMode;
use tower_mcp_auth::testing::{Endpoint, Fault};

use super::site::{Mood, Setup, Site, Tick};

/// Which part fails, and in which way that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Metadata that cannot be had.
    Metadata,
    /// Keys that cannot be had.
    Keys,
    /// Both, by the way there.
    Network,
    /// Keys beside good ones that are none, or new ones beside old ones.
    KeysBeside,
    Store,
    StoreLies,
    Policies,
    PoliciesEmpty,
    Directory,
    Optional,
    Introspection,
    IntrospectionLies,
    Log,
    Replays,
    ReplaysPanic,
    ReplaysLie,
    ClockPanics,
    Backwards,
    Forwards,
    /// A function of the server's own panics for everybody; for opaque tokens only; for those
    /// that nobody else recognises.
    Everybody,
    OpaqueOnly,
    /// Nobody may notice.
    Nothing,
}

/// What happens to a good request, in this order: the first of a process that has seen nothing
/// yet; one a second after the fault began, everything being known; one after seventy seconds.
///
/// `i` is let in, `u` is 503 with a time to come back, `r` is 401, `p` is 500.
///
/// For JWTs, opaque tokens, personal tokens and service-account keys.
#[expect(
    clippy::match_same_arms,
    reason = "they are the same for different reasons"
)]
pub const fn expected(case: Case, memory: bool) -> [&'static str; 4] {
    match case {
        // Keys serve for 24 h, metadata likewise; an answer about an opaque token for 30 s.
        Case::Metadata => ["uii", "uii", "iii", "iii"],
        // The endpoint that is asked about opaque tokens is out of reach too.
        Case::Network => ["uii", "uiu", "iii", "iii"],
        Case::Keys => ["uii", "iii", "iii", "iii"],
        // A record serves for 60 s.
        Case::Store => ["iii", "iii", "uiu", "uiu"],
        Case::StoreLies => ["iii", "iii", "rir", "rir"],
        // A policy serves for 330 s, and so do user facts.
        Case::Policies | Case::Directory => ["uii", "uii", "uii", "uii"],
        // No policy is one that takes access tokens only.
        Case::PoliciesEmpty => ["iii", "iii", "rir", "rir"],
        Case::Introspection => ["iii", "uiu", "iii", "iii"],
        Case::IntrospectionLies => ["iii", "rir", "iii", "iii"],
        // API tokens need a log read in the last minute, access tokens one that was ever read.
        Case::Log => ["uii", "uii", "uiu", "uiu"],
        Case::Replays => ["uuu", "uuu", "iii", "iii"],
        Case::ReplaysPanic => ["ppp", "ppp", "iii", "iii"],
        Case::ReplaysLie => ["rrr", "rrr", "iii", "iii"],
        Case::ClockPanics | Case::Everybody => ["ppp", "ppp", "ppp", "ppp"],
        // By the only clock there is, the tokens are from the future, or over.
        Case::Backwards | Case::Forwards => ["rrr", "rrr", "iii", "iii"],
        // A token that is remembered was recognised before.
        Case::OpaqueOnly if memory => ["iii", "pip", "iii", "iii"],
        Case::OpaqueOnly => ["iii", "ppp", "iii", "iii"],
        Case::KeysBeside | Case::Optional | Case::Nothing => ["iii", "iii", "iii", "iii"],
    }
}

type Begin = Box<dyn Fn(&mut Site) + Send + Sync>;

/// One fault.
pub struct Row {
    pub name: String,
    pub case: Case,
    pub setup: Setup,
    /// The longest a request may be made to wait by it, in milliseconds: the deadline of the part.
    pub deadline: u64,
    /// A bad credential that nobody can know to be bad, cold or (if so) warm too.
    pub but: Option<(&'static str, bool)>,
    pub begin: Begin,
}

fn row(
    name: impl Into<String>,
    case: Case,
    begin: impl Fn(&mut Site) + Send + Sync + 'static,
) -> Row {
    Row {
        name: name.into(),
        case,
        setup: Setup::PLAIN,
        deadline: match case {
            Case::Store | Case::Replays => 500,
            _ => 2000,
        },
        but: None,
        begin: Box::new(begin),
    }
}

/// Every row.
pub fn all() -> Vec<Row> {
    let mut rows = issuer_rows();
    rows.extend(document_rows());
    rows.extend(introspection_rows());
    rows.extend(part_rows());
    rows.extend(other_rows());
    rows
}

/// What an endpoint can do wrong whatever it is for.
fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("refuses connections", Fault::Refuse),
        ("accepts and hangs", Fault::Hang),
        ("sends a byte a second", Fault::Drip(Duration::from_secs(1))),
        (
            "answers after a minute",
            Fault::Slow(Duration::from_secs(60)),
        ),
        ("resets in the middle", Fault::Truncated),
        ("ends in the middle", Fault::Cut),
        (
            "redirects to a link-local address",
            Fault::Redirect("https://169.254.169.254/latest".into()),
        ),
        ("500", Fault::Status(500)),
        ("404", Fault::Status(404)),
        (
            "429 for twenty seconds",
            Fault::RetryAfter(429, "20".into()),
        ),
        ("a login page", Fault::Html),
        ("half a megabyte in chunks", Fault::Huge(512 * 1024)),
        ("text/plain", Fault::WrongType),
        ("gzip", Fault::Compressed),
        ("an empty answer", Fault::Empty),
    ]
}

fn issuer_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, endpoint, case) in [
        ("metadata", Endpoint::Metadata, Case::Metadata),
        ("keys", Endpoint::Jwks, Case::Keys),
    ] {
        for (name, fault) in faults() {
            rows.push(row(format!("{place}: {name}"), case, move |site| {
                site.issuer.fail(endpoint, fault.clone());
            }));
        }
    }
    rows.push(row("metadata: of another issuer", Case::Metadata, |site| {
        site.issuer.fail(Endpoint::Metadata, Fault::WrongIssuer);
    }));
    rows.push(row(
        "network: the certificate is over",
        Case::Network,
        |site| {
            site.parts.fetch.set(Mood::Down);
        },
    ));
    rows.push(row("network: the client panics", Case::Network, |site| {
        site.parts.fetch.set(Mood::Panics);
    }));
    rows.push(row("network: the client hangs", Case::Network, |site| {
        site.parts.fetch.set(Mood::Hangs);
    }));
    rows
}

/// Key sets that are whole and wrong.
fn document_rows() -> Vec<Row> {
    let instead = |name: &'static str, make: fn(Value) -> Value| {
        row(format!("keys: {name}"), Case::Keys, move |site| {
            let good = site.issuer.public_jwk(&site.issuer.signing_kid());
            site.issuer.set_jwks(make(good));
        })
    };
    let beside = |name: &'static str, other: fn(Value) -> Value| {
        row(
            format!("keys: beside {name}"),
            Case::KeysBeside,
            move |site| {
                let good = site.issuer.public_jwk(&site.issuer.signing_kid());
                site.issuer
                    .set_jwks(json!({ "keys": [other(good.clone()), good] }));
            },
        )
    };
    let mut rows = vec![
        instead("ten thousand", |good| json!({ "keys": vec![good; 10_000] })),
        instead("an empty set", |_| json!({ "keys": [] })),
        instead("none but a numeric kid", |mut good| {
            good["kid"] = json!(7);
            json!({ "keys": [good] })
        }),
        instead("none but null", |_| json!({ "keys": [null] })),
        instead(
            "none but a secret one",
            |_| json!({ "keys": [{"kty": "oct", "kid": "k1", "alg": "HS256", "k": "c2VjcmV0"}] }),
        ),
        instead("no member of that name", |good| json!({ "key": [good] })),
        beside("one with a numeric kid", |mut good| {
            good["kid"] = json!(7);
            good
        }),
        beside("null", |_| Value::Null),
        beside(
            "a secret one of the same kid",
            |_| json!({"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}),
        ),
        beside("a private one of the same kid", |mut good| {
            good["d"] = good["x"].clone();
            good
        }),
        beside("itself", |good| good),
    ];
    rows.push(row(
        "keys: rotated with overlap",
        Case::KeysBeside,
        |site| {
            site.issuer.rotate(tower_mcp_auth::SigningAlgorithm::Es256);
            site.renew();
        },
    ));
    rows.push(row(
        "keys: rotated without overlap",
        Case::KeysBeside,
        |site| {
            site.issuer
                .rotate_abruptly(tower_mcp_auth::SigningAlgorithm::Es256);
            site.renew();
        },
    ));
    for (name, endpoint, case) in [
        ("metadata", Endpoint::Metadata, Case::Metadata),
        ("keys", Endpoint::Jwks, Case::Keys),
    ] {
        rows.push(row(
            format!("{name}: every second answer is 500"),
            case,
            move |site| {
                site.issuer.fail(endpoint, Fault::Alternate);
            },
        ));
        rows.push(row(
            format!("{name}: after 300 ms"),
            Case::Nothing,
            move |site| {
                site.issuer
                    .fail(endpoint, Fault::Slow(Duration::from_millis(300)));
            },
        ));
    }
    rows
}

fn introspection_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, fault) in faults() {
        // `active` that is not `true` means no (OPQ-2).
        let case = match fault {
            Fault::Empty => Case::IntrospectionLies,
            _ => Case::Introspection,
        };
        rows.push(row(format!("introspection: {name}"), case, move |site| {
            site.issuer.fail(Endpoint::Introspect, fault.clone());
        }));
    }
    rows.push(row(
        "introspection: our secret is refused",
        Case::Introspection,
        |site| {
            site.issuer.fail(Endpoint::Introspect, Fault::Status(401));
        },
    ));
    let nonsense = |name: &'static str, case: Case, text: &'static str| {
        row(format!("introspection: says {name}"), case, move |site| {
            site.issuer.answer_introspection("application/json", text);
        })
    };
    rows.extend([
        nonsense("nothing", Case::Introspection, ""),
        nonsense("an array", Case::Introspection, "[true]"),
        nonsense("neither yes nor no", Case::IntrospectionLies, r#"{"active":"true"}"#),
        nonsense("yes and no", Case::Introspection, r#"{"active":false,"active":true}"#),
        nonsense("no of everybody", Case::IntrospectionLies, r#"{"active":false}"#),
        nonsense("yes and no more", Case::IntrospectionLies, r#"{"active":true}"#),
        nonsense(
            "yes, for another server",
            Case::IntrospectionLies,
            r#"{"active":true,"iss":"https://auth.example.com/t1","sub":"alice","client_id":"c","org_id":"acme","aud":"https://elsewhere.example","exp":1800003600}"#,
        ),
        nonsense(
            "yes, of another issuer",
            Case::IntrospectionLies,
            r#"{"active":true,"iss":"https://evil.example","sub":"alice","client_id":"c","org_id":"acme","aud":"https://mcp.example.com/mcp","exp":1800003600}"#,
        ),
        nonsense(
            "yes, until yesterday",
            Case::IntrospectionLies,
            r#"{"active":true,"iss":"https://auth.example.com/t1","sub":"alice","client_id":"c","org_id":"acme","aud":"https://mcp.example.com/mcp","exp":1799900000}"#,
        ),
    ]);
    rows
}

const OUTAGES: [(&str, Mood); 4] = [
    ("fails", Mood::Down),
    ("hangs", Mood::Hangs),
    ("panics", Mood::Panics),
    (
        "answers after a minute",
        Mood::Slow(Duration::from_secs(60)),
    ),
];

const SLOW: Mood = Mood::Slow(Duration::from_millis(300));

/// Of those parts that can be asked and not answer.
fn part_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, mood) in OUTAGES {
        rows.push(row(
            format!("token store {name}"),
            Case::Store,
            move |site| site.parts.store.set(mood),
        ));
        rows.push(row(
            format!("policy store {name}"),
            Case::Policies,
            move |site| site.parts.policies.set(mood),
        ));
        rows.push(row(
            format!("directory, required, {name}"),
            Case::Directory,
            move |site| {
                site.parts.directory.set(mood);
            },
        ));
        let optional = row(
            format!("directory, optional, {name}"),
            Case::Optional,
            move |site| {
                site.parts.directory.set(mood);
            },
        );
        rows.push(Row {
            setup: Setup {
                enrichment: EnrichmentMode::Optional,
                ..Setup::PLAIN
            },
            ..optional
        });
        rows.push(row(
            format!("revocation log {name}"),
            Case::Log,
            move |site| site.parts.log.set(mood),
        ));
        let case = if mood == Mood::Panics {
            Case::ReplaysPanic
        } else {
            Case::Replays
        };
        rows.push(bound(row(
            format!("replay store {name}"),
            case,
            move |site| site.parts.replays.set(mood),
        )));
        rows.push(row(
            format!("shared failures {name}"),
            Case::Nothing,
            move |site| site.parts.shared.set(mood),
        ));
    }
    rows.extend(answering_rows());
    rows
}

/// The same, answering late or wrongly.
fn answering_rows() -> Vec<Row> {
    vec![
        row("token store answers in 300 ms", Case::Nothing, |site| {
            site.parts.store.set(SLOW);
        }),
        row("policy store answers in 300 ms", Case::Nothing, |site| {
            site.parts.policies.set(SLOW);
        }),
        row("directory answers in 300 ms", Case::Nothing, |site| {
            site.parts.directory.set(SLOW);
        }),
        row("revocation log answers in 300 ms", Case::Nothing, |site| {
            site.parts.log.set(SLOW);
        }),
        bound(row(
            "replay store answers in 300 ms",
            Case::Nothing,
            |site| site.parts.replays.set(SLOW),
        )),
        row("token store is empty", Case::StoreLies, |site| {
            site.parts.store.set(Mood::Empty);
        }),
        row(
            "token store answers for another token",
            Case::Store,
            |site| site.parts.store.set(Mood::Corrupt),
        ),
        row("policy store is empty", Case::PoliciesEmpty, |site| {
            site.parts.policies.set(Mood::Empty);
        }),
        row(
            "policy store answers for another organization",
            Case::Policies,
            |site| {
                site.parts.policies.set(Mood::Corrupt);
            },
        ),
        row("directory knows nobody", Case::Nothing, |site| {
            site.parts.directory.set(Mood::Empty);
        }),
        bound(row(
            "replay store has seen everything",
            Case::ReplaysLie,
            |site| {
                site.parts.replays.set(Mood::Corrupt);
            },
        )),
        Row {
            // Who has read the log before remembers.
            but: Some(("revoked", false)),
            ..row("revocation log is empty", Case::Nothing, |site| {
                site.parts.log.set(Mood::Empty);
            })
        },
        Row {
            // Who has read the log before remembers.
            but: Some(("revoked", false)),
            ..row("revocation log is unreadable", Case::Nothing, |site| {
                site.parts.log.set(Mood::Corrupt);
            })
        },
    ]
}

fn bound(row: Row) -> Row {
    Row {
        setup: Setup {
            bound: true,
            ..row.setup
        },
        ..row
    }
}

const HOUR: i64 = 3600;

fn other_rows() -> Vec<Row> {
    vec![
        row("audit sink panics", Case::Nothing, |site| {
            site.audit.part.set(Mood::Panics);
        }),
        row("audit writer blocks", Case::Nothing, |site| {
            site.audit.gate.set(true, false);
        }),
        row("audit writer fails", Case::Nothing, |site| {
            site.audit.gate.set(false, true);
        }),
        row("clock an hour ahead", Case::Nothing, |site| {
            site.clock.set(Tick::Jump(HOUR));
        }),
        Row {
            but: Some(("expired", true)),
            ..row("clock an hour behind", Case::Nothing, |site| {
                site.clock.set(Tick::Jump(-HOUR));
            })
        },
        row("clock a day ahead", Case::Forwards, |site| {
            site.clock.set(Tick::Jump(24 * HOUR));
        }),
        Row {
            but: Some(("expired", true)),
            ..row("clock a day behind", Case::Backwards, |site| {
                site.clock.set(Tick::Jump(-24 * HOUR));
            })
        },
        row("clock stands still", Case::Nothing, |site| {
            site.clock.set(Tick::Frozen(site.clock.elapsed()));
        }),
        row("clock panics, time of day", Case::ClockPanics, |site| {
            site.clock.set(Tick::WallPanics);
        }),
        row("clock panics, monotonic", Case::ClockPanics, |site| {
            site.clock.set(Tick::MonotonicPanics);
        }),
        row("finding the peer panics", Case::Everybody, |site| {
            site.parts.peer.set(Mood::Panics);
        }),
        row(
            "recognising opaque tokens panics",
            Case::OpaqueOnly,
            |site| site.parts.opaque.set(Mood::Panics),
        ),
        row(
            "recognising a vendor's tokens panics",
            Case::OpaqueOnly,
            |site| site.parts.vendor.set(Mood::Panics),
        ),
    ]
}
