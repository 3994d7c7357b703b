//! How much failing is tolerated.

use crate::config::kinds::{Either, Whole, words};
use crate::config::read::table;
use crate::throttle::ThrottleSettings;

const MOST: u64 = 1_000_000;

table! {
    /// How many failed API tokens are tolerated before a client has to wait.
    struct Throttle {
        /// From one client address: a table, or `"off"`.
        per_address: Option<Either<Off, Limit>>,
        /// Of one token id from one client address: a table, or `"off"`.
        per_credential: Option<Either<Off, Limit>>,
        /// Most buckets remembered per limit, about 150 bytes each.
        max_entries: Option<Whole<1000, 100_000_000>> = 100_000,
    }
}

words! {
    /// No limit.
    enum Off { Off = "off" }
}

table! {
    /// Left out: 20 and 20 per address, 5 and 5 per credential.
    struct Limit {
        /// So many at once.
        burst: Whole<1, MOST>,
        /// So many lastingly.
        per_minute: Whole<1, MOST>,
    }
}

impl Throttle {
    pub(in crate::config) fn settings(&self) -> ThrottleSettings {
        let mut settings = ThrottleSettings::new();
        settings = match &self.per_address {
            Some(Either::First(Off::Off)) => settings.no_limit_per_address(),
            Some(Either::Second(limit)) => {
                settings.per_address(small(&limit.burst), small(&limit.per_minute))
            }
            None => settings,
        };
        settings = match &self.per_credential {
            Some(Either::First(Off::Off)) => settings.no_limit_per_credential(),
            Some(Either::Second(limit)) => {
                settings.per_credential(small(&limit.burst), small(&limit.per_minute))
            }
            None => settings,
        };
        match &self.max_entries {
            Some(entries) => settings.max_entries(usize::try_from(entries.0).unwrap_or(usize::MAX)),
            None => settings,
        }
    }
}

fn small(number: &Whole<1, MOST>) -> u32 {
    u32::try_from(number.0).unwrap_or(u32::MAX)
}
