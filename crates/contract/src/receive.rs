use std::{
    error::Error,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, request};
use http_body::Body;
use tokio::time::Instant;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::{Callback, Contract, Refusal, ResponseFuture, body::read, callback::Received};

type BoxError = Box<dyn Error + Send + Sync>;

/// [`Layer`] that receives the callback for everything behind it: reads the body once, within a
/// size and a time, and refuses what is not in the platform's format.
///
/// The other layers receive the callback themselves if this one does not stand in front of them;
/// it is there for who wants other [limits](Self::limit) than the default ones.
#[derive(Debug)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct ReceiveLayer<C> {
    contract: Arc<C>,
    limits: Limits,
}

/// Middleware that receives the callback. Made by [`ReceiveLayer`].
///
/// It is always ready; the inner service is polled ready when the body has been read, so that
/// a slow sender keeps no place in it.
#[derive(Debug)]
pub struct Receive<S, C> {
    inner: S,
    contract: Arc<C>,
    limits: Limits,
}

/// How much is read of a body, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest body in bytes. Default: 1 MiB.
    pub bytes: usize,
    /// How long the whole body may take to arrive. Default: the contract's
    /// [patience](crate::Timing::patience).
    pub deadline: Duration,
}

/// Whether a request may be a callback: platforms send them by POST. Handshakes and probes are
/// none, and pass through every layer untouched.
#[must_use]
pub fn is_callback<B>(request: &Request<B>) -> bool {
    request.method() == Method::POST
}

/// Receives a callback: takes over what an outer layer received, or reads and identifies it.
/// For those who write layers.
///
/// What comes back is the request's head, and the callback that
/// [becomes](Callback::into_request) the request again. If something between two layers changed the
/// body, the callback is made anew from what it became.
///
/// # Errors
/// [`TooLarge`](crate::Reason::TooLarge), [`TooSlow`](crate::Reason::TooSlow) and
/// [`Cut`](crate::Reason::Cut), and what the contract refuses.
pub fn receive<C, B>(
    contract: &C,
    limits: Limits,
    request: Request<B>,
) -> impl Future<Output = Result<(request::Parts, Callback), Refusal>>
where
    C: Contract,
    B: Body<Error: Into<BoxError>>,
{
    let came = Instant::now();
    let (head, body) = request.into_parts();
    let known = head.extensions.get::<Callback>().cloned();
    let limits = known.as_ref().and_then(Callback::limits).unwrap_or(limits);
    // Boxed, so that what waits long after it was read does not keep the room for reading.
    let body = Box::pin(read(body, limits));
    async move {
        let body = body.await?;
        let came = match known {
            Some(callback) if callback.is_of(contract.name(), &body) => {
                return Ok((head, callback));
            }
            Some(changed) => changed.came().unwrap_or(came),
            None => came,
        };
        let received = Received { contract: contract.name(), limits, came };
        let callback = Callback::receive(contract, received, &head, body)?;
        Ok((head, callback))
    }
}

/// The reply that refuses a callback, with the [`Refusal`] in its extensions. For those who write
/// layers.
pub fn refuse<C: Contract, B: From<Bytes>>(contract: &C, refusal: Refusal) -> Response<B> {
    let mut response = contract.refuse(&refusal).map(B::from);
    response.extensions_mut().insert(refusal);
    response
}

// ===== impl ReceiveLayer =====

impl<C: Contract> ReceiveLayer<C> {
    /// Receives callbacks of this contract.
    pub fn new(contract: C) -> Self {
        let limits = Limits::of(&contract);
        Self { contract: Arc::new(contract), limits }
    }

    /// Refuses larger bodies with 413. Default: 1 MiB.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// Refuses with 408 what has not arrived whole by then. Default: the contract's
    /// [patience](crate::Timing::patience).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        self
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for ReceiveLayer<C> {
    fn clone(&self) -> Self {
        Self { contract: Arc::clone(&self.contract), limits: self.limits }
    }
}

impl<S, C> Layer<S> for ReceiveLayer<C> {
    type Service = Receive<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Receive { inner, contract: Arc::clone(&self.contract), limits: self.limits }
    }
}

// ===== impl Receive =====

// By hand: a derive would ask for `C: Clone`.
impl<S: Clone, C> Clone for Receive<S, C> {
    fn clone(&self) -> Self {
        let contract = Arc::clone(&self.contract);
        Self { inner: self.inner.clone(), contract, limits: self.limits }
    }
}

impl<S, C, B, ResBody> Service<Request<B>> for Receive<S, C>
where
    S: Service<Request<B>, Response = Response<ResBody>, Future: Send> + Clone + Send + 'static,
    C: Contract,
    B: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
    ResBody: From<Bytes> + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Request<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if is_callback(&request) {
            ResponseFuture::layered(call_received(self.clone(), request))
        } else {
            ResponseFuture::passed(self.inner.clone(), request)
        }
    }
}

// ===== impl Limits =====

impl Limits {
    /// The default limits for a contract.
    #[must_use]
    pub fn of<C: Contract>(contract: &C) -> Self {
        Self { bytes: 1024 * 1024, deadline: contract.timing().patience() }
    }
}

async fn call_received<S, C, B, ResBody>(
    service: Receive<S, C>,
    request: Request<B>,
) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    C: Contract,
    B: Body<Error: Into<BoxError>> + From<Bytes>,
    ResBody: From<Bytes>,
{
    let Receive { inner, contract, limits } = service;
    match receive(&*contract, limits, request).await {
        Ok((head, callback)) => inner.oneshot(callback.into_request(head)).await,
        Err(refusal) => Ok(refuse(&*contract, refusal)),
    }
}
