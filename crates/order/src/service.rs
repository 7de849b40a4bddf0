use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::ServiceExt;
use tower_callback_contract::{
    Action, Callback, Contract, Exchange, Limits, Reason, ResponseFuture, Timestamp, is_callback,
    keyed_hash, receive, refuse,
};
use tower_service::Service;

use crate::{
    Position, Unordered,
    lanes::{Ended, Refused},
    layer::Core,
    shared::Shared,
};

type BoxError = Box<dyn Error + Send + Sync>;

/// Middleware that handles messages in order. Made by [`OrderLayer`](crate::OrderLayer).
///
/// It is always ready; the inner service is polled ready when a message's turn comes, so that those
/// that wait keep no place in it. `L` is where late messages go, if they are diverted.
pub struct Ordered<S, C, L = S> {
    inner: S,
    core: Arc<Core<C>>,
    elsewhere: Option<L>,
}

impl<S, C, L> Ordered<S, C, L> {
    pub(crate) fn new(inner: S, core: Arc<Core<C>>, elsewhere: Option<L>) -> Self {
        Self { inner, core, elsewhere }
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<S: Clone, C, L: Clone> Clone for Ordered<S, C, L> {
    fn clone(&self) -> Self {
        let (core, elsewhere) = (Arc::clone(&self.core), self.elsewhere.clone());
        Self { inner: self.inner.clone(), core, elsewhere }
    }
}

impl<S, C: Contract, L> fmt::Debug for Ordered<S, C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ordered")
            .field("contract", &self.core.contract.name())
            .finish_non_exhaustive()
    }
}

impl<S, L, C, B, ResBody> Service<Request<B>> for Ordered<S, C, L>
where
    S: Service<Request<B>, Response = Response<ResBody>, Future: Send> + Clone + Send + 'static,
    L: Service<Request<B>, Response = S::Response, Error = S::Error, Future: Send>
        + Clone
        + Send
        + 'static,
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
        if is_callback(&request) {
            ResponseFuture::layered(call_in_turn(self.clone(), request))
        } else {
            ResponseFuture::passed(self.inner.clone(), request)
        }
    }
}

async fn call_in_turn<S, L, C, B, ResBody>(
    service: Ordered<S, C, L>,
    request: Request<B>,
) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    L: Service<Request<B>, Response = S::Response, Error = S::Error>,
    C: Contract,
    B: Body<Error: Into<BoxError>> + From<Bytes>,
    ResBody: From<Bytes>,
{
    let Ordered { inner, core, elsewhere } = service;
    let Core { contract, shared } = &*core;
    let (contract, settings) = (&**contract, &shared.settings);
    let (mut head, callback) = match receive(contract, Limits::of(contract), request).await {
        Ok(received) => received,
        Err(refusal) => return Ok(refuse(contract, refusal)),
    };
    // The same layer around a router and around a route of it would wait for itself.
    if head.extensions.get::<Position>().is_some() {
        return inner.oneshot(callback.into_request(head)).await;
    }
    let envelope = callback.envelope();
    let sent = time_of(contract, shared, &callback);
    if let Err(reason) = sent {
        head.extensions.insert(Position::Unordered(reason));
        if !settings.queue_unordered || envelope.conversation.is_none() {
            return inner.oneshot(callback.into_request(head)).await;
        }
    }
    let (lane, age) = (lane_of(contract, &callback), callback.age());
    let (id, bytes) = (envelope.id.as_ref(), callback.body().len());
    let mut turn = match shared.arrive(lane, sent.ok(), id, bytes, age) {
        Ok(turn) => turn,
        Err(Refused::LaneFull) => return Ok(refuse(contract, Reason::Crowded.into())),
        Err(Refused::Full) => return Ok(refuse(contract, Reason::Overloaded.into())),
        Err(Refused::Late) => return Ok(refuse(contract, Reason::Late.into())),
    };
    if !turn.wait(turn.came + settings.patience.saturating_sub(age)).await {
        return Ok(refuse(contract, Reason::StillRunning.into()));
    }
    let position = turn.position();
    let is_late = matches!(position, Some(Position::Late { .. }));
    if let Some(position) = position {
        head.extensions.insert(position);
    }
    let request = callback.into_request(head);
    let response = match elsewhere.filter(|_| is_late) {
        Some(elsewhere) => elsewhere.oneshot(request).await?,
        None => inner.oneshot(request).await?,
    };
    let (head, body) = response.into_parts();
    let reply = Response::from_parts(head, Bytes::new());
    // As for dedup: a success is one, even where the platform takes it for none.
    let is_success = reply.status().is_success();
    if is_success || !matches!(contract.action(&reply), Action::Retry { .. }) {
        turn.ended(Ended::Handled);
    }
    Ok(reply.map(|_| body))
}

fn lane_of<C: Contract>(contract: &C, callback: &Callback) -> u128 {
    let envelope = callback.envelope();
    let kind = envelope.id.as_ref().map_or(contract.name(), |id| id.scope());
    keyed_hash(&(kind, envelope.conversation.as_deref()))
}

/// When a callback was sent, and how long ago, or why that does not order it.
fn time_of<C: Contract>(
    contract: &C,
    shared: &Shared,
    callback: &Callback,
) -> Result<(Timestamp, Duration), Unordered> {
    let envelope = callback.envelope();
    if contract.exchange(callback) == Exchange::RequestReply {
        return Err(Unordered::Synchronous);
    }
    if envelope.conversation.is_none() {
        return Err(Unordered::NoConversation);
    }
    let sent_at = envelope.sent_at.ok_or(Unordered::NoTime)?;
    shared.age(sent_at).map(|age| (sent_at, age)).ok_or(Unordered::Future)
}
