//! Adapters: implementations of the ports, and bridges to frameworks.

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "client")]
mod http;

#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "rmcp")]
mod rmcp;
#[cfg(any(feature = "client", feature = "redis"))]
mod roots;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

#[cfg(feature = "axum")]
pub use axum::{MissingAuthLayer, RequiredScopes, Scoped, ScopedRejection};
#[cfg(feature = "client")]
pub use http::{HttpClient, HttpClientBuilder, HttpResponseFuture};
#[cfg(all(feature = "redis", feature = "dpop"))]
pub use redis::RedisReplayStore;
#[cfg(feature = "redis")]
pub use redis::{RedisFailures, RedisHints};
#[cfg(feature = "rmcp")]
pub use rmcp::{FilterList, RequestAuth};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::{
    PolicyRevision, Pruned, SchemaVersion, SqlEngine, SqlOpenError, SqlStore, SqlStoreBuilder,
};
