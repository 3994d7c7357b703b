//! What an MCP request asks to do, read from its body and its headers (T36).
//!
//! A decision about a tool is worth as much as the certainty that the server behind runs that tool.
//! Two readers of one text may disagree, so the text is refused wherever readers are known to: a
//! member that stands twice, a name another reader takes for the same, an array of messages, two
//! lines of one header, a coded body. What [`read`] takes is a subset of what `serde_json` takes,
//! and means the same there.

mod body_form;
mod fault;
mod fields;
mod message;
mod mirrored;
mod open;
mod scan;

#[cfg(test)]
mod tests;

pub(crate) use body_form::{BodyForm, body_form};
pub(crate) use fault::{HeaderFault, MessageFault};
pub(crate) use message::{Kind, Message, check, read};
pub(crate) use mirrored::mirrored;
