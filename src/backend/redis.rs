//! What the processes of a server tell each other through Redis.

mod address;
mod connection;
mod failures;

pub use failures::RedisFailures;
