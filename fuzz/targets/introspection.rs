//! What an issuer answers about an opaque token, through a whole authenticator. Nothing but a strict object
//! that says `"active": true` and is for us lets anybody in, and then with what it says.
#![no_main]

use std::cell::Cell;
use std::sync::{LazyLock, PoisonError};

use http::Request;
use tower_mcp_auth::authenticator::Authenticator;
use tower_mcp_auth_fuzz::answer::{PLAIN, lets_in};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::json::strict_object;
use tower_mcp_auth_fuzz::world::{ANSWER, Answers, ISSUERS, authenticator, runtime};

static AUTH: LazyLock<Authenticator> = LazyLock::new(|| authenticator(Answers::Plain));

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = runtime();
    static TOKENS: Cell<u64> = const { Cell::new(0) };
}

fuzz_target!(|data: &[u8]| {
    // A token that nothing is known about yet; the tables that remember tokens are bounded.
    let number = TOKENS.with(|tokens| tokens.replace(tokens.get() + 1));
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = data.to_vec();
    let request = Request::builder().header("authorization", format!("Bearer opaque-{number}"));
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let ours = RUNTIME.with(|runtime| runtime.block_on(AUTH.authenticate(&parts)));
    let ours = match ours {
        Ok(ours) => ours,
        Err(rejection) => {
            let answer = std::str::from_utf8(data).unwrap_or_default();
            // The plainest answer lets its subject in.
            assert!(!(answer.starts_with(PLAIN) && answer.len() == PLAIN.len()), "{rejection:?}");
            return;
        }
    };
    let said = strict_object(data, 16, 256);
    let (subject, scopes) = said.and_then(lets_in).expect("somebody may be let in");
    let principal = ours.principal();
    assert_eq!(principal.subject().as_str(), subject);
    assert_eq!(principal.scopes().iter().collect::<Vec<_>>(), scopes);
    assert_eq!(principal.issuer(), ISSUERS[0]);
});
