//! Every mistake in the rules, before the first request (R25).

use super::ToolRules;
use crate::error::{ConfigError, Problems};

impl ToolRules {
    const BODY: std::ops::RangeInclusive<usize> = 1024..=64 * 1024 * 1024;

    /// Looks for mistakes without building anything, for tests of a configuration file.
    ///
    /// # Errors
    ///
    /// Every mistake, each with its field, its value and what to write instead.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        self.examine(&mut problems);
        problems.or(Some(()))
    }

    pub(crate) fn examine(&self, problems: &mut Problems) {
        problems.append(&self.mistakes);
        if !Self::BODY.contains(&self.max_body_bytes) {
            problems.add(
                "max_body_bytes",
                self.max_body_bytes,
                "use 1024 (1 KiB) to 67108864 (64 MiB); 4194304 is the default",
            );
        }
        for public in &self.public {
            if self.methods.has(public) {
                problems.add(
                    "public_methods",
                    public,
                    "a rule says what this method needs; drop the rule, or do not make it public",
                );
            }
        }
        if self.trusts_headers {
            self.examine_for_headers(problems);
        }
    }

    /// Headers carry no arguments: a rule about them would never be met, or never be asked.
    fn examine_for_headers(&self, problems: &mut Problems) {
        let tables = [("tools", &self.tools), ("prompts", &self.prompts)];
        for (table, rules) in tables {
            let mut blind: Vec<&str> = rules
                .entries()
                .filter(|(_, entry)| entry.needs_arguments())
                .map(|(name, _)| name)
                .collect();
            blind.sort_unstable();
            for name in blind {
                problems.add(
                    format!("{table}.{}", name.escape_debug()),
                    "trust_mirrored_headers",
                    "this rule needs the arguments of the call, which headers do not have; drop one of the two",
                );
            }
        }
        let unknown = self.unknown_tools.as_ref();
        if unknown.is_some_and(|rule| rule.tenant_argument.is_some()) {
            problems.add(
                "unknown_tools.tenant_argument",
                "trust_mirrored_headers",
                "headers do not have the arguments of the call; drop one of the two",
            );
        }
    }
}
