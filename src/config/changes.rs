//! From one configuration to the next while the server runs.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Config;
use super::kinds::Either;
use super::parts::Settings;
use super::parts::policies::Policies;
use super::read::{Path, Reader, Setting, kind};
use super::shape::{Member, Shape, Table};
use crate::authenticator::Authenticator;
use crate::error::{ConfigError, Problems};
use crate::policy::OrganizationPolicy;

/// The one place where an authenticator gets new settings.
fn hand_over(auth: &Authenticator, new: &Config) -> Result<u64, ConfigError> {
    auth.reload(new.settings()?)
        .or_else(|error| new.in_words_of_file(&error))
}

impl Config {
    /// Gives a running authenticator, which this configuration [built](Self::build), the settings of `new`, and
    /// becomes `new`. Returns the number of the generation.
    ///
    /// Policies that stand in the file hold from the next request on, those that have gone too: their
    /// organization is OAuth only then. Secrets that are read from files are read again.
    ///
    /// # Errors
    ///
    /// Every mistake in `new`; every setting that holds a connection or state and is another one now, since that takes
    /// a restart. Then nothing has changed.
    pub fn reload(&mut self, auth: &Authenticator, new: Self) -> Result<u64, ConfigError> {
        let mut problems = Problems::default();
        let (old, next) = (&self.document.0, &new.document.0);
        if let Shape::Table(table) = Settings::shape() {
            fixed(&table, old, next, &Path::default(), &mut problems);
        }
        fixed_proofs(old, next, &mut problems);
        if let Err(error) = new.check() {
            for problem in error.problems() {
                problems.add(&problem.field, &problem.value, &problem.remedy);
            }
        }
        problems.or(Some(()))?;
        // Before anything changes, so that nothing is left half done.
        let (before, after) = (self.policies_here(), new.policies_here());
        let generation = hand_over(auth, &new)?;
        self.replace_policies(&before, after)?;
        let policies = self.policies.clone();
        *self = Self { policies, ..new };
        Ok(generation)
    }

    fn replace_policies(
        &self,
        before: &[OrganizationPolicy],
        after: Vec<OrganizationPolicy>,
    ) -> Result<(), ConfigError> {
        let stay: BTreeSet<_> = after.iter().map(OrganizationPolicy::organization).collect();
        let known = before.iter().map(OrganizationPolicy::organization);
        let gone = known.filter(|known| !stay.contains(known));
        let none = gone.cloned().map(OrganizationPolicy::new);
        let none: Vec<_> = none.collect();
        for policy in none.into_iter().chain(after) {
            self.policies.clone().with(policy)?;
        }
        Ok(())
    }

    /// The policies that stand in a document without mistakes. Nothing else of it is read: the secrets of one
    /// that is replaced may be gone.
    fn policies_here(&self) -> Vec<OrganizationPolicy> {
        let at = Path::default().member("policies");
        let variables = |name: &str| self.variable(name);
        let mut reader = Reader::new(&self.sources, &variables);
        let found = self.document.0.get("policies");
        match found.and_then(|found| Policies::read(found, &at, &mut reader)) {
            Some(Either::First(policies)) => policies.iter().map(|one| one.0.clone()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Reports every setting that takes a restart and is another one.
fn fixed(table: &Table, old: &Value, new: &Value, at: &Path, problems: &mut Problems) {
    for member in &table.members {
        let at = at.member(member.name);
        let find = |value: &Value| value.get(member.name).cloned().unwrap_or(Value::Null);
        let (old, new) = (find(old), find(new));
        if old == new {
            continue;
        }
        match within(member, &old, &new) {
            Within::Table(table) => fixed(table, &old, &new, &at, problems),
            Within::Same => {}
            Within::Another if !member.needs_restart => {}
            Within::Another => {
                let shown = match (&member.shape, &new) {
                    (_, Value::Null) => "left out".into(),
                    (Shape::Text | Shape::Span { .. }, Value::String(text)) => text.clone(),
                    (Shape::Secret, _) => "…".into(),
                    (_, value) => kind(value),
                };
                problems.add(
                    at.as_str(),
                    shown,
                    "cannot be changed while the server runs; restart it",
                );
            }
        }
    }
}

/// Reports proofs that are taken from now on and should be kept in Redis: their store is opened at the start,
/// with them. Kept here, each would serve once in every process.
fn fixed_proofs(old: &Value, new: &Value, problems: &mut Problems) {
    let has = |value: &Value| value.get("dpop").is_some_and(Value::is_object);
    let redis = new.get("redis").filter(|redis| redis.is_object());
    let is_shared = redis.is_some_and(|redis| redis.get("replay_store") != Some(&false.into()));
    if has(new) && !has(old) && is_shared {
        problems.add(
            "dpop",
            "(a table)",
            "cannot be added while the server runs, since used proofs are kept in Redis; restart it",
        );
    }
}

/// What two values of a setting, which are not equal, are to each other.
enum Within<'s> {
    /// Tables: it depends on what is in them.
    Table(&'s Table),
    /// The same thing with other contents.
    Same,
    Another,
}

fn within<'s>(member: &'s Member, old: &Value, new: &Value) -> Within<'s> {
    let came_or_went = old.is_null() || new.is_null();
    match &member.shape {
        Shape::Table(_) if came_or_went && member.needs_restart => Within::Another,
        Shape::Table(table) => Within::Table(table),
        Shape::Either(shapes) => {
            let kind = |value: &Value| shapes.iter().position(|shape| shape.takes(value));
            if kind(old) == kind(new) && !came_or_went {
                Within::Same
            } else {
                Within::Another
            }
        }
        _ => Within::Another,
    }
}
