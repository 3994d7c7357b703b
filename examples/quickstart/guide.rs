//! What is printed at the start.

use std::fmt::Write;

use super::server::Quickstart;

/// How long the good token works, in seconds.
const HOUR: i64 = 3600;

const WHOAMI: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}"#;

/// A request to the MCP server, ready to paste.
struct Trial {
    token: Option<String>,
    body: Option<&'static str>,
    status: u16,
    expect: &'static str,
}

fn trials(quickstart: &Quickstart) -> [Trial; 4] {
    let url = quickstart.resource.identifier();
    let token = |audience: &str| quickstart.issuer.token(audience).scope("read:issues");
    let refused = |token, expect| Trial {
        token,
        body: None,
        status: 401,
        expect,
    };
    [
        refused(None, "no token, and where to get one"),
        Trial {
            token: Some(token(url).expires_in(HOUR).sign()),
            body: Some(WHOAMI),
            status: 200,
            expect: "alice of acme, for an hour",
        },
        refused(
            Some(token(url).issued_in(-2 * HOUR).expires_in(-HOUR).sign()),
            "an expired token",
        ),
        refused(
            Some(token("https://other.example/mcp").expires_in(HOUR).sign()),
            "a token for another server",
        ),
    ]
}

impl Trial {
    /// Header lines beside those every client sends.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if self.body.is_some() {
            headers.push(("Content-Type", "application/json".into()));
            headers.push(("Accept", "application/json, text/event-stream".into()));
        }
        if let Some(token) = &self.token {
            headers.push(("Authorization", format!("Bearer {token}")));
        }
        headers
    }

    /// One line for a shell.
    fn curl(&self, url: &str) -> String {
        let mut line = format!("curl -i {url}");
        if let Some(body) = self.body {
            let _ = write!(line, " -d '{body}'");
        }
        for (name, value) in self.headers() {
            let _ = write!(line, " -H '{name}: {value}'");
        }
        line
    }
}

/// The guide. Writing to a string cannot fail, so those results are dropped.
pub(crate) fn text(quickstart: &Quickstart) -> String {
    let url = quickstart.resource.identifier();
    let mut text = format!(
        r#"
  MCP server  {url}
  Metadata    {metadata}
  Issuer      {issuer}   (for tests: alice of acme, bob of globex, no passwords)

Connect a client, for instance with this mcp.json, and log in:

  {{
    "mcpServers": {{
      "quickstart": {{ "type": "http", "url": "{url}" }}
    }}
  }}

Or see its answers yourself:
"#,
        metadata = quickstart.resource.metadata_url(),
        issuer = quickstart.issuer.url(),
    );
    for trial in trials(quickstart) {
        let (status, expect) = (trial.status, trial.expect);
        let _ = write!(text, "\n# {status}: {expect}\n{}\n", trial.curl(url));
    }
    text.push_str("\nCtrl-C ends both servers.\n");
    text
}
