//! Nobody watches.

use std::future::Future;

pub struct Meter;

#[derive(Clone, Copy)]
pub enum Cached {}

#[derive(Clone, Copy)]
pub enum Call {}

pub enum Served {
    Fresh,
    Stale,
    Miss,
    Unavailable,
}

pub enum Ended {
    Well,
    Badly,
    TooLate,
}

#[derive(Default)]
pub struct Reads;

impl Reads {
    pub fn observe(&self, _: &Meter, _: Cached, _: Option<Call>) {}

    pub fn served(&self, _: Served) {}

    pub async fn timed<T>(&self, load: impl Future<Output = T>, _: impl FnOnce(&T) -> Ended) -> T {
        load.await
    }
}

pub mod span {
    pub fn apart<T>(start: impl FnOnce() -> T) -> T {
        start()
    }

    pub fn read() -> tracing::Span {
        tracing::Span::none()
    }
}
