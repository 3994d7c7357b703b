//! Moments and spans of time, as people write and read them.

use std::time::Duration;

use tower_mcp_auth::clock::{Clock, SystemClock, UnixTime};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What this machine's clock says.
pub(crate) fn now() -> UnixTime {
    SystemClock::new().now()
}

/// `2026-11-23T07:25:31Z (in 12 d)`.
pub(crate) fn both(time: UnixTime) -> String {
    format!("{} ({})", time.to_rfc3339(), relative(time, now()))
}

/// The same, or nothing.
pub(crate) fn both_or_none(time: Option<UnixTime>) -> String {
    time.map(both).unwrap_or_default()
}

/// `in 12 d`, `3 min ago`, `now`; in the largest unit of which there are two.
pub(crate) fn relative(time: UnixTime, now: UnixTime) -> String {
    match (time.since(now), now.since(time)) {
        (Duration::ZERO, Duration::ZERO) => "now".to_owned(),
        (Duration::ZERO, past) => format!("{} ago", span(past)),
        (ahead, _) => format!("in {}", span(ahead)),
    }
}

/// `90 s`, `3 min`, `26 h`, `12 d`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / MINUTE),
        7200..172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} d", seconds / DAY),
    }
}

/// `30d`, `12h`, `90min`, `3600s`, `2w`: whole numbers with a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "s" => 1,
        "m" | "min" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => 7 * DAY,
        "" => return Err("a unit is missing; write 30d, 12h, 15min or 3600s".to_owned()),
        _ => {
            return Err("write a number and one unit, such as 30d, 12h, 15min or 3600s".to_owned());
        }
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "write a whole number and a unit, such as 30d, 12h or 3600s".to_owned())?;
    number
        .checked_mul(unit)
        .map(Duration::from_secs)
        .ok_or_else(|| "this is longer than any time known".to_owned())
}

/// A moment in RFC 3339 as records have it, or so long ago: the text that such moments are compared with.
pub(crate) fn since(text: &str) -> Result<String, String> {
    if let Ok(ago) = duration(text) {
        let seconds = i64::try_from(ago.as_secs()).unwrap_or(i64::MAX);
        return Ok(now().plus_secs(seconds.saturating_neg()).to_rfc3339());
    }
    let date = text.bytes().take(10).enumerate().all(|(index, byte)| {
        if index == 4 || index == 7 {
            byte == b'-'
        } else {
            byte.is_ascii_digit()
        }
    });
    let whole = text.len() == 10 || (text.len() == 20 && text.ends_with('Z'));
    if date && whole {
        return Ok(text.to_owned());
    }
    Err("write how long ago (2h, 3d), a date (2026-11-23) or 2026-11-23T08:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let read = |text| duration(text).map(|span| span.as_secs());
        assert_eq!(read("30d"), Ok(30 * 86_400));
        assert_eq!(read("12h"), Ok(43_200));
        assert_eq!(read("15min"), Ok(900));
        assert_eq!(read("3600s"), Ok(3600));
        assert_eq!(read("2w"), Ok(1_209_600));
        assert_eq!(read("0s"), Ok(0));
        for wrong in [
            "",
            "d",
            "30",
            "-1d",
            "1.5h",
            "1d12h",
            "1y",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(duration("30").unwrap_err().contains("unit"));
    }

    #[test]
    fn times_are_told_from_now() {
        let at = UnixTime::from_secs(1_800_000_000);
        let told = |seconds| relative(at.plus_secs(seconds), at);
        assert_eq!(told(0), "now");
        assert_eq!((told(1), told(-119)), ("in 1 s".into(), "119 s ago".into()));
        assert_eq!(
            (told(120), told(-7199)),
            ("in 2 min".into(), "119 min ago".into())
        );
        assert_eq!(
            (told(7200), told(172_799)),
            ("in 2 h".into(), "in 47 h".into())
        );
        assert_eq!(told(12 * 86_400 + 5), "in 12 d");
        assert_eq!(told(i64::MAX).get(..3), Some("in "));
    }

    #[test]
    fn moments_are_compared_as_text() {
        assert_eq!(since("2026-11-23").unwrap(), "2026-11-23");
        assert_eq!(
            since("2026-11-23T08:00:00Z").unwrap(),
            "2026-11-23T08:00:00Z"
        );
        assert!(since("2h").unwrap() < now().to_rfc3339());
        for wrong in ["yesterday", "23.11.2026", "2026-11-23T08:00", "2026/11/23"] {
            assert!(since(wrong).unwrap_err().contains("ago"), "{wrong}");
        }
    }
}
