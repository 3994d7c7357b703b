//! Nothing is public but the documents, whatever the path looks like (T35).

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{Empty, Full};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tower::{ServiceExt, service_fn};
use tower_mcp_auth::McpAuthLayer;

use crate::hostile::{CASES, for_all};

/// Pieces of which attackers build paths that one side takes for public and the other does not.
const PIECES: [&str; 26] = [
    "/",
    "//",
    "/./",
    "/../",
    "..",
    ";",
    ";a=b",
    "%2f",
    "%2F",
    "%2e%2e",
    "%5c",
    "\\",
    "%00",
    "%23",
    "?",
    "?x=/",
    "&",
    ".well-known",
    "/.well-known/oauth-protected-resource",
    "/mcp",
    "mcp",
    "MCP",
    "%6dcp",
    "/health",
    ".json",
    "%",
];

#[test]
fn t35_no_path_is_public_but_the_documents() {
    let bases = select(vec![
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/mcp",
        "/mcp/",
        "/",
    ]);
    let edits = prop::collection::vec(
        (any::<Index>(), select(PIECES.to_vec()), any::<bool>()),
        0..4,
    );
    let method = select(vec!["GET", "HEAD", "POST", "DELETE", "OPTIONS"]);
    let agent = select(vec!["kube-probe/1.30", "GoogleHC/1.0", "curl/8"]);
    for_all(
        CASES,
        (bases, edits, method, agent),
        |world, answering, (base, edits, method, agent)| {
            let mut path = base.to_owned();
            for (at, piece, replace) in edits {
                let at = at.index(path.len() + 1);
                let end = if replace {
                    path.len().min(at + piece.len())
                } else {
                    at
                };
                path.replace_range(at..end, piece);
            }
            let Ok(uri) = path.parse::<Uri>() else {
                return Ok(());
            };
            let known = uri.path();
            let document = [
                "/.well-known/oauth-protected-resource/mcp",
                "/.well-known/oauth-protected-resource",
            ];
            let request = Request::builder()
                .method(method)
                .uri(uri.clone())
                .header("user-agent", agent);
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            // The layer alone, and around a router, which has its own idea of paths.
            let routed = answering.runtime.block_on(async {
                let probe = world.probe.clone();
                let inner = service_fn(move |request: Request<axum::body::Body>| {
                    let probe = probe.clone();
                    async move {
                        Ok::<_, std::convert::Infallible>(
                            probe.oneshot(request).await?.map(axum::body::Body::new),
                        )
                    }
                });
                let app = Router::new()
                    .route_service("/mcp", inner.clone())
                    .fallback_service(inner);
                let app = app.layer(McpAuthLayer::new(world.auth.clone()));
                let (parts, _) = request.clone().into_parts();
                let response: Response<axum::body::Body> = app
                    .oneshot(Request::from_parts(parts, axum::body::Body::empty()))
                    .await
                    .unwrap();
                response.map(|_| Full::<Bytes>::default()).status()
            });
            let answer = answering.send(request);
            prop_assert_eq!(world.probe.calls(), 0, "{} reached the inner service", path);
            let status = match known {
                // `mcp` or `*`, say: not a path at all, so whatever it names is another host.
                _ if uri.authority().is_some() => 403,
                _ if document.contains(&known) => match method {
                    "GET" | "HEAD" => 200,
                    "OPTIONS" => 204,
                    _ => 405,
                },
                "/mcp/" => 308,
                _ => 401,
            };
            prop_assert_eq!(answer.status.as_u16(), status, "{}", path);
            prop_assert_eq!(routed.as_u16(), status, "{} behind a router", path);
            Ok(())
        },
    );
}
