//! Parts, alphabets and serializations (RFC 7515 §2, §7; RFC 8725 §3.14).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};
use serde_json::json;

use super::forge::{Forge, Mutation, base64url, may, must};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub fn all() -> Vec<Mutation> {
    [parts(), alphabets(), serializations()].concat()
}

fn three(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

fn parts() -> Vec<Mutation> {
    vec![
        must("parts/one", |f| three(&f.sign())[1].clone()),
        must("parts/two", |f| {
            let [header, payload, _] = three(&f.sign());
            format!("{header}.{payload}")
        }),
        must("parts/four", |f| {
            let token = f.sign();
            let [header, payload, signature] = three(&token);
            match f.dice.below(4) {
                0 => format!("{token}.AA"),
                1 => format!("{token}."),
                2 => format!(".{token}"),
                _ => format!("{header}.{payload}.{payload}.{signature}"),
            }
        }),
        must("parts/five", |f| {
            let token = f.sign();
            match f.dice.below(3) {
                0 => format!("{token}.AA.AA"),
                1 => format!("{token}.."),
                _ => {
                    let header = base64url(r#"{"alg":"dir","enc":"A256GCM"}"#);
                    format!(
                        "{header}..AAAAAAAAAAAAAAAA.{}.AAAAAAAAAAAAAAAAAAAAAA",
                        base64url(&token)
                    )
                }
            }
        }),
        must("parts/an empty header", |f| {
            let [_, payload, signature] = three(&f.sign());
            format!(".{payload}.{signature}")
        }),
        must("parts/an empty payload", |f| {
            let header = three(&f.sign())[0].clone();
            f.sign_message(&format!("{header}."))
        }),
        must("parts/nothing but dots", |f| {
            ".".repeat(1 + f.dice.below(6))
        }),
        must("parts/in another order", |f| {
            let [header, payload, signature] = three(&f.sign());
            match f.dice.below(3) {
                0 => format!("{payload}.{header}.{signature}"),
                1 => format!("{signature}.{payload}.{header}"),
                _ => format!("{header}.{signature}.{payload}"),
            }
        }),
        must("parts/a dot as its code", |f| {
            f.sign().replacen('.', "%2E", 1 + f.dice.below(2))
        }),
    ]
}

/// The message with one of its parts written by `write`, signed as it then stands.
fn rewritten(forge: &mut Forge, write: impl Fn(&str) -> String) -> String {
    let (header, claims) = (forge.header.text(), forge.claims.text());
    let message = if forge.dice.below(2) == 0 {
        format!("{}.{}", write(&header), base64url(claims))
    } else {
        format!("{}.{}", base64url(header), write(&claims))
    };
    forge.sign_message(&message)
}

fn alphabets() -> Vec<Mutation> {
    vec![
        must("base64/padded", |f| {
            // Lengths that need no padding would leave a perfect token.
            while f.header.text().len() % 3 == 0 || f.claims.text().len() % 3 == 0 {
                f.header.set("x", format!("{}", f.dice.below(10_000)));
                f.claims.set("x", format!("{}", f.dice.below(10_000)));
            }
            rewritten(f, |text| URL_SAFE.encode(text))
        }),
        must("base64/signature padded", |f| format!("{}==", f.sign())),
        must("base64/of the other alphabet", |f| {
            f.header.set("x", "\"???>>>~~~\"");
            f.claims.set("x", "\"???>>>~~~\"");
            rewritten(f, |text| {
                // In each of the three places within a group, so that `+` or `/` must appear.
                let text = (0..3).map(|by| format!("{}{}", " ".repeat(by), text));
                let mut written = text.map(|text| STANDARD_NO_PAD.encode(text));
                written.find(|text| text.contains(['+', '/'])).unwrap()
            })
        }),
        may("base64/stray bits in the signature", |f| {
            let mut token = f.sign().into_bytes();
            let last = token.pop().unwrap();
            let value = ALPHABET.iter().position(|letter| *letter == last).unwrap();
            token.push(ALPHABET[value ^ 1]);
            String::from_utf8(token).unwrap()
        }),
        may("base64/stray bits in the payload", |f| {
            while f.claims.text().len() % 3 == 0 {
                f.claims.set("x", format!("{}", f.dice.below(10_000)));
            }
            let mut payload = base64url(f.claims.text()).into_bytes();
            let last = payload.pop().unwrap();
            let value = ALPHABET.iter().position(|letter| *letter == last).unwrap();
            payload.push(ALPHABET[value ^ 1]);
            let payload = String::from_utf8(payload).unwrap();
            f.sign_message(&format!("{}.{payload}", base64url(f.header.text())))
        }),
        must("base64/a character of no alphabet", |f| {
            let stranger = *f.dice.pick(&['!', '*', '~', '$', ':', '%', '@', '\u{e9}']);
            let mut token = f.sign();
            let place = f.dice.below(token.len());
            let place = if token.as_bytes()[place] == b'.' {
                0
            } else {
                place
            };
            token.replace_range(place..=place, &stranger.to_string());
            token
        }),
        must("base64/white space inside", |f| {
            let space = *f.dice.pick(&[" ", "\t", "  "]);
            let mut token = f.sign();
            let place = 1 + f.dice.below(token.len() - 2);
            token.insert_str(place, space);
            token
        }),
        must("base64/a line break inside", |f| {
            let space = *f.dice.pick(&["\n", "\r\n", "\r"]);
            let mut token = f.sign();
            let place = 1 + f.dice.below(token.len() - 2);
            token.insert_str(place, space);
            token
        }),
        must("base64/a letter too many", |f| {
            rewritten(f, |text| {
                let mut written = base64url(text);
                while written.len() % 4 != 1 {
                    written.push('A');
                }
                written
            })
        }),
        must("base64/twice", |f| {
            rewritten(f, |text| base64url(base64url(text)))
        }),
        must("base64/not at all", |f| {
            let message = format!("{}.{}", f.header.text(), f.claims.text());
            f.sign_message(&message)
        }),
    ]
}

fn serializations() -> Vec<Mutation> {
    vec![
        must("form/flattened JSON", |f| {
            let [protected, payload, signature] = three(&f.sign());
            json!({"protected": protected, "payload": payload, "signature": signature}).to_string()
        }),
        must("form/general JSON", |f| {
            let [protected, payload, signature] = three(&f.sign());
            let signatures = json!([{"protected": protected, "signature": signature}]);
            json!({"payload": payload, "signatures": signatures}).to_string()
        }),
        must("form/encoded once more", |f| base64url(f.sign())),
        must("form/in quotes", |f| format!("\"{}\"", f.sign())),
        must("form/two tokens", |f| {
            let separator = *f.dice.pick(&[",", " ", ";", ""]);
            let token = f.sign();
            format!("{token}{separator}{token}")
        }),
        must("form/the scheme twice", |f| format!("Bearer {}", f.sign())),
        must("form/a token in a token", |f| {
            let inner = f.sign();
            f.header.set("cty", "\"JWT\"");
            f.sign_payload(inner)
        }),
        must("form/detached", |f| {
            let [header, _, signature] = three(&f.sign());
            format!("{header}..{signature}")
        }),
    ]
}
