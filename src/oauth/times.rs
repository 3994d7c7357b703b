//! Times as tokens write them.

use crate::clock::UnixTime;

/// 9999-12-31T23:59:59Z, the last second a four-digit year can write.
const LAST_SECOND: i64 = 253_402_300_799;

/// On or after `exp` a token is expired (RFC 7519 §4.1.4); leeway is counted in whole seconds that
/// are still accepted.
pub(crate) fn is_expired(expires_at: UnixTime, leeway: i64, now: UnixTime) -> bool {
    now >= expires_at && (leeway == 0 || now > expires_at.plus_secs(leeway))
}

pub(crate) fn numeric_date(digits: &str) -> Option<UnixTime> {
    if let Ok(whole) = digits.parse::<i64>() {
        return (0..=LAST_SECOND)
            .contains(&whole)
            .then(|| UnixTime::from_secs(whole));
    }
    let value: f64 = digits.parse().ok()?;
    // Negative zero is zero; beyond the last second the decimal form would not fit below.
    if !(0.0..253_402_300_800.0).contains(&value) {
        return None;
    }
    format!("{:.0}", value.floor().abs())
        .parse()
        .ok()
        .map(UnixTime::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jwt_18_numeric_dates_are_finite_and_of_this_calendar() {
        let read = |digits| numeric_date(digits).map(UnixTime::as_secs);
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("-0"), Some(0));
        assert_eq!(read("-0.0"), Some(0));
        assert_eq!(read("1700000000"), Some(1_700_000_000));
        assert_eq!(read("4102444800.9"), Some(4_102_444_800));
        assert_eq!(read("1.7e9"), Some(1_700_000_000));
        assert_eq!(read("253402300799"), Some(LAST_SECOND));
        for bad in [
            "253402300800",
            "1e18",
            "1e400",
            "-1",
            "-0.5",
            "-1e400",
            "99999999999999999999",
            "1e309",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn jwt_13_leeway_counts_whole_seconds_after_exp() {
        let expired = |leeway: i64, late: i64| {
            is_expired(
                UnixTime::from_secs(1000),
                leeway,
                UnixTime::from_secs(1000 + late),
            )
        };
        assert!(!expired(30, 30) && expired(30, 31));
        assert!(!expired(0, -1) && expired(0, 0));
    }
}
