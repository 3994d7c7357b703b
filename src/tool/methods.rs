//! The methods of the protocol, and which of them a rule about their target decides.

/// Methods that by themselves give nothing away that a rule could be about: lists are filtered,
/// and what they lead to has rules of its own.
const KNOWN: [&str; 16] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "logging/setLevel",
    "subscriptions/listen",
    "roots/list",
    "tasks/list",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "tasks/result",
    "completion/complete",
];

/// Allowed without a rule.
pub(super) fn is_known(method: &str) -> bool {
    KNOWN.contains(&method) || method.starts_with("notifications/") || needs_target(method)
}

/// Means nothing without the tool, prompt or resource it is about, whose rule decides.
pub(super) fn needs_target(method: &str) -> bool {
    matches!(
        method,
        "tools/call"
            | "prompts/get"
            | "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "completion/complete"
    )
}
