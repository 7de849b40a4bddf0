use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;
use tower_callback_contract::{
    Action, Callback, Contract, Exchange, Limits, Reason, ResponseFuture, is_callback, keyed_hash,
    receive, refuse,
};
use tower_service::Service;

use crate::{
    OnLate, Position, Unordered,
    lanes::{Ended, Full, Message},
    shared::{Shared, Waiter},
};

type BoxError = Box<dyn Error + Send + Sync>;

/// Middleware that handles messages in order. Made by [`OrderLayer`](crate::OrderLayer).
///
/// It is always ready; the inner service is polled ready when a message's turn comes, so that those
/// that wait keep no place in it.
pub struct Ordered<S, C> {
    inner: S,
    contract: Arc<C>,
    shared: Arc<Shared>,
}

impl<S, C> Ordered<S, C> {
    pub(crate) fn new(inner: S, contract: Arc<C>, shared: Arc<Shared>) -> Self {
        Self { inner, contract, shared }
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<S: Clone, C> Clone for Ordered<S, C> {
    fn clone(&self) -> Self {
        let (contract, shared) = (Arc::clone(&self.contract), Arc::clone(&self.shared));
        Self { inner: self.inner.clone(), contract, shared }
    }
}

impl<S, C: Contract> fmt::Debug for Ordered<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ordered").field("contract", &self.contract.name()).finish_non_exhaustive()
    }
}

impl<S, C, B, ResBody> Service<Request<B>> for Ordered<S, C>
where
    S: Service<Request<B>, Response = Response<ResBody>, Future: Send> + Clone + Send + 'static,
    C: Contract,
    B: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
    ResBody: From<Bytes> + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Request<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = self.inner.clone();
        if is_callback(&request) {
            let (contract, shared) = (Arc::clone(&self.contract), Arc::clone(&self.shared));
            ResponseFuture::layered(call_in_turn(contract, shared, inner, request))
        } else {
            ResponseFuture::passed(inner, request)
        }
    }
}

async fn call_in_turn<S, C, B, ResBody>(
    contract: Arc<C>,
    shared: Arc<Shared>,
    inner: S,
    request: Request<B>,
) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    C: Contract,
    B: Body<Error: Into<BoxError>> + From<Bytes>,
    ResBody: From<Bytes>,
{
    let (mut head, callback) = match receive(&*contract, Limits::of(&*contract), request).await {
        Ok(received) => received,
        Err(refusal) => return Ok(refuse(&*contract, refusal)),
    };
    let lane = match lane_of(&*contract, &callback) {
        Ok(lane) => lane,
        Err(reason) => {
            head.extensions.insert(Position::Unordered(reason));
            return inner.oneshot(callback.into_request(head)).await;
        }
    };
    let envelope = callback.envelope();
    let sent_at = envelope.sent_at.map(|sent_at| shared.clamp(sent_at));
    let id = envelope.id.as_ref().map_or("", |id| id.as_str());
    let message = sent_at.map(|sent_at| Message { sent_at, id });
    let came = Instant::now();
    let (mut turn, waiter, deadline) = match shared.arrive(lane, message, callback.body().len()) {
        Ok(arrived) => arrived,
        Err(Full::Lane) => return Ok(refuse(&*contract, Reason::Crowded.into())),
        Err(Full::Overall) => return Ok(refuse(&*contract, Reason::Overloaded.into())),
    };
    let give_up = came + shared.settings.wait.saturating_sub(callback.age());
    if !wait(&shared, lane, &waiter, deadline, give_up).await {
        return Ok(refuse(&*contract, Reason::StillRunning.into()));
    }
    let newer = waiter.went().and_then(|went| went.late_after.as_ref());
    let position = match (sent_at, newer) {
        (None, _) => Position::Unordered(Unordered::NoTime),
        (Some(_), Some(_)) if shared.settings.on_late == OnLate::Refuse => {
            return Ok(refuse(&*contract, Reason::Late.into()));
        }
        (Some(sent_at), Some(newer)) => Position::Late { by: newer.sent_after(sent_at) },
        (Some(_), None) => Position::InOrder { held: came.elapsed() },
    };
    head.extensions.insert(position);
    let response = inner.oneshot(callback.into_request(head)).await?;
    let (head, body) = response.into_parts();
    let reply = Response::from_parts(head, Bytes::new());
    if !matches!(contract.action(&reply), Action::Retry { .. }) {
        turn.ended(Ended::Handled);
    }
    Ok(reply.map(|_| body))
}

fn lane_of<C: Contract>(contract: &C, callback: &Callback) -> Result<u128, Unordered> {
    if contract.exchange(callback) == Exchange::RequestReply {
        return Err(Unordered::Synchronous);
    }
    let envelope = callback.envelope();
    let conversation = envelope.conversation.as_deref().ok_or(Unordered::NoConversation)?;
    let kind = envelope.id.as_ref().map_or(contract.name(), |id| id.scope());
    Ok(keyed_hash(&(kind, conversation)))
}

/// Waits for one's turn: by one timer and one wake-up. Whether it came in time.
async fn wait(
    shared: &Shared,
    lane: u128,
    waiter: &Waiter,
    deadline: Instant,
    give_up: Instant,
) -> bool {
    let mut ask = Some(deadline);
    while waiter.went().is_none() {
        let timer = ask.unwrap_or(give_up).min(give_up);
        tokio::select! {
            biased;
            () = waiter.told() => {}
            () = sleep_until(timer) => {
                if timer == give_up {
                    return false;
                }
            }
        }
        if waiter.went().is_none() {
            ask = shared.release(lane);
        }
    }
    true
}
