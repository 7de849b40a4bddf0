use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, Limited};
use pin_project::pin_project;
use tower::BoxError;

/// The body that a layer passes on: whole, where a layer has read or written it, or as it came. Requests
/// and responses alike.
///
/// It is a [`Body`] wherever `B` is one of [`Bytes`], and has a default, which other layers need for the
/// responses that they write themselves.
#[pin_project(project = Projected)]
#[non_exhaustive]
pub enum Buffered<B> {
    /// All of it, or what is left of that.
    Whole(Bytes),
    /// As it came.
    Passed(#[pin] B),
    /// A layer has read its start, and then passed it on.
    Begun(Begun<B>),
}

/// A body of which the start was read.
pub struct Begun<B> {
    start: Option<Bytes>,
    /// If they have come already.
    trailers: Option<HeaderMap>,
    rest: Pin<Box<B>>,
}

impl<B> Begun<B> {
    pub(crate) fn new(start: Bytes, trailers: Option<HeaderMap>, rest: Pin<Box<B>>) -> Self {
        // An empty frame would go over the wire.
        let start = (!start.is_empty()).then_some(start);
        Self { start, trailers, rest }
    }

    /// All of it, within a limit in bytes.
    pub(crate) async fn collect(self, limit: usize) -> Result<Bytes, BoxError>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let start = Full::new(self.start.unwrap_or_default());
        let start = Limited::new(start, limit).collect().await?.to_bytes();
        let rest = Limited::new(self.rest, limit - start.len()).collect().await?.to_bytes();
        Ok([start, rest].concat().into())
    }
}

impl<B> Default for Buffered<B> {
    /// An empty body.
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl<B> From<Bytes> for Buffered<B> {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl<B> Body for Buffered<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            Projected::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Projected::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(mem::take(bytes))))),
            Projected::Passed(body) => body.poll_frame(cx).map_err(Into::into),
            Projected::Begun(Begun { start, trailers, rest }) => {
                let data = start.take().map(Frame::data);
                match data.or_else(|| trailers.take().map(Frame::trailers)) {
                    Some(frame) => Poll::Ready(Some(Ok(frame))),
                    None => rest.as_mut().poll_frame(cx).map_err(Into::into),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Passed(body) => body.is_end_stream(),
            Self::Begun(Begun { start, trailers, rest }) => {
                start.is_none() && trailers.is_none() && rest.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Passed(body) => body.size_hint(),
            // Its length was not known before, and is no better known now.
            Self::Begun(_) => SizeHint::default(),
        }
    }
}

impl<B> fmt::Debug for Buffered<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole(..)",
            Self::Passed(_) => "Passed(..)",
            Self::Begun(_) => "Begun(..)",
        })
    }
}

impl<B> fmt::Debug for Begun<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}
