//! The settings of an authenticator that runs, said again.

use std::sync::{Arc, Weak};

use super::{AuthenticatorBuilder, Ports};
use crate::authenticator::Inner;
use crate::authenticator::ground::Ground;
use crate::authenticator::slot::Slot;
use crate::error::Problems;

const PORT: &str = "cannot be changed while the server runs: leave it out here, where it stays as it \
                    was at the start, or restart the server";

impl AuthenticatorBuilder {
    /// The next generation of the first mount's settings; `None` with problems. Nothing that runs is
    /// touched.
    pub(in crate::authenticator) fn renew(
        mut self,
        ground: &Arc<Ground>,
        (before, slot): (&Inner, Weak<Slot>),
        problems: &mut Problems,
    ) -> Option<Inner> {
        self.refuse_ports(problems);
        self.ports = ground.ports.clone();
        self.ports.fetch = Some(ground.fetch.clone());
        match self.examine(std::mem::take(problems), Some(ground)) {
            Ok(examined) => Some(self.settle(examined, (ground, slot), Some(before))),
            Err(error) => {
                *problems = error.into();
                None
            }
        }
    }

    fn refuse_ports(&self, problems: &mut Problems) {
        let Ports {
            clock,
            fetch,
            tokens,
            foreign,
            shared_failures,
            policies,
            enricher,
            revocations,
            peer_of,
        } = &self.ports;
        let named = [
            ("clock", clock.is_some()),
            ("fetch", fetch.is_some()),
            ("api_tokens", tokens.is_some()),
            ("foreign_tokens", !foreign.is_empty()),
            ("shared_failures", shared_failures.is_some()),
            ("policies", policies.is_some()),
            ("enrich", enricher.is_some()),
            ("revocations", revocations.is_some()),
            ("peer_address", peer_of.is_some()),
            ("audit", self.options.has_sink()),
            ("metrics", self.telemetry.has_metrics()),
            ("dpop.replay_store", self.bindings.has_store()),
        ];
        for (port, _) in named.into_iter().filter(|(_, is_named)| *is_named) {
            problems.add(port, "given again", PORT);
        }
    }
}
