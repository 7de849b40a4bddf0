use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::ServiceExt;
use tower_callback_contract::{
    Action, Callback, Contract, Limits, Reason, Refusal, ResponseFuture, is_callback, receive,
    refuse,
};
use tower_service::Service;

use crate::validation::{Side, Validation, Verdict};

type BoxError = Box<dyn Error + Send + Sync>;

/// Middleware that holds requests or replies against a schema. Made by
/// [`SchemaLayer`](crate::SchemaLayer).
///
/// It is always ready; the inner service is polled ready when the request has been looked at.
pub struct Validated<S, C> {
    inner: S,
    validation: Arc<Validation<C>>,
}

impl<S, C> Validated<S, C> {
    pub(crate) fn new(inner: S, validation: Arc<Validation<C>>) -> Self {
        Self { inner, validation }
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<S: Clone, C> Clone for Validated<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), validation: Arc::clone(&self.validation) }
    }
}

impl<S, C: Contract> fmt::Debug for Validated<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validated")
            .field("contract", &self.validation.contract.name())
            .finish_non_exhaustive()
    }
}

impl<S, C, B, ResBody> Service<Request<B>> for Validated<S, C>
where
    S: Service<Request<B>, Response = Response<ResBody>, Future: Send> + Clone + Send + 'static,
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
        if !is_callback(&request) || !self.validation.is_sampled() {
            return ResponseFuture::passed(self.inner.clone(), request);
        }
        match self.validation.settings.side {
            Side::Request => ResponseFuture::layered(validate_request(self.clone(), request)),
            Side::Response => ResponseFuture::layered(validate_response(self.clone(), request)),
        }
    }
}

async fn validate_request<S, C, B, ResBody>(
    service: Validated<S, C>,
    request: Request<B>,
) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    C: Contract,
    B: Body<Error: Into<BoxError>> + From<Bytes>,
    ResBody: From<Bytes>,
{
    let Validated { inner, validation } = service;
    let contract = &*validation.contract;
    let (mut head, callback) = match receive(contract, Limits::of(contract), request).await {
        Ok(received) => received,
        Err(refusal) => return Ok(refuse(contract, refusal)),
    };
    match validation.check(&callback, callback.json()) {
        Ok(()) => {}
        Err(Verdict::Refuse(refusal)) => return Ok(refuse(contract, refusal)),
        Err(Verdict::Report(violations)) => {
            head.extensions.insert(violations);
        }
    }
    inner.oneshot(callback.into_request(head)).await
}

async fn validate_response<S, C, B, ResBody>(
    service: Validated<S, C>,
    request: Request<B>,
) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    C: Contract,
    B: Body<Error: Into<BoxError>> + From<Bytes>,
    ResBody: Body<Error: Into<BoxError>> + From<Bytes>,
{
    let Validated { inner, validation } = service;
    let contract = &*validation.contract;
    let (head, callback) = match receive(contract, Limits::of(contract), request).await {
        Ok(received) => received,
        Err(refusal) => return Ok(refuse(contract, refusal)),
    };
    let (head, body) = inner.oneshot(callback.clone().into_request(head)).await?.into_parts();
    let head = Response::from_parts(head, ());
    match look_at(&validation, &callback, head, body).await {
        Looked::Passed(response) => Ok(response),
        Looked::Refused(refusal) => Ok(fall_back(contract, &callback, refusal)),
        Looked::BrokenOff => {
            let id = callback.envelope().id.as_ref().map(tracing::field::display);
            tracing::error!(contract = contract.name(), id, "handler broke off its reply");
            Ok(refuse(contract, Reason::HandlerFailed.into()))
        }
    }
}

/// What becomes of a reply.
enum Looked<B> {
    Passed(Response<B>),
    Refused(Refusal),
    /// Nobody knows what it would have been: no fallback takes its place.
    BrokenOff,
}

async fn look_at<C, B>(
    validation: &Validation<C>,
    callback: &Callback,
    head: Response<()>,
    body: B,
) -> Looked<B>
where
    C: Contract,
    B: Body<Error: Into<BoxError>> + From<Bytes>,
{
    let (limit, length) = (validation.settings.limit, body.size_hint().exact());
    let fits = length.is_some_and(|length| length <= limit as u64);
    let head = head.map(|()| Bytes::new());
    let is_unread = || fails(&validation.contract.action(&head));
    if length == Some(0) || (!fits && (!validation.enforces() || is_unread())) {
        return Looked::Passed(head.map(|_| body));
    }
    let body = match Limited::new(body, limit).collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() && validation.enforces() => {
            return Looked::Refused(validation.unread(callback, &Reason::TooLarge));
        }
        Err(_) => return Looked::BrokenOff,
    };
    let reply = head.map(|_| body);
    if reply.body().is_empty() || fails(&validation.contract.action(&reply)) {
        return Looked::Passed(reply.map(B::from));
    }
    let document = Callback::new(reply.body().clone(), callback.spelling());
    let mut reply = reply.map(B::from);
    match validation.check(callback, document.json()) {
        Ok(()) => {}
        Err(Verdict::Refuse(refusal)) => return Looked::Refused(refusal),
        Err(Verdict::Report(violations)) => {
            reply.extensions_mut().insert(violations);
        }
    }
    Looked::Passed(reply)
}

/// Whether the platform does not read what a reply holds, because it takes it for a failure.
fn fails(action: &Action) -> bool {
    matches!(action, Action::Retry { .. } | Action::Refuse { .. })
}

fn fall_back<C: Contract, B: From<Bytes>>(
    contract: &C,
    callback: &Callback,
    refusal: Refusal,
) -> Response<B> {
    match contract.fallback(callback) {
        Some(reply) => {
            let mut reply = reply.map(B::from);
            reply.extensions_mut().insert(refusal);
            reply
        }
        None => refuse(contract, refusal),
    }
}
