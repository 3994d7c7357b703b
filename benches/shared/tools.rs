//! The rows about one operation: a message passed on, or read and judged by tool rules.

use std::convert::Infallible;
use std::hint::black_box;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, service_fn};
use tower_mcp_auth::{McpAuthLayer, ToolRules};

use super::fixture::Fixture;
use super::row::{Row, requests};

/// A message, with what its headers mirror.
#[derive(Clone)]
struct Message {
    name: &'static str,
    body: Bytes,
    method: &'static str,
    tool: Option<&'static str>,
}

fn messages() -> [Message; 2] {
    let text = "The export stops at the first row whose title has a comma in it. ".repeat(12);
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"createIssue","arguments":{{"project":"OPS","title":"Export stops","labels":["export","csv"],"priority":2,"description":"{text}"}},"_meta":{{"progressToken":"t-7","client":{{"name":"bench","version":"1.0"}}}}}}}}"#
    );
    assert!((1000..1100).contains(&call.len()), "{}", call.len());
    [
        Message {
            name: "call_1k",
            body: call.into(),
            method: "tools/call",
            tool: Some("createIssue"),
        },
        Message {
            name: "list_46b",
            body: r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#.into(),
            method: "tools/list",
            tool: None,
        },
    ]
}

/// As many rules, half of them patterns; the one that counts is exact, and stands among them.
fn rules(count: usize) -> ToolRules {
    let named = ToolRules::new().tool("createIssue", ["write:issues"]);
    (1..count).fold(named, |rules, number| match number % 2 {
        0 => rules.tool(format!("tool{number}"), ["read:issues"]),
        _ => rules.tool(format!("group{number}_*"), ["read:issues"]),
    })
}

fn request(message: &Message, authorization: &HeaderValue) -> Request<Full<Bytes>> {
    let mut request = Request::post("/mcp")
        .header("host", "mcp.example.com")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", message.method);
    if let Some(tool) = message.tool {
        request = request.header("mcp-name", tool);
    }
    let request = request.header("authorization", authorization);
    request.body(Full::new(message.body.clone())).unwrap()
}

/// Reads the body, as every server does.
async fn read<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: http_body::Body<Data = Bytes, Error = Infallible>,
{
    let Ok(body) = request.into_body().collect().await;
    black_box(body.to_bytes().len());
    Ok(Response::new(Full::default()))
}

/// Every message in every way. `bare` is the service alone; with `pass` the credential is judged, and
/// the body is not looked at; `rules_*` reads the body and judges it by as many rules; `headers_10`
/// trusts the mirrored headers.
pub(crate) fn tools(fixture: &Fixture) -> Vec<Row> {
    let mut rows = Vec::new();
    for message in messages() {
        let name = |way| format!("{}/{way}", message.name);
        let header = fixture.service_key();
        let make = {
            let message = message.clone();
            move || request(&message, &header)
        };
        let bare = service_fn(read);
        let bare = requests(name("bare"), &fixture.runtime, bare, 200, make.clone());
        rows.push(bare.against(name("bare")));
        let ways = [
            ("pass", "bare", None),
            ("rules_10", "pass", Some(rules(10))),
            ("rules_2000", "rules_10", Some(rules(2_000))),
            (
                "headers_10",
                "pass",
                Some(rules(10).trust_mirrored_headers()),
            ),
        ];
        for (way, base, rules) in ways {
            let mut builder = fixture.full();
            if let Some(rules) = rules {
                builder = builder.tools(rules);
            }
            let service = McpAuthLayer::new(fixture.ready(builder)).layer(service_fn(read));
            let row = requests(name(way), &fixture.runtime, service, 200, make.clone());
            rows.push(row.against(name(base)));
        }
    }
    rows
}
