//! One JSON Web Key (RFC 7517 §4) to the public keys it stands for, or the reason it stands for
//! none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::key_set::is_key_id;
use super::roca::is_weak;
use super::small_order::has_small_order;
use super::verify::{MAX_RSA_BITS, PublicKey};
use crate::algorithm::SigningAlgorithm;

use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

/// Members that only a private or a symmetric key has (RFC 7518 §6).
pub(super) const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why an entry is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Defect {
    pub(crate) reason: &'static str,
    /// The issuer published something it must keep to itself: somebody should look at it.
    pub(crate) alert: bool,
}

impl From<&'static str> for Defect {
    fn from(reason: &'static str) -> Self {
        Self {
            reason,
            alert: false,
        }
    }
}

type Verdict<T> = Result<T, Defect>;

/// A sound entry.
#[derive(Debug)]
pub(super) struct Jwk {
    pub(super) kid: Option<Box<str>>,
    /// One per algorithm the entry may be used with; never empty.
    pub(super) keys: Vec<PublicKey>,
}

impl Jwk {
    pub(super) fn parse(entry: &Value, allowed: &[SigningAlgorithm]) -> Verdict<Self> {
        let entry = entry.as_object().ok_or("not an object")?;
        refuse_secrets(entry)?;
        let kid = key_id(entry)?;
        check_use(entry)?;
        let keys = match text(entry, "kty")?.ok_or("no kty")? {
            "RSA" => rsa(entry, allowed)?,
            "EC" => ec(entry, allowed)?,
            "OKP" => ed25519(entry, allowed)?,
            _ => return Err("unknown kty".into()),
        };
        Ok(Self {
            kid: kid.map(Into::into),
            keys,
        })
    }
}

/// A member that must be a string if it is there at all.
fn text<'a>(entry: &'a Map<String, Value>, name: &str) -> Verdict<Option<&'a str>> {
    match entry.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("a member that must be a string is not".into()),
    }
}

fn refuse_secrets(entry: &Map<String, Value>) -> Verdict<()> {
    let alert = |reason| {
        Err(Defect {
            reason,
            alert: true,
        })
    };
    if entry.get("kty").and_then(Value::as_str) == Some("oct") {
        return alert("a symmetric key is published");
    }
    if PRIVATE.iter().any(|name| entry.contains_key(*name)) {
        return alert("a private key is published");
    }
    Ok(())
}

fn key_id(entry: &Map<String, Value>) -> Verdict<Option<&str>> {
    match entry.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if is_key_id(kid) => Ok(Some(kid)),
        Some(_) => Err("kid is not printable text of at most 256 bytes".into()),
    }
}

/// `use` and `key_ops` must not forbid what we are about to do (RFC 7517 §4.2, §4.3).
fn check_use(entry: &Map<String, Value>) -> Verdict<()> {
    if text(entry, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err("not for signatures (use)".into());
    }
    match entry.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|one| one == "verify") => Ok(()),
        Some(_) => Err("not for verification (key_ops)".into()),
    }
}

/// The algorithms of `family` that the entry's `alg` and the issuer's list both permit.
fn algorithms(
    entry: &Map<String, Value>,
    family: &[SigningAlgorithm],
    allowed: &[SigningAlgorithm],
) -> Verdict<Vec<SigningAlgorithm>> {
    let stated = match text(entry, "alg")? {
        None => None,
        Some(name) => Some(
            SigningAlgorithm::from_name(name)
                .ok_or("alg is not an asymmetric signature we know")?,
        ),
    };
    if stated.is_some_and(|stated| !family.contains(&stated)) {
        return Err("alg contradicts kty or crv".into());
    }
    let usable: Vec<_> = family
        .iter()
        .copied()
        .filter(|one| stated.is_none_or(|stated| stated == *one) && allowed.contains(one))
        .collect();
    if usable.is_empty() {
        return Err("its algorithm is not among those allowed to this issuer".into());
    }
    Ok(usable)
}

fn rsa(entry: &Map<String, Value>, allowed: &[SigningAlgorithm]) -> Verdict<Vec<PublicKey>> {
    let family = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
    let algorithms = algorithms(entry, &family, allowed)?;
    let n = bytes(entry, "n")?;
    let e = bytes(entry, "e")?;
    let (n, e) = (without_zeros(&n), without_zeros(&e));
    if !(2048..=MAX_RSA_BITS).contains(&bits(n)) {
        return Err("the RSA modulus is shorter than 2048 bits or longer than can be used".into());
    }
    let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    // 2^33 is what the implementations take; 1 would make every message its own signature.
    if !odd(n) || !odd(e) || bits(e) < 2 || bits(e) > 33 {
        return Err("the RSA numbers cannot be those of a real key".into());
    }
    if is_weak(n) {
        return Err(Defect {
            reason: "the RSA modulus gives the private key away (ROCA)",
            alert: true,
        });
    }
    each(algorithms, |algorithm| PublicKey::rsa(algorithm, n, e))
}

fn ec(entry: &Map<String, Value>, allowed: &[SigningAlgorithm]) -> Verdict<Vec<PublicKey>> {
    let (algorithm, length) = match text(entry, "crv")? {
        Some("P-256") => (Es256, 32),
        Some("P-384") => (Es384, 48),
        _ => return Err("unknown crv".into()),
    };
    let algorithms = algorithms(entry, &[algorithm], allowed)?;
    let (x, y) = (bytes(entry, "x")?, bytes(entry, "y")?);
    if x.len() != length || y.len() != length {
        return Err("a coordinate has the wrong length".into());
    }
    each(algorithms, |algorithm| PublicKey::ec(algorithm, &x, &y))
}

fn ed25519(entry: &Map<String, Value>, allowed: &[SigningAlgorithm]) -> Verdict<Vec<PublicKey>> {
    if text(entry, "crv")? != Some("Ed25519") {
        return Err("unknown crv".into());
    }
    let algorithms = algorithms(entry, &[EdDsa], allowed)?;
    let x = bytes(entry, "x")?;
    if x.len() != 32 {
        return Err("the Ed25519 key has the wrong length".into());
    }
    if has_small_order(&x) {
        return Err(Defect {
            reason: "anybody can sign for the Ed25519 key (small order)",
            alert: true,
        });
    }
    each(algorithms, |_| PublicKey::ed25519(&x))
}

fn each(
    algorithms: Vec<SigningAlgorithm>,
    make: impl Fn(SigningAlgorithm) -> Option<PublicKey>,
) -> Verdict<Vec<PublicKey>> {
    algorithms
        .into_iter()
        .map(make)
        .collect::<Option<_>>()
        .ok_or_else(|| "not a valid key".into())
}

/// A base64url member; padding, other alphabets and stray bits are refused (RFC 7515 §2).
fn bytes(entry: &Map<String, Value>, name: &str) -> Verdict<Vec<u8>> {
    let encoded = text(entry, name)?.ok_or("a number of the key is missing")?;
    URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| "a number of the key is not canonical base64url".into())
}

/// Some issuers keep the sign byte of their ASN.1 form.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Length of a big-endian number without leading zero bytes.
fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}
