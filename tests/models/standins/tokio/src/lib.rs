//! What the cache uses of tokio: tasks (here threads), a watched value, a semaphore. Deadlines do not run
//! out.

/// What never happens here: a deadline that ran out, a sender that is gone.
#[derive(Debug)]
pub struct Gone;

pub mod runtime {
    use std::future::Future;

    pub struct Handle;

    impl Handle {
        pub fn try_current() -> Result<Self, ()> {
            Ok(Self)
        }

        pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
            loom::thread::spawn(move || loom::future::block_on(task));
        }
    }
}

pub mod time {
    use super::Gone;
    use std::future::Future;
    use std::time::Duration;

    pub async fn timeout<F: Future>(_: Duration, work: F) -> Result<F::Output, Gone> {
        Ok(work.await)
    }
}

pub mod sync {
    pub mod watch {
        use std::future::poll_fn;
        use std::sync::Arc;
        use std::task::{Poll, Waker};

        use loom::sync::Mutex;

        use crate::Gone;

        struct Shared<T> {
            value: T,
            version: u64,
            wakers: Vec<Waker>,
        }

        pub struct Sender<T>(Arc<Mutex<Shared<T>>>);

        pub struct Receiver<T> {
            shared: Arc<Mutex<Shared<T>>>,
            seen: u64,
        }

        impl<T> std::fmt::Debug for Receiver<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("Receiver")
            }
        }

        impl<T> Sender<T> {
            pub fn new(value: T) -> Self {
                Self(Arc::new(Mutex::new(Shared {
                    value,
                    version: 0,
                    wakers: Vec::new(),
                })))
            }

            pub fn subscribe(&self) -> Receiver<T> {
                let seen = self.0.lock().unwrap().version;
                Receiver {
                    shared: self.0.clone(),
                    seen,
                }
            }

            pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
                let mut shared = self.0.lock().unwrap();
                change(&mut shared.value);
                shared.version += 1;
                let wakers = std::mem::take(&mut shared.wakers);
                drop(shared);
                wakers.into_iter().for_each(Waker::wake);
            }
        }

        impl<T> Receiver<T> {
            pub fn mark_changed(&mut self) {
                self.seen = self.seen.wrapping_sub(1);
            }

            pub async fn changed(&mut self) -> Result<(), Gone> {
                poll_fn(|cx| {
                    let mut shared = self.shared.lock().unwrap();
                    if shared.version != self.seen {
                        self.seen = shared.version;
                        return Poll::Ready(Ok(()));
                    }
                    shared.wakers.push(cx.waker().clone());
                    Poll::Pending
                })
                .await
            }
        }
    }

    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::{Poll, Waker};

    use loom::sync::Mutex;

    pub struct Semaphore(Mutex<(usize, Vec<Waker>)>);

    pub struct SemaphorePermit<'s>(&'s Semaphore);

    pub struct OwnedSemaphorePermit(Arc<Semaphore>);

    impl Semaphore {
        pub fn new(permits: usize) -> Self {
            Self(Mutex::new((permits, Vec::new())))
        }

        fn take(&self) -> bool {
            let mut state = self.0.lock().unwrap();
            let free = state.0 > 0;
            state.0 -= usize::from(free);
            free
        }

        fn give_back(&self) {
            let mut state = self.0.lock().unwrap();
            state.0 += 1;
            let wakers = std::mem::take(&mut state.1);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }

        pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, ()> {
            if self.take() { Ok(OwnedSemaphorePermit(self)) } else { Err(()) }
        }

        pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, ()> {
            poll_fn(|cx| {
                let mut state = self.0.lock().unwrap();
                if state.0 > 0 {
                    state.0 -= 1;
                    return Poll::Ready(Ok(SemaphorePermit(self)));
                }
                state.1.push(cx.waker().clone());
                Poll::Pending
            })
            .await
        }
    }

    impl Drop for SemaphorePermit<'_> {
        fn drop(&mut self) {
            self.0.give_back();
        }
    }

    impl Drop for OwnedSemaphorePermit {
        fn drop(&mut self) {
            self.0.give_back();
        }
    }
}
