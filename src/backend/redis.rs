//! What the processes of a server tell each other through Redis.

mod address;
mod connection;
mod failures;
mod hints;
#[cfg(feature = "dpop")]
mod replay;

pub use failures::RedisFailures;
pub use hints::RedisHints;
#[cfg(feature = "dpop")]
pub use replay::RedisReplayStore;
