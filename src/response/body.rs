//! The body of what the layers answer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use super::event_ids::EventIds;
use super::stream::Framing;
use crate::authenticator::{Lease, Opening, Verdict};
use crate::rejection::Rejection;

pin_project! {
    /// The body of a response that has passed one of this crate's layers: the inner service's own,
    /// untouched; the same for as long as the credential lasts that opened it
    /// ([open streams](crate::middleware::auth#open-streams)); or the short text of an answer the
    /// layer gave itself.
    ///
    /// It has the inner body's error type and passes its frames on as they come, but for the seals of
    /// [ids of events](crate::guide::streams_and_sessions#events). `Default` is an
    /// empty body, as layers around (tower-http's `CorsLayer`) ask for.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
        // Boxed: most responses are no event streams.
        ids: Option<Box<EventIds>>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<B> {
        Inner { #[pin] body: B },
        // Without a body once it was ended.
        Leased { #[pin] body: Option<B>, lease: Standing, framing: Framing },
        Own { #[pin] body: Full<Bytes> },
    }
}

/// How the right to go on stands.
enum Standing {
    Leased(Pin<Box<Lease>>),
    /// To be ended, as soon as a message under way allows.
    Lapsed(Box<Rejection>),
    /// Nothing is left to be watched.
    Over,
}

impl<B> ResponseBody<B> {
    /// The inner service's body.
    pub fn inner(body: B) -> Self {
        Self::of(Kind::Inner { body })
    }

    fn of(kind: Kind<B>) -> Self {
        Self { kind, ids: None }
    }

    /// The same with the ids of its events sealed.
    pub(crate) fn with_ids(self, ids: Option<Box<EventIds>>) -> Self {
        Self { ids, ..self }
    }

    /// A body of these bytes, for a response without an inner service: also for a body of your own
    /// in `map_response`.
    pub fn own(bytes: Bytes) -> Self {
        Self::of(Kind::Own {
            body: Full::new(bytes),
        })
    }
}

impl<B: Body<Data = Bytes>> ResponseBody<B> {
    /// The inner service's body, as long as whoever was let in would still be.
    ///
    /// A body that is at its end, or promises its exact length, does not go on: it is left alone.
    pub(crate) fn leased(body: B, framing: Framing, opening: Opening) -> Self {
        if body.is_end_stream() || body.size_hint().exact().is_some() {
            return Self::inner(body);
        }
        Self::of(Kind::Leased {
            body: Some(body),
            lease: Standing::Leased(Lease::new(opening)),
            framing,
        })
    }
}

impl<B> Default for ResponseBody<B> {
    /// An empty body.
    fn default() -> Self {
        Self::own(Bytes::new())
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leased(_) => "Leased",
            Self::Lapsed(_) => "Lapsed",
            Self::Over => "Over",
        })
    }
}

type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

/// The next frame, if there still may be one.
fn poll_leased<B: Body<Data = Bytes>>(
    mut body: Pin<&mut Option<B>>,
    standing: &mut Standing,
    framing: &mut Framing,
    cx: &mut Context<'_>,
) -> Polled<B::Error> {
    loop {
        let mut pending = false;
        if let Standing::Leased(lease) = standing {
            match lease.as_mut().look(cx) {
                Verdict::Good => {}
                Verdict::Undecided => pending = true,
                Verdict::Lapsed(rejection) => *standing = Standing::Lapsed(rejection),
            }
        }
        if let Standing::Lapsed(_) = standing {
            return end(body, standing, framing, cx);
        }
        if !pending {
            let Some(inner) = body.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            if let Poll::Ready(polled) = inner.poll_frame(cx) {
                match &polled {
                    Some(Ok(frame)) if let_pass(frame, framing) => {}
                    // The last there is: nobody needs to watch any more.
                    _ => *standing = Standing::Over,
                }
                return Poll::Ready(polled);
            }
        }
        let Standing::Leased(lease) = standing else {
            return Poll::Pending;
        };
        ready!(lease.as_mut().poll_change(cx));
    }
}

/// Whether more may come after a frame.
fn let_pass(frame: &Frame<Bytes>, framing: &mut Framing) -> bool {
    let Some(data) = frame.data_ref() else {
        return false;
    };
    framing.note(data);
    true
}

/// The rest of a message under way if it is at hand, then the last frame. A message whose rest has to
/// be waited for is cut: nobody is served longer than allowed for good manners.
fn end<B: Body<Data = Bytes>>(
    mut body: Pin<&mut Option<B>>,
    standing: &mut Standing,
    framing: &mut Framing,
    cx: &mut Context<'_>,
) -> Polled<B::Error> {
    while framing.rest(&[]).is_some()
        && let Some(inner) = body.as_mut().as_pin_mut()
        && let Poll::Ready(Some(Ok(frame))) = inner.poll_frame(cx)
        && let Ok(mut data) = frame.into_data()
        && let Some(rest) = framing.rest(&data)
    {
        data.truncate(rest);
        framing.note(&data);
        if !data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }
    body.set(None);
    match std::mem::replace(standing, Standing::Over) {
        Standing::Lapsed(rejection) => Poll::Ready(framing.farewell(&rejection).map(Ok)),
        _ => Poll::Ready(None),
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        let this = self.project();
        let polled = match this.kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Leased {
                body,
                lease,
                framing,
            } => poll_leased(body, lease, framing, cx),
            KindProjection::Own { body } => body
                .poll_frame(cx)
                .map_err(|impossible| match impossible {}),
        };
        match this.ids {
            Some(ids) => polled.map_ok(|frame| frame.map_data(|data| ids.seal(data))),
            None => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Leased { body, lease, .. } => {
                // What has lapsed still has its last frame to send.
                !matches!(lease, Standing::Lapsed(_))
                    && body.as_ref().is_none_or(Body::is_end_stream)
            }
            Kind::Own { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            // Seals make it longer.
            Kind::Inner { body } if self.ids.is_some() && !body.is_end_stream() => {
                SizeHint::default()
            }
            Kind::Inner { body } => body.size_hint(),
            Kind::Leased { body: None, .. } => SizeHint::with_exact(0),
            // It may end early, and with an event of ours.
            Kind::Leased { .. } => SizeHint::default(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{HeaderMap, HeaderValue};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    #[test]
    fn a_body_may_be_boxed_and_shared_like_the_one_inside() {
        fn check<T: Send + Sync + Unpin>() {}
        check::<ResponseBody<Full<Bytes>>>();
    }

    #[test]
    fn mcp_20_ten_thousand_open_streams_are_a_few_megabytes() {
        assert!(size_of::<Lease>() <= 512, "{}", size_of::<Lease>());
        // The body itself, too: it moves with every response.
        let more = size_of::<ResponseBody<Full<Bytes>>>() - size_of::<Full<Bytes>>();
        assert!(more <= 48, "{more}");
    }

    #[tokio::test]
    async fn own_bytes_are_the_whole_body() {
        let body = ResponseBody::<Full<Bytes>>::own(Bytes::from_static(b"no"));
        assert_eq!(body.size_hint().exact(), Some(2));
        assert!(!body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "no");
    }

    #[test]
    fn an_empty_own_body_has_ended_at_once() {
        let body = ResponseBody::<Full<Bytes>>::default();
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }

    #[tokio::test]
    async fn the_inner_body_passes_with_its_frames_and_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let frames = [
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a"))),
            Ok(Frame::data(Bytes::from_static(b"b"))),
            Ok(Frame::trailers(trailers.clone())),
        ];
        let inner = StreamBody::new(futures_util::stream::iter(frames));
        assert_eq!(inner.size_hint().exact(), None);
        let body = ResponseBody::inner(inner);
        assert_eq!(body.size_hint().exact(), None);
        let collected = body.collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "ab");
    }

    #[tokio::test]
    async fn the_inner_error_keeps_its_type() {
        let frames = [Err::<Frame<Bytes>, _>(fmt::Error)];
        let inner = StreamBody::new(futures_util::stream::iter(frames));
        let error: fmt::Error = ResponseBody::inner(inner).collect().await.unwrap_err();
        assert_eq!(error, fmt::Error);
    }
}
