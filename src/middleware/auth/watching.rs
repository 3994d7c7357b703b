//! What a visit tells those who watch.

use tracing::Span;

use super::visit::Visit;
use crate::audit::AuditOperation;
use crate::authenticator::{Conclusion, Head};
use crate::context::AuthContext;
use crate::rejection::Rejection;

impl Visit {
    /// The client begins to send its body.
    pub(super) fn reads_body(&mut self) {
        if self.stages.credential {
            self.observation.body_begins(&self.auth);
        }
    }

    /// It has, or never will.
    pub(super) fn has_body(&mut self) {
        self.observation.body_ends();
    }

    /// Counts a decision. What is left to say about it belongs into the span.
    pub(super) fn conclude(
        &mut self,
        head: Head<'_>,
        decision: Result<Option<&AuthContext>, &Rejection>,
        operation: Option<&AuditOperation>,
    ) -> Span {
        let end = Conclusion {
            head,
            decision,
            operation,
            arrival: self.arrival,
        };
        self.auth.conclude(end, &mut self.observation)
    }
}
