//! What is printed at the start.

use std::fmt::Write;

use super::organizations::Credentials;
use super::server::Quickstart;

/// How long the good token works, in seconds.
const HOUR: i64 = 3600;

/// What curl needs to call a tool, up to the name of the tool.
const CALL: &str = r#"-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"#;

/// What is called, and with what.
const WHOAMI: &str = r#"{"name":"whoami"}"#;
const CREATE: &str = r#"{"name":"createIssue","arguments":{"title":"By curl"}}"#;

/// What a request presents.
enum Credential<'c> {
    None,
    /// An access token or a service-account key.
    Bearer(String),
    /// An email, a colon and a personal API token, sent as Basic.
    User(&'c str),
}

/// A request, ready to paste.
struct Trial<'c> {
    credential: Credential<'c>,
    call: &'static str,
    status: u16,
    expect: &'static str,
}

const fn trial<'c>(status: u16, expect: &'static str, credential: Credential<'c>) -> Trial<'c> {
    Trial {
        credential,
        call: WHOAMI,
        status,
        expect,
    }
}

fn oauth(quickstart: &Quickstart) -> [Trial<'_>; 4] {
    let url = quickstart.resource.identifier();
    let token = |audience: &str| quickstart.issuer.token(audience).scope("read:issues");
    let good = token(url).expires_in(HOUR).sign();
    let expired = token(url).issued_in(-2 * HOUR).expires_in(-HOUR).sign();
    let elsewhere = token("https://other.example/mcp").expires_in(HOUR).sign();
    [
        trial(401, "no token, and where to get one", Credential::None),
        trial(200, "alice of acme, for an hour", Credential::Bearer(good)),
        trial(401, "an expired token", Credential::Bearer(expired)),
        trial(
            401,
            "a token for another server",
            Credential::Bearer(elsewhere),
        ),
    ]
}

/// A tool that needs a scope of its own.
fn tools(quickstart: &Quickstart) -> [Trial<'_>; 2] {
    let url = quickstart.resource.identifier();
    let token = |scope: &str| {
        let token = quickstart.issuer.token(url).scope(scope);
        Credential::Bearer(token.expires_in(HOUR).sign())
    };
    let expect = "alice may read; the answer names the scope that a client then asks for";
    let create = |trial| Trial {
        call: CREATE,
        ..trial
    };
    [
        create(trial(403, expect, token("read:issues"))),
        create(trial(
            200,
            "with that scope",
            token("read:issues write:issues"),
        )),
    ]
}

/// acme allows API tokens.
fn acme(credentials: &Credentials) -> [Trial<'_>; 4] {
    let key = Credential::Bearer(credentials.build_bot.clone());
    let alice = Credential::User(&credentials.alice);
    let misspelt = Credential::User(&credentials.alice_misspelt);
    let revoked = Credential::User(&credentials.alice_revoked);
    [
        trial(200, "alice's personal token, with her email", alice),
        trial(200, "the key of acme's build bot", key),
        trial(401, "the same token with another email", misspelt),
        trial(401, "a token alice has revoked", revoked),
    ]
}

/// globex does not, until its administrator says so.
fn globex(credentials: &Credentials, on: bool) -> [Trial<'_>; 2] {
    let key = Credential::Bearer(credentials.report_bot.clone());
    let bob = Credential::User(&credentials.bob);
    if on {
        [
            trial(200, "bob, by the same line", bob),
            trial(200, "the report bot, too", key),
        ]
    } else {
        [
            trial(401, "bob's token: globex takes no API tokens", bob),
            trial(401, "nor the key of its report bot", key),
        ]
    }
}

impl Trial<'_> {
    /// One line for a shell, under what to expect.
    fn write(&self, url: &str, text: &mut String) {
        let Self { status, expect, .. } = self;
        let _ = write!(text, "\n# {status}: {expect}\ncurl -i {url}");
        let _ = match &self.credential {
            Credential::None => Ok(()),
            Credential::Bearer(token) => write!(text, " -H 'Authorization: Bearer {token}'"),
            Credential::User(pair) => write!(text, " -u '{pair}'"),
        };
        // Always the whole call, but for the first line: whoever has no token just looks.
        if !matches!(self.credential, Credential::None) {
            let _ = write!(text, " {CALL}{}}}'", self.call);
        }
        text.push('\n');
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
    let credentials = &quickstart.credentials;
    let mut section = |title: &str, trials: &[Trial<'_>]| {
        text.push_str(title);
        for trial in trials {
            trial.write(url, &mut text);
        }
    };
    section("", &oauth(quickstart));
    section(
        "\ncreateIssue needs the scope write:issues:\n",
        &tools(quickstart),
    );
    section(
        "\nWith API tokens, which acme allows:\n",
        &acme(credentials),
    );
    section("\nglobex does not:\n", &globex(credentials, false));
    let switch = format!(
        "\n# 200: its administrator switches them on (for the demo: loopback only, unprotected)\ncurl -i {} -X POST\n",
        quickstart.admin.switch_on("globex")
    );
    section(&switch, &globex(credentials, true));
    text.push_str("\nCtrl-C ends all servers.\n");
    text
}
