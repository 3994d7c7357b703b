//! Changes, and for each how long every server goes on letting in what it forbids.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join, try_join_all};
use serde_json::Value;

use super::BoxError;
use super::change::Change;
use super::disturb::{Course, disturb};
use super::ledger::audit;
use super::place::Place;
use super::report::{Kind, Report, Sample};
use super::watch::Watcher;
use super::world::{Verdict, World};

/// What a run does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) changes: usize,
    pub(crate) reconnects: usize,
    pub(crate) with_hints: bool,
    /// Changes under way at a time.
    pub(crate) workers: usize,
    /// Between two requests to one server about one change.
    pub(crate) every: Duration,
}

impl Plan {
    /// As fast as two cores can watch.
    pub(crate) fn new(changes: usize, reconnects: usize, with_hints: bool) -> Self {
        // Without hints a change takes a second on average, and is asked about less often.
        let (workers, millis) = if with_hints { (16, 20) } else { (48, 100) };
        Self {
            changes,
            reconnects,
            with_hints,
            workers,
            every: Duration::from_millis(millis),
        }
    }
}

/// A change, and the credential it is about.
struct Case {
    kind: Kind,
    change: Change,
    credential: String,
}

struct Soak {
    world: World,
    plan: Plan,
    course: Course,
    next: AtomicUsize,
    random: RandomState,
    seen: Mutex<Seen>,
    watcher: Watcher,
}

#[derive(Default)]
struct Seen {
    samples: Vec<Sample>,
    made: Vec<Change>,
    revoked: Vec<String>,
}

/// Runs it in `place` and says what happened. Fails only if it could not be done.
pub(crate) async fn run(
    world: World,
    plan: Plan,
    place: &Place,
    redis: &str,
) -> Result<Report, BoxError> {
    let began = Instant::now();
    let soak = Arc::new(Soak {
        world,
        plan,
        course: Course::default(),
        next: AtomicUsize::new(0),
        random: RandomState::new(),
        seen: Mutex::default(),
        watcher: Watcher::new(plan.every),
    });
    let work = async {
        let workers = (0..plan.workers).map(|worker| {
            let soak = soak.clone();
            async move { tokio::spawn(async move { soak.work(worker).await }).await? }
        });
        let worked = try_join_all(workers).await;
        soak.course.over.store(true, Ordering::Release);
        worked
    };
    let disturbed = disturb(place, redis, plan.reconnects, plan.changes, &soak.course);
    let (_, disturbed) = try_join(work, disturbed).await?;
    let mut report = soak.report().await?;
    report.disturbed = disturbed;
    report.lasted = began.elapsed();
    Ok(report)
}

impl Soak {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes changes until there are enough.
    async fn work(&self, worker: usize) -> Result<(), BoxError> {
        let organization = format!("flips-{worker}");
        let (_, key) = self.world.key(&organization).await?;
        let flip = |kind, on| Case {
            kind,
            change: Change::Policy {
                organization: organization.clone(),
                on,
            },
            credential: key.clone(),
        };
        // Without a policy API tokens are off.
        let on = flip(Kind::PolicyOn, true);
        self.world.make(&on.change, None).await?;
        self.seen().made.push(on.change);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.plan.changes {
                return Ok(());
            }
            match number % 8 {
                7 => {
                    self.follow(flip(Kind::PolicyOff, false), number).await?;
                    self.follow(flip(Kind::PolicyOn, true), number).await?;
                }
                kind => {
                    let case = self.revocation(kind, number, &organization).await?;
                    self.follow(case, number).await?;
                }
            }
            self.course.done.fetch_add(1, Ordering::AcqRel);
        }
    }

    async fn revocation(
        &self,
        kind: usize,
        number: usize,
        organization: &str,
    ) -> Result<Case, BoxError> {
        let (subject, client) = (format!("user-{number}"), format!("client-{number}"));
        let access = || self.world.access_token(organization, &subject, &client);
        Ok(match kind {
            0..=3 => {
                let (id, credential) = self.world.key(organization).await?;
                Case {
                    kind: Kind::Token,
                    change: Change::Token { id },
                    credential,
                }
            }
            4 | 5 => Case {
                kind: Kind::User,
                credential: access(),
                change: Change::User {
                    organization: organization.to_owned(),
                    subject,
                },
            },
            _ => Case {
                kind: Kind::Client,
                credential: access(),
                change: Change::Client { client },
            },
        })
    }

    /// One change, from the last moment before it to its end on every server.
    async fn follow(&self, case: Case, number: usize) -> Result<(), BoxError> {
        let servers = &self.world.servers;
        let (before, after) = match case.kind {
            Kind::PolicyOn => (Verdict::Refused, Verdict::Accepted),
            _ => (Verdict::Accepted, Verdict::Refused),
        };
        let warm = servers.iter().map(|server| {
            self.watcher
                .until(&self.world, server, &case.credential, before)
        });
        try_join_all(warm).await?;
        // On any server, or, one time in four, beside them all.
        let pick = usize::try_from(self.random.hash_one(number) % 4)?;
        let began = self
            .world
            .make(&case.change, servers.get(pick).map(|one| &**one))
            .await?;
        let watched = servers.iter().map(|server| {
            self.watcher
                .watch(&self.world, server, &case.credential, after, began)
        });
        let watched = join_all(watched).await;
        let mut seen = self.seen();
        let kind = case.kind;
        let samples = watched.into_iter().flatten();
        seen.samples
            .extend(samples.map(|took| Sample { kind, took }));
        if !matches!(case.change, Change::Policy { .. }) {
            seen.revoked.push(case.credential);
        }
        seen.made.push(case.change);
        Ok(())
    }

    async fn report(&self) -> Result<Report, BoxError> {
        let Seen {
            samples,
            made,
            revoked,
        } = std::mem::take(&mut *self.seen());
        let mut at_the_end = 0;
        for some in revoked.chunks(self.plan.workers) {
            let all = some.iter().flat_map(|credential| {
                let servers = self.world.servers.iter();
                servers.map(move |server| self.world.present(server, credential))
            });
            let verdicts = join_all(all).await.into_iter();
            at_the_end += verdicts.filter(|one| *one == Verdict::Accepted).count();
        }
        let health = self.world.health().await?;
        let hints = |name: &str| {
            let place = format!("/hints/{name}");
            let counts = health.iter().filter_map(|one| one.pointer(&place));
            counts.filter_map(Value::as_u64).sum()
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Report {
            with_hints: self.plan.with_hints,
            changes: made.len(),
            samples,
            after_bound: read(&self.watcher.after_bound),
            after_refusal: read(&self.watcher.after_refusal),
            never: read(&self.watcher.never),
            at_the_end: u64::try_from(at_the_end)?,
            ledger: audit(&self.world.admin, &made).await?,
            hints_seen: hints("seen"),
            hints_dropped: hints("dropped"),
            hints_doubled: hints("doubled"),
            hints_delayed: hints("delayed"),
            requests: read(&self.world.requests),
            unavailable: read(&self.watcher.unavailable),
            retried: self.world.retried(),
            ..Report::default()
        })
    }
}
