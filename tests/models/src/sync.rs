//! What stands in for `std::sync`.

pub use std::sync::{Arc, PoisonError};

pub use loom::sync::{Mutex, MutexGuard, atomic};
