//! The span of a decision, made when it is first needed.
//!
//! Whether a decision has to wait is not known when it begins. But what it starts and waits for is to be
//! part of its span. So for a subscriber of level `INFO` the span is made by whoever starts something
//! ([`here`]), and by nobody if nothing is started.

use std::cell::RefCell;

use http::Method;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Span, info_span};

use super::label::FetchKind;

/// The name stands for every other one, as the semantic conventions of OpenTelemetry have it.
const OTHER: &str = "_OTHER";

/// The span of the decision that this thread is making.
enum Slot {
    /// None is made.
    Outside,
    /// Made if somebody asks, with this HTTP method.
    Due(&'static str),
    Made(Span),
    /// What is started now is nothing that the decision waits for.
    Apart,
}

thread_local! {
    static SLOT: RefCell<Slot> = const { RefCell::new(Slot::Outside) };
}

macro_rules! decision {
    ($level:ident, $method:expr) => {
        tracing::$level!(
            target: "tower_mcp_auth",
            "mcp_auth.decision",
            "mcp_auth.method" = Empty,
            "mcp_auth.outcome" = Empty,
            "error.type" = Empty,
            "http.request.method" = $method,
            "mcp.method.name" = Empty,
            "mcp_auth.waited" = Empty,
            "enduser.id" = Empty,
            "mcp_auth.organization" = Empty,
            "client.address" = Empty,
        )
    };
}

/// Makes a decision in its span, `known` if there is one from before. With it comes the span, if
/// anybody needed one.
pub(crate) fn deciding<T>(
    method: &Method,
    known: Option<Span>,
    decide: impl FnOnce() -> T,
) -> (T, Option<Span>) {
    // What a subscriber of level INFO or less costs a decision from memory.
    if LevelFilter::current() < LevelFilter::INFO {
        return (decide(), known);
    }
    let method = known_method(method);
    let span = known.unwrap_or_else(|| decision!(debug_span, method));
    if span.is_disabled() {
        let turn = Turn::take(Slot::Due(method));
        let decided = decide();
        let made = turn.give_back();
        return (decided, made);
    }
    let turn = Turn::take(Slot::Made(span.clone()));
    let decided = span.in_scope(decide);
    drop(turn);
    (decided, Some(span))
}

/// Whether a decision from memory has a span too.
pub(crate) fn tells_all() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

/// The span of a decision that waits or refuses and has none.
pub(crate) fn late(method: &Method) -> Option<Span> {
    if LevelFilter::current() < LevelFilter::INFO {
        return None;
    }
    let span = decision!(info_span, known_method(method));
    (!span.is_disabled()).then_some(span)
}

/// Starts something that no decision waits for.
pub(crate) fn apart<T>(start: impl FnOnce() -> T) -> T {
    let _turn = Turn::take(Slot::Apart);
    start()
}

/// A question to an issuer, within what it is asked for.
pub(crate) fn fetch(kind: FetchKind, issuer: &str) -> Span {
    let parent = here();
    info_span!(
        target: "tower_mcp_auth",
        parent: &parent,
        "mcp_auth.fetch",
        "mcp_auth.issuer" = issuer,
        "mcp_auth.kind" = kind.name(),
    )
}

/// A read of a store, within what it is read for.
pub(crate) fn read() -> Span {
    let parent = here();
    info_span!(target: "tower_mcp_auth", parent: &parent, "mcp_auth.read")
}

/// The span of the decision of this thread; outside of one, the current span.
fn here() -> Span {
    if LevelFilter::current() < LevelFilter::INFO {
        return Span::none();
    }
    // Taken out: making a span calls the subscriber, which is foreign code.
    match SLOT.replace(Slot::Outside) {
        Slot::Outside => Span::current(),
        Slot::Apart => {
            SLOT.set(Slot::Apart);
            Span::none()
        }
        Slot::Made(span) => {
            SLOT.set(Slot::Made(span.clone()));
            span
        }
        Slot::Due(method) => {
            let span = decision!(info_span, method);
            SLOT.set(Slot::Made(span.clone()));
            span
        }
    }
}

/// The slot while it is held. What was there before comes back, be it by a panic.
struct Turn(Option<Slot>);

impl Turn {
    fn take(slot: Slot) -> Self {
        Self(Some(SLOT.replace(slot)))
    }

    /// The span that was made meanwhile.
    fn give_back(mut self) -> Option<Span> {
        match SLOT.replace(self.0.take()?) {
            Slot::Made(span) if !span.is_disabled() => Some(span),
            _ => None,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            drop(SLOT.replace(before));
        }
    }
}

/// The methods of HTTP (RFC 9110 §9, RFC 5789 §2), and one name for all others: a client may make one up.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or(OTHER)
}

/// The methods of MCP that the semantic conventions list and those of later protocols, and one name for
/// all others.
pub(crate) fn known_mcp_method(method: &str) -> &'static str {
    MCP_METHODS
        .iter()
        .copied()
        .find(|known| *known == method)
        .unwrap_or(OTHER)
}

const MCP_METHODS: &[&str] = &[
    "completion/complete",
    "elicitation/create",
    "initialize",
    "logging/setLevel",
    "notifications/cancelled",
    "notifications/elicitation/complete",
    "notifications/initialized",
    "notifications/message",
    "notifications/progress",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "notifications/tools/list_changed",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "roots/list",
    "sampling/createMessage",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_client_makes_up_are_one_name() {
        let method = Method::from_bytes(b"get").unwrap();
        assert_eq!(known_method(&method), OTHER);
        assert_eq!(known_method(&Method::POST), "POST");
        assert_eq!(known_mcp_method("tools/call"), "tools/call");
        assert_eq!(known_mcp_method("tools/Call"), OTHER);
        assert_eq!(known_mcp_method("notifications/x"), OTHER);
    }
}
