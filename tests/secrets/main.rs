//! Goal G11: with everything logged that any crate here can log, with every answer, error, panic and
//! `Debug` text kept, no twelve characters of any secret are found, nor of its base64 or hex forms.
//!
//! A program of its own: what is looked at is all that is logged by the whole process.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test binary exports nothing, and clippy.toml exempts test functions only, not what they share"
)]

mod behaviours;
mod canaries;
mod configured;
mod heard;
#[path = "../it/server.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use all of it")]
mod server;
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use all of it")]
mod support;
#[path = "../it/tokens_support.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use all of it")]
mod tokens_support;

use canaries::Canaries;
use heard::Heard;

#[tokio::test]
async fn g11_t48_no_secret_is_repeated_anywhere() {
    let heard = Heard::install();
    let mut canaries = Canaries::default();
    configured::all(&heard, &mut canaries).await;
    behaviours::in_process(&heard, &mut canaries).await;
    behaviours::over_sockets(&heard, &mut canaries).await;
    let (log, said) = heard.take();
    let text = String::from_utf8_lossy(&log);
    // It was listened to, and things happened.
    for known in [
        "TRACE",
        "hyper",
        "tower_mcp_auth",
        "wrong_audience",
        "panicked",
        "audit",
    ] {
        assert!(text.contains(known), "{known} was not heard");
    }
    assert!(canaries.secrets() > 50, "{}", canaries.secrets());
    println!(
        "{} secrets, {} windows; {} bytes logged, {} bytes said",
        canaries.secrets(),
        canaries.windows(),
        log.len(),
        said.len()
    );
    for (place, bytes) in [("log", &log), ("answers", &said)] {
        let found = canaries.found(bytes);
        assert!(found.is_empty(), "in the {place}: {found:#?}");
    }
}

/// What is not found was looked for.
#[test]
fn g11_every_form_of_a_secret_is_found() {
    let mut canaries = Canaries::default();
    let secret = "hunter2-hunter2-canary-0123456789";
    canaries.add("secret", secret);
    for form in Canaries::forms(secret.as_bytes()) {
        let text = format!(
            "2026 INFO something: {} and more",
            String::from_utf8_lossy(&form)
        );
        assert_eq!(canaries.found(text.as_bytes()).len(), 1, "{text}");
    }
    let within = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("ada@acme.example:{secret}"),
    );
    assert_eq!(canaries.found(within.as_bytes()).len(), 1);
    assert_eq!(canaries.found(&secret.as_bytes()[5..18]).len(), 1);
    assert_eq!(
        canaries.found(&secret.as_bytes()[5..16]).len(),
        0,
        "eleven are none"
    );
}
