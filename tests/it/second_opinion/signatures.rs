//! Signatures that are not, or not the only one (RFC 7518 §3, RFC 8032 §8.4).

use tower_mcp_auth::SigningAlgorithm::{EdDsa, Es256, Rs256};

use super::forge::{Forge, Mutation, base64url, may, must};

/// The order of P-256, big-endian.
const P256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The order of edwards25519's group, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub fn all() -> Vec<Mutation> {
    [malleable(), broken()].concat()
}

/// `left - right`, both big-endian.
fn minus(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut borrow = 0_i16;
    let mut digits: Vec<u8> = left
        .iter()
        .zip(right)
        .rev()
        .map(|(left, right)| {
            let digit = i16::from(*left) - i16::from(*right) - borrow;
            borrow = i16::from(digit < 0);
            u8::try_from(digit.rem_euclid(256)).unwrap()
        })
        .collect();
    digits.reverse();
    digits
}

/// `left + right`, both little-endian.
fn plus(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0_u16;
    left.iter()
        .zip(right)
        .map(|(left, right)| {
            let digit = u16::from(*left) + u16::from(*right) + carry;
            carry = digit / 256;
            u8::try_from(digit % 256).unwrap()
        })
        .collect()
}

/// A number as ASN.1 writes it.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let mut digits = number[zeros..].to_vec();
    if digits.first().is_none_or(|first| first & 0x80 != 0) {
        digits.insert(0, 0);
    }
    let mut written = vec![2, u8::try_from(digits.len()).unwrap()];
    written.extend(digits);
    written
}

fn es256(forge: &mut Forge, change: impl FnOnce(&[u8], &[u8]) -> Vec<u8>) -> String {
    forge.turn_to(Es256);
    forge.sign_and(|signature| change(&signature[..32], &signature[32..]))
}

fn malleable() -> Vec<Mutation> {
    vec![
        may("signature/ES256 twin", |f| {
            es256(f, |r, s| [r, &minus(&P256, s)].concat())
        }),
        must("signature/ES256 as DER", |f| {
            es256(f, |r, s| {
                let body = [integer(r), integer(s)].concat();
                let mut der = vec![0x30, u8::try_from(body.len()).unwrap()];
                der.extend(body);
                der
            })
        }),
        must("signature/ES256 halves swapped", |f| {
            es256(f, |r, s| [s, r].concat())
        }),
        must("signature/ES256 all zero", |f| es256(f, |_, _| vec![0; 64])),
        must("signature/ES256 r zero", |f| {
            es256(f, |_, s| [&[0; 32], s].concat())
        }),
        must("signature/ES256 s zero", |f| {
            es256(f, |r, _| [r, &[0; 32]].concat())
        }),
        must("signature/ES256 r and s the order", |f| {
            es256(f, |_, _| [P256, P256].concat())
        }),
        must("signature/ES256 r one, s the order less one", |f| {
            es256(f, |_, _| {
                let mut one = [0; 32];
                one[31] = 1;
                [one.to_vec(), minus(&P256, &one)].concat()
            })
        }),
        must("signature/ES256 with zeros in front of both", |f| {
            es256(f, |r, s| [&[0], r, &[0], s].concat())
        }),
        must("signature/EdDSA with the order added", |f| {
            f.turn_to(EdDsa);
            f.sign_and(|signature| [&signature[..32], &plus(&signature[32..], &L)].concat())
        }),
        must("signature/EdDSA of small order", |f| {
            f.turn_to(EdDsa);
            f.sign_and(|_| {
                let mut point = vec![0; 64];
                point[0] = 1;
                point
            })
        }),
        must("signature/RSA with a zero in front", |f| {
            f.turn_to(Rs256);
            f.sign_and(|signature| [&[0], &signature[..]].concat())
        }),
        must("signature/RSA one", |f| {
            f.turn_to(Rs256);
            f.sign_and(|signature| {
                let mut one = vec![0; signature.len()];
                one[signature.len() - 1] = 1;
                one
            })
        }),
    ]
}

fn broken() -> Vec<Mutation> {
    vec![
        must("signature/a bit turned", |f| {
            let place = f.dice.below(64);
            let bit = f.dice.below(8);
            f.sign_and(|mut signature| {
                signature[place] ^= 1 << bit;
                signature
            })
        }),
        must("signature/cut", |f| {
            let by = 1 + f.dice.below(63);
            f.sign_and(|mut signature| {
                signature.truncate(signature.len() - by);
                signature
            })
        }),
        must("signature/longer", |f| {
            let by = 1 + f.dice.below(8);
            f.sign_and(|signature| [&signature[..], &vec![0; by]].concat())
        }),
        must("signature/empty", |f| f.sign_and(|_| Vec::new())),
        must("signature/noise", |f| {
            let noise: Vec<u8> = (0..64).map(|_| f.dice.number().to_be_bytes()[0]).collect();
            f.sign_and(|_| noise)
        }),
        must("signature/of another token", |f| {
            let other = f.claim("jti", "\"another\"");
            let signature = other.rsplit_once('.').unwrap().1.to_owned();
            f.claims.set("jti", "\"this\"");
            format!("{}.{signature}", f.message())
        }),
        must("signature/of other claims", |f| {
            let token = f.sign();
            let (header, rest) = token.split_once('.').unwrap();
            let signature = rest.split_once('.').unwrap().1;
            f.claims.set("sub", "\"admin\"");
            format!("{header}.{}.{signature}", base64url(f.claims.text()))
        }),
        must("signature/of another header", |f| {
            let token = f.sign();
            let rest = token.split_once('.').unwrap().1;
            f.header.set("x", "1");
            format!("{}.{rest}", base64url(f.header.text()))
        }),
        must("signature/of the payload alone", |f| {
            let payload = base64url(f.claims.text());
            let signature = f.key().sign(payload.as_bytes());
            format!("{}.{}", f.message(), base64url(signature))
        }),
        must("signature/of the text before it was encoded", |f| {
            let text = format!("{}.{}", f.header.text(), f.claims.text());
            let signature = f.key().sign(text.as_bytes());
            format!("{}.{}", f.message(), base64url(signature))
        }),
        must("signature/by another key of the set", |f| {
            let message = f.message();
            let signature = f.other_key().sign(message.as_bytes());
            format!("{message}.{}", base64url(signature))
        }),
    ]
}
