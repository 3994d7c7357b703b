use proptest::prelude::*;
use serde_json::Value;

use super::super::{Kind, MessageFault, read};
use super::bodies::hostile_body;
use crate::operation::Target;

/// What is wrong with a notification of these parameters.
fn fault(params: &str) -> Option<MessageFault> {
    let body = format!(r#"{{"jsonrpc":"2.0","method":"x","params":{params}}}"#);
    read(body.as_bytes()).err()
}

#[test]
fn t36_what_is_not_json_is_refused() {
    for value in [
        "",
        "tru",
        "True",
        "nul",
        "01",
        "-",
        "-a",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "'a'",
        "\"a",
        "\"a\\\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\u+123""#,
        "\"\t\"",
        "\"\n\"",
        "\"\0\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "[1}",
        "{\"a\":1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "/**/1",
        "1//",
        "\u{a0}1",
        "1e999",
        "-1e999",
        "[1]]",
    ] {
        assert_eq!(
            fault(&format!(r#"{{"a":{value}}}"#)),
            Some(MessageFault::NotJson),
            "{value}"
        );
    }
    for long in ["9".repeat(400), format!("1{}.5", "0".repeat(310))] {
        assert_eq!(
            fault(&format!(r#"{{"a":{long}}}"#)),
            Some(MessageFault::NotJson)
        );
    }
}

#[test]
fn t36_all_json_is_read() {
    for value in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "10",
        "-1.5",
        "1e5",
        "1E-5",
        "1.25e+7",
        "1e308",
        "0e999",
        "\"\"",
        r#""\"\\\/\b\f\n\r\t\u0041\ud83d\ude00\u0000""#,
        "\"\u{7f}\u{e9}\u{1f600}\"",
        "[]",
        "[ ]",
        "[1 , 2]",
        "{}",
        "{ }",
        "{ \"a\" : [ { } ] , \"b\" : \"\" }",
        "\r\n\t 1 ",
        "\"exactly 8\"",
        "\"1234567\"",
        "\"12345678\"",
        "\"a long text of more than sixteen bytes\"",
    ] {
        assert_eq!(fault(&format!(r#"{{"a":{value}}}"#)), None, "{value}");
    }
}

#[test]
fn t36_a_lone_surrogate_is_refused() {
    for value in [
        r"\ud800",
        r"\udc00",
        r"\ud800x",
        r"\ud800\n",
        r"\ud800\ud800",
        r"\udc00\ud800",
    ] {
        assert_eq!(
            fault(&format!(r#"{{"a":"{value}"}}"#)),
            Some(MessageFault::NotJson)
        );
        assert_eq!(
            fault(&format!(r#"{{"{value}":1}}"#)),
            Some(MessageFault::NotJson)
        );
    }
}

#[test]
fn t36_only_one_value_in_utf_8_is_read() {
    let good = r#"{"jsonrpc":"2.0","method":"x"}"#;
    for body in [
        format!("\u{feff}{good}"),
        format!("{good}{good}"),
        format!("{good},"),
        format!("{good}\0"),
        format!("{good}x"),
        good.replace('x', "\u{feff}").replace('}', "}\u{feff}"),
        good[1..].to_owned(),
        String::new(),
    ] {
        assert_eq!(
            read(body.as_bytes()).unwrap_err(),
            MessageFault::NotJson,
            "{body}"
        );
    }
    let latin = good.replace('x', "\u{1}").into_bytes();
    let latin: Vec<u8> = latin
        .into_iter()
        .map(|byte| if byte == 1 { 0xE9 } else { byte })
        .collect();
    assert_eq!(read(&latin).unwrap_err(), MessageFault::NotJson);
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&utf16).unwrap_err(), MessageFault::NotJson);
    assert!(read(format!(" \r\n\t{good}\n").as_bytes()).is_ok());
}

#[test]
fn t36_a_name_that_stands_twice_is_refused_at_any_depth_and_however_written() {
    for params in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"\u0061":1,"a":2}"#,
        r#"{"\u00e9":1,"é":2}"#,
        r#"{"\ud83d\ude00":1,"😀":2}"#,
        r#"{"x":[{"y":{"z":1,"z":1}}]}"#,
        r#"{"a":{"b":1},"a":2}"#,
        r#"{"a":1,"b":{"\u0063":1},"a":2}"#,
    ] {
        assert_eq!(fault(params), Some(MessageFault::Duplicate), "{params}");
    }
    assert_eq!(
        fault(r#"{"x":{"a":1},"y":{"a":1},"z":[{"a":1},{"a":1}],"a":1}"#),
        None
    );
    assert_eq!(
        fault(r#"{"x":{"\u0061":1},"y":{"\u0061":1},"a":1,"A":1}"#),
        None
    );
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","m\u0065thod":"tools/call"}"#;
    assert_eq!(read(twice.as_bytes()).unwrap_err(), MessageFault::Duplicate);
}

#[test]
fn t36_large_objects_are_checked_too() {
    let object = |count: usize, last: &str| {
        let names: Vec<_> = (0..count)
            .map(|n| format!(r#""n{n}":{{"a":[]}},"#))
            .collect();
        format!(r#"{{{}"{last}":1}}"#, names.concat())
    };
    for count in [14, 15, 16, 17, 18, 40, 20_000] {
        assert_eq!(fault(&object(count, "last")), None, "{count}");
        assert_eq!(
            fault(&object(count, "n0")),
            Some(MessageFault::Duplicate),
            "{count}"
        );
        assert_eq!(
            fault(&object(count, "n13")),
            Some(MessageFault::Duplicate),
            "{count}"
        );
        assert_eq!(
            fault(&object(count, "\\u006e9")),
            Some(MessageFault::Duplicate),
            "{count}"
        );
        let nested = format!(r#"{{"o":{},"o":1}}"#, object(count, "last"));
        assert_eq!(fault(&nested), Some(MessageFault::Duplicate), "{count}");
    }
}

#[test]
fn t36_many_open_objects_with_many_names_are_kept_apart() {
    // Four levels of fifteen names are more than are held without allocating.
    let names: Vec<_> = (0..14).map(|n| format!(r#""n{n}":1,"#)).collect();
    let names = names.concat();
    let nested = |levels: usize, inner: &str| {
        let open = format!(r#"{{{names}"in":"#).repeat(levels);
        format!("{open}{inner}{}", "}".repeat(levels))
    };
    for levels in 1..8 {
        assert_eq!(fault(&nested(levels, r#"{"n0":1}"#)), None, "{levels}");
        assert_eq!(
            fault(&nested(levels, r#"{"z":1,"z":1}"#)),
            Some(MessageFault::Duplicate)
        );
        let behind = nested(levels, "1").replacen('}', r#","n3":1}"#, 1);
        assert_eq!(fault(&behind), Some(MessageFault::Duplicate), "{levels}");
    }
}

#[test]
fn t36_names_reserved_by_serde_json_are_refused_at_any_depth() {
    for params in [
        r#"{"$serde_json::private::Number":"1"}"#,
        r#"{"a":[{"b":{"$serde_json::private::RawValue":"{}"}}]}"#,
        r#"{"a":{"\u0024serde_json::private::Number":"1"}}"#,
        r#"{"a":{"$serde_json::private::":"1"}}"#,
    ] {
        assert_eq!(fault(params), Some(MessageFault::Reserved), "{params}");
    }
    assert_eq!(
        fault(r#"{"$serde_json::public::Number":"$serde_json::private::Number"}"#),
        None
    );
    let top = r#"{"$serde_json::private::RawValue":"{}","jsonrpc":"2.0","method":"x"}"#;
    assert_eq!(read(top.as_bytes()).unwrap_err(), MessageFault::Reserved);
}

#[test]
fn t36_depth_is_bounded() {
    // The message and its parameters are two levels.
    let arrays = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert_eq!(fault(&arrays(62)), None);
    assert_eq!(fault(&arrays(63)), Some(MessageFault::TooDeep));
    assert_eq!(fault(&objects(63)), None);
    assert_eq!(fault(&objects(64)), Some(MessageFault::TooDeep));
    assert_eq!(fault(&objects(1_000_000)), Some(MessageFault::TooDeep));
    assert_eq!(
        read("[".repeat(1_000_000).as_bytes()).unwrap_err(),
        MessageFault::TooDeep
    );
}

fn value<'v>(of: &'v Value, path: &str) -> Option<&'v str> {
    of.pointer(path).and_then(Value::as_str)
}

/// What `serde_json` makes of a body we read: the same.
fn agrees_with_serde_json(body: &[u8]) {
    let Ok(message) = read(body) else {
        return;
    };
    let whole: Value = serde_json::from_slice(body).expect("what we read is JSON to serde_json");
    assert_eq!(value(&whole, "/jsonrpc"), Some("2.0"));
    let id = message
        .id()
        .map(|id| serde_json::from_str::<Value>(id).unwrap());
    assert_eq!(whole.get("id"), id.as_ref());
    let Some(operation) = message.operation() else {
        assert_eq!(message.kind(), Kind::Response);
        assert_eq!(whole.get("method"), None);
        return;
    };
    assert_eq!(message.kind() == Kind::Request, id.is_some());
    assert_eq!(value(&whole, "/method"), Some(operation.method()));
    let path = match (operation.method(), operation.target()) {
        ("completion/complete", Some(Target::Prompt(_))) => "/params/ref/name",
        ("completion/complete", Some(Target::Resource(_))) => "/params/ref/uri",
        (_, Some(Target::Tool(_) | Target::Prompt(_))) => "/params/name",
        (_, Some(Target::Resource(_))) => "/params/uri",
        (_, Some(Target::Task(_))) => "/params/taskId",
        (_, None) => return,
    };
    assert_eq!(
        value(&whole, path),
        operation.target().map(|target| target.name())
    );
    if let Some(arguments) = message.arguments() {
        let arguments: Value = serde_json::from_slice(arguments).unwrap();
        assert_eq!(whole.pointer("/params/arguments"), Some(&arguments));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn t36_what_is_read_means_the_same_to_serde_json(body in hostile_body()) {
        agrees_with_serde_json(&body);
    }

    #[test]
    fn t36_no_bytes_are_a_panic(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        agrees_with_serde_json(&body);
    }

    #[test]
    fn t36_near_json_is_no_panic(text in r#"[\[\]{}",:\\u0-9a-e.+ \n-]{0,40}"#) {
        agrees_with_serde_json(text.as_bytes());
        agrees_with_serde_json(format!(r#"{{"jsonrpc":"2.0","method":"x","a":{text}}}"#).as_bytes());
    }

    #[test]
    fn t36_an_ordinary_call_is_read(name in any::<String>(), key in any::<String>(), number in any::<i64>()) {
        let arguments = serde_json::json!({ &key: [number, &name, null, { "x": 1.5 }] });
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": number, "method": "tools/call",
            "params": { "name": &name, "arguments": &arguments },
        });
        let body = serde_json::to_vec_pretty(&body).unwrap();
        let message = read(&body).unwrap();
        prop_assert_eq!(message.kind(), Kind::Request);
        prop_assert_eq!(message.operation().unwrap().target(), Some(Target::Tool(&name)));
        agrees_with_serde_json(&body);
    }
}
