//! Requests to try, as lines for a shell.

use std::fmt::Write;

/// What curl needs to call a tool, up to the name of the tool.
const CALL: &str = r#"-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"#;

/// What is called, and with what.
const WHOAMI: &str = r#"{"name":"whoami"}"#;
pub(crate) const CREATE: &str = r#"{"name":"createIssue","arguments":{"title":"By curl"}}"#;

/// What a request presents.
pub(crate) enum Credential<'c> {
    None,
    /// An access token or a service-account key.
    Bearer(String),
    /// An email, a colon and a personal API token, sent as Basic.
    User(&'c str),
}

/// A request, ready to paste.
pub(crate) struct Trial<'c> {
    pub(crate) credential: Credential<'c>,
    pub(crate) call: &'static str,
    pub(crate) status: u16,
    pub(crate) expect: &'static str,
}

pub(crate) const fn trial<'c>(
    status: u16,
    expect: &'static str,
    credential: Credential<'c>,
) -> Trial<'c> {
    Trial {
        credential,
        call: WHOAMI,
        status,
        expect,
    }
}

impl Trial<'_> {
    /// One line for a shell, under what to expect. Writing to a string cannot fail, so those results
    /// are dropped.
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

pub(crate) fn write_all(trials: &[Trial<'_>], url: &str, text: &mut String) {
    for trial in trials {
        trial.write(url, text);
    }
}

/// One word.
pub(crate) fn for_a_shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/.:_-%".contains(c);
    if text.chars().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
