//! One audit record per decision (EDGE-8).

use std::time::Duration;

use super::sender::Sender;
use super::{Authenticator, Head, Shared};
use crate::audit::{AuditEvent, AuditNet, AuditPolicy, AuditRecord, AuditTarget, AuditText};
use crate::clock::UnixTime;
use crate::context::AuthContext;
use crate::rejection::Rejection;

impl Authenticator {
    /// Whether decisions are put on record.
    pub(crate) fn audits(&self) -> bool {
        self.0.shared.audit.is_some()
    }

    /// When a decision began, for its record; nothing is measured without a sink.
    pub(crate) fn started(&self) -> Duration {
        match &self.0.shared.audit {
            Some(_) => self.0.shared.clock.monotonic(),
            None => Duration::ZERO,
        }
    }

    /// Hands the record of a decision to the sink, if there is one.
    pub(crate) fn audit(
        &self,
        head: Head<'_>,
        decision: Result<&AuthContext, &Rejection>,
        request_id: Option<&str>,
        started: Duration,
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
        let sender = shared.senders.of(head.headers, head.extensions);
        record.net = Some(net(&sender));
        let resource = self.0.resource.identifier();
        record.target = Some(AuditTarget::new(resource, head.method.as_str(), head.path));
        record.request_id = request_id.map(AuditText::new);
        record.latency = shared.clock.monotonic().saturating_sub(started);
        trail.record(record);
    }
}

impl Shared {
    /// Hands the record of a stream that was ended to the sink, if there is one.
    pub(super) fn audit_end(
        &self,
        context: &AuthContext,
        sender: &Sender,
        rejection: &Rejection,
        now: UnixTime,
    ) {
        let Some(trail) = &self.audit else {
            return;
        };
        let mut record = AuditRecord::new(AuditEvent::StreamEnded, now).about(context.principal());
        record.reason = Some(rejection.reason());
        record.method = Some(context.method().name());
        record.organization = Some(AuditText::new(context.organization()));
        record.net = Some(net(sender));
        record.policy = policy(rejection);
        trail.record(record);
    }
}

fn refused(now: UnixTime, rejection: &Rejection) -> AuditRecord {
    let mut record = AuditRecord::refused(now, rejection);
    if let Some((principal, organization, method)) = rejection.proven() {
        record = record.about(principal);
        record.method = Some(method.name());
        record.organization = Some(AuditText::new(organization));
    }
    record.policy = policy(rejection);
    record
}

/// The rule of the policy that decided.
fn policy(rejection: &Rejection) -> Option<AuditPolicy> {
    let details = rejection.details();
    let rule = details.get("rule")?.as_str()?;
    let version = details.get("policy_version").map(ToString::to_string);
    Some(AuditPolicy::new(&version.unwrap_or_default(), rule))
}

fn net(sender: &Sender) -> AuditNet {
    AuditNet {
        peer: sender.peer,
        client: sender.address,
        via_trusted_proxy: sender.peer.is_some() && sender.peer != sender.address,
    }
}
