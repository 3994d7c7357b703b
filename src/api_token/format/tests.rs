use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn issued(format: &TokenFormat, kind: TokenKind) -> TokenSecret {
    format.assemble(kind, &random_id().unwrap(), &random_secret().unwrap())
}

const KINDS: [TokenKind; 2] = [TokenKind::Personal, TokenKind::ServiceAccount];

#[test]
fn keysa_01_an_issued_token_parses_to_its_parts() {
    for format in [
        TokenFormat::default(),
        TokenFormat::new("acmecorp").unwrap(),
    ] {
        for kind in KINDS {
            let (id, secret) = (random_id().unwrap(), random_secret().unwrap());
            let token = format.assemble(kind, &id, &secret);
            let text = token.expose();
            assert_eq!(text.len(), format.brand().len() + 68);
            assert_eq!(format.recognise(text), Some(kind));
            let parsed = format.parse(text).unwrap();
            assert_eq!((parsed.kind(), *parsed.id()), (kind, id));
            assert_eq!(parsed.secret(), *secret);
        }
    }
}

#[test]
fn the_format_of_version_1_does_not_change() {
    // The CRC-32 of the first 65 characters by another implementation (zlib): 0x3822f0c3.
    let token = TokenFormat::default().assemble(
        TokenKind::Personal,
        &TokenId::new("0123456789ABCDEF").unwrap(),
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ",
    );
    assert_eq!(
        token.expose(),
        "mcpu_0123456789ABCDEF_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ11jkpf"
    );
}

#[test]
fn keysa_01_one_wrong_character_anywhere_is_refused_offline() {
    let format = TokenFormat::default();
    for kind in KINDS {
        let token = issued(&format, kind);
        for position in 0..token.expose().len() {
            for wrong in (0x20..0x7f).map(char::from).chain(['é', '\u{2028}']) {
                let mut text: Vec<char> = token.expose().chars().collect();
                if text[position] == wrong {
                    continue;
                }
                text[position] = wrong;
                let text: String = text.into_iter().collect();
                assert!(format.parse(&text).is_err(), "{position} {wrong:?}");
            }
        }
    }
}

#[test]
fn keysa_01_two_swapped_neighbours_are_refused_offline() {
    let format = TokenFormat::default();
    let token = issued(&format, TokenKind::Personal);
    let text = token.expose().as_bytes();
    for position in 1..text.len() {
        let mut swapped = text.to_vec();
        swapped.swap(position - 1, position);
        let same = swapped == text;
        let swapped = String::from_utf8(swapped).unwrap();
        assert_eq!(format.parse(&swapped).is_ok(), same, "{position}");
    }
}

#[test]
fn t33_kinds_and_brands_cannot_be_swapped() {
    let format = TokenFormat::default();
    let token = issued(&format, TokenKind::Personal);
    let as_key = token.expose().replacen("mcpu_", "mcps_", 1);
    assert_eq!(format.recognise(&as_key), Some(TokenKind::ServiceAccount));
    assert_eq!(format.parse(&as_key).unwrap_err(), FormatError::Checksum);
    let other = TokenFormat::new("acm").unwrap();
    assert_eq!(
        other.parse(token.expose()).unwrap_err(),
        FormatError::NotOurs
    );
    let rebranded = token.expose().replacen("mcp", "acm", 1);
    assert_eq!(other.parse(&rebranded).unwrap_err(), FormatError::Checksum);
}

#[test]
fn keysa_01_foreign_and_damaged_are_told_apart() {
    let format = TokenFormat::default();
    let token = issued(&format, TokenKind::ServiceAccount);
    let text = token.expose();
    let cut = |end| text.get(..end).unwrap();
    let damage = |text: &str| format.parse(text).unwrap_err();
    for foreign in [
        "",
        "mcp",
        "mcpu",
        "mcpx_",
        "MCPU_",
        "mcp_",
        " mcpu_",
        "eyJhbGciOiJub25lIn0.e30.",
    ] {
        assert_eq!(damage(foreign), FormatError::NotOurs, "{foreign:?}");
        assert_eq!(format.recognise(foreign), None);
    }
    for (damaged, why) in [
        ("mcpu_".to_owned(), FormatError::Length),
        (cut(70).to_owned(), FormatError::Length),
        (format!("{text}0"), FormatError::Length),
        (format!("{text}\n"), FormatError::Length),
        (format!("{} ", cut(70)), FormatError::Alphabet),
        (format!("mcps_{}", "_".repeat(66)), FormatError::Alphabet),
        (format!("mcps_{}", "0".repeat(66)), FormatError::Alphabet),
        (format!("mcps_{}", "é".repeat(33)), FormatError::Alphabet),
        (format!("{}zzzzzz", cut(65)), FormatError::Checksum),
    ] {
        assert_eq!(damage(&damaged), why, "{damaged:?}");
        assert!(why.is_ours() && format.recognise(&damaged).is_some());
    }
}

#[test]
fn a_brand_is_two_to_eight_lower_case_letters() {
    for good in ["ab", "acme", "abcdefgh"] {
        assert!(TokenFormat::new(good).is_some(), "{good}");
    }
    for bad in ["", "a", "abcdefghi", "Acme", "ac1", "a_b", "é", "ab "] {
        assert!(TokenFormat::new(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn t26_the_published_expression_finds_what_is_issued() {
    for brand in ["mcp", "acmecorp"] {
        let format = TokenFormat::new(brand).unwrap();
        let expression = regex_lite::Regex::new(&format.secret_scanning_regex()).unwrap();
        for kind in KINDS {
            let token = issued(&format, kind);
            let text = token.expose();
            for (before, after) in [("", ""), ("Bearer ", "\n"), ("\"", "\","), ("a@x.io:", " ")] {
                let line = format!("{before}{text}{after}");
                let found: Vec<_> = expression
                    .find_iter(&line)
                    .map(|hit| hit.as_str())
                    .collect();
                assert_eq!(found, [text]);
            }
            assert!(!expression.is_match(&format!("{text}0")));
            assert!(!expression.is_match(text.get(..text.len() - 1).unwrap()));
        }
    }
    assert_eq!(
        TokenFormat::default().secret_scanning_regex(),
        r"\bmcp[us]_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b"
    );
}

#[test]
fn t26_tokens_are_found_wherever_they_stand() {
    let format = TokenFormat::default();
    let (one, two) = (issued(&format, KINDS[0]), issued(&format, KINDS[1]));
    let text = format!(
        "mcpu_ mcpu_é{}{}xmcps_{} mcpmcp{}",
        one.expose(),
        two.expose(),
        one.expose().get(5..).unwrap(),
        one.expose()
    );
    let ids: Vec<_> = format.find_all(&text).map(|found| found.id).collect();
    let id = |token: &TokenSecret| *format.parse(token.expose()).unwrap().id();
    assert_eq!(ids, [id(&one), id(&two), id(&one)]);
}

#[test]
fn t26_a_brand_that_overlaps_itself_hides_no_token() {
    for brand in ["aa", "aba"] {
        let format = TokenFormat::new(brand).unwrap();
        let token = issued(&format, KINDS[0]);
        for before in ["a", "aa", "ab", "xa"] {
            let text = format!("{before}{}", token.expose());
            assert_eq!(format.find_all(&text).count(), 1, "{text}");
        }
    }
}

#[test]
fn random_characters_are_unbiased_by_rejection() {
    // A source that counts through all byte values: each character must come equally often.
    let mut next = 0_u8;
    let mut out = [0_u8; 248 * 4];
    let source = |pool: &mut [u8]| {
        for place in pool {
            *place = next;
            next = next.wrapping_add(1);
        }
        Ok::<_, ()>(())
    };
    fill_base62(&mut out, source).unwrap();
    for character in ALPHABET {
        let count = out.split(|byte| byte == character).count() - 1;
        assert_eq!(count, 16, "{}", char::from(*character));
    }
    assert_eq!(fill_base62(&mut out, |_: &mut [u8]| Err("dry")), Err("dry"));
}

#[test]
fn no_two_tokens_are_alike() {
    let ids: HashSet<_> = (0..1000).map(|_| random_id().unwrap()).collect();
    let secrets: HashSet<_> = (0..1000)
        .map(|_| random_secret().unwrap().to_string())
        .collect();
    assert_eq!((ids.len(), secrets.len()), (1000, 1000));
    assert!(
        secrets
            .iter()
            .all(|secret| secret.len() == 43 && is_base62(secret))
    );
}

#[test]
fn t48_debug_shows_no_secret() {
    let format = TokenFormat::default();
    let token = issued(&format, TokenKind::Personal);
    let parsed = format.parse(token.expose()).unwrap();
    let shown = format!("{token:?} {parsed:?}");
    assert!(!shown.contains(parsed.secret()) && shown.contains(parsed.id().as_str()));
}

proptest! {
    #[test]
    fn no_text_makes_parsing_panic(text in "\\PC*", tail in "[0-9A-Za-z_é]{0,80}") {
        let format = TokenFormat::default();
        let _any = format.parse(&text);
        let (ours, inside) = (format!("mcpu_{tail}"), format!("mcps_{tail}{text}"));
        prop_assert!(format.parse(&ours).is_err());
        prop_assert!(format.find_all(&inside).next().is_none());
    }

    #[test]
    fn whatever_parses_is_spelled_in_one_way(id in "[0-9A-Za-z]{16}", secret in "[0-9A-Za-z]{43}") {
        let format = TokenFormat::default();
        let id = TokenId::new(&id).unwrap();
        let token = format.assemble(TokenKind::Personal, &id, &secret);
        let parsed = format.parse(token.expose()).unwrap();
        let again = format.assemble(parsed.kind(), parsed.id(), parsed.secret());
        prop_assert_eq!(again.expose(), token.expose());
    }
}
