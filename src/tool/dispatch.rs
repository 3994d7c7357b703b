//! Tools whose name does not say what they do (MCP-10).

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::rule::ToolRule;
use crate::rejection::{Reason, Rejection};

/// A call of a dispatcher, as its callback sees it: see [`ToolRules::dispatcher`](super::ToolRules::dispatcher).
#[derive(Clone, Copy, Debug)]
pub struct ToolCall<'a> {
    name: &'a str,
    arguments: &'a Map<String, Value>,
}

impl<'a> ToolCall<'a> {
    /// The name of the tool that was called.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Its arguments; empty if there were none. No two members have the same name.
    #[must_use]
    pub fn arguments(&self) -> &'a Map<String, Value> {
        self.arguments
    }

    /// One argument, if it is there and a string.
    #[must_use]
    pub fn text(&self, argument: &str) -> Option<&'a str> {
        self.arguments.get(argument)?.as_str()
    }
}

/// What a dispatcher's callback finds for one call.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a call has a rule or it has none")]
pub enum Dispatch {
    /// The call has to meet this rule.
    Rule(ToolRule),
    /// Nobody may make this call.
    Deny,
}

impl<R: Into<ToolRule>> From<R> for Dispatch {
    fn from(rule: R) -> Self {
        Self::Rule(rule.into())
    }
}

type Callback = dyn Fn(&ToolCall<'_>) -> Dispatch + Send + Sync;

/// The callback, shared.
#[derive(Clone)]
pub(super) struct Dispatcher(Arc<Callback>);

impl Dispatcher {
    pub(super) fn new<D: Into<Dispatch>>(
        callback: impl Fn(&ToolCall<'_>) -> D + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |call| callback(call).into()))
    }

    /// The rule of this call. A callback that panics, or that answers with a rule that could not be
    /// configured, has decided nothing: the call is refused (R15).
    pub(super) fn ask(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<ToolRule, Rejection> {
        let call = ToolCall { name, arguments };
        let failed = |note: &'static str| Rejection::new(Reason::Internal).with_note(note);
        match catch_unwind(AssertUnwindSafe(|| (self.0)(&call))) {
            Ok(Dispatch::Rule(rule)) if rule.is_sound() => Ok(rule),
            Ok(Dispatch::Rule(_)) => Err(failed("the dispatcher answered with a rule in error")),
            Ok(Dispatch::Deny) => Err(Reason::OperationNotAllowed.into()),
            Err(_) => Err(failed("the dispatcher panicked")),
        }
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatcher")
    }
}
