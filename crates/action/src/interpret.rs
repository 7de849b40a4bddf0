use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Response;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;
use tower::{BoxError, ServiceExt};
use tower_callback_contract::{Action, Contract};
use tower_layer::Layer;
use tower_service::Service;

/// [`Layer`] for the side that sends callbacks: around an HTTP client, it reads the response of
/// a callback server as the [`Action`] that it asks for.
///
/// What comes out keeps the status and the headers, and has the action as its body.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_callback_action::InterpretLayer;
/// use tower_callback_contract::Action;
/// # use std::time::Duration;
/// # use tower_callback_contract::{Body, Contract, Envelope, Refusal, Timing};
/// # struct Orders;
/// # impl Contract for Orders {
/// #     fn name(&self) -> &'static str { "shop.order" }
/// #     fn timing(&self) -> Timing { Timing::new(Duration::from_secs(10), Duration::from_secs(3600)) }
/// #     fn identify(&self, _: &http::request::Parts, _: &Body) -> Result<Envelope, Refusal> {
/// #         Ok(Envelope::default())
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // Yours may be a `hyper_util::client::legacy::Client`.
/// let client = service_fn(async |_: Request<Full<Bytes>>| {
///     let busy = Response::builder().status(503).body(Full::<Bytes>::from("busy"));
///     Ok::<_, std::convert::Infallible>(busy.expect("a valid response"))
/// });
/// let callbacks = InterpretLayer::for_contract(Orders).layer(client);
///
/// let order = Request::post("http://127.0.0.1:3000/").body("{}".into()).expect("valid");
/// let response = callbacks.oneshot(order).await.expect("a response");
/// assert_eq!(*response.body(), Action::Retry { after: None });
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct InterpretLayer<C> {
    contract: Arc<C>,
    limits: Limits,
}

/// Middleware that turns responses into actions. Made by [`InterpretLayer`].
///
/// It is always ready, and polls the client ready within the timeout.
#[derive(Debug)]
pub struct Interpret<S, C> {
    inner: S,
    contract: Arc<C>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: usize,
    timeout: Duration,
}

/// Why a callback got no response. The sender decides what to do then: a contract is about responses
/// only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterpretError<E> {
    /// The client failed.
    #[error("the callback got no response")]
    Client(#[source] E),
    /// The whole response did not arrive within this time.
    #[error("the callback got no response within {0:?}")]
    TimedOut(Duration),
    /// The response's body has more bytes than this.
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke before the end of the response.
    #[error("the response ended early")]
    Cut(#[source] BoxError),
}

/// Response future of [`Interpret`].
pub struct InterpretFuture<E> {
    running: Pin<Box<dyn Future<Output = Answer<E>> + Send>>,
}

type Answer<E> = Result<Response<Action>, InterpretError<E>>;

// ===== impl InterpretLayer =====

impl<C: Contract> InterpretLayer<C> {
    /// Reads responses as this contract does.
    pub fn for_contract(contract: C) -> Self {
        let limits = Limits { bytes: 16 * 1024 * 1024, timeout: contract.timing().timeout };
        Self { contract: Arc::new(contract), limits }
    }
}

impl<C> InterpretLayer<C> {
    /// Sets the size of the largest response body. Default: 16 MiB.
    pub fn max_reply_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// Sets how long the whole exchange may take, to the end of the response's body. Default: the
    /// contract's [timeout](tower_callback_contract::Timing::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }
}

impl<S, C> Layer<S> for InterpretLayer<C> {
    type Service = Interpret<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Interpret { inner, contract: Arc::clone(&self.contract), limits: self.limits }
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for InterpretLayer<C> {
    fn clone(&self) -> Self {
        Self { contract: Arc::clone(&self.contract), limits: self.limits }
    }
}

// ===== impl Interpret =====

// By hand: a derive would ask for `C: Clone`.
impl<S: Clone, C> Clone for Interpret<S, C> {
    fn clone(&self) -> Self {
        let contract = Arc::clone(&self.contract);
        Self { inner: self.inner.clone(), contract, limits: self.limits }
    }
}

impl<S, C, Req, B> Service<Req> for Interpret<S, C>
where
    S: Service<Req, Response = Response<B>, Error: Send, Future: Send> + Clone + Send + 'static,
    C: Contract,
    Req: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Action>;
    type Error = InterpretError<S::Error>;
    type Future = InterpretFuture<S::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let Self { inner, contract, limits } = self.clone();
        let running = Box::pin(async move {
            let answer = timeout(limits.timeout, interpret(inner, contract, limits, request)).await;
            answer.unwrap_or(Err(InterpretError::TimedOut(limits.timeout)))
        });
        InterpretFuture { running }
    }
}

async fn interpret<S, C, Req, B>(
    inner: S,
    contract: Arc<C>,
    limits: Limits,
    request: Req,
) -> Answer<S::Error>
where
    S: Service<Req, Response = Response<B>>,
    C: Contract,
    B: Body<Error: Into<BoxError>>,
{
    let too_large = || InterpretError::TooLarge(limits.bytes);
    let response = inner.oneshot(request).await.map_err(InterpretError::Client)?;
    if response.body().size_hint().lower() > limits.bytes as u64 {
        return Err(too_large());
    }
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, limits.bytes).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(error) => return Err(InterpretError::Cut(error)),
    };
    let reply = Response::from_parts(head, body);
    let action = contract.action(&reply);
    Ok(reply.map(|_| action))
}

// ===== impl InterpretFuture =====

impl<E> Future for InterpretFuture<E> {
    type Output = Answer<E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.running.as_mut().poll(cx)
    }
}

impl<E> fmt::Debug for InterpretFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterpretFuture").finish_non_exhaustive()
    }
}
