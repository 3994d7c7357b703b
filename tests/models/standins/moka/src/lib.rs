//! What the cache uses of moka: a map each of whose operations is one step. Nothing is ever evicted.

pub mod policy {
    pub struct EvictionPolicy;

    impl EvictionPolicy {
        pub fn lru() -> Self {
            Self
        }
    }
}

pub mod sync {
    use std::collections::HashMap;
    use std::hash::Hash;
    use std::sync::Arc;

    use loom::sync::Mutex;

    use super::policy::EvictionPolicy;

    pub struct Cache<K, V>(Mutex<HashMap<K, V>>);

    pub struct Builder;

    impl Builder {
        pub fn max_capacity(self, _: u64) -> Self {
            self
        }

        pub fn eviction_policy(self, _: EvictionPolicy) -> Self {
            self
        }

        pub fn build<K, V>(self) -> Cache<K, V> {
            Cache(Mutex::new(HashMap::new()))
        }
    }

    impl Cache<(), ()> {
        pub fn builder() -> Builder {
            Builder
        }
    }

    impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
        pub fn get(&self, key: &K) -> Option<V> {
            self.0.lock().unwrap().get(key).cloned()
        }

        pub fn get_with_by_ref(&self, key: &K, make: impl FnOnce() -> V) -> V {
            // Made before the step: making one takes no part in it.
            let made = make();
            self.0.lock().unwrap().entry(key.clone()).or_insert(made).clone()
        }

        pub fn contains_key(&self, key: &K) -> bool {
            self.0.lock().unwrap().contains_key(key)
        }

        pub fn insert(&self, key: K, value: V) {
            self.0.lock().unwrap().insert(key, value);
        }

        pub fn invalidate(&self, key: &K) {
            self.remove(key);
        }

        pub fn remove(&self, key: &K) -> Option<V> {
            self.0.lock().unwrap().remove(key)
        }
    }

    impl<K: Clone, V: Clone> IntoIterator for &Cache<K, V> {
        type Item = (Arc<K>, V);
        type IntoIter = std::vec::IntoIter<Self::Item>;

        fn into_iter(self) -> Self::IntoIter {
            let map = self.0.lock().unwrap();
            let all: Vec<_> = map.iter().map(|(key, value)| (Arc::new(key.clone()), value.clone())).collect();
            all.into_iter()
        }
    }
}
