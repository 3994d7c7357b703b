//! The issuer, asked over a real socket and in process: both must behave alike.

mod documents;
mod faults;
mod flow;
mod grants;
mod registration;
mod tokens;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tower::ServiceExt;
use url::{Url, form_urlencoded};

use super::{TestFetch, TestIssuer, TestIssuerBuilder};

pub(super) const MCP: &str = "https://mcp.example.com/mcp";
pub(super) const REDIRECT: &str = "http://127.0.0.1:4711/callback";
pub(super) const VERIFIER: &str = "correct-horse-battery-staple-correct-horse-battery";

/// How a test reaches the issuer.
#[derive(Clone)]
pub(super) enum Wire {
    Socket(Box<Client<HttpConnector, Full<Bytes>>>),
    Process(TestFetch),
}

impl Wire {
    pub(super) fn socket() -> Self {
        Self::Socket(Box::new(Client::builder(TokioExecutor::new()).build_http()))
    }

    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let (parts, body) = match self {
            Self::Socket(client) => {
                let response = client.request(request).await.map_err(|e| e.to_string())?;
                let (parts, body) = response.into_parts();
                (parts, body.collect().await.map_err(|e| e.to_string())?)
            }
            Self::Process(fetch) => {
                let response = fetch.clone().oneshot(request).await;
                let (parts, body) = response.map_err(|e| e.to_string())?.into_parts();
                (parts, body.collect().await.map_err(|e| e.to_string())?)
            }
        };
        Ok(Answer(Response::from_parts(parts, body.to_bytes())))
    }

    pub(super) async fn try_get(&self, url: &str) -> Result<Answer, String> {
        self.send(Request::get(url).body(Full::default()).unwrap())
            .await
    }

    pub(super) async fn get(&self, url: &str) -> Answer {
        self.try_get(url).await.unwrap()
    }

    /// Posts a form, with HTTP Basic if `basic` is `id:secret`.
    pub(super) async fn post(
        &self,
        url: &str,
        basic: Option<&str>,
        form: &[(&str, &str)],
    ) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request =
            Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(pair) = basic {
            request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
        }
        let request = request.body(Full::from(body)).unwrap();
        self.send(request).await.unwrap()
    }

    pub(super) async fn post_json(&self, url: &str, body: Value) -> Answer {
        let body = Full::from(body.to_string());
        self.send(Request::post(url).body(body).unwrap())
            .await
            .unwrap()
    }
}

#[derive(Debug)]
pub(super) struct Answer(Response<Bytes>);

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.0.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// The header's only line; empty if there is none.
    pub(super) fn header(&self, name: HeaderName) -> &str {
        let lines: Vec<_> = self.headers().get_all(name).iter().collect();
        assert!(lines.len() < 2, "{lines:?}");
        lines.first().map_or("", |line| line.to_str().unwrap())
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(self.0.body()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// Parameters of the URL redirected to, which must be the client's.
    pub(super) fn redirected(&self) -> HashMap<String, String> {
        let target = Url::parse(self.header(LOCATION)).unwrap();
        assert!(target.as_str().starts_with(REDIRECT), "{target}");
        target.query_pairs().into_owned().collect()
    }
}

/// The same issuer twice: once over a socket, once in process.
pub(super) async fn both(setup: impl Fn(TestIssuerBuilder) -> TestIssuerBuilder) -> [Subject; 2] {
    let served = setup(TestIssuer::builder()).start().await.unwrap();
    let inside = setup(TestIssuer::builder()).in_process();
    let fetch = inside.fetch();
    [
        Subject {
            issuer: served,
            wire: Wire::socket(),
        },
        Subject {
            issuer: inside,
            wire: Wire::Process(fetch),
        },
    ]
}

pub(super) struct Subject {
    pub(super) issuer: TestIssuer,
    pub(super) wire: Wire,
}

impl Subject {
    pub(super) fn url(&self, path: &str) -> String {
        self.issuer.endpoint(path)
    }

    pub(super) async fn jwks(&self) -> Value {
        self.wire.get(&self.url("/jwks")).await.json()
    }
}

/// One part of a compact token, decoded: 0 header, 1 claims, 2 signature.
pub(super) fn part(token: &str, index: usize) -> Vec<u8> {
    let part = token.split('.').nth(index).unwrap();
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

pub(super) fn header(token: &str) -> Value {
    serde_json::from_slice(&part(token, 0)).unwrap()
}

pub(super) fn claims(token: &str) -> Value {
    serde_json::from_slice(&part(token, 1)).unwrap()
}
