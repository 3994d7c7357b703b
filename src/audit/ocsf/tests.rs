//! Checked against a table of the schema, read off <https://github.com/ocsf/ocsf-schema> at the tag
//! 1.3.0: `events/**`, `objects/**` and `dictionary.json`.

use serde_json::{Value, json};

use crate::audit::{
    AuditCredential, AuditEvent, AuditNet, AuditPrincipal, AuditRecord, AuditRevocation,
    AuditTarget,
};
use crate::clock::UnixTime;
use crate::rejection::Reason;

/// `class_uid`, its category, its `activity_id`s, what it requires beyond every event, and what else
/// of its attributes is in use.
type Class = (
    u64,
    u64,
    &'static [u64],
    &'static [&'static str],
    &'static [&'static str],
);

const CLASSES: [Class; 4] = [
    (0, 0, &[0, 99], &[], &[]),
    (
        3002,
        3,
        &[0, 1, 2, 3, 4, 5, 6, 99],
        &["user"],
        // One of service and dst_endpoint is required.
        &[
            "service",
            "is_remote",
            "auth_protocol",
            "auth_protocol_id",
            "http_request",
            "src_endpoint",
        ],
    ),
    (
        3004,
        3,
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99],
        &["entity"],
        &["http_request", "src_endpoint", "actor"],
    ),
    (
        6003,
        6,
        &[0, 1, 2, 3, 4, 99],
        &["actor", "api", "src_endpoint"],
        &["http_request"],
    ),
];

/// `base_event`, `includes/classification`, `includes/occurrence`.
const REQUIRED: [&str; 7] = [
    "activity_id",
    "category_uid",
    "class_uid",
    "type_uid",
    "severity_id",
    "time",
    "metadata",
];

const OPTIONAL: [&str; 9] = [
    "activity_name",
    "class_name",
    "type_name",
    "severity",
    "status",
    "status_id",
    "status_code",
    "duration",
    "unmapped",
];

/// The attributes of objects in use, by the path of the object.
const OBJECTS: [(&str, &[&str]); 16] = [
    (
        "metadata",
        &[
            "version",
            "product",
            "event_code",
            "log_version",
            "sequence",
            "correlation_uid",
            "tenant_uid",
            "log_provider",
        ],
    ),
    ("metadata/product", &["name", "vendor_name", "version"]),
    ("user", &["name", "type", "type_id", "uid", "org"]),
    ("user/org", &["uid"]),
    ("actor", &["user", "idp", "app_uid"]),
    ("actor/user", &["name", "type", "type_id", "uid", "org"]),
    ("actor/user/org", &["uid"]),
    ("actor/idp", &["name"]),
    ("api", &["operation", "service", "request"]),
    ("api/service", &["name"]),
    ("api/request", &["uid"]),
    ("service", &["name"]),
    ("entity", &["type", "type_id", "uid"]),
    ("src_endpoint", &["name", "ip", "intermediate_ips"]),
    ("http_request", &["http_method", "url"]),
    ("http_request/url", &["path"]),
];

fn samples() -> Vec<AuditRecord> {
    let mut all = Vec::new();
    for event in AuditEvent::ALL {
        all.push(AuditRecord::new(event, UnixTime::from_secs(1_800_000_000)));
        let mut full = AuditRecord::new(event, UnixTime::from_secs(1_800_000_000));
        full.seq = 9;
        full.instance = Some("web-1".into());
        full.reason = Some(Reason::Expired);
        full.status = Some(401);
        full.method = Some("oauth2");
        full.principal = Some(AuditPrincipal::new(
            "user",
            "https://auth.example.com/t1",
            "alice",
        ));
        full.organization = Some("acme".into());
        full.credential = Some(AuditCredential {
            id: Some("j-1".into()),
            client: Some("inspector".into()),
            ..AuditCredential::default()
        });
        let mut target = AuditTarget::new("https://mcp.example.com/mcp", "POST", "/mcp");
        target.mcp_method = Some("tools/call".into());
        full.target = Some(target);
        full.net = Some(AuditNet {
            peer: Some([10, 0, 0, 7].into()),
            client: Some([192, 0, 2, 1].into()),
            ..AuditNet::default()
        });
        full.request_id = Some("req-1".into());
        all.push(full.clone());
        full.revocation = Some(AuditRevocation::new("client", "inspector"));
        all.push(full);
    }
    all
}

fn known<'t>(table: &'t [(&str, &'static [&'static str])], path: &str) -> &'t [&'static str] {
    let found = table.iter().find(|(name, _)| *name == path);
    found.unwrap_or_else(|| panic!("no object {path}")).1
}

fn check_objects(path: &str, value: &Value) {
    let Some(members) = value.as_object() else {
        return;
    };
    for (name, value) in members {
        assert!(
            known(&OBJECTS, path).contains(&name.as_str()),
            "{path}/{name}"
        );
        check_objects(&format!("{path}/{name}"), value);
    }
}

#[test]
fn every_event_fits_its_class() {
    for record in samples() {
        let event = record.to_ocsf();
        let uid = event["class_uid"].as_u64().unwrap();
        let (_, category, activities, required, others) =
            CLASSES.iter().find(|class| class.0 == uid).unwrap();
        assert_eq!(event["category_uid"], *category, "{event}");
        let activity = event["activity_id"].as_u64().unwrap();
        assert!(activities.contains(&activity), "{event}");
        assert_eq!(event["type_uid"], uid * 100 + activity, "{event}");
        assert!((0..=6).contains(&event["severity_id"].as_u64().unwrap()));
        assert!((1..=2).contains(&event["status_id"].as_u64().unwrap()));
        let protocol = event.get("auth_protocol_id").and_then(Value::as_u64);
        assert!(
            protocol.is_none_or(|id| [0, 6, 99].contains(&id)),
            "{event}"
        );
        assert_eq!(event["time"], 1_800_000_000_000_u64);
        assert_eq!(event["metadata"]["version"], "1.3.0");
        for name in REQUIRED.iter().chain(*required) {
            assert!(event.get(name).is_some(), "{name} in {event}");
        }
        assert!(
            uid != 3002 || event["service"]["name"].is_string(),
            "{event}"
        );
        for (name, value) in event.as_object().unwrap() {
            let name = name.as_str();
            let is_known = [&REQUIRED[..], &OPTIONAL[..], required, others]
                .iter()
                .any(|table| table.contains(&name));
            assert!(is_known, "{name} in {event}");
            if name != "unmapped" {
                check_objects(name, value);
            }
        }
        for path in ["/user", "/actor/user"] {
            if let Some(user) = event.pointer(path) {
                assert!(
                    user["uid"].is_string() || user["name"].is_string(),
                    "{event}"
                );
                assert!(
                    [0, 1, 99].contains(&user["type_id"].as_u64().unwrap()),
                    "{event}"
                );
            }
        }
    }
}

#[test]
fn events_are_of_the_class_an_analyst_looks_for() {
    let class = |event, outcome: u64| {
        let record = AuditRecord::new(event, UnixTime::from_secs(0)).to_ocsf();
        assert_eq!(record["status_id"], outcome, "{record}");
        record["type_uid"].as_u64().unwrap()
    };
    assert_eq!(class(AuditEvent::AuthOk, 1), 600_399);
    assert_eq!(class(AuditEvent::AuthFail, 2), 300_201);
    assert_eq!(class(AuditEvent::AuthThrottled, 2), 300_201);
    assert_eq!(class(AuditEvent::AuthDenied, 2), 600_399);
    assert_eq!(class(AuditEvent::TokenCreated, 1), 300_401);
    assert_eq!(class(AuditEvent::TokenRevoked, 1), 300_409);
    assert_eq!(class(AuditEvent::PolicyChanged, 1), 300_403);
    assert_eq!(class(AuditEvent::SettingsChanged, 1), 300_403);
    assert_eq!(class(AuditEvent::AuditDropped, 2), 99);
}

#[test]
fn what_ocsf_has_no_place_for_is_kept_and_nothing_is_lost() {
    let full = samples()
        .into_iter()
        .find(|record| record.net.is_some())
        .unwrap();
    let event = full.to_ocsf();
    assert_eq!(event["actor"]["user"]["uid"], "alice");
    assert_eq!(event["actor"]["app_uid"], "inspector");
    assert_eq!(event["api"]["operation"], "tools/call");
    assert_eq!(
        event["src_endpoint"],
        json!({"ip": "192.0.2.1", "intermediate_ips": ["10.0.0.7"]})
    );
    assert_eq!(event["status_code"], "expired");
    assert_eq!(event["metadata"]["correlation_uid"], "req-1");
    assert_eq!(event["unmapped"]["credential"]["id"], "j-1");
    assert_eq!(event["unmapped"]["status"], 401);
    assert_eq!(
        event["unmapped"]["target"]["resource"],
        "https://mcp.example.com/mcp"
    );
}

#[test]
fn t49_no_text_breaks_a_line_or_drives_a_terminal() {
    let hostile = "a\nforged\u{1b}[2J\u{202e}";
    let mut record = AuditRecord::new(AuditEvent::AuthDenied, UnixTime::from_secs(0));
    record.request_id = Some(hostile.into());
    record.organization = Some(hostile.into());
    record.principal = Some(AuditPrincipal::new("user", hostile, hostile));
    record.target = Some(AuditTarget::new(hostile, hostile, hostile));
    let line = record.to_ocsf().to_string();
    assert!(!line.chars().any(char::is_control), "{line}");
    assert!(
        !line.contains('\u{202e}') && line.contains("forged"),
        "{line}"
    );
}
