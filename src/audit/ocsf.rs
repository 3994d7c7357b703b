//! Audit records in the words of the Open Cybersecurity Schema Framework.
//!
//! Numbers are those of OCSF 1.3.0 (<https://schema.ocsf.io/1.3.0>); later 1.x versions keep them.

use serde_json::{Map, Value, json};

use super::parts::{AuditNet, AuditPrincipal};
use super::{AuditEvent, AuditOutcome, AuditRecord};

/// The version of the schema.
const VERSION: &str = "1.3.0";

/// `activity_id` of whatever a class has no number for.
const OTHER: u32 = 99;

/// How [`JsonLinesAudit`](super::JsonLinesAudit) writes a record.
///
/// ```
/// use tower_mcp_auth::audit::AuditFormat;
///
/// assert_eq!(AuditFormat::default(), AuditFormat::Native);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditFormat {
    /// [`AuditRecord::to_json`].
    #[default]
    Native,
    /// [`AuditRecord::to_ocsf`].
    Ocsf,
}

/// The classes in use.
#[derive(Clone, Copy)]
enum Class {
    Base,
    Authentication,
    EntityManagement,
    ApiActivity,
}

impl Class {
    /// `category_uid`, `class_uid` and `class_name`.
    const fn ids(self) -> (u32, u32, &'static str) {
        match self {
            Self::Base => (0, 0, "Base Event"),
            Self::Authentication => (3, 3002, "Authentication"),
            Self::EntityManagement => (3, 3004, "Entity Management"),
            Self::ApiActivity => (6, 6003, "API Activity"),
        }
    }
}

/// What an event is called there: its class, and `activity_id` with `activity_name`.
struct Kind {
    class: Class,
    activity: (u32, &'static str),
}

impl Kind {
    fn of(record: &AuditRecord) -> Self {
        let (class, activity) = match record.event {
            // Nobody is known to be there: what is watched for guessed credentials.
            AuditEvent::AuthFail | AuditEvent::AuthThrottled | AuditEvent::TokenFailing => {
                (Class::Authentication, (1, "Logon"))
            }
            AuditEvent::AuthOk
            | AuditEvent::AuthDenied
            | AuditEvent::AuthUnavailable
            | AuditEvent::AuthAbandoned => (Class::ApiActivity, call(record)),
            AuditEvent::AuthExplained => (Class::ApiActivity, (OTHER, "Decision Explained")),
            AuditEvent::StreamEnded => (Class::ApiActivity, (OTHER, "Stream Ended")),
            AuditEvent::TokenCreated => (Class::EntityManagement, (1, "Create")),
            AuditEvent::TokenRolled | AuditEvent::PolicyChanged | AuditEvent::SettingsChanged => {
                (Class::EntityManagement, (3, "Update"))
            }
            AuditEvent::TokenRevoked | AuditEvent::TokenLeaked | AuditEvent::RevocationApplied => {
                (Class::EntityManagement, (9, "Disable"))
            }
            AuditEvent::AuditDropped => (Class::Base, (OTHER, "Audit Records Dropped")),
        };
        Self { class, activity }
    }
}

/// What a request does to what is behind this server, as far as its names say.
fn call(record: &AuditRecord) -> (u32, &'static str) {
    let target = record.target.as_ref();
    let method = target.and_then(|target| target.mcp_method.as_ref());
    let reads = match (method, target) {
        (Some(method), _) => {
            let verb = method.as_str().rsplit('/').next();
            matches!(verb, Some("list" | "read" | "get"))
        }
        (None, Some(target)) => target.method == "GET" || target.method == "HEAD",
        (None, None) => false,
    };
    if reads { (2, "Read") } else { (OTHER, "Other") }
}

impl AuditRecord {
    /// The record as an event of OCSF 1.3.0: API Activity (6003) for requests of callers that are
    /// known, and for those that were judged by something else than their credential;
    /// Authentication (3002) for credentials that are refused; Entity Management (3004) for tokens,
    /// policies, settings and revocations; and the base event for `audit.dropped`.
    ///
    /// What OCSF has no place for stands under `unmapped`, by the names of the members of
    /// [`to_json`](Self::to_json).
    ///
    /// ```
    /// use tower_mcp_auth::audit::{AuditEvent, AuditRecord};
    /// use tower_mcp_auth::clock::UnixTime;
    ///
    /// let record = AuditRecord::new(AuditEvent::AuthFail, UnixTime::from_secs(1_800_000_000));
    /// let event = record.to_ocsf();
    /// assert_eq!(event["class_uid"], 3002);
    /// assert_eq!(event["type_uid"], 300_201);
    /// assert_eq!(event["time"], 1_800_000_000_000_i64);
    /// ```
    #[must_use]
    pub fn to_ocsf(&self) -> Value {
        let kind = Kind::of(self);
        let mut event = self.classification(&kind);
        let mut add = |name: &str, value: Value| drop(event.insert(name.to_owned(), value));
        let service = self
            .target
            .as_ref()
            .map_or("tower-mcp-auth", |target| target.resource.as_str());
        match kind.class {
            Class::Base => {}
            Class::Authentication => {
                add("user", self.user());
                add("service", json!({ "name": service }));
                add("is_remote", true.into());
                let (id, name) = self.protocol();
                add("auth_protocol_id", id.into());
                add("auth_protocol", name.into());
            }
            Class::EntityManagement => add("entity", self.entity()),
            Class::ApiActivity => {
                add("actor", self.actor());
                add("api", self.api(service));
            }
        }
        let is_request = matches!(kind.class, Class::Authentication | Class::ApiActivity);
        let is_base = matches!(kind.class, Class::Base);
        if is_request || self.net.is_some() && !is_base {
            add("src_endpoint", endpoint(self.net));
        }
        if let Some(request) = self.http_request().filter(|_| !is_base) {
            add("http_request", request);
        }
        add("unmapped", self.unmapped());
        Value::Object(event)
    }

    /// What every event has.
    fn classification(&self, kind: &Kind) -> Map<String, Value> {
        let (category, class, class_name) = kind.class.ids();
        let (activity, activity_name) = kind.activity;
        let (status, status_name) = match self.outcome {
            AuditOutcome::Allowed | AuditOutcome::Done => (1, "Success"),
            AuditOutcome::Refused | AuditOutcome::Error => (2, "Failure"),
        };
        let (severity, severity_name) = self.severity();
        let mut event = Map::new();
        let mut add = |name: &str, value: Value| drop(event.insert(name.to_owned(), value));
        add("category_uid", category.into());
        add("class_uid", class.into());
        add("class_name", class_name.into());
        add("activity_id", activity.into());
        add("activity_name", activity_name.into());
        add(
            "type_uid",
            (u64::from(class) * 100 + u64::from(activity)).into(),
        );
        add("type_name", format!("{class_name}: {activity_name}").into());
        add("severity_id", severity.into());
        add("severity", severity_name.into());
        add("status_id", status.into());
        add("status", status_name.into());
        if let Some(reason) = self.reason {
            add("status_code", reason.code().into());
        }
        add("time", self.ts.as_secs().saturating_mul(1000).into());
        let duration = u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX);
        add("duration", duration.into());
        add("metadata", self.metadata());
        event
    }

    const fn severity(&self) -> (u32, &'static str) {
        match (self.event, self.outcome) {
            (AuditEvent::TokenLeaked | AuditEvent::AuditDropped, _) => (4, "High"),
            (AuditEvent::TokenFailing | AuditEvent::AuthUnavailable, _) => (3, "Medium"),
            (AuditEvent::AuthExplained, _) | (_, AuditOutcome::Allowed | AuditOutcome::Done) => {
                (1, "Informational")
            }
            _ => (2, "Low"),
        }
    }

    fn metadata(&self) -> Value {
        let mut metadata = json!({
            "version": VERSION,
            "product": {
                "name": "tower-mcp-auth",
                "vendor_name": "tower-mcp-auth",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "event_code": self.event.name(),
            "log_version": self.v.to_string(),
            "sequence": self.seq,
        });
        let known = [
            ("correlation_uid", &self.request_id),
            ("tenant_uid", &self.organization),
            ("log_provider", &self.instance),
        ];
        if let Some(metadata) = metadata.as_object_mut() {
            for (name, text) in known {
                if let Some(text) = text {
                    metadata.insert(name.to_owned(), text.as_str().into());
                }
            }
        }
        metadata
    }

    /// Who proved to be there. Of a refused credential nothing is known but what it claims, and that
    /// stays with the rest.
    fn user(&self) -> Value {
        let Some(AuditPrincipal { kind, subject, .. }) = &self.principal else {
            return json!({ "name": "unknown", "type_id": 0, "type": "Unknown" });
        };
        let mut user = match *kind {
            "user" => json!({ "type_id": 1, "type": "User" }),
            other => json!({ "type_id": OTHER, "type": other }),
        };
        if let Some(user) = user.as_object_mut() {
            user.insert("uid".to_owned(), subject.as_str().into());
            if let Some(organization) = &self.organization {
                user.insert("org".to_owned(), json!({ "uid": organization.as_str() }));
            }
        }
        user
    }

    fn actor(&self) -> Value {
        let mut actor = json!({ "user": self.user() });
        let Some(members) = actor.as_object_mut() else {
            return actor;
        };
        if let Some(principal) = &self.principal {
            let idp = json!({ "name": principal.issuer.as_str() });
            members.insert("idp".to_owned(), idp);
        }
        let client = self
            .credential
            .as_ref()
            .and_then(|credential| credential.client.as_ref());
        if let Some(client) = client {
            members.insert("app_uid".to_owned(), client.as_str().into());
        }
        actor
    }

    fn api(&self, service: &str) -> Value {
        let target = self.target.as_ref();
        let operation = target.map_or("unknown", |target| {
            let method = target.mcp_method.as_ref().unwrap_or(&target.method);
            method.as_str()
        });
        let mut api = json!({ "operation": operation, "service": { "name": service } });
        if let (Some(api), Some(id)) = (api.as_object_mut(), &self.request_id) {
            api.insert("request".to_owned(), json!({ "uid": id.as_str() }));
        }
        api
    }

    /// What an administrator's act was about.
    fn entity(&self) -> Value {
        if let Some(revocation) = &self.revocation {
            return json!({ "type_id": OTHER, "type": revocation.kind, "uid": revocation.id.as_str() });
        }
        if let Some(generation) = self.generation {
            return json!({ "type_id": OTHER, "type": "Settings", "uid": generation.to_string() });
        }
        if self.event == AuditEvent::PolicyChanged {
            let name = self
                .organization
                .as_ref()
                .map_or("unknown", |name| name.as_str());
            return json!({ "type_id": 5, "type": "Policy", "uid": name });
        }
        let credential = self
            .credential
            .as_ref()
            .and_then(|credential| credential.id.as_ref());
        let id = credential.map_or("unknown", |id| id.as_str());
        json!({ "type_id": OTHER, "type": "API Token", "uid": id })
    }

    /// `auth_protocol_id`, and its caption.
    fn protocol(&self) -> (u32, &'static str) {
        match self.method {
            Some("oauth2") => (6, "OAUTH 2.0"),
            Some(method) => (OTHER, method),
            None => (0, "Unknown"),
        }
    }

    fn http_request(&self) -> Option<Value> {
        let target = self.target.as_ref()?;
        Some(json!({
            "http_method": target.method.as_str(),
            "url": { "path": target.path.as_str() },
        }))
    }

    /// Whatever has not found its place elsewhere.
    fn unmapped(&self) -> Value {
        let mut rest = serde_json::to_value(self).unwrap_or_default();
        if let Some(rest) = rest.as_object_mut() {
            let mapped = [
                "v",
                "ts",
                "seq",
                "event",
                "reason",
                "request_id",
                "instance",
            ];
            rest.retain(|name, _| !mapped.contains(&name.as_str()));
        }
        rest
    }
}

/// Where a request came from.
fn endpoint(net: Option<AuditNet>) -> Value {
    let Some(AuditNet { peer, client, .. }) = net else {
        return json!({ "name": "unknown" });
    };
    let Some(address) = client.or(peer) else {
        return json!({ "name": "unknown" });
    };
    match peer.filter(|peer| *peer != address) {
        Some(proxy) => json!({ "ip": address, "intermediate_ips": [proxy] }),
        None => json!({ "ip": address }),
    }
}

#[cfg(test)]
mod tests;
