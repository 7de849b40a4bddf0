use std::error::Error;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::{BodyExt, Limited};

/// What a handler answered, as far as a layer may keep it. For those who write layers.
#[derive(Debug)]
pub enum Handled<B> {
    /// All of it.
    Whole(Response<Bytes>),
    /// Larger than the limit, or of a length that is not known beforehand: nothing of it was read.
    Streaming(Response<B>),
    /// The body ended before its end.
    BrokenOff,
}

impl<B> Handled<B>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    /// Reads a reply, if it says that it is no larger than the limit in bytes.
    pub async fn read(response: Response<B>, limit: usize) -> Self {
        let length = response.body().size_hint().exact();
        if length.is_none_or(|length| length > limit as u64) {
            return Self::Streaming(response);
        }
        let (head, body) = response.into_parts();
        let whole = Limited::new(body, limit).collect().await;
        whole.map_or(Self::BrokenOff, |body| {
            Self::Whole(Response::from_parts(head, body.to_bytes()))
        })
    }
}
