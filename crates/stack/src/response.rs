use bytes::{BufMut, Bytes, BytesMut};
use futures_util::FutureExt;
use http::{Response, response};
use http_body::{Body, SizeHint};
use http_body_util::{BodyExt, Full, Limited};
use tower::BoxError;
use tower_callback_contract::{Action, Contract, Refusal};

use crate::{Buffered, body::Begun};

/// The body of a handler's response.
pub trait ResponseBody: Body<Data: Send, Error: Into<BoxError>> + Send + 'static {}

impl<B> ResponseBody for B where B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static {}

/// A response, as far as a step may keep it.
#[derive(Debug)]
pub enum BufferedResponse<R> {
    /// All of it.
    Whole(Response<Bytes>),
    /// Larger than the limit, or still under way.
    Streaming(Response<R>),
    /// The body ended before its end.
    BrokenOff,
}

impl<R: ResponseBody> BufferedResponse<Buffered<R>> {
    /// Reads a response, if it is no larger than the limit in bytes. One that does not tell its length
    /// is read as far as it is there at once, so that a stream is not withheld from its client.
    pub async fn read(response: Response<Buffered<R>>, limit: usize) -> Self {
        let (head, body) = response.into_parts();
        match body {
            Buffered::Whole(bytes) if bytes.len() <= limit => {
                Self::Whole(Response::from_parts(head, bytes))
            }
            Buffered::Passed(body) => Self::read_passed(head, body, limit).await,
            body => Self::Streaming(Response::from_parts(head, body)),
        }
    }

    async fn read_passed(head: response::Parts, body: R, limit: usize) -> Self {
        let length = body.size_hint();
        if length.lower() > limit as u64 {
            return Self::Streaming(Response::from_parts(head, Buffered::Passed(body)));
        }
        if length.exact().is_none() {
            return Self::begin(head, body, limit);
        }
        match Limited::new(body, limit).collect().await {
            Ok(whole) => Self::Whole(Response::from_parts(head, whole.to_bytes())),
            Err(_) => Self::BrokenOff,
        }
    }

    fn begin(head: response::Parts, body: R, limit: usize) -> Self {
        let (mut body, mut start, mut trailers) = (Box::pin(body), BytesMut::new(), None);
        loop {
            match body.as_mut().frame().now_or_never() {
                Some(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => start.put(data),
                    Err(other) => {
                        trailers = other.into_trailers().ok();
                        break;
                    }
                },
                Some(None) => return Self::Whole(Response::from_parts(head, start.freeze())),
                Some(Some(Err(_))) => return Self::BrokenOff,
                None => break,
            }
            if start.len() > limit {
                break;
            }
        }
        let body = Buffered::Begun(Begun::new(start.freeze(), trailers, body));
        Self::Streaming(Response::from_parts(head, body))
    }
}

/// What the platform does on a response, as [`Contract::effect`] tells by as much of it as was read.
pub fn effect<C: Contract, R>(
    contract: &C,
    response: Response<Buffered<R>>,
) -> (Response<Buffered<R>>, Action) {
    let (head, body) = response.into_parts();
    let read = match &body {
        Buffered::Whole(bytes) => bytes.clone(),
        _ => Bytes::new(),
    };
    let response = Response::from_parts(head, read);
    let effect = contract.effect(&response);
    (response.map(|_| body), effect)
}

/// What a response says of its length.
pub fn size_hint<R: ResponseBody>(body: &Buffered<R>) -> SizeHint {
    match body {
        Buffered::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
        Buffered::Passed(body) => body.size_hint(),
        Buffered::Begun(_) => SizeHint::default(),
    }
}

/// The whole body, within a limit in bytes.
///
/// # Errors
/// The body's own, and [`LengthLimitError`](http_body_util::LengthLimitError).
pub async fn collect<R: ResponseBody>(body: Buffered<R>, limit: usize) -> Result<Bytes, BoxError> {
    Ok(match body {
        Buffered::Whole(bytes) => Limited::new(Full::new(bytes), limit).collect().await?.to_bytes(),
        Buffered::Passed(body) => Limited::new(body, limit).collect().await?.to_bytes(),
        Buffered::Begun(body) => body.collect(limit).await?,
    })
}

/// The response that refuses a callback, with the [`Refusal`] in its extensions.
pub fn refuse<C: Contract, R>(contract: &C, refusal: Refusal) -> Response<Buffered<R>> {
    let mut response = whole(contract.refuse(&refusal));
    response.extensions_mut().insert(refusal);
    response
}

/// A response that is all there.
pub fn whole<R>(response: Response<Bytes>) -> Response<Buffered<R>> {
    response.map(Buffered::from)
}
