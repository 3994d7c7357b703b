//! The audit record, version 1: a closed vocabulary, ids only.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::event::{AuditEvent, AuditOutcome};
use super::parts::{
    AuditCredential, AuditNet, AuditPolicy, AuditPrincipal, AuditRevocation, AuditTarget,
};
use super::text::AuditText;
use crate::clock::UnixTime;
use crate::ident::OrganizationId;
use crate::principal::{Principal, PrincipalKind};
use crate::rejection::{Reason, Rejection};
use crate::scope::ScopeSet;

/// Most scopes written into a record; the rest is cut off.
const MAX_SCOPES: usize = 64;

/// One decision. As JSON it is one object; members that are not known are left out.
///
/// ```
/// use std::time::Duration;
/// use tower_mcp_auth::audit::{AuditEvent, AuditRecord, AuditTarget};
/// use tower_mcp_auth::clock::UnixTime;
///
/// let mut record = AuditRecord::new(AuditEvent::AuthOk, UnixTime::from_secs(1_800_000_000));
/// record.target = Some(AuditTarget::new("https://mcp.example.com/mcp", "POST", "/mcp?x=1"));
/// record.latency = Duration::from_micros(85);
/// assert_eq!(
///     record.to_json(),
///     concat!(
///         r#"{"v":1,"ts":"2027-01-15T08:00:00Z","seq":0,"event":"auth.ok","outcome":"allowed","#,
///         r#""target":{"resource":"https://mcp.example.com/mcp","method":"POST","path":"/mcp"},"#,
///         r#""latency_us":85}"#,
///     )
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditRecord {
    /// The version of this schema: 1.
    pub v: u8,
    /// When, in UTC with whole seconds (RFC 3339).
    #[serde(serialize_with = "as_rfc3339")]
    pub ts: UnixTime,
    /// The number of this record among those for its sink since the start of the process: a gap is
    /// a loss.
    pub seq: u64,
    /// The process that wrote it, where it was given a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<AuditText>,
    /// What happened.
    pub event: AuditEvent,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Why it was refused.
    #[serde(serialize_with = "as_code", skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The HTTP status of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How the request authenticated or tried to, as
    /// [`AuthMethod::name`](crate::AuthMethod::name) has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
    /// Who, where proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<AuditPrincipal>,
    /// The organization whose rules apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<AuditText>,
    /// Who made the API token that this is about, as its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<AuditText>,
    /// The email that a Basic credential came with, as 32 hexadecimal digits of a keyed hash: the
    /// same for the same email, and no email. See
    /// [`audit_key`](crate::authenticator::AuthenticatorBuilder::audit_key).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_hash: Option<AuditText>,
    /// The credential, by its id. Of a refused one only the id it claims, which anybody can write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<AuditCredential>,
    /// The scopes granted to it, 64 at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<AuditText>,
    /// The scopes that the operation needs, in a refusal about scopes (SCP-11), 64 at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_scopes: Vec<AuditText>,
    /// Those of them that the credential lacks, 64 at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_scopes: Vec<AuditText>,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<AuditTarget>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net: Option<AuditNet>,
    /// What was revoked, in a record of a revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<AuditRevocation>,
    /// The generation of the settings that came into force, in a record of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// By which rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<AuditPolicy>,
    /// How long the decision took; whole microseconds in JSON.
    #[serde(rename = "latency_us", serialize_with = "as_microseconds")]
    pub latency: Duration,
    /// The id that the client also sees in the body of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<AuditText>,
    /// The trace the request belongs to, from its `traceparent` (W3C Trace Context).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<AuditText>,
    /// How many records a sink lost since the last one it wrote.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

impl AuditRecord {
    /// A record of an event of which nothing else is known yet.
    ///
    /// ```
    /// # use tower_mcp_auth::{audit::{AuditEvent, AuditOutcome, AuditRecord}, clock::UnixTime};
    /// let record = AuditRecord::new(AuditEvent::AuthFail, UnixTime::from_secs(0));
    /// assert_eq!(record.outcome, AuditOutcome::Refused);
    /// ```
    #[must_use]
    pub fn new(event: AuditEvent, ts: UnixTime) -> Self {
        Self {
            v: 1,
            ts,
            seq: 0,
            instance: None,
            event,
            outcome: event.outcome(),
            reason: None,
            status: None,
            method: None,
            principal: None,
            organization: None,
            created_by: None,
            email_hash: None,
            credential: None,
            scopes: Vec::new(),
            required_scopes: Vec::new(),
            missing_scopes: Vec::new(),
            target: None,
            net: None,
            revocation: None,
            generation: None,
            policy: None,
            latency: Duration::ZERO,
            request_id: None,
            trace_id: None,
            dropped: 0,
        }
    }

    /// The record as one line of JSON, without a line end.
    ///
    /// ```
    /// # use tower_mcp_auth::{audit::{AuditEvent, AuditRecord}, clock::UnixTime};
    /// let record = AuditRecord::new(AuditEvent::AuthFail, UnixTime::from_secs(0));
    /// assert!(record.to_json().starts_with(r#"{"v":1,"ts":"1970-01-01T00:00:00Z""#));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        // Cannot fail: no map with other keys than text, and no writer but memory.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A request that was let in.
    pub(crate) fn granted(
        ts: UnixTime,
        method: &'static str,
        principal: &Principal,
        organization: &OrganizationId,
    ) -> Self {
        let mut record = Self::new(AuditEvent::AuthOk, ts).about(principal);
        record.method = Some(method);
        record.organization = Some(AuditText::new(organization));
        record
    }

    /// A request that was refused.
    pub(crate) fn refused(ts: UnixTime, rejection: &Rejection) -> Self {
        let reason = rejection.reason();
        let mut record = Self::new(AuditEvent::of(rejection.status()), ts);
        record.reason = Some(reason);
        record.status = Some(rejection.status().as_u16());
        record.required_scopes = texts(rejection.required_scopes());
        record.missing_scopes = texts(rejection.missing_scopes());
        record
    }

    /// A request that was let in, and refused after all by whoever handled it: never a failure to
    /// authenticate, whatever its status.
    pub(crate) fn withdrawn(ts: UnixTime, rejection: &Rejection) -> Self {
        let mut record = Self::refused(ts, rejection);
        if !rejection.status().is_server_error() {
            record.event = AuditEvent::AuthDenied;
        }
        record
    }

    /// The same facts, of another event.
    pub(crate) fn of_event(mut self, event: AuditEvent) -> Self {
        self.event = event;
        self.outcome = event.outcome();
        self
    }

    /// Adds what a principal's credential vouches for.
    pub(crate) fn about(mut self, principal: &Principal) -> Self {
        let issuer = AuditText::new(principal.issuer());
        self.principal = Some(AuditPrincipal {
            kind: match principal.kind() {
                PrincipalKind::User => "user",
                PrincipalKind::Client => "client",
                PrincipalKind::ServiceAccount => "service_account",
            },
            issuer: issuer.clone(),
            subject: AuditText::new(principal.subject()),
        });
        self.credential = Some(AuditCredential {
            id: principal.token_id().map(AuditText::new),
            issuer: Some(issuer),
            client: principal.client().map(AuditText::new),
            exposed: false,
        });
        self.granting(principal.scopes())
    }

    /// Adds the scopes of a credential.
    pub(crate) fn granting(mut self, scopes: &ScopeSet) -> Self {
        self.scopes = texts(scopes);
        self
    }
}

fn texts(scopes: &ScopeSet) -> Vec<AuditText> {
    let scopes = scopes.iter().take(MAX_SCOPES);
    scopes.map(AuditText::new).collect()
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn as_code<S: Serializer>(reason: &Option<Reason>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(Reason::code).serialize(serializer)
}

fn as_microseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn as_rfc3339<S: Serializer>(time: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339())
}

#[cfg(test)]
mod tests;
