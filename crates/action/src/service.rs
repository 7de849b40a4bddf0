use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::time::timeout;
use tower::ServiceExt;
use tower_callback_contract::{
    Action, Contract, Handled, Limits, Reason, Refusal, ResponseFuture, is_callback, receive,
    refuse,
};
use tower_service::Service;

use crate::{
    BoxError,
    layer::Settings,
    rule::{Decision, Sink},
    table::{Seen, Verdict},
    wire::{refused, said},
};

/// Middleware that asks the platform for what the handler's reply means. Made by
/// [`ActionLayer`](crate::ActionLayer).
///
/// It is always ready; the inner service is polled ready when the callback has been received.
pub struct Acted<S, C> {
    inner: S,
    contract: Arc<C>,
    settings: Arc<Settings>,
}

impl<S, C> Acted<S, C> {
    pub(crate) fn new(inner: S, contract: Arc<C>, settings: Arc<Settings>) -> Self {
        Self { inner, contract, settings }
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<S: Clone, C> Clone for Acted<S, C> {
    fn clone(&self) -> Self {
        let (contract, settings) = (Arc::clone(&self.contract), Arc::clone(&self.settings));
        Self { inner: self.inner.clone(), contract, settings }
    }
}

impl<S, C: Contract> fmt::Debug for Acted<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acted").field("contract", &self.contract.name()).finish_non_exhaustive()
    }
}

impl<S, C, B, ResBody> Service<Request<B>> for Acted<S, C>
where
    S: Service<Request<B>, Response = Response<ResBody>, Error: Send, Future: Send>,
    S: Clone + Send + 'static,
    C: Contract,
    B: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
    ResBody: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Request<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if is_callback(&request) {
            ResponseFuture::layered(act(self.clone(), request))
        } else {
            ResponseFuture::passed(self.inner.clone(), request)
        }
    }
}

async fn act<S, C, B, ResBody>(
    service: Acted<S, C>,
    request: Request<B>,
) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    C: Contract,
    B: Body<Error: Into<BoxError>> + From<Bytes>,
    ResBody: Body<Error: Into<BoxError>> + From<Bytes>,
{
    let Acted { inner, contract, settings } = service;
    let contract = &*contract;
    let (head, callback) = match receive(contract, Limits::of(contract), request).await {
        Ok(received) => received,
        Err(refusal) => return Ok(refuse(contract, refusal)),
    };
    let copy = || callback.clone().into_request(head.clone());
    let letter = settings.table.may_dead_letter().then(copy);
    // A panic is what a poison message looks like: the table is to be asked about it as well.
    let done = AssertUnwindSafe(inner.oneshot(callback.into_request(head))).catch_unwind().await;
    let handled = match done {
        Ok(response) => Handled::read(response?, settings.limit).await,
        Err(_) => Handled::BrokenOff,
    };
    let (mut reply, unread) = match handled {
        Handled::Whole(reply) => (reply, None),
        Handled::Streaming(response) => {
            let (head, body) = response.into_parts();
            (Response::from_parts(head, Bytes::new()), Some(body))
        }
        Handled::BrokenOff => {
            tracing::error!(contract = contract.name(), "handler panicked, or broke off its reply");
            (failed(), None)
        }
    };
    let seen = if unread.is_some() { Seen::HeadOnly } else { Seen::Whole };
    let reply = match settings.table.verdict(contract, &reply, seen) {
        Verdict::Stands => {
            // Of a head alone nobody knows what the platform uses, and a layer around this one
            // would say the action again, without the body.
            if seen == Seen::Whole {
                let action = contract.action(&reply);
                reply.extensions_mut().insert(action);
            }
            return Ok(reply.map(|body| unread.unwrap_or_else(|| body.into())));
        }
        Verdict::Refused(refusal) => refused(contract, reply, refusal),
        Verdict::Decided(Decision::Say(action)) => said(contract, reply, &action),
        Verdict::Decided(Decision::DeadLetter(sink)) => {
            let letter = letter.expect("kept where the table may want it");
            dead_lettered(contract, reply, sink, letter).await
        }
    };
    Ok(reply.map(Into::into))
}

/// What stands for a reply that there is none of: the table takes it for any 500.
fn failed() -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    reply.extensions_mut().insert(Refusal::from(Reason::HandlerFailed));
    reply
}

/// Accepts what the sink has taken. What it has not is refused: it is still the platform's.
async fn dead_lettered<C: Contract>(
    contract: &C,
    reply: Response<Bytes>,
    sink: Sink,
    mut letter: Request<Bytes>,
) -> Response<Bytes> {
    let status = reply.status();
    letter.extensions_mut().insert(status);
    let taken = timeout(contract.timing().patience(), sink.oneshot(letter)).await;
    let (name, status) = (contract.name(), status.as_u16());
    match taken.unwrap_or_else(|late| Err(late.into())) {
        Ok(()) => {
            tracing::warn!(contract = name, status, "callback handed to the dead-letter sink");
            said(contract, reply, &Action::Accept)
        }
        Err(error) => {
            tracing::error!(contract = name, status, error = &*error, "dead-letter sink failed");
            refused(contract, reply, Reason::SinkUnavailable.into())
        }
    }
}
