//! The bare service every bench is read against, and the request it gets.

use std::convert::Infallible;
use std::future::{Ready, ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

pub(crate) fn echo<B>(request: Request<B>) -> Ready<Result<Response<B>, Infallible>> {
    ready(Ok(Response::new(request.into_body())))
}

pub(crate) fn request(authorization: Option<&HeaderValue>) -> Request<Empty<Bytes>> {
    let mut request = Request::post("/mcp").body(Empty::new()).unwrap();
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("mcp.example.com"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Some(value) = authorization {
        headers.insert("authorization", value.clone());
    }
    request
}
