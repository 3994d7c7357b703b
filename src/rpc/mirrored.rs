//! The headers that repeat what the body says, so that those in between need not read it (SEP-2243).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::HeaderName;

use crate::operation::Operation;
use crate::wire::only_line;

use super::fault::HeaderFault;
use super::message::{Kind, LISTEN, Message, naming_parameter};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The first version whose servers compare these headers with the body. Before it nobody does, and
/// they prove nothing (MCP-2).
const FIRST_MODERN: &str = "2026-07-28";

/// `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name`. `Mcp-Param-*` is not looked at (MCP-11).
#[derive(Clone, Debug)]
pub(crate) struct Mirrored<'h> {
    version: Option<&'h str>,
    method: Option<&'h str>,
    name: Option<Cow<'h, str>>,
}

/// Reads the headers, each of which may stand once.
pub(crate) fn mirrored(headers: &HeaderMap) -> Result<Mirrored<'_>, HeaderFault> {
    Ok(Mirrored {
        // Not trimmed: a server that does not trim either would take ` 2026-07-28` for an old
        // version and compare nothing.
        version: line(headers, &VERSION)?,
        method: line(headers, &METHOD)?.map(|line| line.trim_matches([' ', '\t'])),
        name: line(headers, &NAME)?
            .map(|line| decoded(line.trim_matches([' ', '\t'])))
            .transpose()?,
    })
}

fn line<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, HeaderFault> {
    match only_line(headers, name) {
        Err(_) => Err(HeaderFault::Repeated),
        Ok(None) => Ok(None),
        Ok(Some(value)) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(HeaderFault::Unreadable),
        },
    }
}

/// A name that a header cannot carry stands as `=?base64?…?=`; anything else stands for itself.
fn decoded(value: &str) -> Result<Cow<'_, str>, HeaderFault> {
    let coded = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    let Some(coded) = coded else {
        return Ok(Cow::Borrowed(value));
    };
    let bytes = STANDARD.decode(coded).map_err(|_| HeaderFault::Encoding)?;
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| HeaderFault::Encoding)
}

impl Mirrored<'_> {
    /// Whether the server behind compares these headers with the body.
    pub(crate) fn is_modern(&self) -> bool {
        self.version
            .is_some_and(|version| is_date(version) && version >= FIRST_MODERN)
    }

    /// What the request asks to do, on the word of its headers. `None` if they do not say: the
    /// version is an old one, or a header that the method needs is missing, or the method names
    /// what it acts on in the body only (`completion/complete`).
    pub(crate) fn operation(&self) -> Option<Operation<'_>> {
        let method = self.method.filter(|_| self.is_modern())?;
        let name = match naming_parameter(method) {
            None => None,
            Some("ref") => return None,
            Some(_) => Some(self.name.as_deref()?),
        };
        Some(Operation::new(method, name))
    }

    /// The same, if every server that compares the headers has to compare all of it: not where the
    /// name is one that SEP-2243 does not ask for, or where the body names more.
    pub(crate) fn compared(&self) -> Option<Operation<'_>> {
        let whole = |method| naming_parameter(method).is_none() || needs_name(method);
        self.operation()
            .filter(|operation| operation.method() != LISTEN && whole(operation.method()))
    }

    /// Whether the headers say the same as the body, and all they have to. `Mcp-Name` of a method
    /// that names nothing known here is left alone.
    pub(crate) fn check(&self, message: &Message<'_>) -> Result<(), HeaderFault> {
        let Some(operation) = message.operation() else {
            return match self.method {
                None => Ok(()),
                Some(_) => Err(HeaderFault::MethodDiffers),
            };
        };
        let method = operation.method();
        let required =
            message.kind() == Kind::Request && self.is_modern() && method != "initialize";
        match self.method {
            None if required => return Err(HeaderFault::MethodMissing),
            Some(mirrored) if mirrored != method => return Err(HeaderFault::MethodDiffers),
            _ => {}
        }
        let named = match naming_parameter(method) {
            None | Some("ref") => return Ok(()),
            Some(_) => operation.target().map(|target| target.name()),
        };
        match self.name.as_deref() {
            None if required && needs_name(method) => Err(HeaderFault::NameMissing),
            Some(mirrored) if Some(mirrored) != named => Err(HeaderFault::NameDiffers),
            _ => Ok(()),
        }
    }
}

/// SEP-2243 for the first three, SEP-2663 for tasks (MCP-1, MCP-8).
fn needs_name(method: &str) -> bool {
    matches!(
        method,
        "tools/call"
            | "prompts/get"
            | "resources/read"
            | "tasks/get"
            | "tasks/update"
            | "tasks/cancel"
    )
}

/// `YYYY-MM-DD`, the form of all versions: dates in it compare as text.
fn is_date(version: &str) -> bool {
    version.len() == 10
        && version.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}
