//! The file looked at every two seconds: what is new in it, the server has from then on.

use std::time::Duration;

use tower_mcp_auth::config::Config;
use tower_mcp_auth::{Authenticator, ConfigError};

const EVERY: Duration = Duration::from_secs(2);

/// Goes on for as long as the server does. `running` is what the server was made of.
pub(crate) async fn watch(
    file: &str,
    mut running: Config,
    auth: &Authenticator,
    load: impl Fn() -> Result<Config, ConfigError>,
) {
    // A file of some kilobytes is read faster than a thread for it is found.
    let mut seen = std::fs::read(file).ok();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let now = std::fs::read(file).ok();
        // A file that is away for a moment is being replaced.
        if now.is_some() && now != seen {
            println!("{}", take(&mut running, auth, load()));
            seen = now;
        }
    }
}

/// The new settings, or why the old ones stay.
fn take(running: &mut Config, auth: &Authenticator, new: Result<Config, ConfigError>) -> String {
    match new.and_then(|new| running.reload(auth, new)) {
        Ok(generation) => format!("generation {generation} serves"),
        Err(error) => format!("the server goes on as it was: {error}"),
    }
}
