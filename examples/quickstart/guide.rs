//! What is printed at the start.

use super::server::Quickstart;
use super::switches::api_tokens;
use super::trial::{CREATE, Credential, Trial, for_a_shell, trial, write_all};

/// How long the good token works, in seconds.
const HOUR: i64 = 3600;

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

/// What outlives this program.
fn kept(quickstart: &Quickstart) -> String {
    let data = &quickstart.data;
    let database = for_a_shell(&data.url);
    let pepper = for_a_shell(&data.pepper.display().to_string());
    format!(
        "
Tokens, policies and revocations outlive this program. `--fresh` forgets them.

# 200: a key of your own, shown once, which works after a restart, too
curl -i {issue} -X POST

To see, issue and revoke more of them (`cargo install --path . --features cli` installs the program):

mcp-auth --database {database} --pepper-file {pepper} token list --org acme
",
        issue = quickstart.admin.issue("acme", "my-bot"),
    )
}

/// The guide.
pub(crate) fn text(quickstart: &Quickstart) -> String {
    let url = quickstart.resource.identifier();
    let mut text = format!(
        r#"
  MCP server  {url}
  Metadata    {metadata}
  Issuer      {issuer}   (for tests: alice of acme, bob of globex, no passwords)
  Explain     {explain}   (why a credential is refused)
  Data        {file}{retired}

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
        explain = url.replace("/mcp", "/explain"),
        file = quickstart.data.file.display(),
        retired = match quickstart.retired {
            0 => "",
            _ =>
                "\n              The API tokens printed at the last start are revoked; below are new ones.",
        },
    );
    for (title, trials) in [
        ("", &oauth(quickstart)[..]),
        (
            "\ncreateIssue needs the scope write:issues:\n",
            &tools(quickstart),
        ),
    ] {
        text.push_str(title);
        write_all(trials, url, &mut text);
    }
    text += &api_tokens(quickstart);
    text += &kept(quickstart);
    text.push_str("\nCtrl-C ends all servers.\n");
    text
}
