//! What the cache uses of arc-swap: a pointer that is read and replaced in one step.

use std::ops::Deref;
use std::sync::Arc;

use loom::sync::Mutex;

pub struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

pub struct Guard<T>(Option<Arc<T>>);

impl<T> ArcSwapOption<T> {
    pub fn empty() -> Self {
        Self(Mutex::new(None))
    }

    pub fn load(&self) -> Guard<T> {
        Guard(self.0.lock().unwrap().clone())
    }

    pub fn store(&self, value: Option<Arc<T>>) {
        // What was held is dropped after the step.
        let before = std::mem::replace(&mut *self.0.lock().unwrap(), value);
        drop(before);
    }
}

impl<T> Deref for Guard<T> {
    type Target = Option<Arc<T>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
