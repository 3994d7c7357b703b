//! "Something about somebody's standing changed": told to whoever is still being served.
//!
//! A request is judged once, on facts of that moment. A stream that goes on has to hear when they
//! change. Every change raises one counter, which costs a reader one atomic load as long as nothing
//! happens, and wakes those it may concern.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::ops::BitOrAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What changed, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes(u8);

impl Causes {
    pub(crate) const NONE: Self = Self(0);
    /// A revocation through `AuthHandle`.
    pub(crate) const REVOCATION: Self = Self(1);
    /// A policy was put.
    pub(crate) const POLICY: Self = Self(2);
    /// A record of an API token was written.
    pub(crate) const TOKEN: Self = Self(4);
    /// Anything, the directory included.
    pub(crate) const ALL: Self = Self(15);

    pub(crate) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOrAssign for Causes {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Whom a change concerns: the organization or the token of this hash. A collision costs a needless
/// look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Topic(u64);

/// One per server. Raised by whoever changes something, watched by open streams.
pub(crate) struct Signal {
    generation: AtomicU64,
    hasher: RandomState,
    listening: Mutex<Listening>,
}

/// A slab, so that a listener is found by its number and costs no allocation of its own.
#[derive(Default)]
struct Listening {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

#[derive(Default)]
struct Slot {
    topics: [Option<Topic>; 2],
    causes: Causes,
    waker: Option<Waker>,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self {
            generation: AtomicU64::new(0),
            hasher: RandomState::new(),
            listening: Mutex::default(),
        }
    }

    /// A number that is another one after each change.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn topic(&self, name: impl Hash) -> Topic {
        Topic(self.hasher.hash_one(name))
    }

    /// Says that something has changed, after it has. Without a topic it concerns everybody.
    pub(crate) fn raise(&self, causes: Causes, topic: Option<Topic>) {
        let mut wakers = Vec::new();
        let mut listening = self.listening();
        // Under the lock: who sees the new number and takes the lock finds its slot marked.
        self.generation.fetch_add(1, Ordering::AcqRel);
        for slot in &mut listening.slots {
            if topic.is_none_or(|topic| slot.topics.contains(&Some(topic))) {
                slot.causes |= causes;
                wakers.extend(slot.waker.clone());
            }
        }
        drop(listening);
        // Without the lock: whoever is woken may be polled, or dropped, here and now.
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        let listening = self.listening();
        listening.slots.len().saturating_sub(listening.free.len())
    }

    fn listening(&self) -> MutexGuard<'_, Listening> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("generation", &self.generation())
            .field("listeners", &self.listeners())
            .finish_non_exhaustive()
    }
}

/// One who wants to hear of changes. Dropping it unregisters.
pub(crate) struct Watch {
    signal: Arc<Signal>,
    topics: [Option<Topic>; 2],
    seen: u64,
    slot: Option<(usize, Waker)>,
}

impl Watch {
    /// Hears of what happened since `seen`, a generation read before the facts were.
    pub(crate) fn new(signal: Arc<Signal>, topics: [Option<Topic>; 2], seen: u64) -> Self {
        Self {
            signal,
            topics,
            seen,
            slot: None,
        }
    }

    /// What has happened since the last call. One atomic load if nothing has.
    pub(crate) fn news(&mut self) -> Causes {
        let generation = self.signal.generation();
        if generation == self.seen {
            return Causes::NONE;
        }
        let Some((index, _)) = &self.slot else {
            self.seen = generation;
            // Nobody took notes for us.
            return Causes::ALL;
        };
        let mut listening = self.signal.listening();
        self.seen = self.signal.generation();
        match listening.slots.get_mut(*index) {
            Some(slot) => mem::take(&mut slot.causes),
            None => Causes::ALL,
        }
    }

    /// Whether [`news`](Self::news) is worth asking for; what there is may concern others only.
    pub(crate) fn has_news(&self) -> bool {
        self.signal.generation() != self.seen
    }

    /// Wakes `waker` at everything that happens from now on. Ask for [`news`](Self::news) afterwards:
    /// something may have happened since the last time.
    pub(crate) fn listen(&mut self, waker: &Waker) {
        if let Some((_, known)) = &self.slot
            && known.will_wake(waker)
        {
            return;
        }
        let mut listening = self.signal.listening();
        let index = if let Some((index, _)) = &self.slot {
            *index
        } else {
            let missed = self.signal.generation() != self.seen;
            listening.take(Slot {
                topics: self.topics,
                causes: if missed { Causes::ALL } else { Causes::NONE },
                waker: None,
            })
        };
        let slot = listening.slots.get_mut(index);
        let old = slot.and_then(|slot| slot.waker.replace(waker.clone()));
        drop(listening);
        // A waker may be all that keeps its task, and so another `Watch`, alive.
        drop(old);
        self.slot = Some((index, waker.clone()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some((index, _)) = self.slot.take() else {
            return;
        };
        let mut listening = self.signal.listening();
        let old = listening.give_back(index);
        drop(listening);
        drop(old);
    }
}

impl Listening {
    fn take(&mut self, slot: Slot) -> usize {
        while let Some(index) = self.free.pop() {
            if let Some(free) = self.slots.get_mut(index) {
                *free = slot;
                return index;
            }
        }
        self.slots.push(slot);
        self.slots.len().saturating_sub(1)
    }

    fn give_back(&mut self, index: usize) -> Option<Slot> {
        let old = self.slots.get_mut(index).map(mem::take);
        self.free.push(index);
        if self.free.len() == self.slots.len() {
            // After a rush the room is given back.
            *self = Self::default();
        }
        old
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn watch(signal: &Arc<Signal>, topics: [Option<Topic>; 2]) -> Watch {
        Watch::new(signal.clone(), topics, signal.generation())
    }

    #[test]
    fn everybody_concerned_hears_of_it_once_and_nobody_else() {
        let signal = Arc::new(Signal::new());
        let [acme, globex] = ["acme", "globex"].map(|name| Some(signal.topic(name)));
        let counts: [Arc<Count>; 2] = Default::default();
        let mut watches = [acme, globex].map(|topic| watch(&signal, [topic, None]));
        for (watch, count) in watches.iter_mut().zip(&counts) {
            watch.listen(&Waker::from(count.clone()));
            assert!(watch.news().is_empty());
        }
        signal.raise(Causes::POLICY, acme);
        assert_eq!(
            watches.each_mut().map(Watch::news),
            [Causes::POLICY, Causes::NONE]
        );
        signal.raise(Causes::REVOCATION, None);
        assert_eq!(watches.each_mut().map(Watch::news), [Causes::REVOCATION; 2]);
        assert_eq!(watches.each_mut().map(Watch::news), [Causes::NONE; 2]);
        assert_eq!(
            counts
                .each_ref()
                .map(|count| count.0.load(Ordering::SeqCst)),
            [2, 1]
        );
    }

    #[test]
    fn what_happened_before_listening_is_not_lost() {
        let signal = Arc::new(Signal::new());
        let mut early = watch(&signal, [None; 2]);
        signal.raise(Causes::TOKEN, Some(signal.topic("t")));
        early.listen(Waker::noop());
        assert_eq!(early.news(), Causes::ALL);
        let mut unregistered = watch(&signal, [None; 2]);
        signal.raise(Causes::TOKEN, None);
        assert_eq!(unregistered.news(), Causes::ALL);
        assert_eq!(unregistered.news(), Causes::NONE);
    }

    #[test]
    fn dropping_unregisters_and_the_room_is_used_again() {
        let signal = Arc::new(Signal::new());
        let mut watches: Vec<_> = (0..100).map(|_| watch(&signal, [None; 2])).collect();
        assert_eq!(signal.listeners(), 0);
        for watch in &mut watches {
            watch.listen(Waker::noop());
        }
        assert_eq!(signal.listeners(), 100);
        watches.truncate(50);
        let mut late = watch(&signal, [None; 2]);
        late.listen(Waker::noop());
        assert_eq!(
            (signal.listeners(), signal.listening().slots.len()),
            (51, 100)
        );
        drop((watches, late));
        assert_eq!((signal.listeners(), signal.listening().slots.len()), (0, 0));
    }

    /// A waker whose last reference owns a watch, as a task that owns a body does.
    struct Owner(Mutex<Option<Watch>>);

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }

    #[test]
    fn a_waker_that_drops_watches_does_not_deadlock() {
        let signal = Arc::new(Signal::new());
        let mut inner = watch(&signal, [None; 2]);
        inner.listen(Waker::noop());
        let mut outer = watch(&signal, [None; 2]);
        outer.listen(&Waker::from(Arc::new(Owner(Mutex::new(Some(inner))))));
        assert_eq!(signal.listeners(), 2);
        signal.raise(Causes::ALL, None);
        assert_eq!(signal.listeners(), 1);
        let mut inner = watch(&signal, [None; 2]);
        inner.listen(Waker::noop());
        outer.listen(&Waker::from(Arc::new(Owner(Mutex::new(Some(inner))))));
        drop(outer);
        assert_eq!(signal.listeners(), 0);
    }

    /// Parks until told, as a task of a runtime does.
    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Each listener registers anew and waits for a fact that changes once per round. A wake-up lost
    /// anywhere would leave it parked for ever.
    #[test]
    fn no_wake_up_is_lost_between_registering_and_waiting() {
        const ROUNDS: u64 = 2_000;
        let signal = Arc::new(Signal::new());
        let fact = Arc::new(AtomicU64::new(0));
        let heard: [Arc<AtomicU64>; 3] = Default::default();
        thread::scope(|scope| {
            for heard in &heard {
                let (signal, fact) = (&signal, &fact);
                scope.spawn(move || {
                    let waker = Waker::from(Arc::new(Unpark(thread::current())));
                    for round in 1..=ROUNDS {
                        let mut watch = watch(signal, [None; 2]);
                        while fact.load(Ordering::Relaxed) < round {
                            watch.listen(&waker);
                            while watch.news().is_empty() {
                                thread::park();
                            }
                        }
                        heard.store(round, Ordering::Release);
                    }
                });
            }
            for round in 1..=ROUNDS {
                fact.store(round, Ordering::Relaxed);
                signal.raise(Causes::TOKEN, None);
                while heard
                    .iter()
                    .any(|heard| heard.load(Ordering::Acquire) < round)
                {
                    thread::yield_now();
                }
            }
        });
        assert_eq!(signal.listeners(), 0);
    }
}
