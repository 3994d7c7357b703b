//! One audit record per decision (EDGE-8), and of what changes the ground of decisions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::evidence::Evidence;
use super::ground::Ground;
use super::puts;
use super::sender::{Arrival, Sender};
use super::{Current, Head};
use crate::api_token::ApiTokens;
use crate::audit::trail::AuditTrail;
use crate::audit::{
    AuditEvent, AuditNet, AuditOperation, AuditPolicy, AuditRecord, AuditTarget, AuditText,
};
use crate::clock::{Clock, UnixTime};
use crate::context::AuthContext;
use crate::policy::{ChangeListener, DynPolicyStore};
use crate::rejection::Rejection;
use crate::wire::correlation::{request_id, trace_id};

/// A decision, what was asked for as far as that is known, and the id of the request.
pub(super) type Decided<'d> = (
    Result<Option<&'d AuthContext>, &'d Rejection>,
    (Option<AuditOperation>, Option<&'d str>),
);

/// Where records go, while this lives.
pub(super) struct Audit {
    pub(super) trail: AuditTrail,
    /// Whether nobody is let in without a record of it.
    pub(super) required: bool,
    _policies: Option<ChangeListener>,
}

impl Audit {
    /// Listens to the stores too.
    pub(super) fn new(
        (trail, required): (AuditTrail, bool),
        tokens: Option<&ApiTokens>,
        policies: Option<&DynPolicyStore>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        if let Some(tokens) = tokens {
            tokens.inherit_audit(&trail);
        }
        Self {
            _policies: policies.map(|store| puts::listen(store, &trail, clock)),
            trail,
            required,
        }
    }
}

/// A decision that is waited for. Dropped before it is finished, it leaves a record: whoever asked
/// has gone away.
pub(super) struct Unfinished(Option<Box<Waiting>>);

struct Waiting {
    trail: AuditTrail,
    clock: Arc<dyn Clock>,
    arrival: Arrival,
    record: AuditRecord,
}

impl Unfinished {
    pub(super) fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(waiting) = self.0.take() else {
            return;
        };
        // The clock is the user's, and a panic while unwinding would end the process.
        let _ = catch_unwind(AssertUnwindSafe(move || {
            let Waiting {
                trail,
                clock,
                arrival,
                mut record,
            } = *waiting;
            record.ts = clock.now();
            record.latency = clock.monotonic().saturating_sub(arrival.at);
            trail.record(record);
        }));
    }
}

impl Current {
    /// Whether decisions are put on record.
    pub(crate) fn audits(&self) -> bool {
        self.0.ground.audit.is_some()
    }

    /// When and from where a request came. Time is measured only for a record or a metric.
    pub(crate) fn arrival(&self, head: Head<'_>) -> Arrival {
        let ground = &self.0.ground;
        let find = || Arrival {
            at: if ground.notes_arrivals() {
                ground.clock.monotonic()
            } else {
                Duration::ZERO
            },
            sender: Some(self.0.shared.senders.of(head.headers, head.extensions)),
        };
        catch_unwind(AssertUnwindSafe(find)).unwrap_or(Arrival {
            at: Duration::ZERO,
            sender: None,
        })
    }

    /// The same arrival, its sender found by these settings.
    pub(crate) fn arrival_again(&self, head: Head<'_>, before: Arrival) -> Arrival {
        Arrival {
            at: before.at,
            ..self.arrival(head)
        }
    }

    /// Watches over a decision that has to wait; without a sink, nothing.
    pub(super) fn unfinished(&self, head: Head<'_>, arrival: Arrival) -> Unfinished {
        let ground = &self.0.ground;
        Unfinished(ground.audit.as_ref().map(|audit| {
            let record = AuditRecord::new(AuditEvent::AuthAbandoned, UnixTime::from_secs(0));
            Box::new(Waiting {
                trail: audit.trail.clone(),
                clock: ground.clock.clone(),
                arrival,
                record: self.described(record, head, arrival, &audit.trail),
            })
        }))
    }

    /// Hands the record of a decision to the sink, if there is one. Not of a grant: that is
    /// [`admit_on_record`](Self::admit_on_record).
    pub(crate) fn audit(
        &self,
        head: Head<'_>,
        rejection: &Rejection,
        operation: Option<AuditOperation>,
        request_id: Option<&str>,
        arrival: Arrival,
    ) {
        if let Some(audit) = &self.0.ground.audit {
            let asked = (operation, request_id);
            let record = self.decided(audit, head, (Err(rejection), asked), arrival);
            audit.trail.record(record);
        }
    }

    /// The record of a decision.
    pub(super) fn decided(
        &self,
        audit: &Audit,
        head: Head<'_>,
        (decision, (operation, request_id)): Decided<'_>,
        arrival: Arrival,
    ) -> AuditRecord {
        let (now, latency) = times(&*self.0.ground.clock, arrival);
        let record = match decision {
            Ok(None) => AuditRecord::new(AuditEvent::AuthOk, now),
            Ok(Some(context)) => granted(now, context),
            Err(rejection) => refused(now, rejection),
        };
        let mut record = self.described(record, head, arrival, &audit.trail);
        record.target = record.target.map(|target| target.asking(operation));
        if let Some(id) = request_id {
            record.request_id = Some(AuditText::new(id));
        }
        record.latency = latency;
        record
    }

    /// Puts on record that a client went away while its request was still being read.
    pub(crate) fn audit_abandoned(
        &self,
        head: Head<'_>,
        context: Option<&AuthContext>,
        arrival: Arrival,
    ) {
        let ground = &self.0.ground;
        let Some(Audit { trail, .. }) = &ground.audit else {
            return;
        };
        let (now, latency) = times(&*ground.clock, arrival);
        let record = match context {
            Some(context) => granted(now, context),
            None => AuditRecord::new(AuditEvent::AuthAbandoned, now),
        };
        let mut record = self.described(record, head, arrival, trail);
        record.event = AuditEvent::AuthAbandoned;
        record.latency = latency;
        trail.record(record);
    }

    /// Hands the record of a request that was let in and refused after all to the sink, if there is
    /// one. Its headers are gone by then, and with them what it asked for: the record of the grant,
    /// with the same request id, has both.
    pub(crate) fn audit_withdrawn(
        &self,
        rejection: &Rejection,
        request_id: &str,
        arrival: Arrival,
    ) {
        let ground = &self.0.ground;
        let Some(Audit { trail, .. }) = &ground.audit else {
            return;
        };
        let (now, latency) = times(&*ground.clock, arrival);
        let mut record = proven(AuditRecord::withdrawn(now, rejection), rejection);
        record.latency = latency;
        record.net = arrival.sender.as_ref().map(net);
        record.request_id = Some(AuditText::new(request_id));
        trail.record(record);
    }

    /// Adds what can be read off the request itself.
    pub(super) fn described(
        &self,
        mut record: AuditRecord,
        head: Head<'_>,
        arrival: Arrival,
        trail: &AuditTrail,
    ) -> AuditRecord {
        // A recogniser of the user's may panic (R15); the record is written all the same.
        let evidence = catch_unwind(AssertUnwindSafe(|| Evidence::of(&self.0, head.headers)));
        let evidence = evidence.unwrap_or_default();
        evidence.describe(&mut record, arrival.sender.as_ref(), trail);
        record.net = arrival.sender.as_ref().map(net);
        let resource = self.0.resource.identifier();
        record.target = Some(AuditTarget::new(resource, head.method.as_str(), head.path));
        record.request_id = request_id(head.headers).map(AuditText::new);
        record.trace_id = trace_id(head.headers).map(AuditText::new);
        record
    }
}

impl Ground {
    /// Whether anybody asks when a request came.
    pub(super) fn notes_arrivals(&self) -> bool {
        self.audit.is_some() || self.meter.is_on()
    }

    /// Hands the record of a stream that was ended to the sink, if there is one.
    pub(super) fn audit_end(
        &self,
        context: &AuthContext,
        sender: &Sender,
        rejection: &Rejection,
        now: UnixTime,
    ) {
        let Some(Audit { trail, .. }) = &self.audit else {
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

/// When a decision was made, and how long it took. The clock is the user's and may panic (R15), which
/// while unwinding would end the process; the record is written all the same.
pub(super) fn times(clock: &dyn Clock, arrival: Arrival) -> (UnixTime, Duration) {
    let times = || (clock.now(), clock.monotonic().saturating_sub(arrival.at));
    catch_unwind(AssertUnwindSafe(times)).unwrap_or((UnixTime::from_secs(0), Duration::ZERO))
}

pub(super) fn granted(now: UnixTime, context: &AuthContext) -> AuditRecord {
    let method = context.method().name();
    let mut record = AuditRecord::granted(now, method, context.principal(), context.organization());
    record.policy = context
        .permitted()
        .map(|permitted| AuditPolicy::new(&permitted.version().to_string(), ""));
    record
}

pub(super) fn refused(now: UnixTime, rejection: &Rejection) -> AuditRecord {
    proven(AuditRecord::refused(now, rejection), rejection)
}

/// Adds whose request it was, and the rule that decided.
fn proven(mut record: AuditRecord, rejection: &Rejection) -> AuditRecord {
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
