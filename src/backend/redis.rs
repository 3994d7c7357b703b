//! What the processes of a server tell each other through Redis.

mod address;
mod connection;
