//! One JSON-RPC message, as far as an authorization decision needs it.

use std::borrow::Cow;

use crate::operation::{Operation, Target};

use super::fault::MessageFault;
use super::fields::Fields;
use super::scan::{Scanner, Step, Text, Value, ValueKind};

const TOP: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
const PARAMS: [&str; 6] = ["name", "uri", "taskId", "ref", "arguments", "notifications"];
/// Most resources that one message may subscribe to: each is judged.
const MAX_SUBSCRIBED: usize = 1024;
const REFERENCE: [&str; 3] = ["type", "name", "uri"];

/// The method whose parameters name any number of resources.
pub(super) const LISTEN: &str = "subscriptions/listen";

/// What a message is, by the members it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Notification,
    /// An answer to a request of the server, good or bad.
    Response,
}

/// One JSON-RPC 2.0 message.
#[derive(Debug)]
pub(crate) struct Message<'b> {
    kind: Kind,
    id: Option<&'b str>,
    asked: Option<Asked<'b>>,
    arguments: Option<&'b str>,
    subscribed: Vec<Cow<'b, str>>,
}

#[derive(Debug)]
struct Asked<'b> {
    method: Cow<'b, str>,
    named: Named<'b>,
}

/// What the method acts on.
#[derive(Debug)]
enum Named<'b> {
    Nothing,
    /// The method says what kind of thing this names.
    ByMethod(Cow<'b, str>),
    Prompt(Cow<'b, str>),
    Resource(Cow<'b, str>),
}

impl Message<'_> {
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What the message asks to do; a response asks nothing.
    pub(crate) fn operation(&self) -> Option<Operation<'_>> {
        let Asked { method, named } = self.asked.as_ref()?;
        Some(match named {
            Named::Nothing => Operation::new(method, None),
            Named::ByMethod(name) => Operation::new(method, Some(name)),
            Named::Prompt(name) => Operation::on(method, Target::Prompt(name)),
            Named::Resource(uri) => Operation::on(method, Target::Resource(uri)),
        })
    }

    /// What it asks to do besides: to hear of these resources.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = Operation<'_>> {
        let uris = self.subscribed.iter();
        uris.map(|uri| Operation::new("resources/subscribe", Some(uri)))
    }

    /// The JSON of the id, as written.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id
    }

    /// The JSON of the arguments of a tool or prompt, as written: an object.
    pub(crate) fn arguments(&self) -> Option<&[u8]> {
        self.arguments.map(str::as_bytes)
    }
}

/// The parameter that says what a method acts on. Knows every method of which [`Operation`] knows a
/// target.
pub(super) fn naming_parameter(method: &str) -> Option<&'static str> {
    Some(match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => "taskId",
        "completion/complete" => "ref",
        _ => return None,
    })
}

/// Reads the body of a POST: one message, and nothing else.
pub(crate) fn read(body: &[u8]) -> Result<Message<'_>, MessageFault> {
    let text = std::str::from_utf8(body).map_err(|_| MessageFault::NotJson)?;
    let mut scanner = Scanner::new(text);
    if scanner.peek() != Some(b'{') {
        let value = scanner.value()?;
        scanner.end()?;
        return Err(match value.kind {
            ValueKind::Array => MessageFault::Batch,
            _ => MessageFault::Version,
        });
    }
    let mut params = None;
    let top = Fields::read_but(&mut scanner, TOP, |name, scanner| {
        if name != "params" || scanner.peek() != Some(b'{') {
            return Ok(false);
        }
        params = Some(Fields::read(scanner, PARAMS)?);
        Ok(true)
    })?;
    scanner.end()?;
    message(&top, params)
}

/// Whether a text is one JSON value that every reader reads alike.
pub(crate) fn check(json: &[u8]) -> Result<(), MessageFault> {
    let text = std::str::from_utf8(json).map_err(|_| MessageFault::NotJson)?;
    let mut scanner = Scanner::new(text);
    scanner.value()?;
    scanner.end()
}

fn message<'b>(
    top: &Fields<'b, 6>,
    params: Option<Fields<'b, 6>>,
) -> Result<Message<'b>, MessageFault> {
    match top.get("jsonrpc")?.and_then(text) {
        Some(version) if version.decode()? == "2.0" => {}
        _ => return Err(MessageFault::Version),
    }
    let (id, method) = (top.get("id")?, top.get("method")?);
    let answers = [top.get("result")?, top.get("error")?];
    let kind = match (method, id, answers.iter().flatten().count()) {
        (Some(_), Some(_), 0) => Kind::Request,
        (Some(_), None, 0) => Kind::Notification,
        (None, Some(_), 1) => Kind::Response,
        _ => return Err(MessageFault::Shape),
    };
    // `params` of an object were read on their own; null is what some clients write for none.
    match top.get("params")?.map(|value| value.kind) {
        None | Some(ValueKind::Null) => {}
        Some(_) => return Err(MessageFault::Params),
    }
    let id = id.map(checked_id).transpose()?;
    let mut message = Message {
        kind,
        id,
        asked: None,
        arguments: None,
        subscribed: Vec::new(),
    };
    if let Some(method) = method {
        let method = text(method).ok_or(MessageFault::Method)?.decode()?;
        let params = params.unwrap_or_else(|| Fields::none(PARAMS));
        message.arguments = checked_arguments(&method, &params)?;
        message.subscribed = subscriptions(&method, &params)?;
        let named = named(&method, &params)?;
        message.asked = Some(Asked { method, named });
    }
    Ok(message)
}

fn text(value: Value<'_>) -> Option<Text<'_>> {
    match value.kind {
        ValueKind::Text(text) => Some(text),
        _ => None,
    }
}

/// A string or an integer of 64 bits, as the MCP SDKs take them. A number in float form is refused:
/// readers disagree on which of them are integers.
fn checked_id(id: Value<'_>) -> Result<&str, MessageFault> {
    match id.kind {
        ValueKind::Text(_) => Ok(id.raw),
        ValueKind::Number if id.raw.parse::<i64>().is_ok() => Ok(id.raw),
        _ => Err(MessageFault::Id),
    }
}

fn checked_arguments<'b>(
    method: &str,
    params: &Fields<'b, 6>,
) -> Result<Option<&'b str>, MessageFault> {
    if !matches!(method, "tools/call" | "prompts/get") {
        return Ok(None);
    }
    match params.get("arguments")? {
        None => Ok(None),
        Some(value) => match value.kind {
            ValueKind::Null => Ok(None),
            ValueKind::Object => Ok(Some(value.raw)),
            _ => Err(MessageFault::Arguments),
        },
    }
}

/// The URIs in `params.notifications.resourceSubscriptions` (MCP 2026-07-28, `subscriptions/listen`).
fn subscriptions<'b>(
    method: &str,
    params: &Fields<'b, 6>,
) -> Result<Vec<Cow<'b, str>>, MessageFault> {
    if method != LISTEN {
        return Ok(Vec::new());
    }
    let wanted = params.get("notifications")?;
    let Some(wanted) = wanted.filter(|value| !matches!(value.kind, ValueKind::Null)) else {
        return Ok(Vec::new());
    };
    // Some readers take an array for an object whose names are left out.
    if !matches!(wanted.kind, ValueKind::Object) {
        return Err(MessageFault::Params);
    }
    let fields = Fields::read(&mut Scanner::new(wanted.raw), ["resourceSubscriptions"])?;
    match fields.get("resourceSubscriptions")? {
        None => Ok(Vec::new()),
        Some(uris) => match uris.kind {
            ValueKind::Null => Ok(Vec::new()),
            ValueKind::Array => strings(uris.raw),
            _ => Err(MessageFault::Params),
        },
    }
}

/// The items of an array of strings.
fn strings(array: &str) -> Result<Vec<Cow<'_, str>>, MessageFault> {
    let mut scanner = Scanner::new(array);
    let mut items = Vec::new();
    scanner.peek();
    scanner.enter(false)?;
    while let Step::Item = scanner.step()? {
        if items.len() == MAX_SUBSCRIBED {
            return Err(MessageFault::TooMany);
        }
        let item = text(scanner.value()?).ok_or(MessageFault::Params)?;
        items.push(item.decode()?);
    }
    Ok(items)
}

fn named<'b>(method: &str, params: &Fields<'b, 6>) -> Result<Named<'b>, MessageFault> {
    let Some(parameter) = naming_parameter(method) else {
        return Ok(Named::Nothing);
    };
    let value = params.get(parameter)?.ok_or(MessageFault::Name)?;
    if parameter == "ref" {
        return referred(value);
    }
    let name = text(value).ok_or(MessageFault::Name)?;
    Ok(Named::ByMethod(name.decode()?))
}

/// The prompt or resource template that `completion/complete` is about.
fn referred(reference: Value<'_>) -> Result<Named<'_>, MessageFault> {
    if !matches!(reference.kind, ValueKind::Object) {
        return Err(MessageFault::Name);
    }
    let fields = Fields::read(&mut Scanner::new(reference.raw), REFERENCE)?;
    let string = |name| {
        let value = fields.get(name)?.and_then(text);
        value.ok_or(MessageFault::Name)?.decode()
    };
    match &*string("type")? {
        "ref/prompt" => string("name").map(Named::Prompt),
        "ref/resource" => string("uri").map(Named::Resource),
        _ => Err(MessageFault::Name),
    }
}
