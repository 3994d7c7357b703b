//! Provider profiles against what providers issue: recorded shapes, signed anew.
//!
//! `tests/fixtures/vendors/` holds each vendor's metadata, key set and tokens as the vendor
//! documents them (`SOURCE.md` there); keys are made here and times moved to the tests' present.

mod entra;
mod google;
mod keycloak;
mod others;
mod tokens;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::Service;
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::testing::{ManualClock, TestIssuer};
use tower_mcp_auth::{Authenticator, Issuer, ProtectedResource, SigningAlgorithm};

use crate::support::{Answer, NOW, Probe, World, described};

fn fixture(vendor: &str, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/vendors")
        .join(vendor)
        .join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The vendors' hosts: documents by URL, and 404 everywhere else.
#[derive(Clone, Debug, Default)]
struct Web(Vec<(String, Value)>);

impl Service<Request<Full<Bytes>>> for Web {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let url = request.uri().to_string();
        let document = self.0.iter().find(|(place, _)| *place == url);
        let response = match document {
            Some((_, document)) => Response::builder()
                .header("content-type", "application/json")
                .body(Full::from(document.to_string())),
            None => Response::builder().status(404).body(Full::default()),
        };
        ready(Ok(response.unwrap()))
    }
}

/// Vendors with their keys, and this server configured for them.
struct Vendors {
    world: World,
}

impl Vendors {
    /// A server that trusts one vendor, configured by `trusted`.
    async fn new(vendor: &str, trusted: impl FnOnce(Issuer) -> Issuer) -> Self {
        let issuer = Issuer::new(identifier(vendor));
        Self::several(&[vendor], trusted(issuer), []).await
    }

    /// The same, with room for the longest credentials (AUTH-17).
    async fn roomy(vendor: &str, trusted: impl FnOnce(Issuer) -> Issuer) -> Self {
        let resource = described(trusted(Issuer::new(identifier(vendor))));
        Self::built(&[vendor], resource, |auth| {
            auth.max_credential_bytes(16 * 1024)
        })
        .await
    }

    async fn several(
        vendors: &[&str],
        first: Issuer,
        more: impl IntoIterator<Item = Issuer>,
    ) -> Self {
        let resource = more
            .into_iter()
            .fold(described(first), ProtectedResource::issuer);
        Self::built(vendors, resource, |auth| auth).await
    }

    async fn built(
        vendors: &[&str],
        resource: ProtectedResource,
        configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let clock = ManualClock::at(NOW);
        // All share one key, as the tenants of one cloud do: only `iss` tells them apart.
        let issuer = TestIssuer::builder()
            .url("https://keys.example")
            .clock(clock.clone())
            .algorithms([SigningAlgorithm::Rs256])
            .in_process();
        let web = Web(vendors
            .iter()
            .flat_map(|vendor| published(vendor, &issuer))
            .collect());
        let builder = Authenticator::builder(resource)
            .clock(clock.clone())
            .fetch(web);
        let auth = configure(builder).build().unwrap();
        auth.warm_up(Duration::from_secs(5)).await.unwrap();
        Self {
            world: World {
                issuer,
                clock,
                auth,
                probe: Probe::default(),
            },
        }
    }

    /// Presents a recorded token, changed by `change`.
    async fn send_changed(
        &self,
        vendor: &str,
        token: &str,
        change: impl FnOnce(&mut Value, &mut Value),
    ) -> Answer {
        let recorded = fixture(vendor, token);
        let (mut header, mut claims) = (recorded["header"].clone(), moved(&recorded["claims"]));
        change(&mut header, &mut claims);
        let signed = self.world.issuer.token("");
        let signed = signed
            .raw_header(header.to_string())
            .raw_claims(claims.to_string());
        self.world.bearer(&signed.sign()).await
    }

    async fn send(&self, vendor: &str, token: &str) -> Answer {
        self.send_changed(vendor, token, |_, _| {}).await
    }

    /// Let in, and exactly so: every member that is expected must be there as it is.
    async fn accepts(&self, vendor: &str, token: &str, expected: Value) {
        let answer = self.send(vendor, token).await;
        assert_eq!(answer.status, 200, "{vendor}/{token}: {}", answer.code());
        let said = answer.json();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&said[name], value, "{vendor}/{token}: {name}");
        }
    }

    async fn refuses(&self, vendor: &str, token: &str, reason: &str) {
        let answer = self.send(vendor, token).await;
        assert_eq!(answer.code(), reason, "{vendor}/{token}: {}", answer.status);
        assert_eq!(answer.status, 401, "{vendor}/{token}");
        assert_eq!(self.world.probe.calls(), 0, "{vendor}/{token}");
    }
}

fn identifier(vendor: &str) -> String {
    fixture(vendor, "discovery")["issuer"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The vendor's metadata where it serves it, and its key set with the key of this test in it.
fn published(vendor: &str, keys: &TestIssuer) -> [(String, Value); 2] {
    let metadata = fixture(vendor, "discovery");
    let identifier = identifier(vendor);
    let place = format!(
        "{}/.well-known/openid-configuration",
        identifier.trim_end_matches('/')
    );
    let jwks_uri = metadata["jwks_uri"].as_str().unwrap().to_owned();
    let numbers = keys.public_jwk(&keys.signing_kid());
    let mut set = fixture(vendor, "jwks");
    for key in set["keys"].as_array_mut().unwrap() {
        for number in ["n", "e"] {
            assert_eq!(key[number], "", "{vendor}: recorded without its numbers");
            key[number] = numbers[number].clone();
        }
    }
    [(place, metadata), (jwks_uri, set)]
}

/// The claims, with every time moved by as much as brings `iat` to one minute ago.
fn moved(claims: &Value) -> Value {
    let mut claims = claims.clone();
    let by = NOW - 60 - claims["iat"].as_i64().unwrap();
    for name in ["iat", "nbf", "exp", "auth_time", "rat"] {
        if let Some(time) = claims[name].as_i64() {
            claims[name] = json!(time + by);
        }
    }
    claims
}
