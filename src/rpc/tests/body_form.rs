use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use super::super::{BodyForm, MessageFault, body_form};

fn of_type(media_type: &[u8]) -> Result<BodyForm, MessageFault> {
    let mut headers = HeaderMap::new();
    headers.append(CONTENT_TYPE, HeaderValue::from_bytes(media_type).unwrap());
    body_form(&Method::POST, &headers)
}

#[test]
fn t36_methods_without_a_message_pass() {
    let mut headers = HeaderMap::new();
    headers.append(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS] {
        assert_eq!(body_form(&method, &headers), Ok(BodyForm::Other));
    }
    for method in ["POST", "PUT", "PATCH", "QUERY", "get"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(
            body_form(&method, &HeaderMap::new()),
            Ok(BodyForm::Json),
            "{method}"
        );
    }
}

#[test]
fn t36_media_types_that_are_never_json_pass() {
    for media_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc-web-text",
        "Application/GRPC",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "IMAGE/png",
        "audio/ogg ;a=b",
        "video/mp4",
    ] {
        assert_eq!(
            of_type(media_type.as_bytes()),
            Ok(BodyForm::Other),
            "{media_type}"
        );
    }
}

#[test]
fn t36_everything_else_must_read_as_a_message() {
    assert_eq!(
        body_form(&Method::POST, &HeaderMap::new()),
        Ok(BodyForm::Json)
    );
    for media_type in [
        "application/json",
        "APPLICATION/JSON; charset=utf-8",
        "application/json-rpc",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "json",
        "application/json; a=image/png",
        "image",
        "imagex/png",
        "application/gzip",
        "application/octet-streams",
        "application/octet-stream+json",
        "image/png, application/json",
        "image/png; a=b, application/json",
        "application/json, image/png",
        "text/plain; multipart/form-data",
    ] {
        assert_eq!(
            of_type(media_type.as_bytes()),
            Ok(BodyForm::Json),
            "{media_type}"
        );
    }
    assert_eq!(of_type(b"image/\xe9"), Ok(BodyForm::Json));
}

#[test]
fn t36_two_content_types_are_refused() {
    let mut headers = HeaderMap::new();
    headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    assert_eq!(
        body_form(&Method::POST, &headers),
        Err(MessageFault::ContentType)
    );
}

#[test]
fn t36_a_coded_body_is_refused() {
    for lines in [
        &["gzip"][..],
        &["identity", "br"],
        &["identity, gzip"],
        &[""],
        &["x-gzip"],
    ] {
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_TYPE, HeaderValue::from_static("image/png"));
        for line in lines {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(line));
        }
        let form = body_form(&Method::POST, &headers);
        assert_eq!(form, Err(MessageFault::ContentEncoding), "{lines:?}");
    }
    let mut headers = HeaderMap::new();
    headers.append(CONTENT_ENCODING, HeaderValue::from_static("Identity"));
    assert_eq!(body_form(&Method::POST, &headers), Ok(BodyForm::Json));
}
