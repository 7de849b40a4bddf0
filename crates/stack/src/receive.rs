use std::{fmt, sync::Arc, time::Duration};

use http::{Method, Request, request};
use http_body::Body;
use tokio::time::Instant;
use tower::BoxError;
use tower_callback_contract::{Arrival, Callback, Contract, Limits, Refusal};
use tower_layer::Layer;

use crate::{Buffered, Layered, read::read};

/// [`Layer`] that receives the callback for everything behind it: reads the body once, within a
/// size and a time, and refuses what is not in the platform's format.
///
/// The other layers receive the callback themselves if this one does not stand in front of them;
/// it is for those who want other [limits](Self::max_body_bytes) than the default ones.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct ReceiveLayer<C> {
    receiver: Receiver<C>,
}

/// What a layer receives callbacks with.
pub struct Receiver<C> {
    /// Of the platform.
    pub contract: Arc<C>,
    /// Of what is read.
    pub limits: Limits,
}

/// A callback on its way through our layers.
#[derive(Debug)]
pub struct Received {
    /// The head of its request, with its [`Callback`] in the extensions. Boxed: it goes through many
    /// hands, and waits in some of them.
    pub head: Box<request::Parts>,
    /// The callback itself.
    pub callback: Callback,
}

/// Whether a request may be a callback: platforms send them by POST. Handshakes and probes use other
/// methods, and pass through every layer untouched.
pub(crate) fn may_be_callback<B>(request: &Request<B>) -> bool {
    request.method() == Method::POST
}

// ===== impl ReceiveLayer =====

impl<C: Contract> ReceiveLayer<C> {
    /// Receives callbacks of this contract.
    pub fn for_contract(contract: C) -> Self {
        Self { receiver: Receiver::for_contract(Arc::new(contract)) }
    }

    /// Refuses larger bodies with 413. Default: 1 MiB. Inside another of our layers, that one has read
    /// the body, and its limits count.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.receiver.limits.max_body_bytes = bytes;
        self
    }

    /// Refuses with 408 what has not arrived whole by then. Default: the contract's
    /// [reply deadline](tower_callback_contract::Timing::reply_deadline).
    pub fn read_deadline(mut self, deadline: Duration) -> Self {
        self.receiver.limits.read_deadline = deadline;
        self
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for ReceiveLayer<C> {
    fn clone(&self) -> Self {
        Self { receiver: self.receiver.clone() }
    }
}

impl<C: Contract> fmt::Debug for ReceiveLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveLayer").field("receiver", &self.receiver).finish()
    }
}

impl<S, C> Layer<S> for ReceiveLayer<C> {
    type Service = Layered<S, C, ()>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, self.receiver.clone(), ())
    }
}

// ===== impl Receiver =====

impl<C: Contract> Receiver<C> {
    /// With the default limits.
    pub fn for_contract(contract: Arc<C>) -> Self {
        let limits = Limits::of(&*contract);
        Self { contract, limits }
    }

    /// Takes over what an outer layer received, or reads and identifies the callback. One whose body a
    /// layer in between has changed is made anew from what it became.
    ///
    /// # Errors
    /// [`BodyTooLarge`](tower_callback_contract::Reason::BodyTooLarge),
    /// [`BodyTimeout`](tower_callback_contract::Reason::BodyTimeout) and
    /// [`BodyIncomplete`](tower_callback_contract::Reason::BodyIncomplete), and what the contract
    /// refuses.
    pub async fn receive<B>(&self, request: Request<B>) -> Result<Received, Refusal>
    where
        B: Body<Error: Into<BoxError>>,
    {
        let mut at = Instant::now();
        let (mut head, body) = request.into_parts();
        let known = head.extensions.get::<Callback>().cloned();
        let outer = known.as_ref().map(Callback::arrival);
        // The limits of the outermost layer bind the inner ones too.
        let limits = outer.map_or(self.limits, |outer| outer.limits);
        let bytes = read(body, limits).await?;
        let contract = self.contract.name();
        if let (Some(callback), Some(outer)) = (known, outer) {
            if outer.contract == contract && callback.body().holds(&bytes) {
                return Ok(Received { head: Box::new(head), callback });
            }
            at = outer.at;
        }
        let arrival = Arrival { contract, limits, at };
        let callback = Callback::arrived(&*self.contract, &head, bytes, arrival)?;
        head.extensions.insert(callback.clone());
        Ok(Received { head: Box::new(head), callback })
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for Receiver<C> {
    fn clone(&self) -> Self {
        Self { contract: Arc::clone(&self.contract), limits: self.limits }
    }
}

impl<C: Contract> fmt::Debug for Receiver<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("contract", &self.contract.name())
            .field("limits", &self.limits)
            .finish()
    }
}

// ===== impl Received =====

impl Received {
    /// The request with its body again.
    pub(crate) fn into_request<B>(self) -> Request<Buffered<B>> {
        let body = Buffered::from(self.callback.body().bytes().clone());
        Request::from_parts(*self.head, body)
    }
}
