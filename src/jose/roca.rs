//! RSA keys whose private half follows from the public one (ROCA, CVE-2017-15361).
//!
//! A generator in wide-spread smart cards and security modules made primes of the form
//! k·M + 65537^a mod M, where M is the product of the first primes. Such a modulus can be factored.

/// The odd primes of the M of the shortest keys, which divide the M of all others.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether a modulus (big-endian) is of that generator: like its factors, it is a power of 65537
/// modulo each of the primes. One other modulus in two hundred million is.
pub(super) fn is_weak(modulus: &[u8]) -> bool {
    PRIMES
        .iter()
        .all(|prime| is_power(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number
        .iter()
        .fold(0, |rest, byte| ((rest << 8) | u32::from(*byte)) % prime)
}

/// Whether `value` is a power of 65537 modulo `prime`.
fn is_power(value: u32, prime: u32) -> bool {
    let powers = std::iter::successors(Some(1), |power| Some(power * (65537 % prime) % prime));
    let all = usize::try_from(prime).unwrap_or(0);
    powers.take(all).any(|power| power == value)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::jose::known_answers::{COOKBOOK_RSA, OUR_RSA};

    #[test]
    fn t20_moduli_of_other_generators_are_not_weak() {
        for modulus in [COOKBOOK_RSA, OUR_RSA] {
            assert!(!is_weak(&URL_SAFE_NO_PAD.decode(modulus).unwrap()));
        }
        assert!(!is_weak(&[]) && !is_weak(&[0]) && !is_weak(&[3]));
    }

    #[test]
    fn t20_powers_of_65537_are_weak_and_their_neighbours_are_not() {
        for modulus in [vec![1], vec![1, 0, 1], vec![1, 0, 2, 0, 1]] {
            assert!(is_weak(&modulus), "{modulus:?}");
            let neighbour = modulus.iter().chain(&[1]).copied().collect::<Vec<_>>();
            assert!(!is_weak(&neighbour), "{neighbour:?}");
        }
    }

    #[test]
    fn t20_the_subgroups_are_those_of_the_paper() {
        // 65537 is 10 modulo 11, which has two powers; it generates everything modulo 7.
        let powers = |prime| {
            (0..prime)
                .filter(|value| is_power(*value, prime))
                .collect::<Vec<_>>()
        };
        assert_eq!(powers(11), [1, 10]);
        assert_eq!(powers(7), [1, 2, 3, 4, 5, 6]);
        assert_eq!(remainder(&[1, 0, 1], 167), 65537 % 167);
    }
}
