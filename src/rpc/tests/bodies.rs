//! Bodies like JSON-RPC messages, with hostile variations.

use proptest::collection::vec;
use proptest::prelude::*;

const METHODS: [&str; 20] = [
    "tools/call",
    "tools/call",
    "tools/call",
    "tools/list",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "completion/complete",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "tasks/result",
    "initialize",
    "ping",
    "logging/setLevel",
    "subscriptions/listen",
    "notifications/initialized",
    "foo/bar",
];
const NAMES: [&str; 8] = [
    "deploy",
    "createIssue",
    "",
    "name with \"quotes\" and \\",
    "\u{e9}\u{4e2d}\u{1f600}",
    "\0\u{7f}\n",
    "file:///etc/passwd",
    "delete_everything",
];
const JUNK: [&str; 34] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-7",
    "1.0",
    "1e2",
    "1E+2",
    "0.5e-3",
    "1e999",
    "-1e999",
    "0e999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "NaN",
    "\"\"",
    "\"x\"",
    r#""\ud83d\ude00""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    "[]",
    "[1,]",
    "{}",
    r#"["a",{"b":[]}]"#,
    r#"{"$serde_json::private::Number":"1"}"#,
];
/// Members that make the typed parameters of some methods complete.
const COMPLETE: &str = r#""argument":{"name":"a","value":"b"},"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"},"level":"info","notifications":{},"inputResponses":{}"#;

type Members = Vec<(String, String)>;

/// Choices drawn by proptest. Zero is the ordinary choice, and an empty tape is all zeros, so that
/// failures shrink towards ordinary messages.
struct Tape(std::vec::IntoIter<u16>);

impl Tape {
    fn draw(&mut self, below: usize) -> usize {
        usize::from(self.0.next().unwrap_or(0)) % below
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.draw(times) == times - 1
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.draw(from.len())]
    }
}

pub(super) fn hostile_body() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u16>(), 0..160).prop_map(|tape| body(&mut Tape(tape.into_iter())))
}

fn body(tape: &mut Tape) -> Vec<u8> {
    let method = tape.pick(&METHODS);
    let mut members = vec![member("jsonrpc", "\"2.0\"")];
    let kind = tape.draw(12);
    if kind != 9 && kind != 10 {
        let id = if tape.once_in(6) {
            junk(tape)
        } else {
            "1".to_owned()
        };
        members.push(member("id", &id));
    }
    if kind == 11 {
        members.push(member(tape.pick(&["result", "error"]), &junk(tape)));
    } else {
        let method = string(tape, method);
        members.push(member("method", &method));
    }
    if !tape.once_in(8) {
        let params = params(tape, method);
        members.push(member("params", &params));
    }
    let text = object(tape, members);
    damaged(tape, text.into_bytes())
}

fn member(name: &str, value: &str) -> (String, String) {
    (format!("\"{name}\""), value.to_owned())
}

fn params(tape: &mut Tape, method: &str) -> String {
    if tape.once_in(12) {
        return junk(tape);
    }
    let mut members = Members::new();
    let named_by = match method.split('/').next() {
        Some("resources") => "uri",
        Some("tasks") => "taskId",
        Some("completion") => "ref",
        _ => "name",
    };
    let value = if named_by == "ref" {
        reference(tape)
    } else {
        name(tape)
    };
    members.push(member(named_by, &value));
    if tape.once_in(2) {
        let value = if tape.once_in(4) {
            junk(tape)
        } else {
            let arguments = vec![member("region", &junk(tape)), member("name", "\"inner\"")];
            object(tape, arguments)
        };
        members.push(member("arguments", &value));
    }
    if tape.once_in(4) {
        members.push(member(
            tape.pick(&["_meta", "cursor", "task", "name", "uri"]),
            &junk(tape),
        ));
    }
    let text = object(tape, members);
    match text.strip_suffix('}') {
        Some(open) if tape.draw(3) != 2 => format!("{open},{COMPLETE}}}"),
        _ => text,
    }
}

fn reference(tape: &mut Tape) -> String {
    let kind = tape.pick(&["ref/prompt", "ref/resource", "ref/prompt", "ref/tool"]);
    let members = vec![
        member("type", &string(tape, kind)),
        member("name", &name(tape)),
        member("uri", &name(tape)),
    ];
    object(tape, members)
}

fn name(tape: &mut Tape) -> String {
    if tape.once_in(10) {
        return junk(tape);
    }
    let name = tape.pick(&NAMES);
    string(tape, name)
}

fn junk(tape: &mut Tape) -> String {
    if tape.once_in(12) {
        let depth = [1, 62, 63, 64, 200][tape.draw(5)];
        return format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    }
    tape.pick(&JUNK).to_owned()
}

/// A JSON string, some of its characters escaped.
fn string(tape: &mut Tape, text: &str) -> String {
    let often = tape.once_in(4);
    let mut written = String::from("\"");
    for char in text.chars() {
        let must = char < ' ' || matches!(char, '"' | '\\');
        if must || (often && tape.once_in(3)) {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                let digits = format!("{unit:04x}");
                written.push_str("\\u");
                written.push_str(&if tape.once_in(2) {
                    digits.to_uppercase()
                } else {
                    digits
                });
            }
        } else {
            written.push(char);
        }
    }
    written + "\""
}

/// Writes an object, sometimes not the one asked for.
fn object(tape: &mut Tape, mut members: Members) -> String {
    if tape.once_in(5) {
        for _ in 0..=tape.draw(2) {
            spoil(tape, &mut members);
        }
    }
    let loose = tape.once_in(6);
    let mut space = || match loose.then(|| tape.draw(6)) {
        Some(1) => " ",
        Some(2) => "\n\t",
        Some(3) => "\r\n ",
        _ => "",
    };
    let mut text = String::from("{");
    for (at, (name, value)) in members.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        for part in [comma, name, ":", value] {
            text += part;
            text += space();
        }
    }
    text + "}"
}

fn spoil(tape: &mut Tape, members: &mut Members) {
    let at = tape.draw(members.len().max(1));
    let Some((name, value)) = members.get(at).cloned() else {
        return;
    };
    let bare = name.trim_matches('"').to_owned();
    match tape.draw(11) {
        0 => members.rotate_left(1),
        1 => members.push((string(tape, &bare), value)),
        2 => members.insert(0, (string(tape, &bare), junk(tape))),
        3 => members.push((string(tape, &bare), "\"delete_everything\"".to_owned())),
        4 => members.push((name.to_uppercase(), "\"tools/list\"".to_owned())),
        5 => members.push((name.replace('s', "\u{17f}"), value)),
        6 => members[at].1 = junk(tape),
        7 => drop(members.remove(at)),
        8 => members.push(member(
            tape.pick(&["result", "error", "method", "id", "x"]),
            &junk(tape),
        )),
        9 => members.push(member("$serde_json::private::RawValue", "\"{}\"")),
        _ => members[at].0 = string(tape, &bare),
    }
}

/// Sometimes spoils the text itself.
fn damaged(tape: &mut Tape, mut text: Vec<u8>) -> Vec<u8> {
    if !tape.once_in(8) {
        return text;
    }
    let at = tape.draw(text.len());
    match tape.draw(7) {
        0 => text.truncate(at),
        1 => text[at] ^= 1 << tape.draw(8),
        2 => text.insert(at, b",:\"\\ \0{}"[tape.draw(8)]),
        3 => text.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
        4 => text.extend_from_slice([&b" "[..], b"\n{}", b"\0", b"x"][tape.draw(4)]),
        5 => text = [b"[", text.as_slice(), b"]"].concat(),
        _ => drop(text.remove(at)),
    }
    text
}
