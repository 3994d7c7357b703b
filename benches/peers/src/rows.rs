//! A row: one layer answering one case, callable many times over.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt};

use crate::Failure;
use crate::case::Case;
use crate::world::{World, request};

type Credentials = Arc<[Option<HeaderValue>]>;
/// Makes this many calls and says how many gave the wrong answer.
type Batch<'a> = Box<dyn FnMut(u64) -> u64 + 'a>;

/// One layer answering one case.
pub struct Row<'a> {
    /// Which layer.
    pub layer: &'static str,
    /// Which case, or another name where it is no case.
    pub name: &'static str,
    /// The most calls between two forgettings; without end for all but first sights.
    pub most: u64,
    batch: Batch<'a>,
    forget: Option<Box<dyn Fn() + 'a>>,
}

impl<'a> Row<'a> {
    /// A row which is no case of a layer; `work` says whether it did what it should.
    pub fn other(
        layer: &'static str,
        name: &'static str,
        mut work: impl FnMut() -> bool + 'a,
    ) -> Self {
        let batch = move |calls| (0..calls).map(|_| u64::from(!work())).sum();
        Self {
            layer,
            name,
            most: u64::MAX,
            batch: Box::new(batch),
            forget: None,
        }
    }

    /// Makes the layer forget what would make a first sight a second one.
    pub fn prepare(&self) {
        if let Some(forget) = &self.forget {
            forget();
        }
    }

    /// Makes this many calls, and returns how long they took.
    ///
    /// # Errors
    /// If any call was answered otherwise than it should be.
    pub fn run(&mut self, calls: u64) -> Result<Duration, Failure> {
        let start = Instant::now();
        let wrong = (self.batch)(calls);
        let took = start.elapsed();
        if wrong > 0 {
            let (layer, name) = (self.layer, self.name);
            return Err(
                format!("{layer}/{name}: {wrong} of {calls} calls answered wrongly").into(),
            );
        }
        Ok(took)
    }
}

/// All rows of a run, in the order they were added.
pub struct Rows<'a> {
    runtime: &'a Runtime,
    credentials: Vec<(Case, Credentials)>,
    /// The rows.
    pub rows: Vec<Row<'a>>,
}

impl<'a> Rows<'a> {
    /// No rows yet.
    #[must_use]
    pub fn new(runtime: &'a Runtime, world: &World) -> Self {
        let credentials = Case::ALL
            .into_iter()
            .map(|case| (case, world.credentials(case).into()))
            .collect();
        Self {
            runtime,
            credentials,
            rows: Vec::new(),
        }
    }

    /// Adds a row which is no case of a layer.
    pub fn other(&mut self, row: Row<'a>) {
        self.rows.push(row);
    }

    /// Adds a layer's rows: the cases `answer` has a status for, after checking each once.
    ///
    /// # Errors
    /// If a case is not answered as `answer` says.
    pub fn layer<S, B>(
        &mut self,
        name: &'static str,
        answer: fn(Case) -> Option<StatusCode>,
        service: &S,
    ) -> Result<(), Failure>
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
        S: Clone + 'a,
    {
        for (case, credentials) in self.credentials.clone() {
            if let Some(expected) = answer(case) {
                let row = self.row((name, case), expected, service, &credentials)?;
                self.rows.push(row);
            }
        }
        Ok(())
    }

    /// As [`layer`](Self::layer), for a layer that remembers tokens: `forget` makes it forget them
    /// all, untimed, when a row of first sights is prepared.
    ///
    /// # Errors
    /// As [`layer`](Self::layer).
    pub fn remembering_layer<S, B>(
        &mut self,
        name: &'static str,
        answer: fn(Case) -> Option<StatusCode>,
        service: &S,
        forget: impl Fn() + Clone + 'a,
    ) -> Result<(), Failure>
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
        S: Clone + 'a,
    {
        let first = self.rows.len();
        self.layer(name, answer, service)?;
        let sights = Case::ALL.into_iter().filter(|case| case.is_first_sight());
        let names: Vec<_> = sights.map(Case::name).collect();
        for row in self.rows.iter_mut().skip(first) {
            if names.contains(&row.name) {
                row.forget = Some(Box::new(forget.clone()));
                let ring = self
                    .credentials
                    .iter()
                    .find(|(case, _)| case.name() == row.name);
                row.most = ring.map_or(u64::MAX, |(_, ring)| ring.len() as u64);
            }
        }
        Ok(())
    }

    fn row<S, B>(
        &self,
        (layer, case): (&'static str, Case),
        expected: StatusCode,
        service: &S,
        credentials: &Credentials,
    ) -> Result<Row<'a>, Failure>
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
        S: Clone + 'a,
    {
        let name = case.name();
        let status = answer(self.runtime, service, next(credentials, &mut 0));
        if status != expected {
            return Err(format!("{layer}/{name}: answered {status}, expected {expected}").into());
        }
        let (runtime, service) = (self.runtime, service.clone());
        let credentials = Arc::clone(credentials);
        let mut turn = 0;
        let batch = move |calls| {
            let mut wrong = 0;
            for _ in 0..calls {
                let status = answer(runtime, &service, next(&credentials, &mut turn));
                wrong += u64::from(black_box(status) != expected);
            }
            wrong
        };
        Ok(Row {
            layer,
            name,
            most: u64::MAX,
            batch: Box::new(batch),
            forget: None,
        })
    }
}

/// The credential whose turn it is.
fn next<'c>(ring: &'c Credentials, turn: &mut usize) -> Option<&'c HeaderValue> {
    let credential = ring.get(*turn).and_then(Option::as_ref);
    *turn = if *turn + 1 < ring.len() { *turn + 1 } else { 0 };
    credential
}

/// Builds a request and has a clone of the service answer it, as a server does.
fn answer<S, B>(runtime: &Runtime, service: &S, credential: Option<&HeaderValue>) -> StatusCode
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    let call = service.clone().oneshot(request(credential));
    match runtime.block_on(call) {
        Ok(response) => response.status(),
        Err(never) => match never {},
    }
}
