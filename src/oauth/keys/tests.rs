//! The behaviour of a key source against an issuer in process, on tokio's paused clock.

mod discovery;
mod flood;
mod life;
mod outage;
mod race;
mod support;
mod task;
