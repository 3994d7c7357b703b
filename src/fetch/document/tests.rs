mod head;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderMap, HeaderName, LOCATION};
use http::{HeaderValue, Method, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tower::service_fn;

use super::*;
use crate::error::BoxError;

const URL: &str = "https://auth.example.com:8443/jwks?secret=1";

type Lines<'a> = &'a [(&'static str, &'a str)];

fn headers(lines: Lines<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

/// A service that gives one answer to everything.
fn answering<B>(status: u16, lines: Lines<'_>, body: B) -> DynFetch
where
    B: Body<Data = Bytes> + Clone + Send + Sync + 'static,
    B::Error: Into<BoxError>,
{
    let headers = headers(lines);
    DynFetch::new(service_fn(move |_: Request<Full<Bytes>>| {
        let mut response = Response::new(body.clone());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        *response.headers_mut() = headers.clone();
        async move { Ok::<_, Infallible>(response) }
    }))
}

fn json(lines: Lines<'_>, body: &'static str) -> DynFetch {
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(lines);
    answering(200, &all, Full::<Bytes>::from(body))
}

/// A service whose body is made anew for each answer.
fn streaming<S, E>(frames: impl Fn() -> S + Clone + Send + Sync + 'static) -> DynFetch
where
    S: futures_util::Stream<Item = Result<Frame<Bytes>, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    DynFetch::new(service_fn(move |_: Request<Full<Bytes>>| {
        let response = Response::builder()
            .header("content-type", "application/json")
            .body(StreamBody::new(frames()));
        async move { response }
    }))
}

async fn fetched(fetch: &DynFetch) -> Result<Document, FetchFailure> {
    get(fetch, &Url::parse(URL).unwrap(), Limits::default()).await
}

async fn failure(fetch: &DynFetch) -> String {
    fetched(fetch).await.unwrap_err().error.report()
}

#[tokio::test]
async fn key_03_a_json_document_is_fetched() {
    let fetch = DynFetch::new(service_fn(|request: Request<Full<Bytes>>| async move {
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri(), URL);
        let sent = request.headers();
        assert_eq!(sent[ACCEPT], "application/json");
        assert_eq!(sent[ACCEPT_ENCODING], "identity");
        assert_eq!(sent[USER_AGENT], AGENT);
        Response::builder()
            .header("content-type", "application/jwk-set+json; charset=utf-8")
            .header(CONTENT_LENGTH, 2)
            .header(CACHE_CONTROL, "public, max-age=600")
            .body(Full::<Bytes>::from("{}"))
    }));
    let expected = Document {
        body: Bytes::from_static(b"{}"),
        max_age: Some(Duration::from_secs(600)),
    };
    assert_eq!(fetched(&fetch).await.unwrap(), expected);
}

#[tokio::test]
async fn key_03_a_redirect_is_a_failure_and_not_followed() {
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let fetch = DynFetch::new(service_fn(move |_: Request<Full<Bytes>>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let response = Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .header(LOCATION, "https://169.254.169.254/latest")
                .body(Full::<Bytes>::from("{}"));
            async move { response }
        }));
        let said = failure(&fetch).await;
        assert!(said.contains(&status.to_string()), "{said}");
        assert!(said.contains("redirects are never followed"), "{said}");
        assert!(!said.contains("169.254"), "untrusted text in {said}");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn key_03_a_url_that_may_not_be_fetched_is_not_sent() {
    let fetch = DynFetch::new(service_fn(|_: Request<Full<Bytes>>| async {
        panic!("sent");
        #[expect(unreachable_code, reason = "gives the service its type")]
        Ok::<Response<Full<Bytes>>, Infallible>(Response::default())
    }));
    for bad in [
        "http://auth.example.com/",
        "https://me:hunter2@auth.example.com/",
    ] {
        let failure = get(&fetch, &Url::parse(bad).unwrap(), Limits::default()).await;
        let said = failure.unwrap_err().error.report();
        assert!(said.starts_with("GET http"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn r03_a_service_that_never_answers_is_cut_by_the_deadline() {
    let started = tokio::time::Instant::now();
    let fetch = DynFetch::new(service_fn(|_: Request<Full<Bytes>>| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    }));
    let said = failure(&fetch).await;
    assert!(said.contains("no complete answer within 5s"), "{said}");
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn r07_a_dripping_body_is_cut_by_the_same_deadline() {
    let started = tokio::time::Instant::now();
    let fetch = streaming(|| {
        stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            Some((
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(b" "))),
                (),
            ))
        })
    });
    let said = failure(&fetch).await;
    assert!(said.contains("no complete answer within 5s"), "{said}");
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

// Real time: a body that never pauses never lets paused time advance.
#[tokio::test]
async fn r07_endless_empty_frames_are_cut_by_the_deadline() {
    let fetch =
        streaming(|| stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::new()))));
    let limits = Limits {
        deadline: Duration::from_millis(20),
        ..Limits::default()
    };
    let outcome = get(&fetch, &Url::parse(URL).unwrap(), limits).await;
    let said = outcome.unwrap_err().error.report();
    assert!(said.contains("no complete answer within 20ms"), "{said}");
}

#[tokio::test]
async fn r05_a_truncated_body_is_a_failure() {
    let said = failure(&json(&[("content-length", "3")], "{}")).await;
    assert!(said.contains("truncated after 2 bytes"), "{said}");

    let fetch = streaming(|| {
        stream::iter([
            Ok(Frame::data(Bytes::from_static(b"{"))),
            Err(std::io::Error::other("reset by peer")),
        ])
    });
    let said = failure(&fetch).await;
    assert!(
        said.contains("broke off before its end: reset by peer"),
        "{said}"
    );
}

#[tokio::test]
async fn r05_a_failing_service_is_named_once() {
    let fetch = DynFetch::new(service_fn(|_: Request<Full<Bytes>>| async {
        Err::<Response<Full<Bytes>>, _>(std::io::Error::other("no route"))
    }));
    assert_eq!(
        failure(&fetch).await,
        "GET https://auth.example.com:8443/jwks: request not sent or not answered: no route"
    );
}

#[tokio::test]
async fn r07_a_declared_huge_body_is_refused_unread() {
    for length in ["262145", "99999999999999999999999"] {
        let lines = [
            ("content-type", "application/json"),
            ("content-length", length),
        ];
        // A body whose reading would hang.
        let fetch = answering(200, &lines, Hanging);
        let said = failure(&fetch).await;
        assert!(said.contains("longer than 262144 bytes"), "{said}");
    }
    for malformed in ["-1", "+2", "2, 2", "0x2", ""] {
        let said = failure(&json(&[("content-length", malformed)], "{}")).await;
        assert!(said.contains("content-length is malformed"), "{said}");
    }
}

#[derive(Clone)]
struct Hanging;

impl Body for Hanging {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("read")
    }
}

#[tokio::test]
async fn r07_an_undeclared_huge_body_is_cut_as_it_arrives() {
    const CHUNK: usize = 1024;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let fetch = streaming(move || {
        let counted = Arc::clone(&counted);
        stream::repeat_with(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b' '; CHUNK])))
        })
    });
    let said = failure(&fetch).await;
    assert!(said.contains("longer than 262144 bytes"), "{said}");
    assert_eq!(sent.load(Ordering::Relaxed), 256 * 1024 / CHUNK + 1);
}

#[tokio::test]
async fn r07_a_body_of_exactly_the_cap_and_trailers_pass() {
    let fetch = streaming(|| {
        let half = || Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b' '; 128 * 1024])));
        let mut trailers = HeaderMap::new();
        trailers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=9"));
        stream::iter([half(), half(), Ok(Frame::trailers(trailers))])
    });
    let document = fetched(&fetch).await.unwrap();
    assert_eq!(document.body.len(), 256 * 1024);
    assert_eq!(document.max_age, None);
}
