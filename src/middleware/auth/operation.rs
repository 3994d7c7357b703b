//! From a request to the operation it asks for, and to the decision about it.
//!
//! The decision is made on the bytes that the inner service gets (T36): the body is read to its
//! end, understood by a reader that refuses whatever two readers could take for two things, and
//! passed on unchanged. The mirrored headers must agree with it; only
//! [`trust_mirrored_headers`](crate::ToolRules::trust_mirrored_headers) lets them decide alone.

use http::{HeaderMap, Method};

use super::body::Unread;
use crate::audit::AuditOperation;
use crate::authenticator::Current;
use crate::context::AuthContext;
use crate::operation::Operation;
use crate::rejection::{Reason, Rejection};
use crate::rpc::{BodyForm, HeaderFault, Kind, Message, MessageFault, body_form, mirrored, read};
use crate::telemetry::span;
use crate::tool::ToolRules;

/// The longest body read for somebody without a credential, in bytes: enough for any operation
/// that could be public.
const MAX_PUBLIC_BODY: usize = 64 * 1024;

/// The longest id of a message that an answer repeats, in bytes.
const MAX_ID: usize = 1024;

/// Who asks: a party that was let in, or nobody, with the refusal that is due unless the operation
/// is public.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    Party(AuthContext),
    Nobody(Box<Rejection>),
}

/// What is left to do before the inner service may be called.
#[derive(Debug)]
pub(super) enum Next {
    /// The body has to be read, up to this many bytes.
    Read(usize),
    Decided(Decision),
}

/// The end of it: yes or no, and what was asked for as far as that is known.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) allowed: Result<(), Box<Rejection>>,
    pub(super) operation: Option<AuditOperation>,
}

impl Decision {
    /// What becomes of a request that asks for no operation a rule could be about.
    pub(super) fn of(caller: &Caller) -> Self {
        Self::without_operation(match caller {
            Caller::Party(_) => Ok(()),
            Caller::Nobody(rejection) => Err((**rejection).clone()),
        })
    }

    fn without_operation(allowed: Result<(), Rejection>) -> Self {
        Self {
            allowed: allowed.map_err(Box::new),
            operation: None,
        }
    }
}

/// Decides as far as the head of a request allows.
pub(super) fn by_head(
    auth: &Current,
    method: &Method,
    headers: &HeaderMap,
    caller: &Caller,
) -> Next {
    let Some(rules) = auth.tool_rules() else {
        return Next::Decided(Decision::of(caller));
    };
    match body_form(method, headers) {
        Err(fault) => Next::Decided(Decision::without_operation(Err(malformed(fault, caller)))),
        Ok(BodyForm::Other) => Next::Decided(Decision::of(caller)),
        Ok(BodyForm::Json) => by_mirrored(auth, rules, headers, caller),
    }
}

fn by_mirrored(auth: &Current, rules: &ToolRules, headers: &HeaderMap, caller: &Caller) -> Next {
    let mirrored = match mirrored(headers) {
        Ok(mirrored) => mirrored,
        Err(fault) => {
            return Next::Decided(Decision::without_operation(Err(mismatch(fault, caller))));
        }
    };
    let operation = mirrored.operation();
    // Nobody is let in on the word of headers alone: a server that does not compare them would run
    // whatever the body says.
    let trusted = rules.trusts_headers() && matches!(caller, Caller::Party(_));
    if let (Some(operation), true) = (mirrored.compared(), trusted) {
        return Next::Decided(decide(auth, operation, None, caller));
    }
    match caller {
        Caller::Party(_) => Next::Read(rules.body_limit()),
        // Headers that name something else than a public operation cannot agree with a body that
        // asks for one.
        Caller::Nobody(_) if operation.is_some_and(|operation| !rules.is_public(operation)) => {
            Next::Decided(Decision::of(caller))
        }
        Caller::Nobody(_) if rules.has_public() => {
            Next::Read(rules.body_limit().min(MAX_PUBLIC_BODY))
        }
        Caller::Nobody(_) => Next::Decided(Decision::of(caller)),
    }
}

/// Decides on the whole body.
pub(super) fn by_body(
    auth: &Current,
    headers: &HeaderMap,
    body: &[u8],
    caller: &Caller,
) -> Decision {
    let message = match read(body) {
        Ok(message) => message,
        Err(fault) => return Decision::without_operation(Err(malformed(fault, caller))),
    };
    let agrees = mirrored(headers).and_then(|mirrored| mirrored.check(&message));
    if let Err(fault) = agrees {
        return Decision::without_operation(Err(with_id(mismatch(fault, caller), &message)));
    }
    match (message.kind(), message.operation()) {
        // An answer to a question of the server's own asks for nothing.
        (Kind::Response, _) | (_, None) => Decision::of(caller),
        (_, Some(operation)) => {
            let decision = decide(auth, operation, message.arguments(), caller);
            let mut others = message
                .subscriptions()
                .map(|other| decide(auth, other, None, caller));
            match others.find(|other| other.allowed.is_err()) {
                Some(refused) if decision.allowed.is_ok() => refused,
                _ => decision,
            }
        }
    }
}

/// A body that could not be read to its end.
pub(super) fn unread(unread: Unread, caller: &Caller) -> Decision {
    let rejection = match unread {
        Unread::TooLarge(limit) => {
            Rejection::new(Reason::MessageTooLarge).with_detail("limit_bytes", limit)
        }
        Unread::Broken => Rejection::new(Reason::MalformedMessage)
            .with_message("The request body ended before its time."),
    };
    Decision::without_operation(Err(caller.unless_nobody(rejection)))
}

fn decide(
    auth: &Current,
    operation: Operation<'_>,
    arguments: Option<&[u8]>,
    caller: &Caller,
) -> Decision {
    let allowed = match caller {
        Caller::Party(context) => auth.judge(context, operation, arguments),
        Caller::Nobody(rejection) => match auth.tool_rules() {
            Some(rules) if rules.is_public(operation) => Ok(()),
            _ => Err((**rejection).clone()),
        },
    };
    let told = auth.audits() || span::tells_all() || allowed.is_err();
    Decision {
        operation: told.then(|| AuditOperation::new(operation)),
        allowed: allowed.map_err(Box::new),
    }
}

fn malformed(fault: MessageFault, caller: &Caller) -> Rejection {
    caller.unless_nobody(Rejection::new(Reason::MalformedMessage).with_message(fault.text()))
}

fn mismatch(fault: HeaderFault, caller: &Caller) -> Rejection {
    caller.unless_nobody(Rejection::new(Reason::HeaderMismatch).with_message(fault.text()))
}

fn with_id(rejection: Rejection, message: &Message<'_>) -> Rejection {
    match message.id().filter(|id| id.len() <= MAX_ID) {
        Some(id) => rejection.with_message_id(id),
        None => rejection,
    }
}

impl Caller {
    /// Credentials come before framing: somebody without one hears of that first.
    fn unless_nobody(&self, rejection: Rejection) -> Rejection {
        match self {
            Self::Party(context) => context.refused(rejection),
            Self::Nobody(due) => (**due).clone(),
        }
    }
}
