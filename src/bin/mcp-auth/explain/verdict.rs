//! The last line: whether it would be accepted, as far as known.

use serde_json::{Map, Value, json};
use tower_mcp_auth::Reason;

/// What would become of it.
pub(super) enum Verdict {
    /// It would be let in, if what was not looked at holds too.
    Accepted {
        not_checked: Vec<&'static str>,
    },
    Refused(Refused),
}

pub(super) struct Refused {
    /// `None` where no server is asked: it cannot be sent.
    pub(super) reason: Option<Reason>,
    /// What the server's log has of it.
    pub(super) note: Option<String>,
    /// What to do about it.
    pub(super) advice: Vec<String>,
}

impl Verdict {
    pub(super) const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted { .. })
    }

    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Self::Accepted { not_checked } if not_checked.is_empty() => {
                vec!["VERDICT: accepted".to_owned()]
            }
            Self::Accepted { not_checked } => {
                let unknown = not_checked
                    .iter()
                    .map(|what| format!("    not checked: {what}"));
                let verdict = "VERDICT: accepted, as far as known".to_owned();
                unknown.chain([verdict]).collect()
            }
            Self::Refused(refused) => refused.lines(),
        }
    }

    pub(super) fn add_to(&self, report: &mut Map<String, Value>, clean: impl Fn(&str) -> String) {
        let mut add = |name: &str, value: Value| report.insert(name.to_owned(), value);
        match self {
            Self::Accepted { not_checked } => {
                add("verdict", json!("accepted"));
                add("not_checked", json!(not_checked));
            }
            Self::Refused(refused) => {
                add("verdict", json!("refused"));
                add("reason", json!(refused.reason.map(Reason::code)));
                add(
                    "status",
                    json!(refused.reason.map(|reason| reason.status().as_u16())),
                );
                add("note", json!(refused.note.as_deref().map(&clean)));
                let advice: Vec<_> = refused.advice.iter().map(|advice| clean(advice)).collect();
                add("advice", json!(advice));
                add("means", json!(refused.reason.map(Reason::means)));
                let fix = refused.reason.map(Reason::who_can_fix_it);
                add("who_can_fix_it", json!(fix));
            }
        }
    }
}

impl Refused {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(reason) = self.reason {
            lines.push(format!("    means: {}", reason.means()));
            lines.push(format!("    who can fix it: {}", reason.who_can_fix_it()));
        }
        lines.extend(self.advice.iter().map(|advice| format!("    do: {advice}")));
        let note = self.note.as_ref().filter(|note| !note.is_empty());
        let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
        lines.push(match self.reason {
            Some(reason) => format!(
                "VERDICT: refused, {} {}{note}",
                reason.status().as_u16(),
                reason.code()
            ),
            None => format!("VERDICT: refused{note}"),
        });
        lines
    }
}
