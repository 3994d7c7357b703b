//! The compact serialization of a signed token, and what its header may say (JWT-3, T6, T7, T12).

use std::borrow::Cow;
use std::slice::SliceIndex;

use super::json::{Json, Object, parse_object};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::is_key_id;
use crate::algorithm::SigningAlgorithm;
use crate::rejection::{Reason, Rejection};

/// Deepest nesting in a header and in a payload.
const HEADER_DEPTH: usize = 8;
const PAYLOAD_DEPTH: usize = 16;

/// The three parts of a token, decoded; nothing verified.
#[derive(Debug)]
pub(crate) struct Compact<'a> {
    /// What the signature covers: header and payload as sent, with their dot.
    pub(crate) signed: &'a [u8],
    /// Payload, header and signature, one after the other.
    decoded: Vec<u8>,
    header_at: usize,
    signature_at: usize,
}

/// Whether a Bearer credential has the shape of a signed token: it is one, or it is refused
/// (JWT-1, JWT-2). Five parts are an encrypted token and equally nobody else's.
pub(crate) fn is_token_shaped(credential: &str) -> bool {
    matches!(dots(credential), 2 | 4)
}

fn dots(text: &str) -> usize {
    // Counted in bytes, a chunk at a time: the compiler then takes many at once.
    let chunks = text.as_bytes().chunks(128);
    let count = |chunk: &[u8]| {
        chunk
            .iter()
            .fold(0_u8, |n, byte| n + u8::from(*byte == b'.'))
    };
    chunks.map(|chunk| usize::from(count(chunk))).sum()
}

impl<'a> Compact<'a> {
    /// Splits and decodes. Dots are counted before anything is decoded (T15, T17), and base64url
    /// must be canonical in all three parts, so that no two texts are the same token.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Rejection> {
        if dots(token) == 4 {
            return Err(Reason::EncryptedToken.into());
        }
        let malformed = |part: &'static str| Rejection::new(Reason::MalformedToken).with_note(part);
        let (signed, signature) = token.rsplit_once('.').ok_or_else(|| malformed("no dot"))?;
        let (header, payload) = signed.split_once('.').ok_or_else(|| malformed("one dot"))?;
        if payload.contains('.') {
            return Err(malformed("more than two dots"));
        }
        let mut decoded = Vec::with_capacity(token.len());
        let mut decode = |text: &str, part| match URL_SAFE_NO_PAD.decode_vec(text, &mut decoded) {
            Ok(()) => Ok(decoded.len()),
            Err(_) => Err(malformed(part)),
        };
        // The payload first: it outlives the rest. What is wrong is said of the first wrong part.
        let payload = decode(payload, "payload is not base64url");
        let header = decode(header, "header is not base64url")?;
        let payload = payload?;
        decode(signature, "signature is not base64url")?;
        Ok(Self {
            signed: signed.as_bytes(),
            decoded,
            header_at: payload,
            signature_at: header,
        })
    }

    fn part(&self, range: impl SliceIndex<[u8], Output = [u8]>) -> &[u8] {
        self.decoded.get(range).unwrap_or_default()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.part(self.signature_at..)
    }

    /// The payload as text, for good.
    pub(crate) fn into_payload(mut self) -> Vec<u8> {
        self.decoded.truncate(self.header_at);
        self.decoded.shrink_to_fit();
        self.decoded
    }

    pub(crate) fn header(&self) -> Result<Header<'_>, Rejection> {
        Header::read(&self.header_members()?)
    }

    /// The header before any gate: for what is no access token.
    pub(crate) fn header_members(&self) -> Result<Object<'_>, Rejection> {
        let header = self.part(self.header_at..self.signature_at);
        parse_object(header, HEADER_DEPTH).map_err(|_| {
            Rejection::new(Reason::MalformedToken).with_note("header is not strict JSON")
        })
    }

    pub(crate) fn claims(&self) -> Result<Object<'_>, Rejection> {
        payload_object(self.part(..self.header_at))
    }
}

/// The claims in the payload of a token, which outlives it.
pub(crate) fn payload_object(payload: &[u8]) -> Result<Object<'_>, Rejection> {
    parse_object(payload, PAYLOAD_DEPTH)
        .map_err(|_| Rejection::new(Reason::MalformedToken).with_note("payload is not strict JSON"))
}

/// The header members that matter, after the gate.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) key_id: Option<Cow<'a, str>>,
    typ: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    fn read(object: &Object<'a>) -> Result<Self, Rejection> {
        let refuse = |reason, note: &'static str| Err(Rejection::new(reason).with_note(note));
        // We understand no extension, so nothing may be critical; `b64` changes what is signed
        // and is refused even where `crit` forgets it (RFC 7797 §6).
        if object.has("crit") || object.has("b64") {
            return refuse(Reason::CriticalExtension, "crit or b64");
        }
        for member in ["jwk", "jku", "x5u"] {
            if object.has(member) {
                return refuse(Reason::EmbeddedKey, member);
            }
        }
        for member in ["zip", "enc"] {
            if object.has(member) {
                return refuse(Reason::EncryptedToken, member);
            }
        }
        let algorithm = object
            .get("alg")
            .and_then(Json::as_str)
            .and_then(SigningAlgorithm::from_name);
        let Some(algorithm) = algorithm else {
            return refuse(Reason::AlgorithmNotAllowed, "absent, symmetric or unknown");
        };
        let key_id = text_member(object, "kid")?;
        if key_id.as_deref().is_some_and(|kid| !is_key_id(kid)) {
            return refuse(Reason::MalformedToken, "kid");
        }
        Ok(Self {
            algorithm,
            key_id,
            typ: text_member(object, "typ")?,
        })
    }

    /// Whether `typ` says access token (RFC 9068 §4). `any_jwt` also takes `JWT` and none at all.
    pub(crate) fn is_access_token(&self, any_jwt: bool) -> bool {
        if self.typ.is_none() {
            return any_jwt;
        }
        self.is("at+jwt") || (any_jwt && self.is("JWT"))
    }

    /// Whether `typ` is this subtype of `application/`.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        let typ = self.typ.as_deref().unwrap_or_default();
        // Media types are compared without regard to case, and `application/` may be left out
        // (RFC 7515 §4.1.9).
        let subtype = match typ.split_once('/') {
            Some((kind, subtype)) if kind.eq_ignore_ascii_case("application") => subtype,
            Some(_) => return false,
            None => typ,
        };
        subtype.eq_ignore_ascii_case(wanted)
    }
}

fn text_member<'a>(
    object: &Object<'a>,
    name: &'static str,
) -> Result<Option<Cow<'a, str>>, Rejection> {
    match object.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Rejection::new(Reason::MalformedToken).with_note(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    fn reason(header: &str) -> Reason {
        let token = token(header);
        Compact::parse(&token)
            .unwrap()
            .header()
            .unwrap_err()
            .reason()
    }

    #[test]
    fn jwt_01_two_or_four_dots_are_the_shape_of_a_token() {
        let dotted = |dots: usize| format!("a{}", ".a".repeat(dots));
        // Counting must not wrap, wherever the dots stand.
        for dots in [0, 1, 3, 5, 127, 128, 129, 258, 260, 512] {
            assert!(!is_token_shaped(&dotted(dots)), "{dots}");
        }
        let long = "a".repeat(300);
        for dots in [2, 4] {
            assert!(is_token_shaped(&dotted(dots)), "{dots}");
            assert!(is_token_shaped(&".".repeat(dots)), "{dots}");
            let spread = vec![&*long; dots + 1].join(".");
            assert!(is_token_shaped(&spread), "{dots}");
        }
        assert!(!is_token_shaped(&long));
        assert!(!is_token_shaped(""));
    }

    #[test]
    fn jwt_01_the_payload_is_what_stands_between_the_dots() {
        for payload in ["{}", r#"{"sub":"a"}"#, ""] {
            let [header, body] = [r#"{"alg":"ES256"}"#, payload].map(|p| URL_SAFE_NO_PAD.encode(p));
            let token = format!("{header}.{body}.AA");
            let compact = Compact::parse(&token).unwrap();
            assert_eq!(compact.into_payload(), payload.as_bytes());
        }
    }

    #[test]
    fn t01_every_spelling_of_none_and_of_other_names_is_no_algorithm() {
        for alg in [
            "none", "None", "NONE", "nOnE", "", " none", "none ", "HS256", "HS384", "HS512",
            " HS256", "hs256", "rs256", "RS256 ", "ES256K", "ES512", "RSA1_5", "dir", "Ed25519",
            "EdDsa", "eddsa", "RS1", "null",
        ] {
            assert_eq!(
                reason(&format!(r#"{{"alg":"{alg}"}}"#)),
                Reason::AlgorithmNotAllowed,
                "{alg:?}"
            );
        }
        for header in [
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":256}"#,
        ] {
            assert_eq!(reason(header), Reason::AlgorithmNotAllowed, "{header}");
        }
    }

    // also: T7
    #[test]
    fn jwt_16_crit_and_b64_are_refused_in_any_form() {
        for member in [
            r#""crit":["x"]"#,
            r#""crit":[]"#,
            r#""crit":"exp""#,
            r#""crit":["b64"],"b64":false"#,
            r#""b64":true"#,
        ] {
            assert_eq!(
                reason(&format!(r#"{{"alg":"ES256",{member}}}"#)),
                Reason::CriticalExtension,
                "{member}"
            );
        }
    }

    // also: T12
    #[test]
    fn jwt_08_keys_in_the_header_are_refused() {
        for member in ["jwk", "jku", "x5u"] {
            assert_eq!(
                reason(&format!(r#"{{"alg":"ES256","{member}":{{}}}}"#)),
                Reason::EmbeddedKey
            );
        }
    }

    #[test]
    fn t13_a_key_id_is_short_printable_text() {
        let long = "k".repeat(257);
        for kid in [
            "1",
            "null",
            "\"\"",
            "\"a\\u0000b\"",
            "\"a\\nb\"",
            "\"é\"",
            &format!("\"{long}\""),
        ] {
            assert_eq!(
                reason(&format!(r#"{{"alg":"ES256","kid":{kid}}}"#)),
                Reason::MalformedToken,
                "{kid}"
            );
        }
    }

    #[test]
    fn jwt_04_typ_is_a_media_type_and_must_say_access_token() {
        let accepted = |typ: &str, any| {
            let text = token(&format!(r#"{{"alg":"ES256"{typ}}}"#));
            Compact::parse(&text)
                .unwrap()
                .header()
                .unwrap()
                .is_access_token(any)
        };
        for typ in [
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "Application/at+JWT",
        ] {
            assert!(accepted(&format!(r#","typ":"{typ}""#), false), "{typ}");
        }
        for typ in [
            "JWT",
            "dpop+jwt",
            "oauth-id-jag+jwt",
            "logout+jwt",
            "secevent+jwt",
            "text/at+jwt",
            "at+jwt ",
            "",
        ] {
            assert!(!accepted(&format!(r#","typ":"{typ}""#), false), "{typ}");
        }
        assert!(!accepted("", false));
        assert!(accepted("", true) && accepted(r#","typ":"JWT""#, true));
        assert!(!accepted(r#","typ":"logout+jwt""#, true));
    }

    #[test]
    fn t06_only_canonical_base64url_of_three_parts_is_a_token() {
        let good = token(r#"{"alg":"ES256"}"#);
        assert!(Compact::parse(&good).is_ok());
        for bad in [
            format!("{good}="),
            format!("{good} "),
            format!("{good}\n"),
            format!("{good}."),
            good.replace('.', ""),
            good.replacen("e30", "e31", 1),
            good.replacen("AA", "AB", 1),
            good.replacen("AA", "A", 1),
            format!(".{good}"),
            good.replacen("e30", "e3/", 1),
            "...".into(),
            "..".into(),
        ] {
            assert!(
                Compact::parse(&bad).is_err_and(|r| r.reason() == Reason::MalformedToken)
                    || bad == "..",
                "{bad:?}"
            );
        }
        assert!(Compact::parse("..").unwrap().header().is_err());
        assert_eq!(
            Compact::parse("a.b.c.d.e").unwrap_err().reason(),
            Reason::EncryptedToken
        );
    }
}
