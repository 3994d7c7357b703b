//! Ed25519 keys for which anybody can sign.
//!
//! The curve has eight points whose order divides eight. With such a point as the public key, the
//! equation of RFC 8032 §5.1.7 holds for one signature and every eighth message or more, and nobody
//! needs a private key to find one: the check without the cofactor, which is what implementations do,
//! does not see it. No generator of keys makes one.

/// The ordinates of those points, with the sign bit clear, and the two that are written in a second
/// way. (Chalkias, Garillot, Nikolaenko: "Taming the many `EdDSAs`", 2020, table 1.)
const ORDINATES: [[u8; 32]; 7] = [
    // Order 4: 0, and the same as p.
    [0; 32],
    around_p(0xed),
    // The neutral element: 1, and the same as p + 1.
    one(),
    around_p(0xee),
    // Order 2: −1.
    around_p(0xec),
    // Order 8, and its negative.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// 2^255 − 256 + `low`, little-endian; p ends in 0xed.
const fn around_p(low: u8) -> [u8; 32] {
    let mut number = [0xff; 32];
    let [first, .., last] = &mut number;
    *first = low;
    *last = 0x7f;
    number
}

const fn one() -> [u8; 32] {
    let mut number = [0; 32];
    let [first, ..] = &mut number;
    *first = 1;
    number
}

/// Whether a public key (RFC 8032 §5.1.5) is such a point, however it is written.
pub(super) fn has_small_order(key: &[u8]) -> bool {
    let Ok(mut ordinate) = <[u8; 32]>::try_from(key) else {
        return false;
    };
    // The bit above is the sign of the other coordinate.
    let [.., last] = &mut ordinate;
    *last &= 0x7f;
    ORDINATES.contains(&ordinate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::verify::PublicKey;

    /// The neutral element and zero: right for a key of order n and every n-th message.
    fn forged() -> [u8; 64] {
        let mut signature = [0; 64];
        signature[0] = 1;
        signature
    }

    /// Whether one of many messages takes a signature that was made without a key.
    fn can_be_forged(key: &[u8; 32]) -> bool {
        let Some(key) = PublicKey::ed25519(key) else {
            return false;
        };
        (0..256_u32).any(|number| key.verify(&number.to_be_bytes(), &forged()))
    }

    #[test]
    fn t20_a_signature_by_nobody_passes_for_every_key_of_small_order() {
        // By what verifies signatures here: the reason for this file.
        let [zero, p, one, p_and_one, minus_one, eighth, other_eighth] = ORDINATES;
        for key in [zero, one, minus_one, eighth, other_eighth] {
            assert!(can_be_forged(&key), "{key:x?}");
            assert!(has_small_order(&key));
        }
        // Written in the second way, implementations take them or not.
        assert!(has_small_order(&p) && has_small_order(&p_and_one));
    }

    #[test]
    fn t20_the_sign_bit_makes_no_difference_and_other_keys_are_left_alone() {
        for mut key in ORDINATES {
            key[31] |= 0x80;
            assert!(has_small_order(&key), "{key:x?}");
        }
        for low in 2..=0xff {
            let mut key = [0; 32];
            key[0] = low;
            assert!(!has_small_order(&key), "{key:x?}");
            assert!(!can_be_forged(&key), "{key:x?}");
        }
        assert!(!has_small_order(&[]) && !has_small_order(&[0; 31]) && !has_small_order(&[0; 33]));
    }
}
