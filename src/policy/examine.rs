//! Every mistake in a policy, found before it is stored (R25).

use std::fmt;

use super::{OrganizationPolicy, Rules, network};
use crate::error::{ConfigError, Problems};
use crate::issuer::examine_url;

impl OrganizationPolicy {
    /// Looks for mistakes without storing anything.
    ///
    /// # Errors
    ///
    /// Every mistake, each with its field, its value and what to write instead.
    pub fn examine(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        let rules = &*self.0;
        network::examine("networks", &rules.networks, &mut problems);
        rules.clients.examine("clients", &mut problems);
        rules.groups.examine("groups", &mut problems);
        for (site, groups) in &rules.site_groups {
            groups.examine(&format!("site_groups.{site}"), &mut problems);
        }
        rules.examine_issuers(&mut problems);
        rules.examine_sites(&mut problems);
        rules.examine_times(&mut problems);
        rules.examine_help(&mut problems);
        problems.or(Some(()))
    }
}

/// Adds a problem if a list is longer than a request can be compared with.
pub(super) fn at_most<T: fmt::Debug>(field: &str, list: &[T], max: usize, problems: &mut Problems) {
    if list.len() > max {
        problems.add(field, list.len(), format!("list at most {max}"));
    }
}

impl Rules {
    fn examine_issuers(&self, problems: &mut Problems) {
        at_most("allowed_issuers", &self.allowed_issuers, 100, problems);
        for (index, issuer) in self.allowed_issuers.iter().enumerate() {
            examine_url(&format!("allowed_issuers[{index}]"), issuer, problems);
        }
    }

    fn examine_sites(&self, problems: &mut Problems) {
        at_most("tenants", &self.tenants, 10_000, problems);
        if self.tenants.is_empty() {
            return;
        }
        for site in self.site_groups.keys() {
            if !self.tenants.contains(site) {
                problems.add(
                    format!("site_groups.{site}"),
                    site,
                    "this site is not among `tenants`, so its groups never apply; list it or remove them",
                );
            }
        }
    }

    fn examine_times(&self, problems: &mut Problems) {
        const TEN_YEARS: u64 = 3653 * 24 * 3600;
        let times = [
            ("max_token_lifetime", self.max_token_lifetime),
            ("max_token_age", self.max_token_age),
        ];
        for (field, seconds) in times {
            if let Some(seconds) = seconds
                && !(60..=TEN_YEARS).contains(&seconds)
            {
                problems.add(field, format!("{seconds} s"), "use 1 minute to 10 years");
            }
        }
    }

    fn examine_help(&self, problems: &mut Problems) {
        if let Some(url) = &self.help_url
            && let Some(parsed) = examine_url("help_url", url, problems)
            && parsed.scheme() != "https"
        {
            problems.add("help_url", url, "use an https URL");
        }
        if let Some(contact) = &self.contact {
            let long = contact.chars().count() > 256;
            if contact.trim().is_empty() || long || contact.chars().any(char::is_control) {
                problems.add(
                    "contact",
                    contact,
                    "write 1 to 256 characters on one line, e.g. it-help@acme.example",
                );
            }
        }
    }
}
