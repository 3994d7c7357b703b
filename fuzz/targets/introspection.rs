//! What an issuer answers about an opaque token, through a whole authenticator. Nothing but a strict object
//! that says `"active": true` and is for us lets anybody in, and then with what it says.
#![no_main]

use std::sync::LazyLock;

use tower_mcp_auth::authenticator::Authenticator;
use tower_mcp_auth_fuzz::answer::{PLAIN, is_let_in, lets_in};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::json::strict_object;
use tower_mcp_auth_fuzz::world::{Answers, ask_about_one, authenticator};

static AUTH: LazyLock<Authenticator> = LazyLock::new(|| authenticator(Answers::Plain));

fuzz_target!(|data: &[u8]| {
    let ours = match ask_about_one(&AUTH, data.to_vec()) {
        Ok(ours) => ours,
        Err(rejection) => {
            let answer = std::str::from_utf8(data).unwrap_or_default();
            // The plainest answer lets its subject in.
            assert!(!(answer.starts_with(PLAIN) && answer.len() == PLAIN.len()), "{rejection:?}");
            return;
        }
    };
    let said = strict_object(data, 16, 256);
    let theirs = said.and_then(lets_in).expect("somebody may be let in");
    is_let_in(&ours, theirs);
});
