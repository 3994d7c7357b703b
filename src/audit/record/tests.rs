use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ident::ClientId;
use crate::principal::Facts;
use crate::scope::ScopeSet;

fn principal(subject: &str, scopes: &ScopeSet) -> Principal {
    Principal::new(Facts {
        client: ClientId::new("desktop"),
        scopes: scopes.clone(),
        token_id: Some("jti-1".into()),
        payload: b"{\"email\":\"alice@example.com\"}".to_vec(),
        ..Facts::of_user("https://auth.example.com/t1", subject)
    })
}

fn json(record: &AuditRecord) -> Value {
    serde_json::from_str(&record.to_json()).unwrap()
}

#[test]
fn edge_08_a_grant_names_everybody_by_id() {
    let scopes = ScopeSet::parse("read:issues write:issues").unwrap();
    let organization = OrganizationId::new("acme").unwrap();
    let mut record = AuditRecord::granted(
        UnixTime::from_secs(951_782_400),
        "oauth",
        &principal("alice", &scopes),
        &organization,
    );
    record.seq = 7;
    record.target = Some(AuditTarget::new(
        "https://mcp.example.com/mcp",
        "POST",
        "/mcp#x?y",
    ));
    record.net = Some(AuditNet {
        peer: Some([10, 0, 0, 7].into()),
        client: Some("2001:db8::1".parse().unwrap()),
        via_trusted_proxy: true,
    });
    record.policy = Some(AuditPolicy::new("42", "methods"));
    record.latency = Duration::from_nanos(85_999);
    record.request_id = Some("0123".into());
    record.instance = Some("web-1".into());
    record.email_hash = Some("00ff".into());
    record.trace_id = Some("4bf9".into());
    record.credential.as_mut().unwrap().exposed = true;
    assert_eq!(
        json(&record),
        json!({
            "v": 1, "ts": "2000-02-29T00:00:00Z", "seq": 7, "instance": "web-1",
            "event": "auth.ok", "outcome": "allowed", "method": "oauth",
            "principal": {
                "kind": "user", "issuer": "https://auth.example.com/t1", "subject": "alice"
            },
            "organization": "acme", "email_hash": "00ff",
            "credential": {
                "id": "jti-1", "issuer": "https://auth.example.com/t1", "client": "desktop",
                "exposed": true
            },
            "scopes": ["read:issues", "write:issues"],
            "target": {
                "resource": "https://mcp.example.com/mcp", "method": "POST", "path": "/mcp"
            },
            "net": { "peer": "10.0.0.7", "client": "2001:db8::1", "via_trusted_proxy": true },
            "policy": { "version": "42", "rule": "methods" },
            "latency_us": 85, "request_id": "0123", "trace_id": "4bf9",
        })
    );
    // Claims are not ids.
    assert!(!record.to_json().contains("alice@"));
}

#[test]
fn edge_08_a_refusal_says_why_whatever_the_reason() {
    for &reason in Reason::ALL {
        let record = AuditRecord::refused(UnixTime::from_secs(0), &reason.into());
        let value = json(&record);
        assert_eq!(value["reason"], reason.code());
        assert_eq!(value["status"], reason.status().as_u16());
        let expected = match reason.status().as_u16() {
            400 | 401 | 413 | 431 => ("auth.fail", "refused"),
            403 | 404 => ("auth.denied", "refused"),
            429 => ("auth.throttled", "refused"),
            500 | 503 => ("auth.unavailable", "error"),
            other => panic!("{reason}: {other}"),
        };
        let found = (
            value["event"].as_str().unwrap(),
            value["outcome"].as_str().unwrap(),
        );
        assert_eq!(found, expected, "{reason}");
    }
}

#[test]
fn edge_08_an_administrators_act_is_done_and_says_to_what() {
    let mut record = AuditRecord::new(AuditEvent::RevocationApplied, UnixTime::from_secs(0));
    let mut revocation = AuditRevocation::new("token", "j\n1");
    revocation.issuer = Some("https://auth.example.com/t1".into());
    record.revocation = Some(revocation);
    record.created_by = Some("grace".into());
    assert_eq!(
        json(&record),
        json!({
            "v": 1, "ts": "1970-01-01T00:00:00Z", "seq": 0,
            "event": "revocation.applied", "outcome": "done", "created_by": "grace",
            "revocation": {
                "kind": "token", "id": "j\\u{a}1", "issuer": "https://auth.example.com/t1"
            },
            "latency_us": 0,
        })
    );
}

#[test]
fn t49_hostile_names_stay_inside_their_member() {
    let scopes = ScopeSet::from_words((0..100).map(|n| format!("s{n}"))).unwrap();
    let mut record = AuditRecord::new(AuditEvent::AuthOk, UnixTime::from_secs(0))
        .about(&principal("a\u{202e}\"},{\"event\":\"auth.ok", &scopes));
    record.request_id = Some(AuditText::new("x\r\n{\"v\":1}\u{1b}[2J"));
    let line = record.to_json();
    assert!(!line.contains(['\n', '\r', '\u{1b}', '\u{202e}']), "{line}");
    let value = json(&record);
    assert_eq!(
        value["principal"]["subject"],
        "a\\u{202e}\"},{\"event\":\"auth.ok"
    );
    assert_eq!(value["scopes"].as_array().unwrap().len(), 64);
}

#[test]
fn edge_08_event_names_are_distinct() {
    let mut names: Vec<_> = AuditEvent::ALL.iter().map(|event| event.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), AuditEvent::ALL.len());
}

#[test]
fn edge_08_times_are_rfc_3339() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (68_169_600, "1972-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (1_709_251_200, "2024-03-01T00:00:00Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (i64::MAX, "9999-12-31T23:59:59Z"),
        (i64::MIN, "0000-01-01T00:00:00Z"),
    ] {
        assert_eq!(UnixTime::from_secs(seconds).to_rfc3339(), text);
    }
}

proptest! {
    /// Against the calendar counted day by day.
    #[test]
    fn edge_08_dates_follow_each_other(days in -700_000..2_900_000_i64, of_day in 0..86_400_i64) {
        let text = |days: i64| UnixTime::from_secs(days * 86_400 + of_day).to_rfc3339();
        let parts = |text: &str| -> Vec<u32> {
            text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect()
        };
        let (today, tomorrow) = (parts(&text(days)), parts(&text(days + 1)));
        let (year, month, day) = (today[0], today[1], today[2]);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 => if leap { 29 } else { 28 },
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let next = if day < last {
            (year, month, day + 1)
        } else if month < 12 {
            (year, month + 1, 1)
        } else {
            (year + 1, 1, 1)
        };
        prop_assert_eq!((tomorrow[0], tomorrow[1], tomorrow[2]), next);
        prop_assert_eq!(i64::from(today[3] * 3600 + today[4] * 60 + today[5]), of_day);
    }

    #[test]
    fn t49_any_text_makes_one_line(text in any::<String>()) {
        let mut record = AuditRecord::new(AuditEvent::AuthFail, UnixTime::from_secs(0));
        record.target = Some(AuditTarget::new(&text, &text, &text));
        record.policy = Some(AuditPolicy::new(&text, &text));
        let line = record.to_json();
        prop_assert!(!line.chars().any(char::is_control));
        prop_assert!(serde_json::from_str::<Value>(&line).is_ok());
    }
}
