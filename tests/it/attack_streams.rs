//! What an attacker with a good credential tried, to read what somebody else is answered.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::iter;
use http::{Request, StatusCode};
use http_body_util::Full;
use rmcp::transport::common::server_side_http::ServerSseMessage;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{
    EventId, EventStore, EventStoreError, EventStream,
};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tower::{Layer, ServiceExt};
use tower_mcp_auth::McpAuthLayer;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::testing::TokenBuilder;

use crate::operations_support::{LEGACY, MODERN};
use crate::sessions_support::{Server, Sessions, Who, who};
use crate::support::Answer;

/// The events of all streams, under ids that are easy to guess.
#[derive(Default)]
struct Log(Mutex<Vec<(String, ServerSseMessage)>>);

type Boxed<'f, T> = Pin<Box<dyn Future<Output = Result<T, EventStoreError>> + Send + 'f>>;

impl EventStore for Log {
    fn store_event<'s, 'i, 'e, 'f>(
        &'s self,
        stream: &'i str,
        event: &'e ServerSseMessage,
    ) -> Boxed<'f, EventId>
    where
        's: 'f,
        'i: 'f,
        'e: 'f,
        Self: 'f,
    {
        let mut events = self.0.lock().unwrap();
        events.push((stream.to_owned(), event.clone()));
        Box::pin(ready(Ok(events.len().to_string())))
    }

    fn replay_events_after<'s, 'i, 'f>(&'s self, last: &'i str) -> Boxed<'f, EventStream>
    where
        's: 'f,
        'i: 'f,
        Self: 'f,
    {
        let last: usize = last.parse().unwrap_or(usize::MAX);
        let events = self.0.lock().unwrap().clone();
        let stream = events
            .get(last.wrapping_sub(1))
            .map(|(stream, _)| stream.clone());
        let after = events.into_iter().enumerate().skip(last);
        let after: Vec<_> = after
            .filter(|(_, (of, _))| Some(of) == stream.as_ref())
            .map(|(at, (_, mut event))| {
                event.event_id = Some((at + 1).to_string());
                event
            })
            .collect();
        let stream: EventStream = Box::pin(iter(after));
        Box::pin(ready(Ok(stream)))
    }
}

fn resumable() -> Server {
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(["mcp.example.com"])
        .with_legacy_session_mode(true)
        .with_sse_keep_alive(None)
        .with_sse_retry(Some(Duration::from_secs(1)));
    let sessions = LocalSessionManager::default().with_event_store(Arc::new(Log::default()));
    StreamableHttpService::new(|| Ok(Who), Arc::new(sessions), config)
}

/// The ids of a stream's events, as the client gets them.
fn ids(answer: &Answer) -> Vec<String> {
    let text = std::str::from_utf8(&answer.body).unwrap();
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.map(str::to_owned).collect()
}

/// Goes on behind these events, in a session or in none.
async fn resume(
    world: &Sessions,
    by: &TokenBuilder,
    session: Option<&str>,
    events: &[&str],
) -> Answer {
    let version = session.map_or(MODERN, |_| LEGACY);
    let mut request = Request::get("/mcp")
        .header("host", "mcp.example.com")
        .header("accept", "text/event-stream")
        .header("mcp-protocol-version", version)
        .header("authorization", format!("Bearer {}", by.sign()));
    for (name, values) in [
        ("mcp-session-id", session.as_slice()),
        ("last-event-id", events),
    ] {
        for value in values {
            request = request.header(name, *value);
        }
    }
    let service = McpAuthLayer::new(world.orgs.auth.clone()).layer(world.server.clone());
    let request = request.body(Full::<Bytes>::default()).unwrap();
    Answer::read(service.oneshot(request).await.unwrap()).await
}

#[tokio::test]
async fn t44_what_follows_an_event_is_for_who_was_sent_the_event() {
    let mut world = Sessions::new(|auth| auth).await;
    world.server = resumable();
    let (alice, bob) = (world.alice(), world.alice().subject("bob"));
    let (of_alice, of_bob) = (world.begin(&alice).await, world.begin(&bob).await);
    let answer = world.send(&alice, &of_alice, who()).await;
    let sent = ids(&answer);
    let [first, second] = &*sent else {
        panic!("{sent:?}")
    };
    let unsealed = first.split_once('.').unwrap().0;
    // Her own, also where there are no sessions.
    for session in [Some(&*of_alice), None] {
        let answer = resume(&world, &alice, session, &[first]).await;
        answer.assert_let_in();
        assert!(String::from_utf8_lossy(&answer.body).contains("I am alice"));
        assert_eq!(ids(&answer), std::slice::from_ref(second));
    }
    let elsewhere = world.alice().client("ide");
    let cut = &first[..first.len() - 1];
    for (by, session, events) in [
        (&bob, Some(&*of_bob), &[&**first][..]),
        (&bob, None, &[first]),
        (&elsewhere, None, &[first]),
        (&bob, Some(&of_bob), &[unsealed]),
        (&bob, None, &[unsealed]),
        (&alice, None, &[unsealed]),
        (&alice, None, &[cut]),
        (&alice, None, &[first, first]),
        (&alice, None, &[&of_alice]),
        (&alice, Some(first), &[first]),
    ] {
        let answer = resume(&world, by, session, events).await;
        assert_eq!(answer.code(), "unknown_session", "{session:?} {events:?}");
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn mcp_14_ids_of_events_can_be_left_alone() {
    let mut world = Sessions::new(AuthenticatorBuilder::insecure_unbound_sessions).await;
    world.server = resumable();
    let session = world.begin(&world.alice()).await;
    let sent = ids(&world.send(&world.alice(), &session, who()).await);
    let unsealed = |id: &String| id.bytes().all(|byte| byte.is_ascii_digit());
    assert!(!sent.is_empty() && sent.iter().all(unsealed), "{sent:?}");
}
