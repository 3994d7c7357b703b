//! The body of a request, passed on as it came or read first and then passed on byte for byte.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of the request that the inner service receives: the client's own, untouched, or the
    /// same bytes after this crate has read them to decide about the operation they ask for.
    ///
    /// What came as something else than a message (a `GET`, or media types such as `image/png` and
    /// `application/grpc`) is not read to decide, and so must not be one: if it begins with `{` or
    /// `[`, the body ends there, empty.
    ///
    /// A service behind [`McpAuthLayer`](crate::McpAuthLayer) takes any body, as axum's, tonic's and
    /// rmcp's do. One that takes exactly one body type gets it with
    /// `tower::ServiceBuilder::map_request`.
    pub struct RequestBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Untouched { #[pin] body: B },
        Other { #[pin] body: B, seen: Seen },
        Read { read: Read },
    }
}

/// What has been seen of a body that came as something else than a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Something,
    /// A message after all.
    Message,
}

/// A body that has been read to its end.
#[derive(Default)]
pub(super) struct Read {
    bytes: Bytes,
    /// Boxed: hardly anybody sends any, and every request carries the place.
    trailers: Option<Box<HeaderMap>>,
}

impl Read {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<B> RequestBody<B> {
    pub(super) fn untouched(body: B) -> Self {
        Self {
            kind: Kind::Untouched { body },
        }
    }

    /// The client's own, which nobody has judged: it passes as long as it is no message.
    pub(super) fn other(body: B) -> Self {
        Self {
            kind: Kind::Other {
                body,
                seen: Seen::Nothing,
            },
        }
    }

    pub(super) fn read(read: Read) -> Self {
        Self {
            kind: Kind::Read { read },
        }
    }
}

impl Seen {
    /// What is known after these bytes, which come first. A mark of byte order and blanks may stand
    /// before a message.
    fn after(self, bytes: &[u8]) -> Self {
        let skipped = |byte: &u8| {
            byte.is_ascii_whitespace() || matches!(byte, 0x0b | 0xef | 0xbb | 0xbf | 0xfe | 0xff)
        };
        match (self, bytes.iter().find(|byte| !skipped(byte))) {
            (Self::Nothing, Some(b'{' | b'[')) => Self::Message,
            (Self::Nothing, Some(_)) => Self::Something,
            _ => self,
        }
    }
}

impl fmt::Debug for Read {
    /// How much, not what: the arguments of a call are the user's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Read({} bytes)", self.bytes.len())
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Untouched { .. } => f.write_str("RequestBody(untouched)"),
            Kind::Other { .. } => f.write_str("RequestBody(other)"),
            Kind::Read { read } => write!(f, "RequestBody({read:?})"),
        }
    }
}

impl<B: Body<Data = Bytes>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Untouched { body } => body.poll_frame(cx),
            KindProjection::Other { body, seen } => {
                if *seen == Seen::Message {
                    return Poll::Ready(None);
                }
                let frame = ready!(body.poll_frame(cx));
                if let Some(Ok(frame)) = &frame {
                    *seen = seen.after(frame.data_ref().map_or(&[], |data| data));
                }
                if *seen == Seen::Message {
                    tracing::debug!("a message in a request of another kind was not passed on");
                    return Poll::Ready(None);
                }
                Poll::Ready(frame)
            }
            KindProjection::Read { read } => {
                let bytes = mem::take(&mut read.bytes);
                let frame = if bytes.is_empty() {
                    read.trailers
                        .take()
                        .map(|trailers| Frame::trailers(*trailers))
                } else {
                    Some(Frame::data(bytes))
                };
                Poll::Ready(frame.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Untouched { body } => body.is_end_stream(),
            Kind::Other { body, seen } => *seen == Seen::Message || body.is_end_stream(),
            Kind::Read { read } => read.bytes.is_empty() && read.trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Other {
                seen: Seen::Message,
                ..
            } => SizeHint::with_exact(0),
            Kind::Untouched { body } | Kind::Other { body, .. } => body.size_hint(),
            Kind::Read { read } => {
                SizeHint::with_exact(u64::try_from(read.bytes.len()).unwrap_or(u64::MAX))
            }
        }
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Longer than this many bytes. The rest is left unread.
    TooLarge(usize),
    /// The client went away, or the transport failed.
    Broken,
}

pin_project! {
    /// Reads a body to its end, but no further than a limit.
    pub(super) struct Reading<B> {
        #[pin]
        body: B,
        limit: usize,
        // Most bodies are one frame, which is passed on without a copy.
        first: Bytes,
        rest: BytesMut,
        trailers: Option<Box<HeaderMap>>,
    }
}

impl<B: Body<Data = Bytes>> Reading<B> {
    pub(super) fn new(body: B, limit: usize) -> Self {
        Self {
            body,
            limit,
            first: Bytes::new(),
            rest: BytesMut::new(),
            trailers: None,
        }
    }

    pub(super) fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Read, Unread>> {
        let mut this = self.project();
        // What the client announces is believed if it is too much.
        let announced = usize::try_from(this.body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > *this.limit {
            return Poll::Ready(Err(Unread::TooLarge(*this.limit)));
        }
        while let Some(frame) = ready!(this.body.as_mut().poll_frame(cx)) {
            let Ok(frame) = frame else {
                return Poll::Ready(Err(Unread::Broken));
            };
            match frame.into_data() {
                Ok(data) => {
                    let so_far = this.first.len().saturating_add(this.rest.len());
                    if so_far.saturating_add(data.len()) > *this.limit {
                        return Poll::Ready(Err(Unread::TooLarge(*this.limit)));
                    }
                    if so_far == 0 {
                        *this.first = data;
                        continue;
                    }
                    if this.rest.is_empty() {
                        this.rest.extend_from_slice(&mem::take(this.first));
                    }
                    this.rest.extend_from_slice(&data);
                }
                Err(frame) => *this.trailers = frame.into_trailers().ok().map(Box::new),
            }
        }
        let bytes = if this.rest.is_empty() {
            mem::take(this.first)
        } else {
            mem::take(this.rest).freeze()
        };
        Poll::Ready(Ok(Read {
            bytes,
            trailers: this.trailers.take(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::poll_fn;
    use std::pin::pin;

    use futures_util::stream::iter;
    use http::HeaderValue;
    use http_body_util::{BodyExt, Empty, Full, StreamBody};
    use proptest::prelude::*;

    use super::*;

    async fn read<B: Body<Data = Bytes>>(body: B, limit: usize) -> Result<Read, Unread> {
        let mut reading = pin!(Reading::new(body, limit));
        poll_fn(|cx| reading.as_mut().poll_read(cx)).await
    }

    fn pieces(parts: &[&'static [u8]]) -> impl Body<Data = Bytes, Error = Infallible> + use<> {
        let frames: Vec<_> = parts
            .iter()
            .map(|part| Ok(Frame::data(Bytes::from_static(part))))
            .collect();
        StreamBody::new(iter(frames))
    }

    #[tokio::test]
    async fn one_frame_is_passed_on_without_a_copy() {
        let bytes = Bytes::from(vec![b'x'; 64]);
        let read = read(Full::new(bytes.clone()), 64).await.unwrap();
        assert_eq!(read.bytes().as_ptr(), bytes.as_ptr());
        let body = RequestBody::<Full<Bytes>>::read(read);
        assert_eq!(body.size_hint().exact(), Some(64));
        assert_eq!(body.collect().await.unwrap().to_bytes(), bytes);
    }

    #[tokio::test]
    async fn one_byte_too_many_is_too_large_however_it_comes() {
        assert_eq!(
            read(pieces(&[b"abc"]), 2).await.unwrap_err(),
            Unread::TooLarge(2)
        );
        assert_eq!(
            read(pieces(&[b"a", b"b", b"c"]), 2).await.unwrap_err(),
            Unread::TooLarge(2)
        );
        assert_eq!(
            read(Full::new(Bytes::from_static(b"abc")), 2)
                .await
                .unwrap_err(),
            Unread::TooLarge(2)
        );
        assert_eq!(
            read(pieces(&[b"a", b"", b"b"]), 2).await.unwrap().bytes(),
            b"ab"
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let frames = [Ok(Frame::data(Bytes::from_static(b"{}"))), Err(fmt::Error)];
        let broken = read(StreamBody::new(iter(frames)), 64).await;
        assert_eq!(broken.unwrap_err(), Unread::Broken);
    }

    #[tokio::test]
    async fn edge_10_debug_shows_no_arguments() {
        let read = read(pieces(&[b"hunter2"]), 64).await.unwrap();
        assert_eq!(format!("{read:?}"), "Read(7 bytes)");
        let body = RequestBody::<Empty<Bytes>>::read(read);
        assert_eq!(format!("{body:?}"), "RequestBody(Read(7 bytes))");
    }

    #[tokio::test]
    async fn trailers_are_passed_on() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("7"));
        let frames = [
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a"))),
            Ok(Frame::data(Bytes::from_static(b"b"))),
            Ok(Frame::trailers(trailers.clone())),
        ];
        let read = read(StreamBody::new(iter(frames)), 64).await.unwrap();
        let body = RequestBody::<Empty<Bytes>>::read(read);
        assert!(!body.is_end_stream());
        let collected = body.collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "ab");
    }

    #[tokio::test]
    async fn mcp_22_an_untouched_body_passes_frame_by_frame() {
        let mut body = pin!(RequestBody::untouched(pieces(&[b"a", b"b"])));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "a");
        assert_eq!(body.collect().await.unwrap().to_bytes(), "b");
        assert!(RequestBody::untouched(Empty::<Bytes>::new()).is_end_stream());
    }

    proptest! {
        #[test]
        fn t36_the_bytes_read_are_the_bytes_passed_on(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let whole = parts.concat();
            let frames: Vec<_> = parts.into_iter().map(|part| Ok::<_, Infallible>(Frame::data(Bytes::from(part)))).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let passed = runtime.block_on(async {
                let read = read(StreamBody::new(iter(frames)), 1000).await.unwrap();
                assert_eq!(read.bytes(), whole);
                RequestBody::<Empty<Bytes>>::read(read).collect().await.unwrap().to_bytes()
            });
            prop_assert_eq!(passed, whole);
        }
    }
}
