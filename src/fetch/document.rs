//! One fetched document under the rules that hold for every `Fetch` (KEY-3, R3, R5, R7).
//!
//! The service behind the port is not trusted to keep them: whoever wrote it, a redirect is a
//! failure, the body is bounded while it arrives, and the deadline covers everything.

mod head;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use url::Url;

use super::{DynFetch, FetchBody};
use crate::address::check_url;
use crate::error::BackendError;

const AGENT: &str = concat!("tower-mcp-auth/", env!("CARGO_PKG_VERSION"));

/// What one fetch may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From the first byte of the connection to the last of the body.
    pub(crate) deadline: Duration,
    /// Longest accepted body, in bytes.
    pub(crate) body: usize,
}

impl Default for Limits {
    /// 5 s and 256 KiB: room for the largest key sets seen, not for a flood.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            body: 256 * 1024,
        }
    }
}

/// A form to be sent (RFC 6749 appendix B), and what is to come back.
pub(crate) struct Form {
    pub(crate) body: String,
    pub(crate) authorization: Option<HeaderValue>,
    /// The one media type of an answer that is not JSON.
    pub(crate) accept: Option<&'static str>,
}

/// A complete answer. Its content is unread and as untrusted as the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) body: Bytes,
    /// `Cache-Control: max-age`; zero for `no-store` and `no-cache`, `None` if unsaid or malformed.
    pub(crate) max_age: Option<Duration>,
}

/// A fetch that yielded no usable document.
#[derive(Debug)]
pub(crate) struct FetchFailure {
    pub(crate) error: BackendError,
    /// The status of the answer, if there was one and it was not 200; 200 if its body was too long.
    pub(crate) status: Option<StatusCode>,
    /// `Retry-After` of the answer in its seconds form, at most 5 minutes. Its date form is not
    /// read: back-off is ours anyway, and a date would make it depend on the issuer's clock.
    pub(crate) retry_after: Option<Duration>,
}

/// What went wrong, before the URL is put in front of it.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    message: String,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self {
            message,
            status: None,
            retry_after: None,
        }
    }
}

/// An answer that is whole as far as anybody can tell, and more than is read.
fn too_long(cap: usize) -> Failure {
    Failure {
        status: Some(StatusCode::OK),
        ..head::too_long(cap).into()
    }
}

/// GETs one JSON document.
///
/// # Errors
///
/// [`FetchFailure`] if the URL may not be fetched, the service fails, the deadline passes, or the
/// answer is anything but a complete, unencoded JSON document of bounded size under status 200.
pub(crate) async fn get(
    fetch: &DynFetch,
    url: &Url,
    limits: Limits,
) -> Result<Document, FetchFailure> {
    ask(fetch, url, None, limits).await
}

/// POSTs a form and takes one document, under the same rules.
///
/// # Errors
///
/// As [`get`]; and if the answer has another media type than was asked for. Nothing of the form is
/// in the error.
pub(crate) async fn post(
    fetch: &DynFetch,
    url: &Url,
    form: Form,
    limits: Limits,
) -> Result<Document, FetchFailure> {
    ask(fetch, url, Some(form), limits).await
}

async fn ask(
    fetch: &DynFetch,
    url: &Url,
    form: Option<Form>,
    limits: Limits,
) -> Result<Document, FetchFailure> {
    let method = form.as_ref().map_or(Method::GET, |_| Method::POST);
    let accept = form.as_ref().and_then(|form| form.accept);
    let outcome = match request(url, form) {
        Ok(request) => {
            let exchange = exchange(fetch, request, accept, limits.body);
            tokio::time::timeout(limits.deadline, exchange)
                .await
                .unwrap_or_else(|_| {
                    let deadline = limits.deadline;
                    Err(format!("no complete answer within {deadline:?}").into())
                })
        }
        Err(problem) => Err(problem.into()),
    };
    outcome.map_err(|failure| FetchFailure {
        error: BackendError::new(format!("{method} {}: {}", shown(url), failure.message)),
        status: failure.status,
        retry_after: failure.retry_after,
    })
}

fn request(url: &Url, form: Option<Form>) -> Result<Request<Full<Bytes>>, String> {
    check_url(url)?;
    let accept = form.as_ref().and_then(|form| form.accept);
    let mut request = Request::builder()
        .uri(url.as_str())
        .header(ACCEPT, accept.unwrap_or("application/json"))
        .header(ACCEPT_ENCODING, "identity")
        .header(USER_AGENT, AGENT);
    let mut body = Full::default();
    if let Some(form) = form {
        request = request
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(mut authorization) = form.authorization {
            authorization.set_sensitive(true);
            request = request.header(AUTHORIZATION, authorization);
        }
        body = Full::from(form.body);
    }
    request
        .body(body)
        .map_err(|error| format!("the URL cannot be put into a request: {error}"))
}

/// The URL for a message: userinfo and query could be secrets.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

async fn exchange(
    fetch: &DynFetch,
    request: Request<Full<Bytes>>,
    accept: Option<&str>,
    cap: usize,
) -> Result<Document, Failure> {
    let response = fetch.send(request).await.map_err(|error| error.report())?;
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(Failure {
            message: refused_status(head.status),
            status: Some(head.status),
            retry_after: head::retry_after(&head.headers),
        });
    }
    let declared = head::check(&head.headers, accept)?;
    if declared.is_some_and(|declared| declared > cap) {
        return Err(too_long(cap));
    }
    let body = read(body, cap).await?;
    if declared.is_some_and(|declared| declared != body.len()) {
        return Err(format!("the body is truncated after {} bytes", body.len()).into());
    }
    Ok(Document {
        body,
        max_age: head::max_age(&head.headers),
    })
}

fn refused_status(status: StatusCode) -> String {
    let code = status.as_u16();
    if status.is_redirection() {
        format!("answered {code}; redirects are never followed, so configure the final URL")
    } else {
        format!("answered {code} instead of 200")
    }
}

/// Reads the body up to `cap` bytes; stops at the first byte too many.
async fn read(mut body: FetchBody, cap: usize) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > u64::try_from(cap).unwrap_or(u64::MAX) {
        return Err(too_long(cap));
    }
    let mut read = BytesMut::new();
    loop {
        // A body that is always ready, of empty frames for instance, must still let the deadline
        // be looked at.
        tokio::task::consume_budget().await;
        let Some(frame) = body.frame().await else {
            return Ok(read.freeze());
        };
        let frame = frame.map_err(|error| {
            BackendError::with_source("the body broke off before its end", error).report()
        })?;
        // Trailers are not data: nothing in a key document depends on them.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > cap.saturating_sub(read.len()) {
            return Err(too_long(cap));
        }
        read.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests;
