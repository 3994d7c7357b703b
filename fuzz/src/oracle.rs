//! A second opinion about access tokens: slow, complete, and written from the RFCs and the profiles.
//!
//! It finds every fault of a token where the crate stops at the first. Both must agree on whether there
//! is one, on what a good token says, and the crate's reason must be among the faults.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::json::strict_object;
use crate::letters::url_safe;
use crate::world::{CLIENTS, ISSUERS, KEYS, NOW, RESOURCE};

const ORIGIN: &str = "https://mcp.example.com";
const LEEWAY: i64 = 30;
const LIFETIME: i64 = 86_400;

/// What a good token says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub issuer: String,
    pub subject: String,
    pub client: Option<String>,
    pub scopes: Vec<String>,
    pub expires_at: i64,
    pub issued_at: Option<i64>,
    pub authenticated_at: Option<i64>,
    pub class: Option<String>,
    pub methods: Vec<String>,
    pub actors: Vec<[Option<String>; 3]>,
    pub id: Option<String>,
    pub roles: Vec<String>,
    pub groups: Vec<String>,
    pub entitlements: Vec<String>,
    pub organization: Option<String>,
    pub tenant: Option<String>,
    pub bound: [Option<Vec<u8>>; 2],
}

/// The reasons a token may be refused for.
pub type Faults = BTreeSet<&'static str>;
type Claims = Map<String, Value>;

/// How the issuers differ.
struct Dialect {
    any_type: bool,
    clients: &'static [&'static str],
    client_list: bool,
    scp: bool,
    roles: &'static str,
    groups: &'static str,
    organization: Option<&'static str>,
    tenant: Option<&'static str>,
    audiences: &'static [&'static str],
}

const DIALECTS: [Dialect; 4] = [
    Dialect {
        any_type: false,
        clients: &["client_id"],
        client_list: false,
        scp: false,
        roles: "/roles",
        groups: "/groups",
        organization: Some("/org_id"),
        tenant: None,
        audiences: &[RESOURCE, "other-name"],
    },
    Dialect {
        any_type: true,
        clients: &["cid", "client_id"],
        client_list: false,
        scp: true,
        roles: "/roles",
        groups: "/groups",
        organization: None,
        tenant: None,
        audiences: &[RESOURCE],
    },
    Dialect {
        any_type: true,
        clients: &["client_id"],
        client_list: true,
        scp: false,
        roles: "/roles",
        groups: "/cognito:groups",
        organization: None,
        tenant: None,
        audiences: &[RESOURCE],
    },
    Dialect {
        any_type: true,
        clients: &["client_id", "azp"],
        client_list: false,
        scp: false,
        roles: "/realm_access/roles",
        groups: "/groups",
        organization: None,
        tenant: Some("/site/id"),
        audiences: &[RESOURCE],
    },
];

/// # Errors
///
/// Every fault.
pub fn judge(token: &str) -> Result<Facts, Faults> {
    let one = |fault| Faults::from([fault]);
    let parts: Vec<&str> = token.split('.').collect();
    let parts = match parts[..] {
        [header, payload, signature] => [header, payload, signature],
        [_, _, _, _, _] => return Err(one("encrypted_token")),
        _ => return Err(one("malformed_token")),
    };
    let decoded: Option<Vec<_>> = parts.iter().map(|part| url_safe(part)).collect();
    let decoded = decoded.ok_or_else(|| one("malformed_token"))?;
    let header = strict_object(&decoded[0], 8, 256);
    let header = header.ok_or_else(|| one("malformed_token"))?;
    let mut judge = Judge::default();
    let (alg, kid, typ) = judge.header(&header);
    let Some(claims) = strict_object(&decoded[1], 16, 256) else {
        judge.faults.insert("malformed_token");
        return Err(judge.faults);
    };
    let issuer = judge.text(&claims, "iss").unwrap_or_default();
    let Some(index) = ISSUERS.iter().position(|known| *known == issuer) else {
        judge.faults.insert(match claims.get("iss") {
            None => "missing_claim",
            Some(Value::String(_)) => "unknown_issuer",
            Some(_) => "malformed_claim",
        });
        return Err(judge.faults);
    };
    let dialect = &DIALECTS[index];
    let typ = typ.map(|typ| {
        let typ = typ.to_ascii_lowercase();
        typ.strip_prefix("application/").unwrap_or(&typ).to_owned()
    });
    let good_type = match typ.as_deref() {
        Some("at+jwt") => true,
        Some("jwt") | None => dialect.any_type,
        Some(_) => false,
    };
    judge.fault(!good_type, "wrong_token_type");
    judge.facts.issuer = issuer;
    judge.claims(&claims, dialect, index);
    let signed = token.rsplit_once('.').unwrap().0.as_bytes();
    match KEYS.verify(kid.as_deref(), &alg, signed, &decoded[2]) {
        None => {
            judge.fault(true, "unknown_key");
            judge.fault(true, "issuer_unavailable");
        }
        Some(good) => judge.fault(!good, "bad_signature"),
    }
    if judge.faults.is_empty() { Ok(judge.facts) } else { Err(judge.faults) }
}

#[derive(Default)]
struct Judge {
    faults: Faults,
    facts: Facts,
}

fn is_name(text: &str) -> bool {
    (1..=2048).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl Judge {
    fn fault(&mut self, is: bool, fault: &'static str) {
        if is {
            self.faults.insert(fault);
        }
    }

    fn header(&mut self, header: &Claims) -> (String, Option<String>, Option<String>) {
        let has = |names: &[&str]| names.iter().any(|name| header.contains_key(*name));
        self.fault(has(&["crit", "b64"]), "critical_extension");
        self.fault(has(&["jwk", "jku", "x5u"]), "embedded_key");
        self.fault(has(&["zip", "enc"]), "encrypted_token");
        let alg = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        // The algorithms that an issuer may use unless it says more.
        let known = ["RS256", "PS256", "ES256", "EdDSA"].contains(&alg);
        self.fault(!known, "algorithm_not_allowed");
        let mut text = |name: &str| match header.get(name) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.faults.insert("malformed_token");
                None
            }
        };
        let (kid, typ) = (text("kid"), text("typ"));
        let bad = |kid: &String| kid.is_empty() || kid.len() > 256 || !kid.bytes().all(|b| (32..127).contains(&b));
        self.fault(kid.as_ref().is_some_and(bad), "malformed_token");
        (alg.to_owned(), kid, typ)
    }

    fn text(&mut self, claims: &Claims, name: &str) -> Option<String> {
        match claims.get(name) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.faults.insert("malformed_claim");
                None
            }
        }
    }

    fn time(&mut self, claims: &Claims, name: &str) -> Option<i64> {
        let value = claims.get(name)?;
        let whole = value.as_i64();
        let seconds = whole.or_else(|| {
            let number = value.as_f64().filter(|number| *number >= 0.0)?;
            // Beyond this, an f64 is no second of a year with four digits.
            (number < 1e15).then_some(number.floor() as i64)
        });
        let good = seconds.filter(|seconds| (0..=253_402_300_799).contains(seconds));
        self.fault(good.is_none(), "malformed_claim");
        good
    }

    fn name(&mut self, claims: &Claims, name: &str) -> Option<String> {
        let text = self.text(claims, name)?;
        self.fault(!is_name(&text), "malformed_claim");
        Some(text)
    }

    fn claims(&mut self, claims: &Claims, dialect: &Dialect, index: usize) {
        self.kind(claims, dialect);
        self.times(claims);
        self.parties(claims, dialect);
        self.scopes(claims, dialect);
        self.actors(claims, 4);
        self.bound(claims);
        self.facts.id = self.text(claims, "jti");
        let unfit = |id: &str| id.is_empty() || id.chars().any(char::is_control);
        self.fault(self.facts.id.as_deref().is_some_and(unfit), "malformed_claim");
        self.fault(!claims.contains_key("jti"), "missing_claim");
        self.facts.class = self.text(claims, "acr");
        self.facts.methods = match claims.get("amr") {
            None => Vec::new(),
            Some(amr) => strings(amr).unwrap_or_else(|| {
                self.faults.insert("malformed_claim");
                Vec::new()
            }),
        };
        let whole = Value::Object(claims.clone());
        let words = |path: &str| match whole.pointer(path) {
            Some(Value::String(word)) => vec![word.clone()],
            Some(Value::Array(all)) => all.iter().filter_map(|one| one.as_str().map(Into::into)).collect(),
            _ => Vec::new(),
        };
        self.facts.roles = words(dialect.roles);
        self.facts.groups = words(dialect.groups);
        self.facts.entitlements = words("/entitlements");
        let mut party = |path: Option<&str>| match whole.pointer(path?) {
            None => None,
            Some(Value::String(text)) if is_name(text) => Some(text.clone()),
            Some(_) => {
                self.faults.insert("malformed_claim");
                None
            }
        };
        let (organization, tenant) = (party(dialect.organization), party(dialect.tenant));
        self.facts.organization = organization.filter(|name| name != "default");
        self.facts.tenant = tenant;
        let unnamed = index == 0 && self.facts.organization.is_none();
        self.fault(unnamed, "unknown_organization");
    }

    fn kind(&mut self, claims: &Claims, dialect: &Dialect) {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let marks = ["nonce", "at_hash", "c_hash", "events"];
        let marked = marks.iter().any(|mark| claims.contains_key(*mark));
        let used = claims.contains_key("token_use") && text("token_use") != Some("access");
        let unused = dialect.client_list && text("token_use") != Some("access");
        let named = text("typ").is_some_and(|typ| ["ID", "Refresh", "Offline", "Logout"].contains(&typ));
        let other = text("https://id.atlassian.com/atl_token_type")
            .is_some_and(|kind| kind == "AUTH_CODE" || kind.ends_with("REFRESH"));
        self.fault(marked || used || unused || named || other, "wrong_token_type");
    }

    fn times(&mut self, claims: &Claims) {
        self.facts.authenticated_at = self.time(claims, "auth_time");
        let [exp, nbf, iat] = ["exp", "nbf", "iat"].map(|name| self.time(claims, name));
        for name in ["exp", "iat"] {
            self.fault(!claims.contains_key(name), "missing_claim");
        }
        self.fault(exp.is_some_and(|exp| NOW > exp + LEEWAY), "expired");
        self.fault(exp.is_some_and(|exp| exp > NOW + LEEWAY + LIFETIME), "lifetime_too_long");
        self.fault(nbf.is_some_and(|nbf| nbf > NOW + LEEWAY), "not_yet_valid");
        self.fault(iat.is_some_and(|iat| iat > NOW + LEEWAY), "issued_in_future");
        self.facts.expires_at = exp.unwrap_or_default();
        self.facts.issued_at = iat;
    }

    fn parties(&mut self, claims: &Claims, dialect: &Dialect) {
        let client = dialect.clients.iter().find(|name| claims.contains_key(**name));
        self.facts.client = client.and_then(|name| self.name(claims, name));
        self.fault(client.is_none(), "missing_claim");
        self.facts.subject = self.name(claims, "sub").unwrap_or_default();
        self.fault(!claims.contains_key("sub"), "missing_claim");
        let audience = match claims.get("aud") {
            None => None,
            Some(Value::String(one)) => Some(vec![one.clone()]),
            Some(other) => {
                let all = strings(other);
                self.fault(all.is_none(), "malformed_claim");
                Some(all.unwrap_or_default())
            }
        };
        // Scheme and host of a URL are compared without case.
        let ours = |name: &String| {
            let (site, path) = name.split_at_checked(ORIGIN.len()).unwrap_or_default();
            let same = format!("{}{path}", site.to_ascii_lowercase()) == RESOURCE;
            same || dialect.audiences.contains(&name.as_str())
        };
        let named = match &audience {
            None => dialect.client_list,
            Some(all) => all.iter().any(ours),
        };
        let known =
            !dialect.client_list || self.facts.client.as_deref().is_some_and(|client| CLIENTS.contains(&client));
        self.fault(!named || !known, "wrong_audience");
    }

    fn scopes(&mut self, claims: &Claims, dialect: &Dialect) {
        let words: Option<Vec<String>> = match claims.get(if dialect.scp { "scp" } else { "scope" }) {
            None => Some(Vec::new()),
            Some(Value::String(words)) => {
                Some(words.split(' ').filter(|word| !word.is_empty()).map(Into::into).collect())
            }
            Some(other) if dialect.scp => strings(other),
            Some(_) => None,
        };
        let good = |word: &String| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        };
        let words = words.filter(|words| words.len() <= 256 && words.iter().all(good));
        self.fault(words.is_none(), "malformed_claim");
        let set: BTreeSet<String> = words.unwrap_or_default().into_iter().collect();
        self.facts.scopes = set.into_iter().collect();
    }

    fn actors(&mut self, claims: &Claims, left: usize) {
        let actor = match claims.get("act") {
            None => return,
            Some(Value::Object(actor)) if left > 0 => actor,
            Some(_) => return self.fault(true, "malformed_claim"),
        };
        let (issuer, subject) = (self.text(actor, "iss"), self.name(actor, "sub"));
        let client = self.name(actor, "client_id");
        self.fault(subject.is_none() && client.is_none(), "malformed_claim");
        self.facts.actors.push([issuer, subject, client]);
        self.actors(actor, left - 1);
    }

    fn bound(&mut self, claims: &Claims) {
        let Some(cnf) = claims.get("cnf") else {
            return;
        };
        let members = cnf.as_object().cloned().unwrap_or_default();
        let mut good = !members.is_empty();
        for (name, value) in &members {
            let hash = value.as_str().and_then(url_safe).filter(|hash| hash.len() == 32);
            let place = ["jkt", "x5t#S256"].iter().position(|known| known == name);
            good &= hash.is_some() && place.is_some();
            if let Some(place) = place {
                self.facts.bound[place] = hash;
            }
        }
        self.fault(!good, "sender_constrained");
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    let all = value.as_array()?.iter();
    all.map(|one| one.as_str().map(Into::into)).collect()
}
