use super::super::Dpop;
use super::*;
use crate::error::Problems;
use crate::jose::PublicKey;

use proptest::prelude::*;

/// The proof of RFC 9449 §7.1, its token, and what they are about.
const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const TOKEN: &[u8] = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const MADE: i64 = 1_562_262_618;

fn key() -> Thumbprint {
    crate::confirmation::read_thumbprint("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I").unwrap()
}

fn rules(settings: &Dpop) -> Rules {
    let mut problems = Problems::default();
    let rules = settings.examine(&mut problems);
    problems.or(rules).unwrap()
}

fn judge(
    rules: &Rules,
    text: &str,
    change: impl FnOnce(&mut Expected<'_>),
) -> Result<Proof, Fault> {
    let key = key();
    let mut expected = Expected {
        method: "GET",
        resource: (
            "https://resource.example.org/protectedresource",
            "/protectedresource",
        ),
        path: "/protectedresource",
        token: TOKEN,
        key: &key,
        now: UnixTime::from_secs(MADE),
    };
    change(&mut expected);
    rules.judge(text, expected, &OnceLock::new())
}

#[test]
fn dpop_02_the_example_of_the_rfc_is_good() {
    let rules = rules(&Dpop::new());
    let proof = judge(&rules, PROOF, |_| {}).unwrap();
    assert_eq!(proof.until, UnixTime::from_secs(MADE + 300));
    assert!(!proof.ageing);
}

#[test]
fn dpop_03_dpop_05_it_is_for_one_method_one_url_and_one_token() {
    let rules = rules(&Dpop::new());
    let judge = |change: fn(&mut Expected<'_>)| judge(&rules, PROOF, change).unwrap_err();
    assert_eq!(judge(|e| e.method = "POST"), Fault::Invalid("htm"));
    assert_eq!(judge(|e| e.method = "get"), Fault::Invalid("htm"));
    assert_eq!(judge(|e| e.token = b"other"), Fault::Invalid("ath"));
    assert_eq!(
        judge(|e| e.path = "/protectedresource/x"),
        Fault::Invalid("htu")
    );
    assert_eq!(
        judge(|e| e.resource = (
            "https://resource.example.com/protectedresource",
            "/protectedresource"
        )),
        Fault::Invalid("htu")
    );
}

#[test]
fn dpop_04_it_is_good_for_as_long_as_configured() {
    let stale = Err(Fault::Invalid("iat is too long ago or ahead"));
    for (age, settings) in [
        (300, Dpop::new()),
        (60, Dpop::new().max_age(std::time::Duration::from_secs(60))),
    ] {
        let rules = rules(&settings);
        let at = |now: i64| {
            let judged = judge(&rules, PROOF, |e| e.now = UnixTime::from_secs(MADE + now));
            judged.map(|_| ())
        };
        for near in [-age, -age + 1, 0, age - 1, age] {
            assert_eq!(at(near), Ok(()), "{near}");
        }
        for far in [-age - 1, age + 1, 100_000, -100_000] {
            assert_eq!(at(far), stale, "{far}");
        }
    }
}

#[test]
fn dpop_06_another_key_is_told_before_any_signature_is_looked_at() {
    let rules = rules(&Dpop::new());
    let other = [9; 32];
    let expected = Expected {
        method: "GET",
        resource: (
            "https://resource.example.org/protectedresource",
            "/protectedresource",
        ),
        path: "/protectedresource",
        token: TOKEN,
        key: &other,
        now: UnixTime::from_secs(MADE),
    };
    let known = OnceLock::new();
    assert_eq!(rules.judge(PROOF, expected, &known), Err(Fault::OtherKey));
    // Neither was its key read.
    assert!(known.get().is_none());
}

#[test]
fn dpop_02_a_key_that_has_been_read_judges_as_a_new_one() {
    let rules = rules(&Dpop::new());
    let key = key();
    let expected = Expected {
        method: "GET",
        resource: (
            "https://resource.example.org/protectedresource",
            "/protectedresource",
        ),
        path: "/protectedresource",
        token: TOKEN,
        key: &key,
        now: UnixTime::from_secs(MADE),
    };
    let known: OnceLock<Box<PublicKey>> = OnceLock::new();
    let (kept, signature) = PROOF.rsplit_once('.').unwrap();
    let forged = format!("{kept}.{}", signature.replacen("2oW9", "2oW8", 1));
    assert_eq!(
        rules.judge(&forged, expected, &known),
        Err(Fault::Invalid("signature"))
    );
    assert!(known.get().is_none(), "only a key that has signed is kept");
    let first = rules.judge(PROOF, expected, &known).unwrap();
    assert!(known.get().is_some());
    assert_eq!(rules.judge(PROOF, expected, &known), Ok(first));
    assert_eq!(
        rules.judge(&forged, expected, &known),
        Err(Fault::Invalid("signature"))
    );
}

#[test]
fn dpop_09_a_proof_is_named_by_key_url_and_id_unambiguously() {
    let one = name(&[b"k", b"ab", b"c"]);
    assert_eq!(one, name(&[b"k", b"ab", b"c"]));
    for other in [
        name(&[b"k", b"a", b"bc"]),
        name(&[b"l", b"ab", b"c"]),
        name(&[b"kab", b"", b"c"]),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn dpop_01_more_than_8_kib_is_not_looked_at() {
    let rules = rules(&Dpop::new());
    let long = format!("{PROOF}{}", "A".repeat(8192));
    assert_eq!(
        judge(&rules, &long, |_| {}),
        Err(Fault::Invalid("longer than 8 KiB"))
    );
}

#[test]
fn dpop_settings_that_make_no_sense_are_mistakes() {
    use crate::SigningAlgorithm;
    use std::time::Duration;

    for (settings, field) in [
        (
            Dpop::new().algorithms(None::<SigningAlgorithm>),
            "dpop.algorithms",
        ),
        (Dpop::new().max_age(Duration::from_secs(4)), "dpop.max_age"),
        (
            Dpop::new().max_age(Duration::from_secs(301)),
            "dpop.max_age",
        ),
        (
            Dpop::new().max_age(Duration::from_millis(5500)),
            "dpop.max_age",
        ),
        (Dpop::new().nonces([1; 31]), "dpop.nonces"),
    ] {
        let mut problems = Problems::default();
        let rules = settings.examine(&mut problems);
        let error = problems.or(rules).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
        assert!(!error.contains("[1, 1"), "never the key: {error}");
    }
}

proptest! {
    #[test]
    fn dpop_01_any_text_is_judged_without_a_panic(text in any::<String>(), at in any::<prop::sample::Index>(), with in "[!-~]") {
        let rules = rules(&Dpop::new());
        let _ = judge(&rules, &text, |_| {});
        let mut changed = PROOF.to_owned();
        let at = at.index(changed.len());
        prop_assume!(!changed[at..].starts_with(&with));
        changed.replace_range(at..=at, &with);
        // ES256 signatures are malleable in the signature alone, and not by one letter.
        prop_assert!(judge(&rules, &changed, |_| {}).is_err(), "{changed}");
    }
}

/// RFC 9449 §4.2 (figure 1) and §5 (figure 6): good proofs, and for the token endpoint. Neither is one
/// for a resource, whatever its URL.
#[test]
fn g01_dpop_05_the_proofs_of_the_rfc_for_the_token_endpoint_are_for_no_resource() {
    const FIRST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    const REFRESH: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA";
    let rules = rules(&Dpop::new());
    for (proof, made) in [(FIRST, 1_562_262_616), (REFRESH, 1_562_265_296)] {
        let compact = Compact::parse(proof).unwrap();
        let header = compact.header_members().unwrap();
        let key = public_key(its_key(&header).unwrap(), SigningAlgorithm::Es256).unwrap();
        assert!(key.verify(compact.signed, compact.signature()));
        let judge = |resource| {
            judge(&rules, proof, |expected| {
                expected.method = "POST";
                expected.resource = resource;
                expected.path = "/token";
                expected.now = UnixTime::from_secs(made);
            })
        };
        let there = ("https://server.example.com/token", "/token");
        assert_eq!(judge(there), Err(Fault::Invalid("ath")));
        let here = ("https://resource.example.org/token", "/token");
        assert_eq!(judge(here), Err(Fault::Invalid("htu")));
    }
}
