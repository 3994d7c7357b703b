use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use super::{Answer, Subject, both};
use crate::testing::{Endpoint, Fault, TestIssuer};

const HOUR: Duration = Duration::from_secs(3600);

/// The key set under this fault; the request must be counted.
async fn jwks_under(subject: &Subject, fault: Fault) -> Result<Answer, String> {
    let before = subject.issuer.hits().jwks;
    subject.issuer.fail(Endpoint::Jwks, fault);
    let answer = subject.wire.try_get(&subject.url("/jwks")).await;
    assert_eq!(subject.issuer.hits().jwks, before + 1);
    answer
}

#[tokio::test]
async fn answers_can_be_replaced() {
    for subject in both(|b| b).await {
        let answer = jwks_under(&subject, Fault::Status(503)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header(RETRY_AFTER), "");

        let busy = Fault::RetryAfter(429, "7".into());
        let answer = jwks_under(&subject, busy).await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header(RETRY_AFTER), "7");

        let answer = jwks_under(&subject, Fault::Html).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.header(CONTENT_TYPE).starts_with("text/html"));

        let answer = jwks_under(&subject, Fault::Empty).await.unwrap();
        assert_eq!(answer.text(), r#"{"keys":[]}"#);

        let away = Fault::Redirect("http://169.254.169.254/".into());
        let answer = jwks_under(&subject, away).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND);
        assert_eq!(answer.header(LOCATION), "http://169.254.169.254/");
    }
}

#[tokio::test]
async fn answers_can_be_disguised() {
    for subject in both(|b| b).await {
        let healthy = subject.jwks().await;
        let answer = jwks_under(&subject, Fault::WrongType).await.unwrap();
        assert_eq!(answer.header(CONTENT_TYPE), "text/plain");
        assert_eq!(answer.json(), healthy);

        let answer = jwks_under(&subject, Fault::Compressed).await.unwrap();
        assert_eq!(answer.header(CONTENT_ENCODING), "gzip");
        assert_eq!(answer.json(), healthy);

        subject.issuer.fail(Endpoint::Metadata, Fault::WrongIssuer);
        let place = subject.url("/.well-known/openid-configuration");
        let metadata = subject.wire.get(&place).await.json();
        assert_eq!(metadata["issuer"], "https://wrong-issuer.example");
        assert_eq!(metadata["jwks_uri"], subject.url("/jwks"));
    }
}

#[tokio::test]
async fn connections_can_break() {
    for subject in both(|b| b).await {
        jwks_under(&subject, Fault::Refuse).await.unwrap_err();
        jwks_under(&subject, Fault::Truncated).await.unwrap_err();
        let cut = jwks_under(&subject, Fault::Cut).await.unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(cut.text()).is_err());
        assert!(cut.text().starts_with(r#"{"keys":["#));
    }
}

#[tokio::test]
async fn answers_can_be_huge_and_valid() {
    for subject in both(|b| b).await {
        let padding = 1_000_001;
        let answer = jwks_under(&subject, Fault::Huge(padding)).await.unwrap();
        assert_eq!(answer.header(CONTENT_LENGTH), "");
        let document = answer.json();
        assert_eq!(document["padding"].as_str().unwrap().len(), padding);
        assert_eq!(document["keys"][0]["kid"], subject.issuer.signing_kid());
    }
}

#[tokio::test]
async fn every_other_request_fails_when_flapping() {
    for subject in both(|b| b).await {
        subject.issuer.fail(Endpoint::Jwks, Fault::Alternate);
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let answer = subject.wire.get(&subject.url("/jwks")).await;
            statuses.push(answer.status().as_u16());
        }
        assert_eq!(statuses, [500, 200, 500, 200]);
    }
}

#[tokio::test]
async fn endpoints_fail_and_heal_apart() {
    for subject in both(|b| {
        b.client("ci", "secret")
            .default_resource("https://a.example")
    })
    .await
    {
        let issuer = &subject.issuer;
        let metadata = subject.url("/.well-known/openid-configuration");
        let form = [("grant_type", "client_credentials")];
        let (jwks, token) = (subject.url("/jwks"), subject.url("/token"));
        let statuses = async || {
            let wire = &subject.wire;
            let token = wire.post(&token, Some("ci:secret"), &form).await;
            let (metadata, jwks) = (wire.get(&metadata).await, wire.get(&jwks).await);
            [metadata, jwks, token].map(|answer| answer.status().as_u16())
        };
        issuer.fail(Endpoint::Metadata, Fault::Status(502));
        issuer.fail(Endpoint::Token, Fault::Status(504));
        assert_eq!(statuses().await, [502, 200, 504]);
        issuer.heal_endpoint(Endpoint::Token);
        assert_eq!(statuses().await, [502, 200, 200]);
        issuer.fail_all(Fault::Status(503));
        assert_eq!(statuses().await, [503, 503, 503]);
        issuer.heal();
        assert_eq!(statuses().await, [200, 200, 200]);
        let hits = issuer.hits();
        assert_eq!((hits.metadata, hits.jwks, hits.token), (4, 4, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn hang_is_forever_and_slow_is_late() {
    let issuer = TestIssuer::builder().in_process();
    let get = || {
        let request = Request::get(issuer.endpoint("/jwks")).body(Full::<Bytes>::default());
        issuer.fetch().oneshot(request.unwrap())
    };
    issuer.fail(Endpoint::Jwks, Fault::Hang);
    assert!(timeout(HOUR, get()).await.is_err());

    issuer.fail(Endpoint::Jwks, Fault::Slow(HOUR));
    let before = Instant::now();
    assert_eq!(get().await.unwrap().status(), StatusCode::OK);
    assert_eq!(before.elapsed(), HOUR);
    assert_eq!(issuer.hits().jwks, 2);
}

#[tokio::test(start_paused = true)]
async fn drip_is_one_byte_at_a_time() {
    let issuer = TestIssuer::builder().in_process();
    issuer.fail(Endpoint::Jwks, Fault::Drip(Duration::from_secs(1)));
    let request = Request::get(issuer.endpoint("/jwks")).body(Full::<Bytes>::default());
    let before = Instant::now();
    let answer = issuer.fetch().oneshot(request.unwrap()).await.unwrap();
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert_eq!(data.len(), 1);
        bytes.extend(data);
    }
    let jwks: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(jwks["keys"][0]["kid"], issuer.signing_kid());
    assert_eq!(
        before.elapsed().as_secs(),
        u64::try_from(bytes.len()).unwrap()
    );
}

#[tokio::test]
async fn hang_and_drip_over_a_socket() {
    let [subject, _] = both(|b| b).await;
    let healthy = subject.jwks().await;
    let drip = Fault::Drip(Duration::ZERO);
    assert_eq!(jwks_under(&subject, drip).await.unwrap().json(), healthy);

    subject.issuer.fail(Endpoint::Jwks, Fault::Hang);
    let (wire, url) = (subject.wire.clone(), subject.url("/jwks"));
    let hanging = tokio::spawn(async move { wire.try_get(&url).await.map(|_| ()) });
    while subject.issuer.hits().jwks < 3 {
        tokio::task::yield_now().await;
    }
    subject.issuer.heal();
    assert_eq!(subject.jwks().await, healthy);
    assert!(!hanging.is_finished());
    hanging.abort();
}
