use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// The body of a callback. It arrives whole, or its second half arrives after a pause.
#[derive(Debug)]
pub struct Body {
    now: Option<Bytes>,
    later: Option<(Pin<Box<Sleep>>, Bytes)>,
}

impl Body {
    /// A body whose first half arrives at once, and the rest after a pause.
    #[must_use]
    pub fn slow(mut bytes: Bytes, pause: Duration) -> Self {
        let rest = bytes.split_off(bytes.len() / 2);
        Self { now: Some(bytes), later: Some((Box::pin(sleep(pause)), rest)) }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { now: Some(bytes), later: None }
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(bytes) = self.now.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if let Some((pause, _)) = &mut self.later {
            ready!(pause.as_mut().poll(cx));
        }
        Poll::Ready(self.later.take().map(|(_, rest)| Ok(Frame::data(rest))))
    }

    fn is_end_stream(&self) -> bool {
        self.now.is_none() && self.later.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let later = self.later.as_ref().map(|(_, rest)| rest);
        let size = self.now.iter().chain(later).map(Bytes::len).sum::<usize>();
        SizeHint::with_exact(size as u64)
    }
}
