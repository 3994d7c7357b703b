use super::super::message::naming_parameter;
use super::super::{HeaderFault, Kind, MessageFault, read};
use crate::operation::{Operation, Target};

fn fault(body: &str) -> MessageFault {
    read(body.as_bytes()).expect_err(body)
}

/// What is wrong with a request of this method and these parameters.
fn asking(method: &str, params: &str) -> Result<(), MessageFault> {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    read(body.as_bytes()).map(drop)
}

#[test]
fn mcp_03_a_call_names_its_tool_its_id_and_its_arguments() {
    let body = r#"{"params":{"arguments":{"region": "eu"},"name":"deploy"},"method":"tools/call","id":"a-1","jsonrpc":"2.0"}"#;
    let message = read(body.as_bytes()).unwrap();
    assert_eq!(message.kind(), Kind::Request);
    assert_eq!(message.id(), Some("\"a-1\""));
    assert_eq!(
        message.operation(),
        Some(Operation::new("tools/call", Some("deploy")))
    );
    assert_eq!(message.arguments(), Some(&br#"{"region": "eu"}"#[..]));
}

#[test]
fn mcp_03_kinds_follow_from_members() {
    for (body, kind) in [
        (r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#, Kind::Request),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            Kind::Notification,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Kind::Response),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}"#,
            Kind::Response,
        ),
    ] {
        let message = read(body.as_bytes()).unwrap();
        assert_eq!(message.kind(), kind);
        assert_eq!(message.operation().is_none(), kind == Kind::Response);
        assert_eq!(message.arguments(), None);
    }
}

#[test]
fn mcp_03_what_is_two_kinds_or_none_is_refused() {
    for members in [
        r#""id":1"#,
        r#""id":1,"params":{}"#,
        r#""result":{}"#,
        r#""error":{}"#,
        r#""id":1,"result":{},"error":{}"#,
        r#""id":1,"method":"ping","result":{}"#,
        r#""method":"ping","error":null"#,
        r#""id":1,"method":"ping","result":null,"error":null"#,
    ] {
        assert_eq!(
            fault(&format!(r#"{{"jsonrpc":"2.0",{members}}}"#)),
            MessageFault::Shape
        );
    }
}

#[test]
fn mcp_03_only_json_rpc_2_is_read() {
    for version in [
        "\"1.0\"",
        "\"2.0 \"",
        "\"2\"",
        "2.0",
        "2",
        "null",
        "[\"2.0\"]",
    ] {
        let body = format!(r#"{{"jsonrpc":{version},"id":1,"method":"ping"}}"#);
        assert_eq!(fault(&body), MessageFault::Version, "{version}");
    }
    assert_eq!(fault(r#"{"id":1,"method":"ping"}"#), MessageFault::Version);
    for value in ["null", "true", "1", "\"tools/call\"", "{}"] {
        assert_eq!(fault(value), MessageFault::Version, "{value}");
    }
    assert!(read(br#"{"jsonrpc":"\u0032.0","id":1,"method":"ping"}"#).is_ok());
}

#[test]
fn mcp_23_a_batch_is_refused() {
    for body in [
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        " [1,2]\n",
    ] {
        assert_eq!(fault(body), MessageFault::Batch, "{body}");
    }
    assert_eq!(fault("[1"), MessageFault::NotJson);
}

#[test]
fn mcp_03_ids_are_strings_or_integers_of_64_bits() {
    for id in [
        "0",
        "-0",
        "-5",
        "9223372036854775807",
        "-9223372036854775808",
        "\"\"",
        r#""\u0041""#,
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(read(body.as_bytes()).unwrap().id(), Some(id));
    }
    for id in [
        "null",
        "true",
        "1.0",
        "1e2",
        "9223372036854775808",
        "[]",
        "{}",
        "[1]",
    ] {
        for rest in [r#""method":"ping""#, r#""result":{}"#] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},{rest}}}"#);
            assert_eq!(fault(&body), MessageFault::Id, "{id}");
        }
    }
}

#[test]
fn mcp_03_methods_are_strings_and_params_objects() {
    for method in ["null", "1", "{}", "[\"ping\"]"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method}}}"#);
        assert_eq!(fault(&body), MessageFault::Method, "{method}");
    }
    for params in ["[]", "[{}]", "1", "\"\"", "true"] {
        assert_eq!(
            asking("ping", params),
            Err(MessageFault::Params),
            "{params}"
        );
    }
    assert_eq!(asking("tools/list", "{}"), Ok(()));
    assert_eq!(asking("tools/list", "null"), Ok(()));
    assert_eq!(asking("tools/call", "null"), Err(MessageFault::Name));
}

#[test]
fn mcp_05_methods_and_names_are_taken_as_they_are_once_unescaped() {
    let body = r#"{"jsonrpc":"2.0","id":1,"m\u0065thod":"tools\/c\u0061ll","params":{"n\u0061me":"Create\u0049ssue "}}"#;
    let message = read(body.as_bytes()).unwrap();
    let operation = message.operation().unwrap();
    assert_eq!(
        operation,
        Operation::new("tools/call", Some("CreateIssue "))
    );
    let shouted = br#"{"jsonrpc":"2.0","id":1,"method":"TOOLS/CALL","params":{"name":"x"}}"#;
    let message = read(shouted).unwrap();
    assert_eq!(
        message.operation(),
        Some(Operation::new("TOOLS/CALL", None))
    );
}

#[test]
fn mcp_03_a_method_that_acts_on_something_names_it() {
    for (method, parameter) in [
        ("tools/call", "name"),
        ("prompts/get", "name"),
        ("resources/read", "uri"),
        ("resources/subscribe", "uri"),
        ("resources/unsubscribe", "uri"),
        ("tasks/get", "taskId"),
        ("tasks/update", "taskId"),
        ("tasks/cancel", "taskId"),
        ("tasks/result", "taskId"),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"{parameter}":"it"}}}}"#
        );
        let message = read(body.as_bytes()).unwrap();
        assert_eq!(
            message.operation(),
            Some(Operation::new(method, Some("it")))
        );
        assert_eq!(
            message
                .operation()
                .unwrap()
                .target()
                .map(|target| target.name()),
            Some("it")
        );
        assert_eq!(naming_parameter(method), Some(parameter));
        for wrong in ["null", "1", "[\"it\"]", "{}"] {
            let params = format!(r#"{{"{parameter}":{wrong}}}"#);
            assert_eq!(
                asking(method, &params),
                Err(MessageFault::Name),
                "{method} {wrong}"
            );
        }
        assert_eq!(asking(method, r#"{"other":"it"}"#), Err(MessageFault::Name));
        let bare = format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#);
        assert_eq!(
            fault(&bare),
            MessageFault::Name,
            "a notification of {method}"
        );
    }
}

#[test]
fn mcp_03_a_completion_is_about_a_prompt_or_a_resource() {
    let about = |reference: &str| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{{"ref":{reference},"argument":{{"name":"a","value":"b"}}}}}}"#
        );
        read(body.as_bytes()).map(|message| {
            let operation = message.operation().unwrap();
            assert_eq!(operation.method(), "completion/complete");
            match operation.target().unwrap() {
                Target::Prompt(name) => format!("prompt {name}"),
                Target::Resource(uri) => format!("resource {uri}"),
                other => panic!("{other:?}"),
            }
        })
    };
    assert_eq!(
        about(r#"{"type":"ref/prompt","name":"p","uri":"u"}"#).unwrap(),
        "prompt p"
    );
    assert_eq!(
        about(r#"{"type":"ref/resource","name":"p","uri":"u"}"#).unwrap(),
        "resource u"
    );
    for wrong in [
        "null",
        r#"["ref/prompt","p"]"#,
        "{}",
        r#"{"type":"ref/tool","name":"p"}"#,
        r#"{"type":"ref/prompt","uri":"u"}"#,
        r#"{"type":"ref/resource","name":"p"}"#,
        r#"{"type":1,"name":"p"}"#,
        r#"{"type":"ref/prompt","name":1}"#,
    ] {
        assert_eq!(about(wrong), Err(MessageFault::Name), "{wrong}");
    }
    assert_eq!(
        about(r#"{"type":"ref/prompt","name":"p","Name":"q"}"#),
        Err(MessageFault::Alike)
    );
}

#[test]
fn mcp_03_arguments_are_an_object() {
    for method in ["tools/call", "prompts/get"] {
        for wrong in ["[]", "1", "\"{}\"", "true"] {
            let params = format!(r#"{{"name":"x","arguments":{wrong}}}"#);
            assert_eq!(
                asking(method, &params),
                Err(MessageFault::Arguments),
                "{wrong}"
            );
        }
        assert_eq!(asking(method, r#"{"name":"x","arguments":null}"#), Ok(()));
    }
    let none =
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":null}}"#;
    assert_eq!(read(none).unwrap().arguments(), None);
}

#[test]
fn t36_names_that_a_reader_who_folds_case_takes_for_ours_are_refused() {
    for member in [
        r#""Method":"tools/call""#,
        r#""PARAMS":{}"#,
        r#""ID":2"#,
        r#""param\u017f":{}"#,
        r#""JSONRPC":"2.0""#,
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping",{member}}}"#);
        assert_eq!(fault(&body), MessageFault::Alike, "{member}");
    }
    for (method, params) in [
        ("tools/call", r#"{"name":"x","Name":"y"}"#),
        ("tools/call", r#"{"name":"x","Arguments":{}}"#),
        ("resources/read", r#"{"uri":"x","URI":"y"}"#),
        ("tasks/get", "{\"taskId\":\"x\",\"tas\u{212a}id\":\"y\"}"),
    ] {
        assert_eq!(asking(method, params), Err(MessageFault::Alike), "{params}");
    }
    assert_eq!(
        asking(
            "tools/call",
            r#"{"name":"x","URI":"y","arguments":{"Name":1}}"#
        ),
        Ok(())
    );
    assert_eq!(asking("foo/bar", r#"{"Name":"y","name":"x"}"#), Ok(()));
}

#[test]
fn mcp_03_every_fault_is_one_plain_sentence() {
    use {HeaderFault as H, MessageFault as M};
    let bodies = [
        M::NotJson,
        M::TooDeep,
        M::Duplicate,
        M::Reserved,
        M::Alike,
        M::Batch,
        M::Version,
        M::Shape,
        M::Id,
        M::Method,
        M::Params,
        M::Name,
        M::Arguments,
        M::ContentType,
        M::ContentEncoding,
    ]
    .map(M::text);
    let headers = [
        H::Repeated,
        H::Unreadable,
        H::Encoding,
        H::MethodMissing,
        H::NameMissing,
        H::MethodDiffers,
        H::NameDiffers,
    ]
    .map(H::text);
    for text in bodies.into_iter().chain(headers) {
        assert!(
            text.ends_with('.') && !text.trim_end_matches('.').contains(". "),
            "{text}"
        );
        assert!(
            text.bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && !b"\"'=\\".contains(&byte))
        );
    }
}
