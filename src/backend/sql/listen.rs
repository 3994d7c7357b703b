//! `LISTEN`, on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::engine::CONNECT;
use super::notify::TARGET;
use crate::secret::SecretText;

/// Until the next attempt to connect; doubled after each that fails.
const BACK_OFF: Duration = Duration::from_millis(100);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
/// After so long without a notification the connection is asked whether it is still one.
const QUIET: Duration = Duration::from_secs(30);

/// Tells `heard` of every notification, and of every new connection: nobody knows what was said before
/// it.
pub(super) async fn listen(url: Arc<SecretText>, heard: watch::Sender<()>) {
    let mut wait = BACK_OFF;
    loop {
        match timeout(CONNECT, connect(&url)).await {
            Ok(Ok(listener)) => {
                wait = BACK_OFF;
                heard.send_replace(());
                relay(listener, &heard).await;
                tracing::debug!(target: TARGET, "the connection that hears hints was lost");
            }
            Ok(Err(error)) => {
                let error = error.to_string();
                tracing::debug!(target: TARGET, error, "no connection that hears hints");
            }
            Err(_) => tracing::debug!(target: TARGET, "no connection that hears hints within 10 s"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_BACK_OFF);
    }
}

async fn connect(url: &SecretText) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect(url.expose()).await?;
    listener.eager_reconnect(false);
    listener.listen("mcp_auth").await?;
    Ok(listener)
}

/// Until the connection is lost.
async fn relay(mut listener: PgListener, heard: &watch::Sender<()>) {
    loop {
        match timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {
                heard.send_replace(());
            }
            Ok(Ok(None) | Err(_)) => return,
            Err(_) => {
                let ping = sqlx::query("SELECT 1").execute(&mut listener);
                if !matches!(timeout(CONNECT, ping).await, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}
