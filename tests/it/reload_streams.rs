//! Open streams are judged by new settings before anything more passes.

use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt, service_fn};
use tower_mcp_auth::authenticator::AuthenticatorBuilder;
use tower_mcp_auth::middleware::RequestBody;
use tower_mcp_auth::{Authenticator, Introspection, Issuer, McpAuthLayer, ProtectedResource};

use crate::reload::{V2, token_settings};
use crate::streams_support::{EVENTS, Open, fed};
use crate::support::{I, described, post};
use crate::tokens_support::{ADA, TokenWorld, basic};

fn trusted() -> Issuer {
    Issuer::new(I).organization_claim("org_id")
}

fn of(issuer: Issuer) -> AuthenticatorBuilder {
    Authenticator::builder(described(issuer))
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_the_new_settings_would_not_open_ends() {
    let elsewhere = Issuer::new("https://elsewhere.example");
    let other = ProtectedResource::new(V2).issuer(trusted());
    for (settings, reason) in [
        (of(elsewhere), "unknown_issuer"),
        (Authenticator::builder(other), "wrong_audience"),
        (
            token_settings().require_scopes(["more"]),
            "insufficient_scope",
        ),
        (of(Issuer::new(I)), "unknown_organization"),
        (
            of(trusted().organization_claim("sub")),
            "unknown_organization",
        ),
        (of(trusted().tenant_claim("client_id")), ""),
        (token_settings(), ""),
    ] {
        let world = TokenWorld::new().await;
        let mut alice = world.events_of("alice").await;
        let mut ada = world.events(&basic(ADA, &world.acme_user)).await;
        world.auth.reload(settings).unwrap();
        if reason.is_empty() {
            alice.assert_passes("data: 1\n\n");
            ada.assert_passes("data: 1\n\n");
            continue;
        }
        alice.feed("data: not any more\n\n");
        alice.ended_for(reason).await;
        if reason == "insufficient_scope" {
            ada.ended_for("api_token_lacks_scope").await;
        } else {
            ada.assert_passes("data: 1\n\n");
        }
    }
}

#[cfg(feature = "dpop")]
#[tokio::test(start_paused = true)]
async fn dpop_07_a_stream_of_an_unbound_token_ends_where_all_have_to_be_bound() {
    use tower_mcp_auth::dpop::Dpop;

    let world = TokenWorld::new().await;
    let mut alice = world.events_of("alice").await;
    world
        .auth
        .reload(token_settings().dpop(Dpop::new()))
        .unwrap();
    alice.assert_passes("data: 1\n\n");
    let required = Dpop::new().required();
    world.auth.reload(token_settings().dpop(required)).unwrap();
    alice.ended_for("dpop_required").await;
}

#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_ends_when_the_new_settings_say() {
    let world = TokenWorld::new().await;
    let token = world.access_token().expires_in(300).sign();
    let mut open = world.events(&format!("Bearer {token}")).await;
    world
        .auth
        .reload(of(trusted().leeway(Duration::ZERO)))
        .unwrap();
    open.assert_passes("data: 1\n\n");
    world.pass(299).await;
    open.assert_open();
    world.pass(1).await;
    open.ended_for("expired").await;
    // Of an opaque token nothing but its issuer says when.
    let mut open = world.events(&basic(ADA, &world.acme_user)).await;
    world.auth.reload(token_settings()).unwrap();
    open.assert_passes("data: 1\n\n");
}

#[tokio::test(start_paused = true)]
async fn mcp_20_an_opaque_token_is_asked_about_again() {
    let introspection = || {
        let client = Introspection::new().client_secret_basic("mcp", "introspecting");
        trusted().introspection(client.token_prefix("opaque_"))
    };
    let world = TokenWorld::new().await;
    world.auth.reload(of(introspection())).unwrap();
    let token = world.access_token().opaque();
    let authorization = format!("Bearer {token}");
    let mut open = world.events(&authorization).await;
    let asked = world.issuer.introspections().len();
    world.auth.reload(of(introspection())).unwrap();
    open.feed("data: 1\n\n");
    let frame = open.next().await.unwrap().into_data().unwrap();
    assert_eq!(frame, "data: 1\n\n");
    assert_eq!(world.issuer.introspections().len(), asked + 1);
    // It cannot be asked any more: nobody's token.
    world.auth.reload(of(trusted())).unwrap();
    open.ended_for("unrecognized_credential").await;
}

/// A stream is all that is left of its mount, and hears of the new settings all the same.
#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_of_a_mount_that_is_gone_ends_too() {
    let world = TokenWorld::new().await;
    let mount = world.auth.mount(ProtectedResource::new(V2)).unwrap();
    let token = world.issuer.token(V2).claim("org_id", "acme").sign();
    let request = post().header("authorization", format!("Bearer {token}"));
    let mut open = Open::by(&mount, request, EVENTS).await;
    open.assert_open();
    drop(mount);
    let elsewhere = Issuer::new("https://elsewhere.example");
    world.auth.reload(of(elsewhere)).unwrap();
    open.feed("data: not any more\n\n");
    open.ended_for("unknown_issuer").await;
}

/// A stream whose request came before a reload, and whose response begins after it.
#[tokio::test(start_paused = true)]
async fn mcp_20_a_stream_opened_during_a_reload_is_not_missed() {
    let world = TokenWorld::new().await;
    let auth = world.auth.clone();
    let (feed, body) = fed();
    let body = Arc::new(Mutex::new(Some(body)));
    let inner = service_fn(move |_: Request<RequestBody<Empty<Bytes>>>| {
        let elsewhere = Issuer::new("https://elsewhere.example");
        auth.reload(of(elsewhere)).unwrap();
        let response = Response::builder().header("content-type", EVENTS);
        let response = response.body(body.lock().unwrap().take().unwrap());
        ready(Ok::<_, Infallible>(response.unwrap()))
    });
    let token = world.access_token().sign();
    let request = post().header("authorization", format!("Bearer {token}"));
    let service = McpAuthLayer::new(world.auth.clone()).layer(inner);
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let mut response = service.oneshot(request).await.unwrap();
    feed.send(http_body::Frame::data("data: too late\n\n".into()))
        .unwrap();
    let last = response.body_mut().frame().await.unwrap().unwrap();
    let last = last.into_data().unwrap();
    assert!(last.starts_with(b"event: authorization_ended"), "{last:?}");
    assert!(String::from_utf8_lossy(&last).contains("unknown_issuer"));
}
