//! The whole layer over some stores, and requests that ask them.

use std::time::{Duration, Instant};

use http::HeaderValue;
use tokio::task::JoinSet;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::api_token::{ApiTokenStore, ApiTokens};
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::policy::PolicyStore;
use tower_mcp_auth::revocation::RevocationLog;
use tower_mcp_auth::{Authenticator, McpAuthLayer, SigningAlgorithm};

use crate::shared::fixture::{Fixture, echo, request};

/// Where tokens, policies and revocations are.
pub(crate) struct Stores<T, P, L> {
    pub(crate) tokens: T,
    pub(crate) policies: P,
    pub(crate) log: L,
}

impl Stores<SqlStore, SqlStore, SqlStore> {
    pub(crate) fn of(store: &SqlStore) -> Self {
        Self {
            tokens: store.clone(),
            policies: store.clone(),
            log: store.clone(),
        }
    }
}

/// A service behind the layer; what it is asked takes a header.
#[derive(Clone)]
pub(crate) struct Door {
    service: BoxCloneSyncService<HeaderValue, u16, std::convert::Infallible>,
}

impl Door {
    /// Everything as it is by default, but for keys that are fetched from nowhere.
    pub(crate) async fn new<T, P, L>(stores: &Stores<T, P, L>, tokens: &ApiTokens) -> Self
    where
        T: ApiTokenStore,
        P: PolicyStore + Clone,
        L: RevocationLog,
    {
        // It has a runtime of its own, which must not end within another.
        let fixture = std::thread::spawn(|| {
            let fixture = Fixture::new(&[SigningAlgorithm::Es256]);
            (fixture.resource(), fixture.issuer.fetch())
        });
        let (resource, fetch) = fixture.join().unwrap();
        let auth = Authenticator::builder(resource)
            .fetch(fetch)
            .api_tokens(tokens.clone())
            .policies(stores.policies.clone())
            .revocations(stores.log.clone())
            .build()
            .unwrap();
        auth.warm_up(Duration::from_secs(60)).await.unwrap();
        let inner = McpAuthLayer::new(auth).layer(service_fn(echo));
        let service = service_fn(move |authorization: HeaderValue| {
            let inner = inner.clone();
            async move {
                let Ok(answer) = inner.oneshot(request(Some(&authorization))).await;
                Ok(answer.status().as_u16())
            }
        });
        Self {
            service: BoxCloneSyncService::new(service),
        }
    }

    /// Nanoseconds until the answer, which must be 200.
    pub(crate) async fn ask(&self, authorization: &HeaderValue) -> u64 {
        let (status, nanos) = self.asked(authorization).await;
        assert_eq!(status, 200);
        nanos
    }

    async fn asked(&self, authorization: &HeaderValue) -> (u16, u64) {
        let start = Instant::now();
        let Ok(status) = self.service.clone().oneshot(authorization.clone()).await;
        (status, nanos(start))
    }

    /// All of them, so many at a time: sorted nanoseconds of those let in, and how many were not.
    pub(crate) async fn ask_all(&self, all: &[HeaderValue], at_a_time: usize) -> (Vec<u64>, usize) {
        let share = all.len().div_ceil(at_a_time).max(1);
        let mut tasks = JoinSet::new();
        for part in all.chunks(share) {
            let (door, part) = (self.clone(), part.to_vec());
            tasks.spawn(async move {
                let mut seen = Vec::with_capacity(part.len());
                for authorization in &part {
                    seen.push(door.asked(authorization).await);
                }
                seen
            });
        }
        let seen: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let good = seen.iter().filter(|(status, _)| *status == 200);
        let mut nanos: Vec<u64> = good.map(|(_, nanos)| *nanos).collect();
        nanos.sort_unstable();
        let refused = seen.len() - nanos.len();
        (nanos, refused)
    }
}

pub(crate) fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
