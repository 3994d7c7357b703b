//! Nonces that need no memory (RFC 9449 §9): the keyed hash of the time, in steps.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;

use crate::clock::UnixTime;
use crate::keyed_hash::KeyedHash;

/// How long a nonce is the newest, in seconds. It serves for as long again.
const STEP: i64 = 120;

/// Bytes of a nonce: 128 bits, which nobody guesses.
const BYTES: usize = 16;

/// Makes nonces, and knows its own again.
#[derive(Clone, Debug)]
pub(crate) struct Nonces(KeyedHash);

/// How old a nonce is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Newest,
    /// It serves, and there is a newer one.
    Good,
    /// None of ours, or too old.
    Useless,
}

impl Nonces {
    pub(crate) const PURPOSE: &'static str = "tower-mcp-auth dpop nonce v1";

    pub(crate) fn new(key: KeyedHash) -> Self {
        Self(key)
    }

    /// The nonce to use from now on.
    pub(crate) fn newest(&self, now: UnixTime) -> Option<HeaderValue> {
        let hash = self.0.of(&[&step(now).to_be_bytes()]);
        HeaderValue::try_from(URL_SAFE_NO_PAD.encode(hash.get(..BYTES)?)).ok()
    }

    pub(crate) fn age(&self, nonce: &str, now: UnixTime) -> Age {
        let claimed = match URL_SAFE_NO_PAD.decode(nonce) {
            Ok(claimed) if claimed.len() == BYTES => claimed,
            _ => return Age::Useless,
        };
        let is_of = |step: i64| self.0.begins_with(&claimed, &[&step.to_be_bytes()]);
        let step = step(now);
        // Of the next step too: the clock of another replica may be a little ahead.
        match [step, step.saturating_sub(1), step.saturating_add(1)].map(is_of) {
            [true, _, _] => Age::Newest,
            [_, true, _] | [_, _, true] => Age::Good,
            _ => Age::Useless,
        }
    }
}

fn step(now: UnixTime) -> i64 {
    now.as_secs().div_euclid(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces(key: u8) -> Nonces {
        Nonces::new(KeyedHash::shared(Nonces::PURPOSE, &[key; 32]).unwrap())
    }

    fn age(nonces: &Nonces, nonce: &HeaderValue, now: i64) -> Age {
        nonces.age(nonce.to_str().unwrap(), UnixTime::from_secs(now))
    }

    #[test]
    fn dpop_10_a_nonce_serves_for_its_step_and_the_next() {
        let nonces = nonces(1);
        let nonce = nonces.newest(UnixTime::from_secs(1200)).unwrap();
        for (now, expected) in [
            (1079, Age::Useless),
            (1080, Age::Good), // by a clock that is a little behind
            (1200, Age::Newest),
            (1319, Age::Newest),
            (1320, Age::Good),
            (1439, Age::Good),
            (1440, Age::Useless),
        ] {
            assert_eq!(age(&nonces, &nonce, now), expected, "{now}");
        }
    }

    #[test]
    fn dpop_10_replicas_share_a_key_and_nobody_else_makes_nonces() {
        let now = UnixTime::from_secs(1200);
        let nonce = nonces(1).newest(now).unwrap();
        assert_eq!(age(&nonces(1), &nonce, 1200), Age::Newest);
        assert_eq!(age(&nonces(2), &nonce, 1200), Age::Useless);
        let text = nonce.to_str().unwrap();
        for bad in [
            "",
            "x",
            &text[1..],
            &format!("{text}A"),
            &text.to_uppercase(),
        ] {
            assert_eq!(nonces(1).age(bad, now), Age::Useless, "{bad}");
        }
    }
}
