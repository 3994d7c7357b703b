//! What a visit tells those who watch.

use tracing::Span;

use super::visit::Visit;
use crate::audit::AuditOperation;
use crate::authenticator::{Conclusion, Head};
use crate::context::AuthContext;
use crate::rejection::Rejection;
use crate::response::RequestMarks;

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

    /// Puts it on record that a request is let in, and counts it; unless it is not let in for want of a
    /// record.
    pub(super) fn admit(
        &mut self,
        head: Head<'_>,
        context: Option<&AuthContext>,
        operation: Option<&AuditOperation>,
        marks: &mut RequestMarks,
    ) -> Result<(), Rejection> {
        if !self.auth.audits() {
            self.conclude(head, Ok(context), operation);
            return Ok(());
        }
        let request_id = marks.fixed_id();
        let asked = (operation.cloned(), Some(request_id.as_str()));
        let admitted = self.observation.in_scope(|| {
            self.auth
                .admit_on_record(head, context, asked, self.arrival)
        });
        self.conclude(head, admitted.as_ref().map(|()| context), operation);
        admitted
    }
}
