//! A public key that a proof brings along in its header (RFC 9449 §4.2): what it is called, and the
//! key itself.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::json::{Json, Object};
use super::jwk::{Jwk, PRIVATE};
use super::verify::PublicKey;
use crate::algorithm::SigningAlgorithm;

/// Whether it holds what only a private or a symmetric key has.
pub(crate) fn holds_a_secret(jwk: &Object<'_>) -> bool {
    PRIVATE.iter().any(|name| jwk.has(name))
}

/// The SHA-256 thumbprint (RFC 7638 §3). `None` if it is no public key of a kind we know.
pub(crate) fn thumbprint(jwk: &Object<'_>) -> Option<[u8; 32]> {
    let members: &[&str] = match jwk.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let mut text = Sha256::new();
    let mut before: &[u8] = b"{\"";
    for name in members {
        let value = jwk.get(name)?.as_str()?;
        // So that nothing in a value could be taken for another member.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !value.bytes().all(plain) {
            return None;
        }
        for part in [before, name.as_bytes(), b"\":\"", value.as_bytes()] {
            text.update(part);
        }
        before = b"\",\"";
    }
    text.update(b"\"}");
    Some(text.finalize().into())
}

/// The key, for this algorithm alone.
pub(crate) fn public_key(jwk: &Object<'_>, algorithm: SigningAlgorithm) -> Option<PublicKey> {
    let entry = Value::Object(members(jwk));
    let mut keys = Jwk::parse(&entry, &[algorithm]).ok()?.keys.into_iter();
    keys.find(|key| key.algorithm() == algorithm)
}

/// As the reader of key sets takes them. No member that counts is a number or an object.
fn members(object: &Object<'_>) -> Map<String, Value> {
    let value = |value: &Json<'_>| match value {
        Json::String(text) => Value::String(text.to_string()),
        Json::Array(items) => items
            .iter()
            .map(|item| item.as_str().map_or(Value::Null, Value::from))
            .collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => Value::Null,
    };
    object
        .iter()
        .map(|(name, member)| (name.to_owned(), value(member)))
        .collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::jose::json::parse_object;

    fn with<T>(text: &str, look: impl FnOnce(&Object<'_>) -> T) -> T {
        look(&parse_object(text.as_bytes(), 8).unwrap())
    }

    fn print(text: &str) -> Option<String> {
        with(text, thumbprint).map(|print| URL_SAFE_NO_PAD.encode(print))
    }

    /// The key of RFC 9449 §4.1; its thumbprint is that of §6.1.
    const EC: &str = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;

    #[test]
    fn dpop_06_the_examples_of_the_rfcs() {
        assert_eq!(
            print(EC).unwrap(),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
        );
        // RFC 7638 §3.1.
        let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        assert_eq!(
            print(rsa).unwrap(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        // RFC 8037 appendix A.3.
        let okp =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(
            print(okp).unwrap(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn dpop_02_what_is_no_public_key_has_no_name() {
        for bad in [
            "{}",
            r#"{"kty":"oct","k":"AAAA"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":1}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"A\",\"y\":\"A"}"#,
            r#"{"kty":["EC"]}"#,
        ] {
            assert_eq!(print(bad), None, "{bad}");
        }
    }

    #[test]
    fn dpop_02_only_the_key_of_the_named_algorithm_is_one() {
        let key = |text: &str, algorithm| with(text, |jwk| public_key(jwk, algorithm)).is_some();
        assert!(key(EC, SigningAlgorithm::Es256));
        for other in [
            SigningAlgorithm::Es384,
            SigningAlgorithm::EdDsa,
            SigningAlgorithm::Rs256,
        ] {
            assert!(!key(EC, other), "{other}");
        }
        let private = EC.replace("\"kty\"", "\"d\":\"AA\",\"kty\"");
        assert!(with(&private, holds_a_secret) && !with(EC, holds_a_secret));
        assert!(!key(&private, SigningAlgorithm::Es256));
        let encryption = EC.replace("\"kty\"", "\"use\":\"enc\",\"kty\"");
        assert!(!key(&encryption, SigningAlgorithm::Es256));
        let sealed = EC.replace("\"kty\"", "\"key_ops\":[\"sign\"],\"kty\"");
        assert!(!key(&sealed, SigningAlgorithm::Es256));
        let off_the_curve = EC.replace("9VE4", "9VE5");
        assert!(!key(&off_the_curve, SigningAlgorithm::Es256));
    }
}
