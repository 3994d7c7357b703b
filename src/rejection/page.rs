//! The rows of docs/errors.md, which every reason has.

use super::reason::Reason;

const PAGE: &str = include_str!("../../docs/errors.md");

impl Reason {
    /// What it means, as `docs/errors.md` has it: for operators, not for clients.
    ///
    /// ```
    /// use tower_mcp_auth::Reason;
    ///
    /// assert_eq!(Reason::Expired.means(), "`exp` has passed, leeway included");
    /// ```
    #[must_use]
    pub fn means(self) -> &'static str {
        self.row().map_or("", |(means, _)| means)
    }

    /// Who can do something about it, and what: client, issuer, admin of the organization, or operator.
    ///
    /// ```
    /// use tower_mcp_auth::Reason;
    ///
    /// assert_eq!(Reason::Expired.who_can_fix_it(), "client: refresh");
    /// ```
    #[must_use]
    pub fn who_can_fix_it(self) -> &'static str {
        self.row().map_or("", |(_, fix)| fix)
    }

    fn row(self) -> Option<(&'static str, &'static str)> {
        PAGE.lines().find_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let code = cells.next()?.strip_suffix('`')?;
            if code != self.code() {
                return None;
            }
            let means = cells.nth(3)?;
            let fix = cells.next()?;
            Some((means, fix.strip_suffix(" |").unwrap_or(fix)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_row() {
        for reason in Reason::ALL {
            let (means, fix) = (reason.means(), reason.who_can_fix_it());
            assert!(
                !means.is_empty() && !fix.is_empty() && !fix.contains('|'),
                "{reason:?}"
            );
        }
    }
}
