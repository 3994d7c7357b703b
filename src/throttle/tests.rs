use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::bucket::Rate;
use super::table::Table;
use super::{Throttle, ThrottleSettings, Throttled, WINDOW};
use crate::clock::{Clock, UnixTime};
use crate::error::Problems;

/// A monotonic clock set by hand; `testing::ManualClock` is behind a feature.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<Mutex<Duration>>);

impl Hand {
    fn advance(&self, seconds: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(seconds);
    }
}

impl Clock for Hand {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(0)
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

fn throttle(settings: &ThrottleSettings) -> (Arc<Throttle>, Hand) {
    let clock = Hand::default();
    let throttle = Throttle::new(settings, Arc::new(clock.clone()), None);
    (Arc::new(throttle), clock)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Fails until it is refused, at most `most` times; how often it failed, and the refusal.
fn fail(
    throttle: &Arc<Throttle>,
    from: &str,
    token: Option<&str>,
    most: u32,
) -> (u32, Option<Throttled>) {
    for failures in 0..most {
        if let Err(throttled) = throttle.check(Some(address(from)), token) {
            return (failures, Some(throttled));
        }
        throttle.record_failure(Some(address(from)), token);
    }
    (most, throttle.check(Some(address(from)), token).err())
}

#[test]
fn edge_06_failures_of_an_address_are_limited_and_forgiven() {
    let (throttle, clock) = throttle(&ThrottleSettings::new());
    let (failures, throttled) = fail(&throttle, "192.0.2.1", None, 100);
    assert_eq!(failures, 20);
    assert_eq!(throttled.unwrap().retry_after, Duration::from_secs(3));
    clock.advance(2);
    assert_eq!(
        throttle
            .check(Some(address("192.0.2.1")), None)
            .unwrap_err()
            .retry_after,
        Duration::from_secs(1)
    );
    clock.advance(1);
    assert_eq!(fail(&throttle, "192.0.2.1", None, 100).0, 1);
    clock.advance(60);
    assert_eq!(fail(&throttle, "192.0.2.1", None, 100).0, 20);
}

#[test]
fn edge_06_failures_with_one_token_are_limited_sooner() {
    let (throttle, clock) = throttle(&ThrottleSettings::new());
    let (failures, throttled) = fail(&throttle, "192.0.2.1", Some("a"), 100);
    assert_eq!(failures, 5);
    assert_eq!(throttled.unwrap().retry_after, Duration::from_secs(12));
    // Another token behind the same address has its own limit, below the address's.
    assert_eq!(fail(&throttle, "192.0.2.1", Some("b"), 100).0, 5);
    assert!(throttle.check(Some(address("192.0.2.1")), None).is_ok());
    clock.advance(12);
    assert_eq!(fail(&throttle, "192.0.2.1", Some("a"), 100).0, 1);
}

#[test]
fn edge_06_success_is_free_and_resets_nothing() {
    let (throttle, _clock) = throttle(&ThrottleSettings::new());
    assert_eq!(fail(&throttle, "192.0.2.1", Some("a"), 4).0, 4);
    for _ in 0..1000 {
        assert!(
            throttle
                .check(Some(address("192.0.2.1")), Some("a"))
                .is_ok()
        );
    }
    assert_eq!(fail(&throttle, "192.0.2.1", Some("a"), 100).0, 1);
}

#[test]
fn edge_07_a_refusal_names_the_limit_that_takes_longest() {
    let (throttle, _clock) = throttle(&ThrottleSettings::new().per_address(5, 20));
    let (_, throttled) = fail(&throttle, "192.0.2.1", Some("a"), 100);
    assert_eq!(
        throttled.unwrap(),
        Throttled {
            limit: "failed_credentials_per_token",
            scope: "one API token from one client address",
            burst: 5,
            allowance: 5,
            window: Duration::from_secs(60),
            retry_after: Duration::from_secs(12),
        }
    );
    let other = throttle
        .check(Some(address("192.0.2.1")), Some("b"))
        .unwrap_err();
    assert_eq!(other.limit, "failed_credentials_per_address");
    assert_eq!((other.burst, other.allowance), (5, 20));
}

#[test]
fn t29_the_owner_gets_in_while_somebody_else_fails_with_their_token() {
    let (throttle, _clock) = throttle(&ThrottleSettings::new());
    for host in 1..=200 {
        fail(
            &throttle,
            &format!("198.51.100.{host}"),
            Some("victim"),
            100,
        );
    }
    assert!(
        throttle
            .check(Some(address("192.0.2.1")), Some("victim"))
            .is_ok()
    );
}

#[test]
fn t28_an_ipv6_customer_is_one_address_and_a_mapped_ipv4_address_is_ipv4() {
    let (throttle, _clock) = throttle(&ThrottleSettings::new());
    fail(&throttle, "2001:db8:1:2::1", None, 100);
    assert!(
        throttle
            .check(Some(address("2001:db8:1:2:ffff::9")), None)
            .is_err()
    );
    assert!(
        throttle
            .check(Some(address("2001:db8:1:3::1")), None)
            .is_ok()
    );
    fail(&throttle, "192.0.2.1", None, 100);
    assert!(
        throttle
            .check(Some(address("::ffff:192.0.2.1")), None)
            .is_err()
    );
    assert!(throttle.check(Some(address("192.0.2.2")), None).is_ok());
}

#[test]
fn edge_06_unknown_addresses_share_one_bucket_and_warn_once() {
    let (throttle, _clock) = throttle(&ThrottleSettings::new());
    let warnings = Warnings::default();
    let counted = warnings.clone();
    tracing::subscriber::with_default(warnings, || {
        for _ in 0..20 {
            assert!(throttle.check(None, None).is_ok());
            throttle.record_failure(None, None);
        }
        assert!(throttle.check(None, None).is_err());
        assert!(throttle.check(Some(address("192.0.2.1")), None).is_ok());
    });
    assert_eq!(*counted.0.lock().unwrap(), 1);
}

#[test]
fn edge_06_every_limit_can_be_switched_off() {
    let (none, _clock) = throttle(&ThrottleSettings::off());
    assert_eq!(fail(&none, "192.0.2.1", Some("a"), 1000), (1000, None));
    let (addresses, _clock) = throttle(&ThrottleSettings::new().no_limit_per_credential());
    assert_eq!(fail(&addresses, "192.0.2.1", Some("a"), 1000).0, 20);
    let (tokens, _clock) = throttle(&ThrottleSettings::new().no_limit_per_address());
    assert_eq!(fail(&tokens, "192.0.2.1", None, 1000), (1000, None));
    assert_eq!(fail(&tokens, "192.0.2.1", Some("a"), 1000).0, 5);
}

#[test]
fn edge_06_limits_of_zero_are_configuration_errors() {
    let wrong = |settings: ThrottleSettings| {
        let mut problems = Problems::default();
        settings.examine(&mut problems);
        problems
            .or(Some(()))
            .map_err(|error| error.problems().len())
    };
    assert_eq!(wrong(ThrottleSettings::new()), Ok(()));
    assert_eq!(wrong(ThrottleSettings::off()), Ok(()));
    let all = ThrottleSettings::new()
        .per_address(0, 1)
        .per_credential(1, 0)
        .max_entries(0);
    assert_eq!(wrong(all), Err(3));
}

#[test]
fn t28_asking_remembers_nothing_and_forgiven_failures_are_forgotten() {
    let (throttle, clock) = throttle(&ThrottleSettings::new());
    fail(&throttle, "192.0.2.1", Some("a"), 1);
    for host in 0..=255 {
        assert!(
            throttle
                .check(Some(address(&format!("198.51.100.{host}"))), Some("b"))
                .is_ok()
        );
    }
    let sizes = || {
        let tables = throttle.lock();
        (tables.addresses.len(), tables.credentials.len())
    };
    assert_eq!(sizes(), (1, 1));
    clock.advance(60);
    fail(&throttle, "192.0.2.2", Some("c"), 1);
    assert_eq!(sizes(), (1, 1));
}

#[test]
fn t28_a_flood_of_addresses_pushes_out_itself_and_not_the_ones_who_wait() {
    let rate = Rate::new(20, 20, WINDOW);
    let now = Duration::from_secs(1000);
    let mut table = Table::new(1000);
    for _ in 0..20 {
        table.charge(0_u32, rate, now);
    }
    for stranger in 1..50_000 {
        table.charge(stranger, rate, now);
        assert!(table.len() <= 1000);
    }
    assert_eq!(table.wait(0, rate, now), Duration::from_secs(3));
    // Later failures clear away what there is nothing left to remember of.
    for _ in 0..1000 {
        table.charge(1, rate, now + WINDOW);
    }
    assert_eq!(table.len(), 1);
}

#[test]
fn t28_the_rate_is_never_above_the_one_configured() {
    // Seven a minute is no whole number of nanoseconds.
    let rate = Rate::new(1, 7, WINDOW);
    let (mut now, mut full_at, mut failures) = (Duration::ZERO, Duration::ZERO, 0);
    while now < WINDOW {
        full_at = rate.charged(full_at, now);
        failures += 1;
        now += rate.wait(full_at, now);
    }
    assert_eq!(failures, 7);
}

proptest! {
    /// Against a bucket that is refilled step by step, in whole nanoseconds.
    #[test]
    fn t28_the_arithmetic_is_a_token_bucket(
        burst in 1..50_u32,
        per_minute in prop::sample::select(vec![1_u32, 2, 5, 20, 60, 600, 6000]),
        steps in prop::collection::vec((0..90_000_u64, any::<bool>()), 1..200),
    ) {
        let rate = Rate::new(burst, per_minute, WINDOW);
        let interval = 60_000_000_000 / u128::from(per_minute);
        let capacity = interval * u128::from(burst);
        let (mut now, mut full_at, mut level) = (Duration::ZERO, Duration::ZERO, capacity);
        for (milliseconds, fails) in steps {
            let step = Duration::from_millis(milliseconds);
            now += step;
            level = capacity.min(level + step.as_nanos());
            let wait = rate.wait(full_at, now);
            prop_assert_eq!(wait.as_nanos(), interval.saturating_sub(level));
            // Charged even without room, as by requests that ran at the same time.
            if fails {
                full_at = rate.charged(full_at, now);
                level = level.saturating_sub(interval);
            }
            prop_assert!(rate.wait(full_at, now).as_nanos() <= interval);
        }
    }

    #[test]
    fn t28_in_any_stretch_of_time_no_more_fail_than_burst_and_rate_allow(
        burst in 1..20_u32,
        per_minute in 1..200_u32,
        steps in prop::collection::vec(0..5000_u64, 1..300),
    ) {
        let rate = Rate::new(burst, per_minute, WINDOW);
        let (mut now, mut full_at, mut failures) = (Duration::ZERO, Duration::ZERO, 0_u128);
        for milliseconds in steps {
            now += Duration::from_millis(milliseconds);
            if rate.wait(full_at, now).is_zero() {
                full_at = rate.charged(full_at, now);
                failures += 1;
            }
        }
        let refilled = now.as_nanos() * u128::from(per_minute) / WINDOW.as_nanos();
        prop_assert!(failures <= u128::from(burst) + refilled);
    }

    #[test]
    fn edge_11_no_times_overflow(burst in any::<u32>(), count in any::<u32>(), full_at in any::<Duration>(), now in any::<Duration>()) {
        let rate = Rate::new(burst, count, WINDOW);
        let _ = rate.wait(full_at, now);
        let _ = rate.charged(full_at, now);
        let _ = rate.pushed(full_at, rate.forgives(count), now);
    }

    /// Failures elsewhere take room for as long as those here do, but for at most a minute.
    #[test]
    fn t29_what_is_owed_for_others_is_forgiven_within_a_minute(
        burst in 1..50_u32,
        per_minute in 1..200_u32,
        others in prop::collection::vec((any::<u16>(), 0..5000_u64), 1..100),
    ) {
        let rate = Rate::new(burst, per_minute, WINDOW);
        let (mut now, mut full_at) = (Duration::ZERO, Duration::ZERO);
        for (failures, milliseconds) in others {
            let owed = rate.forgives(u32::from(failures));
            let before = full_at.max(now);
            full_at = rate.pushed(full_at, owed, now);
            prop_assert!(full_at >= before && full_at <= before + owed);
            prop_assert!(rate.wait(full_at, now) <= WINDOW);
            // A failure that was under way meanwhile forgives nothing of it.
            prop_assert!(rate.charged(full_at, now) >= full_at);
            now += Duration::from_millis(milliseconds);
        }
    }

    #[test]
    fn t28_a_table_keeps_to_its_bound(failures in prop::collection::vec((0..30_u8, 0..4000_u64), 0..300)) {
        let rate = Rate::new(3, 20, WINDOW);
        let (mut table, mut now) = (Table::new(8), Duration::ZERO);
        for (key, milliseconds) in failures {
            now += Duration::from_millis(milliseconds);
            table.charge(key, rate, now);
            prop_assert!(table.len() <= 8);
        }
    }
}

/// Counts warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<u32>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        *self.0.lock().unwrap() += 1;
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
