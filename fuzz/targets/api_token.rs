//! API tokens: the text of one, all in a text, and the emails they go with.
#![no_main]

use tower_mcp_auth::api_token::{Email, FormatError, TokenFormat, TokenId, TokenKind};
use tower_mcp_auth::fuzzing::{assemble, find_all, secret_of};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::input::Input;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// CRC-32 bit by bit (IEEE 802.3), in six digits to the base 62.
fn checksum(text: &[u8]) -> String {
    let mut crc = !0_u32;
    for byte in text {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut rest = !crc as usize;
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.insert(0, DIGITS[rest % 62]);
        rest /= 62;
    }
    String::from_utf8(digits).expect("digits")
}

/// Kind, id and secret.
fn naive(brand: &str, text: &str) -> Option<(char, String, String)> {
    let bytes: Vec<char> = text.chars().collect();
    let tail = text.strip_prefix(brand)?;
    let kind = tail.chars().next().filter(|kind| "us".contains(*kind))?;
    let all = bytes.len() == brand.len() + 68 && text.is_ascii();
    let parts: Vec<&str> = tail.split('_').collect();
    let [_, id, rest] = parts[..] else { return None };
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric());
    if !all || parts[0].len() != 1 || id.len() != 16 || rest.len() != 49 || !plain(id) || !plain(rest) {
        return None;
    }
    let (covered, sum) = text.split_at(text.len() - 6);
    (checksum(covered.as_bytes()) == sum).then(|| (kind, id.to_owned(), rest[..43].to_owned()))
}

fn letters(input: &mut Input<'_>, count: usize) -> String {
    (0..count).map(|_| char::from(*input.pick(DIGITS))).collect()
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let brand = *input.pick(&["mcp", "mcp", "aa", "acmecorp"]);
    let format = TokenFormat::new(brand).expect("a brand");
    // Good tokens between pieces of anything, some of them with one letter changed.
    let (mut text, mut planted) = (String::new(), Vec::new());
    for _ in 0..input.below(4) {
        text += &input.text();
        let kind = *input.pick(&[TokenKind::Personal, TokenKind::ServiceAccount]);
        let id = TokenId::new(&letters(&mut input, 2).repeat(8)).expect("16 letters");
        let secret = letters(&mut input, 1).repeat(43);
        let token = assemble(&format, kind, &id, &secret);
        let good = format!("{brand}{}_{id}_{secret}", kind.letter());
        let good = format!("{good}{}", checksum(good.as_bytes()));
        assert_eq!(token.expose(), good);
        let read = format.parse(&good).expect("a token");
        assert_eq!((read.kind(), read.id(), secret_of(&read)), (kind, &id, &*secret));
        let (place, letter) = (input.below(good.len()), input.byte());
        // Any letter of it, and each digit of its checksum.
        let digits = (good.len() - 6..good.len()).map(|place| (place, *input.pick(DIGITS)));
        for (place, letter) in digits.chain([(place, letter)]).collect::<Vec<_>>() {
            let mut changed = good.clone().into_bytes();
            changed[place] = letter;
            if changed != good.as_bytes()
                && let Ok(changed) = std::str::from_utf8(&changed)
            {
                assert!(format.parse(changed).is_err(), "{changed}");
            }
        }
        text += &good;
        planted.push(good);
    }
    text += &String::from_utf8_lossy(input.0);
    let mut whole = vec![text.as_str()];
    whole.extend(text.split_whitespace());
    for text in whole {
        let ours = format.parse(text);
        let read = ours
            .as_ref()
            .ok()
            .map(|token| (token.kind().letter(), token.id().to_string(), secret_of(token).to_owned()));
        assert_eq!(read, naive(brand, text), "{text}");
        let known = [format!("{brand}u_"), format!("{brand}s_")].iter().any(|start| text.starts_with(start));
        assert_eq!(known, !matches!(ours, Err(FormatError::NotOurs)), "{text}");
        assert_eq!(known, format.recognise(text).is_some(), "{text}");
    }
    // Every window of the text that is a token, and no other.
    let length = brand.len() + 68;
    let windows = (0..text.len()).filter_map(|start| text.get(start..start + length));
    let windows: Vec<_> = windows.filter_map(|window| naive(brand, window)).collect();
    let found = find_all(&format, &text);
    let found: Vec<_> = found
        .iter()
        .map(|token| (token.kind().letter(), token.id().to_string(), secret_of(token).to_owned()))
        .collect();
    assert_eq!(found, windows, "{text}");
    assert!(found.len() >= planted.len());
    if let Some(email) = Email::new(&text) {
        let at = email.as_str().matches('@').count();
        assert!(at == 1 && !email.as_str().chars().any(char::is_control), "{text:?}");
        assert_eq!(Email::new(email.as_str()).as_ref(), Some(&email), "{text:?}");
    }
});
