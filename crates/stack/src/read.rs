use std::{error::Error, future::poll_fn, pin::pin, task::Poll};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError};
use tokio::time::timeout;
use tower::BoxError;
use tower_callback_contract::{Limits, Reason, Refusal};

/// The whole body, within its limits.
pub(crate) async fn read<B>(body: B, limits: Limits) -> Result<Bytes, Refusal>
where
    B: Body<Error: Into<BoxError>>,
{
    let Limits { max_body_bytes: limit, read_deadline: deadline, .. } = limits;
    let too_large = || {
        Refusal::new(Reason::BodyTooLarge).detail(format!("the body is larger than {limit} bytes"))
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut whole = pin!(collect(body, limit));
    // What is there already, as it is for all layers but the first, needs no timer.
    let whole = match poll_fn(|cx| Poll::Ready(whole.as_mut().poll(cx))).await {
        Poll::Ready(whole) => whole,
        Poll::Pending => {
            timeout(deadline, whole).await.map_err(|_| Reason::BodyTimeout { deadline })?
        }
    };
    match whole {
        Ok(whole) => whole.ok_or_else(too_large),
        Err(error) if is_length_limit(&*error) => Err(Reason::BodyTooLarge.into()),
        Err(_) => Err(Reason::BodyIncomplete.into()),
    }
}

/// The whole body, or `None` if it is larger than the limit.
async fn collect<B>(body: B, limit: usize) -> Result<Option<Bytes>, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    let mut next = async || match body.frame().await {
        Some(frame) => frame.map_err(Into::into).map(Some),
        None => Ok(None),
    };
    // Most bodies are one frame, which is taken as it is. Keeping many apart would cost a small
    // one more than it holds.
    let (mut first, mut more) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = next().await? {
        let Ok(mut data) = frame.into_data() else { continue };
        let length = data.remaining();
        if length > limit - first.len() - more.len() {
            return Ok(None);
        }
        if first.is_empty() && more.is_empty() {
            first = data.copy_to_bytes(length);
        } else {
            more.extend_from_slice(&std::mem::take(&mut first));
            more.put(data);
        }
    }
    Ok(Some(if more.is_empty() { first } else { more.freeze() }))
}

/// That of a limit which somebody else put around the body.
fn is_length_limit(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_length_limit)
}
