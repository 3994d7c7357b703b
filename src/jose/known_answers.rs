//! One fixed signature per algorithm, checked when an authenticator is built.
//!
//! A broken build of the cryptography (a bad feature union, a wrong provider) then fails at start,
//! not on a request. Vectors are those of the RFCs where there is one; the others were made once
//! with an independent implementation.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::verify::PublicKey;
use crate::algorithm::SigningAlgorithm;

/// Numbers of a public key, base64url.
enum Parts {
    /// Modulus; the exponent is 65537.
    Rsa(&'static str),
    Ec(&'static str, &'static str),
    Ed(&'static str),
}

struct Case {
    algorithm: SigningAlgorithm,
    key: Parts,
    message: &'static str,
    signature: &'static str,
}

const OURS: &str = "tower-mcp-auth known answer";
pub(super) const OUR_RSA: &str = "m4HykCLzNK1Sociv5MgR9-KKAaD2c4yb7liuy54CczKZGe7WtZAH1bDjCy6nmqZqecf4bZMgy0NHhoUK8EbqOJVk\
     9svc3Soj39iu_Q6ZPlZlvDnzUCjJIicPKH2MC2s5GzwSMBCDmyLHS7XnFVE8JxVi9qPgpcUJ0neeT8dKOMsvC6Im\
     yEx8OytVrvNts-XJHgaEf35KNtirl-HPO12gum3Wf1WGTfLVRnX9AOZHpML63tbfFkolf8S5nG1PAIjBxuVH5lGp\
     aR3X8Sn2i-QobCoiNzoykVLK2kpBhZUWbQ5NwJQKUpvww4dDhgV4_lJ2UZbkjIS3OemkzQtG-9A-3Q";

/// RFC 7520 §3.3.
pub(super) const COOKBOOK_RSA: &str = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_\
     AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpP\
     e7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg\
     _3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw";

const CASES: [Case; 9] = [
    Case {
        // RFC 7520 §4.1.
        algorithm: SigningAlgorithm::Rs256,
        key: Parts::Rsa(COOKBOOK_RSA),
        message: "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGE\
         gZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB\
         0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmc\
         gd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4",
        signature: "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996i\
         vp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1u\
         SNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAh\
         b6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18\
         kDquDg",
    },
    Case {
        // Ours.
        algorithm: SigningAlgorithm::Rs384,
        key: Parts::Rsa(OUR_RSA),
        message: OURS,
        signature: "cIZ2uAS2uEIl3UmmoJnQHdCNaE8ier0I6xdg6jQ7H9RNmSJxWODLMVKarzCqQs9mnDczdr2YfrLrMhtFnOvx\
         vipTKdzBxjqbRkp8TfGGs3EipL-qummX9cfyofcqMun_RjOB05Z0ylHv80ESzWfgWDbmHwHbmXUHmLIUzknD\
         O181wzje6sIADbKeB9s2lOknM_2VviCgxbfpLeyaHwSLYSRqj4gs4cAjU-M8fdh68yvvWunoewz5sw4aGQIu\
         hmdYcBUqSeN5MSuQHDBVdx5wCWgABoObY_xpIikscb1NwGlqUfT3wISfimkuodQ6S6sOxTSNZtUbv77DWiHy\
         AJul7Q",
    },
    Case {
        // Ours.
        algorithm: SigningAlgorithm::Rs512,
        key: Parts::Rsa(OUR_RSA),
        message: OURS,
        signature: "lnUsj7ADA_S1vxT4k79IlsaHziPmnrI3z1w5KaGpTIiCrfV2l6RTN2aKcmF1Tt-ULwg_4anslQqphh_rCdMG\
         XwpVEdaGw20zMuJRaXAQD8ggZvhwXw3Dg3byq3PN1z_lWxzLGf373QmaUDXV6u6w3CYnRElt1bKLdhOJvy54\
         PqWQPzEZEQNPeRc23onw0mqQSO_0V_58GDkGf_vFeiFXGnmsZMlZ0vtWGqRf--FMXqozUHlg9ibsDcuZkIOx\
         rEYyvsj3jTEFVS-M_rrn5muaYRs0UkWE5EKro1eR1zbU6e8KBXZqVzdqQk167a-YwLrgmzMLLQ_eyPNhYt21\
         _lcVRg",
    },
    Case {
        // Ours.
        algorithm: SigningAlgorithm::Ps256,
        key: Parts::Rsa(OUR_RSA),
        message: OURS,
        signature: "HXRQJHsHmeBnDK8oPRxcxKqwWYsWxWeDmz1viVcWz4jKuT5batl7sy110zI7p3nmfOlTiK_ZUcrbQKst8qM0\
         HsEDj63oSefIK1c05sX39a7hAc1YAX0-x6Fb9WepSXey1xbKmK1RkBRsjgr0EUhjjOLbX5Stz4GTd7x98iMS\
         HNar5SLcaqa1HcYX_fhVb8MHcbGlz4Zc4nlcbnlzCW51GXsmeqAE8zr4GZK0fCarj24offkH_ZCUJnMNKqdJ\
         HAnXZv-9C7gX07qgKJ1lt0JHfk8lgGOpPjnSRv95BnHEV5NgHLlUEU5AofP9qclj54_yKNc6zZ2-5a0tp4Mc\
         1R-TvQ",
    },
    Case {
        // RFC 7520 §4.2.
        algorithm: SigningAlgorithm::Ps384,
        key: Parts::Rsa(COOKBOOK_RSA),
        message: "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGE\
         gZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB\
         0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmc\
         gd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4",
        signature: "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqH\
         CdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn\
         442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0\
         n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-\
         X72Eaw",
    },
    Case {
        // Ours.
        algorithm: SigningAlgorithm::Ps512,
        key: Parts::Rsa(OUR_RSA),
        message: OURS,
        signature: "a9n-31XKBvV5dLzywb5bYVlAZq5kVfaYCKXTTBFu8QduqX6UydvEByDTqZrpoV6dc66mg3oOVqgEMl7lsP69\
         p2QHrBnlXXyXhzvHsDCVuBbI6Czo9SXmRi87eZbnzKtKHHFMDChwBB6Z94Y8a6RREZIvBaskml3QdTlyTgFZ\
         DfUKeux6eW2OacSEf-uK6vF2R_SCOpXREctwP0ep-QrKzDmQ5_VeUPj5PRHYfxtfyYzerYg40sAVWp3Q7PJF\
         QZHixhIJ3__cKe0woZE0Pp0EipISDXh3y5Ou-N5NWIbSxQ0cg2kzt2F11HGvJD_pfVU7rFrIqXo2mn8XFDZU\
         pxYuSQ",
    },
    Case {
        // RFC 7515 §A.3.
        algorithm: SigningAlgorithm::Es256,
        key: Parts::Ec(
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        ),
        message: "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF\
         tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU\
         1Q",
    },
    Case {
        // Ours.
        algorithm: SigningAlgorithm::Es384,
        key: Parts::Ec(
            "JkL2Mr303MJfTh8vPIY_bZSuigwQFJsPfK10WaU_X5zObycJKPIwFGwWwDNaS6kF",
            "f2LzxI6n3MW_9h3Xmuzja2pgYxXwqPYnMBKyO93VMa77PywyGceEXWe-TE2qy3cv",
        ),
        message: OURS,
        signature: "eZ1yv4thmTsY63LugJFGhHu3m1PFBz_MXgjTYfcthezYy0klhw-SQuZHvl-ZOH73nEjXLT5XHozgV0Rdj0Xy\
         VWM7JYBmEi4AdPFksjVO5hPL7__Cl5R1dyJw1NsXwJar",
    },
    Case {
        // RFC 8037 §A.4.
        algorithm: SigningAlgorithm::EdDsa,
        key: Parts::Ed("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
        message: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0K\
         Ag",
    },
];

/// Checks every algorithm: the right signature is accepted, the same with one bit flipped is not.
///
/// # Errors
///
/// The first algorithm that does not answer as it must.
pub(crate) fn known_answers() -> Result<(), SigningAlgorithm> {
    CASES
        .iter()
        .try_for_each(|case| case.holds().then_some(()).ok_or(case.algorithm))
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
}

impl Case {
    fn key(&self) -> Option<PublicKey> {
        match self.key {
            Parts::Rsa(n) => PublicKey::rsa(self.algorithm, &decoded(n), &[1, 0, 1]),
            Parts::Ec(x, y) => PublicKey::ec(self.algorithm, &decoded(x), &decoded(y)),
            Parts::Ed(x) => PublicKey::ed25519(&decoded(x)),
        }
    }

    fn holds(&self) -> bool {
        let Some(key) = self.key() else { return false };
        let message = self.message.as_bytes();
        let mut signature = decoded(self.signature);
        let accepts = key.verify(message, &signature);
        if let Some(byte) = signature.last_mut() {
            *byte ^= 1;
        }
        accepts && !key.verify(message, &signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // also: T50
    #[test]
    fn jwt_24_every_algorithm_gives_its_known_answer() {
        assert_eq!(known_answers(), Ok(()));
        let covered: Vec<_> = CASES.iter().map(|case| case.algorithm).collect();
        assert_eq!(covered, SigningAlgorithm::ALL);
    }

    #[test]
    fn jwt_24_a_wrong_answer_is_noticed() {
        for case in &CASES {
            let forged = Case {
                algorithm: case.algorithm,
                key: Parts::Rsa(OUR_RSA),
                message: "another message",
                signature: case.signature,
            };
            assert!(!forged.holds(), "{}", case.algorithm);
        }
    }

    #[test]
    fn t04_signatures_of_zeros_verify_nothing() {
        for case in &CASES {
            let key = case.key().unwrap();
            for length in [0, 1, 32, 64, 96, 256, 257] {
                assert!(!key.verify(case.message.as_bytes(), &vec![0; length]));
            }
        }
    }
}
