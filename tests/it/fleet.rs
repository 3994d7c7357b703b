//! What one process writes, the others obey (R19, R20, R22 to R24, T32), in paused time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tower_mcp_auth::api_token::TokenChange;
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::revocation::{
    MemoryRevocationLog, RecordChange, RevocationEntry, RevocationLog, RevocationTarget,
};

use crate::fleet_support::{Fleet, Hinting, POLL, SECOND, acme, one_poll};
use crate::support::{I, NOW};
use crate::tokens_support::{Mood, OUTAGES, organization};

fn revoked(id: &str) -> RevocationEntry {
    let target = RevocationTarget::Token {
        issuer: I.into(),
        id: id.into(),
    };
    RevocationEntry::new(&target, UnixTime::from_secs(NOW))
}

#[tokio::test(start_paused = true)]
async fn r23_an_api_token_revoked_elsewhere_is_refused_after_the_poll() {
    let fleet = Fleet::new().await;
    let [one, other] = [fleet.warm().await, fleet.warm().await];
    let api = fleet.api_token();
    for process in [&one, &other] {
        assert_eq!(process.judge(&api).await, "let in");
    }
    let mut stream = other.stream(&api).await;
    let mut bystander = other.stream(&fleet.access_token("j-1")).await;
    let _before = (one.audit.take(), other.audit.take());
    let mut heard = other.tokens.subscribe();
    let id = *fleet.ada.record.id();
    one.tokens.revoke(&id).await.unwrap();
    assert_eq!(one.judge(&api).await, "invalid_api_token");
    let began = Instant::now();
    stream.ended_for("invalid_api_token").await;
    assert!(began.elapsed() <= POLL);
    assert_eq!(other.judge(&api).await, "invalid_api_token");
    assert_eq!(heard.try_next(), Some(TokenChange::Token(id)));
    assert_eq!(heard.try_next(), None);
    bystander.assert_open();
    bystander.assert_passes("data: 1\n\n");
    // Whoever did it has it on record, and nobody else.
    one_poll().await;
    assert_eq!(one.recorded("token."), ["token.revoked"]);
    assert!(other.recorded("token.").is_empty());
}

#[tokio::test(start_paused = true)]
async fn t32_an_owner_suspended_elsewhere_is_out_after_the_poll() {
    let fleet = Fleet::new().await;
    let [one, other] = [fleet.warm().await, fleet.warm().await];
    let api = fleet.api_token();
    assert_eq!(other.judge(&api).await, "let in");
    let mut stream = other.stream(&api).await;
    let (org, owner) = (organization("acme"), fleet.ada.record.owner().subject());
    let changed = one.tokens.set_owner_active(&org, owner, false).await;
    assert_eq!(changed.unwrap(), 1);
    one_poll().await;
    assert_eq!(other.judge(&api).await, "invalid_api_token");
    stream.ended_for("invalid_api_token").await;
    let changed = one.tokens.set_owner_active(&org, owner, true).await;
    assert_eq!(changed.unwrap(), 1);
    one_poll().await;
    assert_eq!(other.judge(&api).await, "let in");
}

#[tokio::test(start_paused = true)]
async fn r24_a_policy_put_elsewhere_is_obeyed_after_the_poll() {
    let fleet = Fleet::new().await;
    let [one, other] = [fleet.warm().await, fleet.warm().await];
    let (api, oauth) = (fleet.api_token(), fleet.access_token("j-1"));
    let mut stream = other.stream(&api).await;
    let mut bystander = other.stream(&oauth).await;
    let _before = (one.audit.take(), other.audit.take());
    one.put(acme().api_tokens(false)).await;
    assert_eq!(one.judge(&api).await, "method_disabled");
    one_poll().await;
    assert_eq!(other.judge(&api).await, "method_disabled");
    stream.ended_for("method_disabled").await;
    assert_eq!(other.judge(&oauth).await, "let in");
    bystander.assert_passes("data: 1\n\n");
    bystander.assert_open();
    one.put(acme()).await;
    one_poll().await;
    assert_eq!(other.judge(&api).await, "let in");
    // Each has heard of it once, though the one who put it read it in the log too.
    for process in [&one, &other] {
        assert_eq!(
            process.recorded("policy."),
            ["policy.changed 2", "policy.changed 3"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn r24_after_news_a_policy_counts_only_as_read_anew() {
    for mood in OUTAGES {
        let fleet = Fleet::new().await;
        let [one, other] = [fleet.warm().await, fleet.warm().await];
        let api = fleet.api_token();
        assert_eq!(other.judge(&api).await, "let in");
        other.store.loads.set(mood);
        // Stale, and nothing else is known.
        sleep(60 * SECOND).await;
        assert_eq!(other.judge(&api).await, "let in", "{mood:?}");
        // Tightened: the old loose one must not let anybody in.
        one.put(acme().api_tokens(false)).await;
        one_poll().await;
        assert_eq!(other.judge(&api).await, "policy_unavailable", "{mood:?}");
        // Loosened again: nobody knows of it.
        one.put(acme()).await;
        one_poll().await;
        assert_eq!(other.judge(&api).await, "policy_unavailable", "{mood:?}");
        one.put(acme().api_tokens(false)).await;
        other.store.loads.set(Mood::Well);
        one_poll().await;
        assert_eq!(other.judge(&api).await, "method_disabled", "{mood:?}");
        // Strict and known, and its store fails: it stays strict, or unknown.
        other.store.loads.set(mood);
        assert_eq!(other.judge(&api).await, "method_disabled", "{mood:?}");
        one.put(acme()).await;
        one_poll().await;
        assert_eq!(other.judge(&api).await, "policy_unavailable", "{mood:?}");
        other.store.loads.set(Mood::Well);
        one_poll().await;
        assert_eq!(other.judge(&api).await, "let in", "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r19_cut_off_for_a_minute_no_api_token_is_taken() {
    for mood in OUTAGES {
        let fleet = Fleet::new().await;
        let [by_log, by_store] = [fleet.warm().await, fleet.warm().await];
        let (api, oauth) = (fleet.api_token(), fleet.access_token("j-1"));
        for process in [&by_log, &by_store] {
            for authorization in [&api, &oauth] {
                assert_eq!(process.judge(authorization).await, "let in");
            }
        }
        by_log.store.reads.set(mood);
        by_store.store.finds.set(mood);
        by_store.store.loads.set(mood);
        sleep(55 * SECOND).await;
        for process in [&by_log, &by_store] {
            for authorization in [&api, &oauth] {
                assert_eq!(process.judge(authorization).await, "let in", "{mood:?}");
            }
        }
        sleep(6 * SECOND).await;
        let cut_off = "revocations_unavailable";
        assert_eq!(by_log.judge(&api).await, cut_off, "{mood:?}");
        assert_eq!(by_store.judge(&api).await, "store_unavailable", "{mood:?}");
        for process in [&by_log, &by_store] {
            assert_eq!(process.judge(&oauth).await, "let in", "{mood:?}");
        }
        let status = by_log.auth.revocation_status().unwrap();
        assert!(!status.is_current);
        assert!(by_store.auth.revocation_status().unwrap().is_current);
        for faults in [&by_log.store.reads, &by_store.store.finds] {
            faults.set(Mood::Well);
        }
        by_store.store.loads.set(Mood::Well);
        sleep(2 * POLL).await;
        for process in [&by_log, &by_store] {
            assert_eq!(process.judge(&api).await, "let in", "{mood:?}");
        }
    }
}

/// What was said while a process could not hear it is heard in full.
#[tokio::test(start_paused = true)]
async fn r22_news_missed_in_an_outage_are_made_up_for() {
    let fleet = Fleet::new().await;
    let [one, other] = [fleet.warm().await, fleet.warm().await];
    let api = fleet.api_token();
    assert_eq!(other.judge(&api).await, "let in");
    let mut heard = other.tokens.subscribe();
    other.store.reads.set(Mood::Down);
    let id = *fleet.ada.record.id();
    one.tokens.revoke(&id).await.unwrap();
    sleep(2 * POLL).await;
    assert_eq!(
        other.judge(&api).await,
        "let in",
        "known for less than 30 s"
    );
    other.store.reads.set(Mood::Well);
    one_poll().await;
    assert_eq!(other.judge(&api).await, "invalid_api_token");
    assert_eq!(heard.try_next(), Some(TokenChange::Token(id)));
    assert_eq!(heard.try_next(), None);
}

/// A lost connection costs no pause: two pauses and two reads are more than 5 s. An outage is not asked
/// about more often than peace.
#[tokio::test(start_paused = true)]
async fn r23_a_read_that_failed_once_is_tried_again_at_once() {
    let fleet = Fleet::new().await;
    let other = fleet.warm().await;
    let reads = &other.store.reads;
    let until_asked = async || {
        let before = reads.calls();
        for _ in 0..300 {
            if reads.calls() > before {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("no read within 3 s");
    };
    reads.set(Mood::Down);
    until_asked().await;
    reads.set(Mood::Well);
    assert!(other.auth.revocation_status().unwrap().last_error.is_some());
    let before = reads.calls();
    sleep(Duration::from_millis(110)).await;
    assert_eq!(reads.calls(), before + 1);
    assert!(other.auth.revocation_status().unwrap().last_error.is_none());

    reads.set(Mood::Down);
    until_asked().await;
    let before = reads.calls();
    sleep(Duration::from_secs(20)).await;
    let asked = reads.calls() - before;
    assert!((8..=14).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn r22_what_was_cached_before_the_first_read_is_forgotten() {
    let fleet = Fleet::new().await;
    for _ in 0..2500 {
        let change = RecordChange::Policy(organization("acme"));
        fleet.database.tell(&change).await;
    }
    let [one, other] = [fleet.warm().await, fleet.process()];
    let mut heard = other.tokens.subscribe();
    other.store.reads.set(Mood::Down);
    let api = fleet.api_token();
    // Its record and its policy are read all the same.
    assert_eq!(other.judge(&api).await, "revocations_unavailable");
    assert_eq!(other.store.finds.calls(), 1);
    one.tokens.revoke(fleet.ada.record.id()).await.unwrap();
    other.store.reads.set(Mood::Well);
    one_poll().await;
    assert_eq!(other.judge(&api).await, "invalid_api_token");
    // Whatever was said before it began is one piece of news.
    assert_eq!(heard.try_next(), Some(TokenChange::Everything));
    assert_eq!(heard.try_next(), None);
    assert!(other.recorded("policy.").is_empty());
    assert_eq!(other.auth.revocation_status().unwrap().sequence, 2501);
}

/// The log goes on under numbers that were read with another content, and what was written under the
/// lost ones has never been.
#[tokio::test(start_paused = true)]
async fn r20_a_failover_that_lost_the_tail_is_noticed() {
    let fleet = Fleet::new().await;
    for id in ["j-1", "j-2", "j-3"] {
        fleet.database.append(revoked(id)).await;
    }
    let process = fleet.warm().await;
    let (api, oauth) = (fleet.api_token(), fleet.access_token("j-9"));
    let mut of_api = process.stream(&api).await;
    let mut of_oauth = process.stream(&oauth).await;
    let mut bystander = process.stream(&fleet.access_token("j-4")).await;
    for authorization in [&api, &oauth] {
        assert_eq!(process.judge(authorization).await, "let in");
    }
    let began = fleet.database.log();
    let kept = began.read_since(0, 2).await.unwrap();
    let replica = MemoryRevocationLog::new();
    for (_, entry) in kept {
        replica.append(entry).await.unwrap();
    }
    // Another entry has the number of the last that was read.
    replica.append(revoked("j-9")).await.unwrap();
    fleet.database.put(acme().api_tokens(false)).await;
    *fleet.database.log.lock().unwrap() = replica;
    one_poll().await;
    let status = process.auth.revocation_status().unwrap();
    assert_eq!((status.sequence, status.is_current), (3, true));
    assert_eq!(process.judge(&oauth).await, "revoked");
    of_oauth.ended_for("revoked").await;
    // No entry says so, and yet it is known.
    assert_eq!(process.judge(&api).await, "method_disabled");
    of_api.ended_for("method_disabled").await;
    bystander.assert_passes("data: 1\n\n");
    bystander.assert_open();
    // What only the lost tail said holds here on: nobody took it back.
    assert_eq!(process.judge(&fleet.access_token("j-3")).await, "revoked");
}

/// More than a page, and full of news that are none.
#[tokio::test(start_paused = true)]
async fn r20_a_restored_backup_is_read_once_and_heard_as_everything() {
    let fleet = Fleet::new().await;
    fleet.database.append(revoked("j-1")).await;
    let process = fleet.warm().await;
    assert_eq!(process.judge(&fleet.api_token()).await, "let in");
    let mut heard = process.tokens.subscribe();
    let backup = MemoryRevocationLog::new();
    let change = RecordChange::ApiToken(fleet.ada.record.id().as_str().into());
    for at in 0..1500 {
        let entry = RevocationEntry::changed(&change, UnixTime::from_secs(NOW + at));
        backup.append(entry).await.unwrap();
    }
    *fleet.database.log.lock().unwrap() = backup;
    one_poll().await;
    // When it was noticed, and when all of it was read.
    assert_eq!(heard.try_next(), Some(TokenChange::Everything));
    assert_eq!(heard.try_next(), Some(TokenChange::Everything));
    assert_eq!(heard.try_next(), None);
    let (reads, finds) = (process.store.reads.calls(), process.store.finds.calls());
    assert_eq!(process.judge(&fleet.api_token()).await, "let in");
    assert_eq!(process.store.finds.calls(), finds + 1);
    // It is an ordinary log from here on.
    fleet.database.tell(&change).await;
    one_poll().await;
    assert!(process.store.reads.calls() <= reads + 2);
    assert!(matches!(heard.try_next(), Some(TokenChange::Token(_))));
    assert_eq!(heard.try_next(), None);
}

#[tokio::test(start_paused = true)]
async fn r22_a_thousand_news_of_one_record_are_one() {
    let fleet = Fleet::new().await;
    let process = fleet.warm().await;
    let api = fleet.api_token();
    assert_eq!(process.judge(&api).await, "let in");
    let mut heard = process.tokens.subscribe();
    let loads = process.store.loads.calls();
    let token = RecordChange::ApiToken(fleet.ada.record.id().as_str().into());
    let strange = RecordChange::ApiToken("not one of ours".into());
    for _ in 0..300 {
        fleet.database.tell(&token).await;
        fleet.database.tell(&strange).await;
        let policy = RecordChange::Policy(organization("acme"));
        fleet.database.tell(&policy).await;
    }
    one_poll().await;
    assert_eq!(process.judge(&api).await, "let in");
    // Once for the record of the change, and once for the request.
    assert_eq!(process.store.loads.calls(), loads + 2);
    assert!(matches!(heard.try_next(), Some(TokenChange::Token(_))));
    assert_eq!(heard.try_next(), None);
    assert_eq!(process.recorded("policy.").len(), 1);
    // As many records as entries: nobody is left out.
    for number in 0..1000 {
        let change = RecordChange::ApiToken(format!("{number:016}"));
        fleet.database.tell(&change).await;
    }
    one_poll().await;
    let told = std::iter::from_fn(|| heard.try_next());
    let told = told.filter_map(|change| match change {
        TokenChange::Token(id) => Some(id),
        _ => None,
    });
    assert_eq!(told.collect::<HashSet<_>>().len(), 1000);
    assert_eq!(process.auth.revocation_status().unwrap().sequence, 1900);
}

#[tokio::test(start_paused = true)]
async fn r15_a_listener_that_panics_keeps_nobody_from_hearing() {
    let fleet = Fleet::new().await;
    let [one, other] = [fleet.warm().await, fleet.warm().await];
    let _listener = other
        .store
        .changes()
        .on_change(|_| panic!("a fault of the audience"));
    let api = fleet.api_token();
    assert_eq!(other.judge(&api).await, "let in");
    one.put(acme().api_tokens(false)).await;
    one_poll().await;
    assert_eq!(other.judge(&api).await, "method_disabled");
    let status = other.auth.revocation_status().unwrap();
    assert!(status.is_current && status.last_error.is_none());
    one.auth.handle().revoke_token(I, "j-1").await.unwrap();
    one_poll().await;
    assert_eq!(other.judge(&fleet.access_token("j-1")).await, "revoked");
}

#[tokio::test(start_paused = true)]
async fn r22_a_hint_is_a_reason_to_read_now() {
    let fleet = Fleet::new().await;
    let notify = Arc::new(Notify::new());
    let hinted = fleet.hinted(Hinting::When(notify.clone()));
    hinted.auth.warm_up(SECOND).await.unwrap();
    let one = fleet.warm().await;
    let api = fleet.api_token();
    assert_eq!(hinted.judge(&api).await, "let in");
    let status = hinted.auth.revocation_status().unwrap();
    assert_eq!(status.hint_age, None);
    one_poll().await;
    one.tokens.revoke(fleet.ada.record.id()).await.unwrap();
    notify.notify_one();
    sleep(SECOND / 5).await;
    assert_eq!(hinted.judge(&api).await, "invalid_api_token");
    let age = hinted.auth.revocation_status().unwrap().hint_age.unwrap();
    assert!(age <= SECOND / 5, "{age:?}");
    // One that comes while the log is read is not lost.
    let before = hinted.store.reads.calls();
    notify.notify_one();
    sleep(SECOND / 5).await;
    assert!(hinted.store.reads.calls() > before);
}

#[tokio::test(start_paused = true)]
async fn r21_hints_without_end_are_ten_reads_a_second() {
    let fleet = Fleet::new().await;
    let hinted = fleet.hinted(Hinting::Always);
    hinted.auth.warm_up(SECOND).await.unwrap();
    let before = hinted.store.reads.calls();
    sleep(10 * SECOND).await;
    let reads = hinted.store.reads.calls() - before;
    assert!((50..=101).contains(&reads), "{reads}");
}

#[tokio::test(start_paused = true)]
async fn r15_hints_that_panic_are_no_hints_and_reading_goes_on() {
    let fleet = Fleet::new().await;
    let [one, other] = [fleet.warm().await, fleet.hinted(Hinting::Panics)];
    other.auth.warm_up(SECOND).await.unwrap();
    let before = other.store.reads.calls();
    let oauth = fleet.access_token("j-1");
    assert_eq!(other.judge(&oauth).await, "let in");
    one.auth.handle().revoke_token(I, "j-1").await.unwrap();
    sleep(Duration::from_secs(20)).await;
    assert_eq!(other.judge(&oauth).await, "revoked");
    let reads = other.store.reads.calls() - before;
    assert!((7..=13).contains(&reads), "{reads}");
    assert_eq!(other.auth.revocation_status().unwrap().hint_age, None);
}
