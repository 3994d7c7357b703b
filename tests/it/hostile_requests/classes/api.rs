//! API tokens: made up, of others, of the wrong kind, at the wrong place, out of time.

use serde_json::Value;
use tower_mcp_auth::api_token::{ApiTokenStore, StoredToken};

use super::request::{Batch, Crafted, Hostile, Random, UNAUTHORIZED, base64url};
use super::site::{ADA, Site};

/// What the checksum of a token's text is: CRC-32 in base62, six characters.
pub fn with_checksum(text: &str) -> String {
    let letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut sum = [b'0'; 6];
    for place in sum.iter_mut().rev() {
        *place = letters[usize::try_from(rest % 62).unwrap()];
        rest /= 62;
    }
    format!("{text}{}", String::from_utf8(sum.to_vec()).unwrap())
}

/// Brand and kind, id, secret.
pub fn taken_apart(token: &str) -> (&str, &str, &str) {
    let mut parts = token.splitn(3, '_');
    let (start, id, rest) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    (start, id, &rest[..43])
}

/// Every text in a JSON value.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => {
            // A verifier as a list of bytes.
            let bytes: Option<Vec<u8>> = items
                .iter()
                .map(|item| u8::try_from(item.as_u64()?).ok())
                .collect();
            found.extend(bytes.map(base64url));
            items.iter().for_each(|item| texts(item, found));
        }
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// Every column of the row, as a credential and as the secret of one.
pub async fn t25(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    for issued in [&site.ada, &site.robot] {
        let record = site.store.find(issued.record.id()).await.unwrap().unwrap();
        let mut columns = Vec::new();
        texts(
            &serde_json::to_value(StoredToken::from(&record)).unwrap(),
            &mut columns,
        );
        let longest = columns.iter().map(String::len).max().unwrap();
        assert!(longest >= 43, "the verifier is among them");
        let (start, id, _) = taken_apart(issued.token.expose());
        for column in columns.iter().filter(|column| column.is_ascii()) {
            batch.token(format!("column {column}"), column);
            batch.request(
                format!("password {column}"),
                Crafted::basic(format!("{ADA}:{column}")),
                UNAUTHORIZED,
            );
            let padded = format!("{column:0<43}");
            let made = with_checksum(&format!("{start}_{id}_{}", &padded[..43]));
            batch.request(
                format!("secret {column}"),
                Crafted::bearer(&made),
                UNAUTHORIZED,
            );
            batch.request(
                format!("secret {column}, Basic"),
                Crafted::basic(format!("{ADA}:{made}")),
                UNAUTHORIZED,
            );
        }
    }
    batch.0
}

/// Whatever is wrong, the answer is one: the test compares them byte for byte.
pub fn t27(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    // An id of its own would be in every answer.
    let pair = |pair: String| Crafted::basic(pair).with("x-request-id", "the-same");
    let mut random = Random(27);
    let (start, id, secret) = taken_apart(site.ada.token.expose());
    let good = site.ada.token.expose();
    for number in 0..20 {
        let absent = with_checksum(&format!("{start}_{}_{}", random.text(16), random.text(43)));
        let wrong = with_checksum(&format!("{start}_{id}_{}", random.text(43)));
        let near = with_checksum(&format!("{start}_{id}_{}{}", &secret[..42], random.text(1)));
        batch.request(
            format!("absent id {number}"),
            pair(format!("{ADA}:{absent}")),
            UNAUTHORIZED,
        );
        batch.request(
            format!("wrong secret {number}"),
            pair(format!("{ADA}:{wrong}")),
            UNAUTHORIZED,
        );
        if near != *good {
            batch.request(
                format!("nearly {number}"),
                pair(format!("{ADA}:{near}")),
                UNAUTHORIZED,
            );
        }
        let email = format!("{}@acme.example", random.text(6).to_lowercase());
        batch.request(
            format!("wrong email {number}"),
            pair(format!("{email}:{good}")),
            UNAUTHORIZED,
        );
        batch.request(
            format!("nothing right {number}"),
            pair(format!("{email}:{absent}")),
            UNAUTHORIZED,
        );
    }
    batch.0
}

/// Guesses, which no store should hear of unless their checksum fits.
pub fn t28(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let mut random = Random(28);
    let good = site.robot.token.expose().to_owned();
    let (_, id, secret) = taken_apart(&good);
    for number in 0..60 {
        let (tail, id) = (random.text(49), random.text(16));
        batch.token(format!("guess {number}"), format!("mcps_{id}_{tail}"));
        let fits = with_checksum(&format!("mcps_{id}_{}", &tail[..43]));
        batch.token(format!("guess {number} with its checksum"), fits);
        batch.request(
            format!("password {number}"),
            Crafted::basic(format!("{ADA}:{}", random.text(8 + number % 20))),
            UNAUTHORIZED,
        );
    }
    for brand in [
        "mcp",
        "MCP",
        "Mcp",
        "mcpx",
        "mc",
        "",
        "ghp",
        "sk",
        "\u{2148}",
        "mcp-",
        "mcp\u{200b}",
        "\u{ff4d}cp",
    ] {
        for kind in ["s", "S", "u", "U", "a", "", "ss", "\u{17f}"] {
            let text = with_checksum(&format!("{brand}{kind}_{id}_{secret}"));
            if text != good {
                batch.token(format!("{brand}{kind}"), text);
            }
        }
    }
    for text in [
        good[..good.len() - 1].to_owned(),
        good[1..].to_owned(),
        format!("{good}0"),
        format!("{good}="),
        format!("{good}_"),
        good.replace('_', "-"),
        good.replacen('_', "", 1),
        good.replace('_', "__"),
        good.to_uppercase(),
        good.to_lowercase(),
        format!("{good}{good}"),
        format!("{good},{good}"),
        format!("\"{good}\""),
        format!("{good} x"),
        format!("{good}%20"),
        format!("{good}/"),
        good.replace('_', "\u{ff3f}"),
        good.replace('1', "\u{661}").replace('2', "\u{662}"),
        good.replace('0', "O"),
        format!("mcps_{id}"),
        format!("mcps_{id}_"),
        "mcps_".into(),
        "mcps__".into(),
        format!("mcps__{secret}"),
        with_checksum("mcps__"),
        with_checksum(&format!("mcps_{id}_")),
        with_checksum(&format!("mcps_{id}_{}", &secret[..42])),
        with_checksum(&format!("mcps_{id}_{secret}0")),
        with_checksum(&format!("mcps_{}_{secret}", &id[..15])),
    ] {
        if text != good {
            batch.token(format!("{text:.30}"), text);
        }
    }
    batch.0
}
