use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
pub use tower::BoxError;

/// A body of any kind: whole, in pieces, stalled, broken.
pub struct TestBody(UnsyncBoxBody<Bytes, BoxError>);

/// What a body does when its next frame is polled.
enum Next {
    Data(Bytes),
    Stalls,
    Breaks,
    /// Fails the test, because it must not be polled.
    Panics,
}

struct Scripted {
    next: std::vec::IntoIter<Next>,
    length: Option<u64>,
}

impl TestBody {
    /// Any body.
    pub fn new(body: impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static) -> Self {
        Self(body.map_err(Into::into).boxed_unsync())
    }

    /// A body that does not tell its length.
    #[must_use]
    pub fn stream(data: &'static str) -> Self {
        Self::scripted(vec![Next::Data(data.into())], None)
    }

    /// A body that hardly ever ends.
    #[must_use]
    pub fn endless() -> Self {
        let frame = || Next::Data(Bytes::from_static(&[b' '; 4096]));
        Self::scripted(std::iter::repeat_with(frame).take(1 << 16).collect(), None)
    }

    /// A body that tells this length, and breaks off at once.
    #[must_use]
    pub fn broken(length: u64) -> Self {
        Self::scripted(vec![Next::Breaks], Some(length))
    }

    /// A body that sends its start, and then nothing more.
    #[must_use]
    pub fn stalled(data: &'static str) -> Self {
        Self::scripted(vec![Next::Data(data.into()), Next::Stalls], None)
    }

    /// A body that tells this length, and must not be read.
    #[must_use]
    pub fn unreadable(length: u64) -> Self {
        Self::scripted(vec![Next::Panics], Some(length))
    }

    fn scripted(next: Vec<Next>, length: Option<u64>) -> Self {
        Self::new(Scripted { next: next.into_iter(), length })
    }
}

impl Default for TestBody {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl From<Bytes> for TestBody {
    fn from(bytes: Bytes) -> Self {
        Self::new(Full::from(bytes))
    }
}

impl From<&'static str> for TestBody {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<String> for TestBody {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl Body for TestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for TestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBody").finish_non_exhaustive()
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // The caller has a timer of its own.
        if matches!(self.next.as_slice(), [Next::Stalls, ..]) {
            return Poll::Pending;
        }
        match self.next.next() {
            Some(Next::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Next::Breaks) => Poll::Ready(Some(Err("broken".into()))),
            Some(Next::Stalls) => Poll::Pending,
            Some(Next::Panics) => unreachable!("it was read"),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
