//! One thing to measure, in a form that a timer, a round and an instruction counter can all run.

use std::convert::Infallible;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt};

/// The row every other is read against, unless it names one of its own.
pub(crate) const BARE: &str = "bare";

/// Something that can be done as often as told, and says how long that took.
pub(crate) struct Row {
    pub(crate) name: String,
    /// The row it is read against.
    pub(crate) against: String,
    run: Box<dyn FnMut(u64) -> Duration>,
}

impl Row {
    /// A row that keeps its own time, because part of what it does is not to count.
    pub(crate) fn timed(
        name: impl Into<String>,
        run: impl FnMut(u64) -> Duration + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            against: BARE.into(),
            run: Box::new(run),
        }
    }

    /// A row whose every moment counts.
    pub(crate) fn new(name: impl Into<String>, mut run: impl FnMut(u64) + 'static) -> Self {
        Self::timed(name, move |times| {
            let start = Instant::now();
            run(times);
            start.elapsed()
        })
    }

    pub(crate) fn against(mut self, base: impl Into<String>) -> Self {
        self.against = base.into();
        self
    }

    pub(crate) fn run(&mut self, times: u64) -> Duration {
        (self.run)(times)
    }
}

/// Requests to a service, made anew for each call as a server makes them, after two that must be
/// answered with `status`: a row never measures another answer than it says.
pub(crate) fn requests<S, B, A>(
    name: impl Into<String>,
    runtime: &Rc<Runtime>,
    service: S,
    status: u16,
    mut make: impl FnMut() -> Request<B> + 'static,
) -> Row
where
    S: Service<Request<B>, Response = Response<A>, Error = Infallible> + Clone + 'static,
    B: 'static,
{
    let (name, runtime) = (name.into(), runtime.clone());
    for _ in 0..2 {
        let Ok(answer) = runtime.block_on(service.clone().oneshot(make()));
        assert_eq!(answer.status(), status, "{name}");
    }
    Row::new(name, move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let answer = service.clone().oneshot(make()).await;
                black_box(answer.is_ok());
            }
        });
    })
}

/// Gives every row to criterion, for `cargo bench`.
pub(crate) fn criterion(criterion: &mut Criterion, group: &str, rows: Vec<Row>) {
    let mut group = criterion.benchmark_group(group);
    group
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    for mut row in rows {
        group.bench_function(row.name.clone(), |bencher| {
            bencher.iter_custom(|times| row.run(times));
        });
    }
    group.finish();
}
