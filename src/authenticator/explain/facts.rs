//! What a credential says of itself, at the steps that looked at it. Nothing here decides.

use http::HeaderMap;

use crate::api_token::TokenKind;
use crate::authenticator::Inner;
use crate::authenticator::tokens::{Claim, Tokens};
use crate::clock::UnixTime;
use crate::jose::compact::{Compact, is_token_shaped};
use crate::jose::json::{Json, Object};
use crate::oauth::times::numeric_date;
use crate::stage::{Stage, Track};
use crate::wire::authorization::{Presented, Scheme};
use crate::wire::basic::read_basic;

/// The claims that decide, or that people ask about, besides the issuer.
const TOLD: [&str; 12] = [
    "sub",
    "aud",
    "client_id",
    "azp",
    "scope",
    "scp",
    "iat",
    "nbf",
    "exp",
    "jti",
    "token_use",
    "cnf",
];

/// The longest value that is repeated, in characters.
const LONGEST: usize = 200;

/// Most issuers that are named.
const MOST_ISSUERS: usize = 5;

impl Inner {
    pub(super) fn tell(&self, headers: &HeaderMap, track: &Track) {
        let Ok(found) = self.present(headers) else {
            return;
        };
        let place = match (found.scheme, self.api_key_header()) {
            (Scheme::Bearer, _) => "Bearer, in Authorization".to_owned(),
            (Scheme::Basic, _) => "Basic, in Authorization".to_owned(),
            (Scheme::Dpop, _) => "DPoP, in Authorization".to_owned(),
            (Scheme::ApiKey, header) => format!("in {}", header.map_or("", |name| name.as_str())),
        };
        track.fact_of(Stage::Credential, place);
        let tokens = self.shared.tokens.as_ref();
        match found.read() {
            Ok(Presented::Basic(text)) => {
                if let (Some(tokens), Ok(basic)) = (tokens, read_basic(text)) {
                    tell_api_token(tokens, basic.secret(), track);
                }
            }
            Ok(Presented::Bearer(text) | Presented::Dpop(text) | Presented::ApiKey(text)) => {
                if let Some(tokens) = tokens {
                    tell_api_token(tokens, text, track);
                }
                if is_token_shaped(text) {
                    self.tell_jwt(text, track);
                } else if let Ok(Some(issuer)) = self.trust.owner(text) {
                    let asked = format!("by its shape a token of {}, which is asked", issuer.name);
                    track.fact_of(Stage::Introspection, asked);
                }
            }
            Err(_) => {}
        }
    }

    fn tell_jwt(&self, text: &str, track: &Track) {
        let Ok(compact) = Compact::parse(text) else {
            return;
        };
        if let Ok(header) = compact.header_members() {
            tell_members(&header, &["alg"], (track, Stage::Form));
            tell_members(&header, &["typ"], (track, Stage::Type));
            tell_members(&header, &["alg", "kid"], (track, Stage::Signature));
        }
        let Ok(claims) = compact.claims() else {
            return;
        };
        tell_members(&claims, &["iss"], (track, Stage::Issuer));
        tell_members(&claims, &TOLD, (track, Stage::Claims));
        let (resource, now) = (self.resource.identifier(), self.ground.clock.now());
        let fact = format!("this is {resource}; now {}", now.to_rfc3339());
        track.fact_of(Stage::Claims, fact);
        let issuer = claims.get("iss").and_then(Json::as_str);
        let known = issuer.and_then(|name| self.trust.get(name));
        if let Some(known) = known {
            let claim = known.config.organization_claim.as_deref();
            tell_members(&claims, claim.as_slice(), (track, Stage::Organization));
            let accepted = known.config.algorithms.iter().map(|one| one.name());
            let accepted: Vec<_> = accepted.collect();
            let fact = format!("its tokens may be signed by {}", accepted.join(", "));
            track.fact_of(Stage::Issuer, fact);
        } else {
            let mut trusted: Vec<_> = self.trust.issuers().map(|one| &*one.name).collect();
            trusted.sort_unstable();
            trusted.truncate(MOST_ISSUERS);
            let fact = format!("trusted here: {}", trusted.join(", "));
            track.fact_of(Stage::Issuer, fact);
        }
    }
}

fn tell_api_token(tokens: &Tokens, text: &str, track: &Track) {
    let kind = |kind| match kind {
        TokenKind::Personal => "a personal API token",
        TokenKind::ServiceAccount => "a service-account key",
    };
    let fact = match tokens.claim(text) {
        Ok(Some(Claim::Ours(_, ours))) => format!("{} of this server", kind(ours)),
        Ok(Some(Claim::Foreign(_, claim))) => {
            format!("{} of the format {}", kind(claim.kind), claim.format.name)
        }
        Ok(None) | Err(_) => return,
    };
    track.fact_of(Stage::ApiToken, fact);
    if let Some(id) = tokens.id_of(text) {
        track.fact_of(Stage::ApiToken, format!("id {id}"));
    }
}

fn tell_members(object: &Object<'_>, names: &[&str], (track, stage): (&Track, Stage)) {
    for name in names {
        if let Some(value) = object.get(name) {
            let time = matches!(*name, "iat" | "nbf" | "exp");
            let moment = moment(value).filter(|_| time);
            let shown = moment.map_or_else(|| shown(value), UnixTime::to_rfc3339);
            track.fact_of(stage, format!("{name} {shown}"));
        }
    }
}

fn moment(value: &Json<'_>) -> Option<UnixTime> {
    match value {
        Json::Number(digits) => numeric_date(digits),
        _ => None,
    }
}

fn shown(value: &Json<'_>) -> String {
    let text = match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(digits) => (*digits).to_owned(),
        Json::String(text) => format!("\"{text}\""),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().take(10).map(shown_inside).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(object) => {
            let names: Vec<_> = object.iter().map(|(name, _)| name).take(10).collect();
            format!("{{{}}}", names.join(", "))
        }
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn shown_inside(value: &Json<'_>) -> String {
    match value {
        Json::Array(_) | Json::Object(_) => "…".to_owned(),
        plain => shown(plain),
    }
}
