//! Broad scopes that stand for narrower ones (SCP-4).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::scope::ScopeSet;

/// Which scopes include which, over any number of steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Hierarchy {
    includes: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    /// For each scope all broader ones: what a request asks for.
    broader: HashMap<Box<str>, Vec<Box<str>>>,
}

impl Hierarchy {
    pub(super) fn add(&mut self, broad: &str, narrow: &str) {
        self.includes
            .entry(broad.into())
            .or_default()
            .insert(narrow.into());
    }

    /// Follows all steps. Scopes that include each other are one and the same, which is no mistake.
    pub(super) fn close(&mut self) {
        self.broader.clear();
        for broad in self.includes.keys() {
            let mut seen: BTreeSet<&str> = BTreeSet::new();
            let mut open: Vec<&str> = vec![broad];
            while let Some(scope) = open.pop() {
                for narrow in self.includes.get(scope).into_iter().flatten() {
                    if **narrow != **broad && seen.insert(narrow) {
                        open.push(narrow);
                    }
                }
            }
            for narrow in seen {
                let broader = self.broader.entry(narrow.into()).or_default();
                broader.push(broad.clone());
            }
        }
    }

    /// Whether `granted` has this scope or one that includes it.
    pub(super) fn holds(&self, granted: &ScopeSet, scope: &str) -> bool {
        granted.contains(scope)
            || self
                .broader
                .get(scope)
                .is_some_and(|broader| broader.iter().any(|broad| granted.contains(broad)))
    }

    pub(super) fn covers(&self, granted: &ScopeSet, required: &ScopeSet) -> bool {
        required.iter().all(|scope| self.holds(granted, scope))
    }

    /// Every scope named here.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let broad = self.includes.keys().map(|broad| &**broad);
        broad.chain(self.includes.values().flatten().map(|narrow| &**narrow))
    }
}
