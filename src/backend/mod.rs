//! Adapters: implementations of the ports.

mod http;

#[doc(inline)]
pub use self::http::{HttpClient, HttpClientBuilder, HttpResponseFuture};
