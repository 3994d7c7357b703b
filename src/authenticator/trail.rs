//! One audit record per decision (EDGE-8).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::sender::{Arrival, Sender};
use super::{Authenticator, Head};
use crate::audit::{AuditNet, AuditPolicy, AuditRecord, AuditTarget, AuditText};
use crate::context::AuthContext;
use crate::rejection::Rejection;

impl Authenticator {
    /// Whether decisions are put on record.
    pub(crate) fn audits(&self) -> bool {
        self.0.shared.audit.is_some()
    }

    /// When and from where a request came. Time is measured only for a record.
    pub(crate) fn arrival(&self, head: Head<'_>) -> Arrival {
        let shared = &self.0.shared;
        let find = || Arrival {
            at: match &shared.audit {
                Some(_) => shared.clock.monotonic(),
                None => Duration::ZERO,
            },
            sender: Some(shared.senders.of(head.headers, head.extensions)),
        };
        catch_unwind(AssertUnwindSafe(find)).unwrap_or(Arrival {
            at: Duration::ZERO,
            sender: None,
        })
    }

    /// Hands the record of a decision to the sink, if there is one.
    pub(crate) fn audit(
        &self,
        head: Head<'_>,
        decision: Result<&AuthContext, &Rejection>,
        request_id: Option<&str>,
        arrival: Arrival,
    ) {
        let shared = &self.0.shared;
        let Some(trail) = &shared.audit else {
            return;
        };
        let now = shared.clock.now();
        let mut record = match decision {
            Ok(context) => {
                let method = context.method().name();
                let mut record =
                    AuditRecord::granted(now, method, context.principal(), context.organization());
                record.policy = context
                    .permitted()
                    .map(|permitted| AuditPolicy::new(&permitted.version().to_string(), ""));
                record
            }
            Err(rejection) => refused(now, rejection),
        };
        record.net = arrival.sender.as_ref().map(net);
        let resource = self.0.resource.identifier();
        record.target = Some(AuditTarget::new(resource, head.method.as_str(), head.path));
        record.request_id = request_id.map(AuditText::new);
        record.latency = shared.clock.monotonic().saturating_sub(arrival.at);
        trail.record(record);
    }
}

fn refused(now: crate::clock::UnixTime, rejection: &Rejection) -> AuditRecord {
    let mut record = AuditRecord::refused(now, rejection);
    if let Some((principal, organization, method)) = rejection.proven() {
        record = record.about(principal);
        record.method = Some(method.name());
        record.organization = Some(AuditText::new(organization));
    }
    if let Some(rule) = rejection
        .details()
        .get("rule")
        .and_then(|rule| rule.as_str())
    {
        let version = rejection.details().get("policy_version");
        let version = version.map(ToString::to_string).unwrap_or_default();
        record.policy = Some(AuditPolicy::new(&version, rule));
    }
    record
}

fn net(sender: &Sender) -> AuditNet {
    AuditNet {
        peer: sender.peer,
        client: sender.address,
        via_trusted_proxy: sender.peer.is_some() && sender.peer != sender.address,
    }
}
