//! DPoP proofs: signed with the right key or another, about this request or another, against plain rules;
//! and any text as a proof.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::KeyPair;
use serde_json::Value;
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::dpop::Dpop;
use tower_mcp_auth::fuzzing::{About, Proofs};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;
use tower_mcp_auth_fuzz::json::strict_object;
use tower_mcp_auth_fuzz::world::{EC_X, EC_Y, KEYS, NOW, RESOURCE, encode};

const TOKEN: &[u8] = b"an.access.token";
const PATHS: [&str; 6] = ["/mcp", "/mcp/v2", "/", "/mcp/%2e%2e/x", "/mcp/a%2Fb", "/mcp2"];

static PROOFS: LazyLock<Proofs> = LazyLock::new(|| Proofs::new(&Dpop::new()).expect("good settings"));

fn hash(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// Percent-encodings of letters undone, the others in capitals.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('%') {
        out += &rest[..at];
        let code = rest.get(at + 1..at + 3).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = code else {
            out.push('%');
            rest = &rest[at + 1..];
            continue;
        };
        let letter = char::from(u8::from_str_radix(code, 16).expect("two digits"));
        if letter.is_ascii_alphanumeric() || "-._~".contains(letter) {
            out.push(letter);
        } else {
            out += &format!("%{}", code.to_ascii_uppercase());
        }
        rest = &rest[at + 3..];
    }
    out + rest
}

/// What `htu` may be for a request to `path`: scheme, host and port of the resource, and this path.
fn may_be(htu: &str, path: &str) -> bool {
    let below = plain(path).strip_prefix("/mcp").is_some_and(|rest| rest.starts_with('/'));
    let wanted = if below { plain(path) } else { "/mcp".to_owned() };
    let Some((scheme, rest)) = htu.split_once("://") else { return false };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host = authority.split_once(':').filter(|(_, port)| port.parse() == Ok(443) || port.is_empty());
    let host = plain(host.map_or(authority, |(host, _)| host)).to_ascii_lowercase();
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let mut segments = Vec::new();
    for segment in path.split('/').skip(1) {
        match &*plain(segment) {
            ".." => drop(segments.pop()),
            "." => {}
            other => segments.push(other.to_owned()),
        }
    }
    let path = plain(path);
    let dots = path.ends_with("/.") || path.ends_with("/..");
    let joined = format!("/{}{}", segments.join("/"), if dots && !segments.is_empty() { "/" } else { "" });
    // Somebody has resolved the dots in the path of a request before.
    scheme.eq_ignore_ascii_case("https") && host == "mcp.example.com" && joined == wanted
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let ecdsa = input.yes();
    let key = if ecdsa {
        format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{EC_X}\",\"y\":\"{EC_Y}\"}}")
    } else {
        let x = encode(KEYS.ed.public_key());
        format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{x}\"}}")
    };
    // RFC 7638: these members in this order, and nothing else.
    let print: [u8; 32] = hash(key.as_bytes()).try_into().expect("32 bytes");
    let path = *input.pick(&PATHS);
    let method = *input.pick(&["POST", "GET"]);
    let about = About { method, resource: (RESOURCE, "/mcp"), path, token: TOKEN, key: &print };
    let now = UnixTime::from_secs(NOW);
    let judge = |proof: &str, about| PROOFS.judge(proof, about, now);

    let flaw = input.below(8);
    let typ = *input.pick(&["dpop+jwt", "dpop+jwt", "DPoP+jwt", "jwt"]);
    let age = i64::from(input.byte()) * i64::from(input.byte().cast_signed());
    let htm = *input.pick(&["POST", "GET", "post"]);
    let htu = match input.below(4) {
        0 => RESOURCE.to_owned(),
        1 => format!("https://mcp.example.com{path}"),
        2 => format!("https://mcp.example.com{}", input.text()),
        _ => input.text(),
    };
    let id = input.text();
    let extra = String::from_utf8_lossy(input.0);
    let ath = encode(hash(if flaw == 1 { b"another" } else { TOKEN }));
    let alg = if ecdsa != (flaw == 2) { "ES256" } else { "EdDSA" };
    let header = format!("{{\"typ\":\"{typ}\",\"alg\":\"{alg}\",\"jwk\":{key}}}");
    let text = |text: &str| serde_json::to_string(text).expect("JSON");
    let payload = format!(
        "{{\"htm\":\"{htm}\",\"htu\":{},\"iat\":{},\"ath\":\"{ath}\",\"jti\":{}{extra}}}",
        text(&htu),
        NOW - age,
        text(&id)
    );
    let mut proof = KEYS.sign(header.as_bytes(), payload.as_bytes(), ecdsa != (flaw == 3));
    let ours = judge(&proof, about);
    let strict = strict_object(payload.as_bytes(), 16, 256);
    let good = strict.as_ref().is_some_and(|claims| claims["htu"] == Value::from(htu.as_str()))
        && ![1, 2, 3].contains(&flaw)
        && typ.eq_ignore_ascii_case("dpop+jwt")
        && htm == method
        && (-300..=300).contains(&age)
        && (1..=256).contains(&id.len());
    let sure = htu == RESOURCE && ["/mcp", "/", "/mcp2"].contains(&path);
    match ours {
        Ok(()) => {
            assert!(good && (htu == RESOURCE || may_be(&htu, path)), "{payload} for {path}");
            assert!(!path.contains("%2e"), "nobody knows where {path} leads");
        }
        Err(note) => assert!(!(good && sure) || proof.len() > 8192, "{note}: {payload} for {path}"),
    }
    if ours.is_ok() {
        assert!(judge(&proof, About { token: b"another", ..about }).is_err());
        assert!(judge(&proof, About { method: "PUT", ..about }).is_err());
        assert!(judge(&proof, About { key: &[7; 32], ..about }).is_err());
        assert!(judge(&proof, About { resource: ("https://other.example.com/mcp", "/mcp"), ..about }).is_err());
        // No other text is the same proof. (An ECDSA signature has a twin, which is no letter away.)
        let (place, letter) = (input.0.len() % proof.len(), *b"A.-=_Z9".get(flaw).unwrap_or(&b'q'));
        if proof.as_bytes()[place] != letter {
            proof.replace_range(place..=place, std::str::from_utf8(&[letter]).expect("ASCII"));
            assert!(judge(&proof, about).is_err(), "{proof}");
        }
    }
    let _ = judge(&String::from_utf8_lossy(data), about);
});
