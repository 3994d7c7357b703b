//! From one configuration to the next while the server runs.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Config;
use super::kinds::Either;
use super::parts::Settings;
use super::read::{Path, Setting};
use super::shape::{Shape, Table};
use crate::authenticator::{Authenticator, AuthenticatorBuilder};
use crate::error::{ConfigError, Problems};
use crate::ident::OrganizationId;
use crate::policy::OrganizationPolicy;

/// The one place where an authenticator gets new settings.
fn hand_over(auth: &Authenticator, builder: AuthenticatorBuilder) -> Result<u64, ConfigError> {
    auth.reload(builder)
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
        fixed(&Settings::shape(), old, next, &Path::default(), &mut problems);
        if let Err(error) = new.check() {
            for problem in error.problems() {
                problems.add(&problem.field, &problem.value, &problem.remedy);
            }
        }
        problems.or(Some(()))?;
        let builder = new.settings()?;
        let generation = hand_over(auth, builder)?;
        self.replace_policies(&new)?;
        let policies = self.policies.clone();
        *self = Self { policies, ..new };
        Ok(generation)
    }

    /// Checked before, so that nothing is left half done.
    fn replace_policies(&self, new: &Self) -> Result<(), ConfigError> {
        let gone = self.organizations()?;
        let stay = new.organizations()?;
        for organization in gone.difference(&stay) {
            let none = OrganizationPolicy::new(organization.clone());
            self.policies.clone().with(none)?;
        }
        new.with_reader(|settings, _| Some(self.put_policies(settings)))?
    }

    fn organizations(&self) -> Result<BTreeSet<OrganizationId>, ConfigError> {
        self.with_reader(|settings, _| {
            let Some(Either::First(policies)) = &settings.policies else {
                return Some(BTreeSet::new());
            };
            let organizations = policies.iter().map(|policy| policy.0.organization().clone());
            Some(organizations.collect())
        })
    }
}

/// Reports every setting that takes a restart and is another one.
fn fixed(shape: &Shape, old: &Value, new: &Value, at: &Path, problems: &mut Problems) {
    match shape {
        Shape::Table(table) => fixed_table(table, old, new, at, problems),
        // A list of policies is not a place of them.
        Shape::Either(shapes) => {
            let kind = |value: &Value| shapes.iter().position(|shape| shape.takes(value));
            if let Some(shape) = kind(new).and_then(|kind| shapes.get(kind))
                && kind(old) == kind(new)
            {
                fixed(shape, old, new, at, problems);
            }
        }
        _ => {}
    }
}

fn fixed_table(table: &Table, old: &Value, new: &Value, at: &Path, problems: &mut Problems) {
    let nothing = Value::Null;
    for member in &table.members {
        let at = at.member(member.name);
        let find = |value: &'_ Value| value.get(member.name).cloned().unwrap_or(Value::Null);
        let (old, new) = (find(old), find(new));
        let is_table = matches!(member.shape, Shape::Table(_));
        let is_there = !old.is_null() || !new.is_null();
        if is_table && is_there && (old.is_null() == new.is_null() || !member.needs_restart) {
            fixed(&member.shape, &old, &new, &at, problems);
        } else if member.needs_restart && old != new {
            let shown = match (&member.shape, &new) {
                (_, value) if *value == nothing => "left out".into(),
                (Shape::Secret, _) => "…".into(),
                (_, Value::String(text)) => text.clone(),
                (_, value) => super::read::kind(value),
            };
            problems.add(at.as_str(), shown, "cannot be changed while the server runs; restart it");
        }
    }
}
