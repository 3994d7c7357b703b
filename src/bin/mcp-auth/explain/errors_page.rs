//! The rows of docs/errors.md, which every reason has.

use tower_mcp_auth::Reason;

const PAGE: &str = include_str!("../../../../docs/errors.md");

/// What a reason means, and who can fix it.
pub(super) fn row(reason: Reason) -> Option<(&'static str, &'static str)> {
    PAGE.lines().find_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let code = cells.next()?.strip_suffix('`')?;
        if code != reason.code() {
            return None;
        }
        let means = cells.nth(3)?;
        let fix = cells.next()?;
        Some((means, fix.strip_suffix(" |").unwrap_or(fix)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_row() {
        for reason in Reason::ALL {
            let (means, fix) = row(*reason).unwrap();
            assert!(
                !means.is_empty() && !fix.is_empty() && !fix.contains('|'),
                "{reason:?}"
            );
        }
        assert_eq!(
            row(Reason::Expired).unwrap(),
            ("`exp` has passed, leeway included", "client: refresh")
        );
    }
}
