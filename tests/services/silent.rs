//! Connections to PostgreSQL whose other end is gone, and did not say so: a machine that lost its power, a
//! firewall that forgot them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::revocation::RevocationLog;

use crate::support::Database;

/// A way to the server that can forget the connections it carries.
struct Way {
    url: String,
    /// How often it forgot.
    forgot: Arc<watch::Sender<u32>>,
    carried: Arc<AtomicUsize>,
}

impl Way {
    async fn to(url: &str) -> Self {
        let mut url = url::Url::parse(url).unwrap();
        let server = (
            url.host_str().unwrap().to_owned(),
            url.port().unwrap_or(5432),
        );
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let (forgot, carried) = (Arc::new(watch::Sender::new(0)), Arc::default());
        let (forgets, counts) = (Arc::clone(&forgot), Arc::<AtomicUsize>::clone(&carried));
        // Ends with the runtime of the test.
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let (mut forgets, server) = (forgets.subscribe(), server.clone());
                counts.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = forgets.changed() => std::future::pending().await,
                        _ = copy_bidirectional(&mut from, &mut to) => {}
                    }
                });
            }
        });
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        Self {
            url: url.to_string(),
            forgot,
            carried,
        }
    }
}

#[tokio::test]
async fn r19_connections_that_are_silently_gone_are_replaced_all_at_once() {
    let database = Database::create().await;
    let way = Way::to(&database.url).await;
    let store = SqlStore::builder(&way.url)
        .migrate(true)
        .open()
        .await
        .unwrap();
    while way.carried.load(Ordering::SeqCst) < 16 {
        join_all((0..64).map(|_| store.read_since(0, 1))).await;
    }
    way.forgot.send_modify(|times| *times += 1);
    let mut failed = 0;
    while store.read_since(0, 1).await.is_err() {
        failed += 1;
    }
    assert!(failed <= 3, "{failed} calls in a row");
}
