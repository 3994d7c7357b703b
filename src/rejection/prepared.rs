//! What all answers of one reason have in common, made once.

use std::sync::OnceLock;

use http::HeaderValue;

use super::{Reason, Rejection};

/// The parts of an answer that are the same whoever asked.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) challenge: Option<HeaderValue>,
    /// The body up to the request id, and the rest of it.
    pub(crate) body: (Box<str>, Box<str>),
}

/// The answers of one resource, by their reason; each made when it is first needed.
#[derive(Debug)]
pub(crate) struct PreparedAnswers {
    plain: Made,
    /// Those of rejections that stand for every request of this server.
    standing: Made,
}

type Made = Box<[OnceLock<Option<Prepared>>]>;

impl PreparedAnswers {
    pub(crate) fn new() -> Self {
        let made = || Reason::ALL.iter().map(|_| OnceLock::new()).collect();
        Self {
            plain: made(),
            standing: made(),
        }
    }

    /// The answer to `rejection`, made by `prepare` unless it was before. `None` if there is something
    /// to say that belongs to this request.
    pub(crate) fn find(
        &self,
        rejection: &Rejection,
        prepare: impl FnOnce() -> Option<Prepared>,
    ) -> Option<&Prepared> {
        let made = if rejection.general()? {
            &self.standing
        } else {
            &self.plain
        };
        let reason = rejection.reason();
        let place = Reason::ALL.iter().position(|known| *known == reason)?;
        made.get(place)?.get_or_init(prepare).as_ref()
    }
}
