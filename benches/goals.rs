//! The rows our goals are about (P1, P3, P4, P8, P9), in turns, so that their ratios hold on a machine
//! whose speed drifts.
//!
//! The other benches measure these rows one after the other, each with criterion's statistics: good
//! for looking into one of them, too far apart in time for a ratio of a few per cent.

mod shared;

use tower_mcp_auth::SigningAlgorithm;

use shared::fixture::Fixture;
use shared::rounds::Rounds;
use shared::{rows, tools};

fn main() {
    use SigningAlgorithm::{EdDsa, Es256, Rs256};
    let fixture = Fixture::new(&[Rs256, Es256, EdDsa]);
    let mut rows = vec![rows::bare(&fixture), rows::bare_with_entry(&fixture)];
    rows.extend(rows::warm(&fixture));
    rows.extend(rows::first_sight(&fixture, 1024));
    rows.extend(rows::first_sight_of_api_tokens(&fixture));
    rows.extend(rows::refusals(&fixture));
    rows.extend(rows::refused_api_tokens(&fixture));
    #[cfg(feature = "dpop")]
    rows.push(shared::bound::dpop(&fixture));
    rows.extend(tools::tools(&fixture));
    rows.extend(rows::scaling(&fixture));
    Rounds::from_env().run("goals", rows);
}
