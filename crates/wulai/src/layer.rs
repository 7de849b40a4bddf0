use std::fmt;

use tower::util::Either;
use tower_callback_contract::{Contract, Receive, ReceiveLayer};
use tower_callback_dedup::{Dedup, DedupLayer, DrainHandle, MemoryStore};
use tower_callback_order::{Gauges, OrderLayer};
use tower_callback_schema::{SchemaLayer, Validated};
use tower_layer::Layer;

use crate::{AnyCallback, ErrorCallback, MessageDelivery, MessageRoute, schema};

/// [`Layer`] that runs the handler once per Wulai callback, on any of the three routes.
///
/// ```
/// use std::time::Duration;
/// use tower_callback_wulai::WulaiDedupLayer;
///
/// let layer = WulaiDedupLayer::new().window(Duration::from_secs(48 * 60 * 60));
/// # drop(layer);
/// ```
pub type WulaiDedupLayer = DedupLayer<AnyCallback>;

/// [`Layer`] that handles message deliveries in the order of their `msg_ts`, one at a time for each
/// user. Route and error callbacks pass through it. It stands inside of dedup.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_callback_wulai::{WulaiDedupLayer, WulaiOrderLayer};
///
/// let layers = ServiceBuilder::new().layer(WulaiDedupLayer::new()).layer(WulaiOrderLayer::new());
/// # drop(layers);
/// ```
pub type WulaiOrderLayer = OrderLayer<AnyCallback>;

/// [`Layer`] with all that one of Wulai's routes needs, in the right order: receives the callback
/// within a size and a time, refuses what does not match its [schema](crate::schema), runs the
/// handler once per id, and the messages of a user in the order of their `msg_ts`. Questions and
/// errors are not held for any order; in the place of an answer that does not match its schema, the
/// platform's own suggestions are sent back.
///
/// ```
/// use std::time::Duration;
/// use tower_callback_order::Hold;
/// use tower_callback_wulai::WulaiLayer;
///
/// let two_days = Duration::from_secs(48 * 60 * 60);
/// let layer = WulaiLayer::delivery()
///     .receive(|receive| receive.limit(256 * 1024))
///     .request_schema(|schema| schema.report())
///     .dedup(|dedup| dedup.window(two_days).memory_budget(256 * 1024 * 1024))
///     .order(|order| order.hold(Hold::adaptive(0.99)));
/// # drop(layer);
/// ```
///
/// `L` stands for what late messages are [diverted](OrderLayer::divert_late) to, if they are.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct WulaiLayer<C, L = ()> {
    receive: ReceiveLayer<C>,
    request: Option<SchemaLayer<C>>,
    dedup: DedupLayer<C>,
    order: OrderLayer<C, L>,
    response: Option<SchemaLayer<C>>,
}

impl WulaiLayer<MessageDelivery> {
    /// For the route of message delivery 消息投递.
    pub fn delivery() -> Self {
        Self::for_contract(MessageDelivery::new())
    }
}

impl WulaiLayer<MessageRoute> {
    /// For the route of message route 消息路由.
    pub fn route() -> Self {
        Self::for_contract(MessageRoute::new())
    }
}

impl WulaiLayer<ErrorCallback> {
    /// For the route of the error callback 错误回调.
    pub fn error() -> Self {
        Self::for_contract(ErrorCallback::new())
    }
}

impl<C: Contract + Clone> WulaiLayer<C> {
    /// For a contract with times of your own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_callback_contract::Timing;
    /// use tower_callback_wulai::{MessageDelivery, WulaiLayer};
    ///
    /// let timing = Timing::new(Duration::from_secs(10), Duration::from_secs(3600));
    /// let layer = WulaiLayer::for_contract(MessageDelivery::with_timing(timing));
    /// # drop(layer);
    /// ```
    pub fn for_contract(contract: C) -> Self {
        let request = schema::of_requests(contract.name())
            .map(|schema| SchemaLayer::request(contract.clone(), schema));
        let response = schema::of_responses(contract.name())
            .map(|schema| SchemaLayer::response(contract.clone(), schema));
        let receive = ReceiveLayer::new(contract.clone());
        let dedup = DedupLayer::for_contract(contract.clone());
        Self { receive, request, dedup, order: OrderLayer::for_contract(contract), response }
    }
}

impl<C: Contract, L> WulaiLayer<C, L> {
    /// Changes how the callback is received.
    pub fn receive(mut self, change: impl FnOnce(ReceiveLayer<C>) -> ReceiveLayer<C>) -> Self {
        self.receive = change(self.receive);
        self
    }

    /// Changes what becomes of callbacks that do not match their schema. An
    /// [`AnyCallback`](crate::AnyCallback) has none.
    pub fn request_schema(mut self, change: impl FnOnce(SchemaLayer<C>) -> SchemaLayer<C>) -> Self {
        self.request = self.request.map(change);
        self
    }

    /// Changes what becomes of answers that do not match their schema. Only those to a message route
    /// have one.
    pub fn response_schema(
        mut self,
        change: impl FnOnce(SchemaLayer<C>) -> SchemaLayer<C>,
    ) -> Self {
        self.response = self.response.map(change);
        self
    }

    /// Changes how duplicates are found and answered.
    pub fn dedup(mut self, change: impl FnOnce(DedupLayer<C>) -> DedupLayer<C>) -> Self {
        self.dedup = change(self.dedup);
        self
    }

    /// Changes how messages are put in order: how long they are held, and what becomes of those that
    /// come too late.
    pub fn order<L2>(
        self,
        change: impl FnOnce(OrderLayer<C, L>) -> OrderLayer<C, L2>,
    ) -> WulaiLayer<C, L2> {
        let Self { receive, request, dedup, order, response } = self;
        WulaiLayer { receive, request, dedup, order: change(order), response }
    }

    /// Where finished ids are remembered, and how well that goes.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        self.dedup.store()
    }

    /// How well the order is kept.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        self.order.gauges()
    }

    /// The handle that ends this layer's work gracefully.
    #[must_use]
    pub fn drain_handle(&self) -> DrainHandle {
        self.dedup.drain_handle()
    }
}

/// A service, or a layer's service around it.
type Maybe<S, C> = Either<Validated<S, C>, S>;

impl<S, C, L> Layer<S> for WulaiLayer<C, L>
where
    OrderLayer<C, L>: Layer<Maybe<S, C>>,
{
    type Service =
        Receive<Maybe<Dedup<<OrderLayer<C, L> as Layer<Maybe<S, C>>>::Service, C>, C>, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let handler = maybe(self.response.as_ref(), inner);
        let once = self.dedup.layer(self.order.layer(handler));
        self.receive.layer(maybe(self.request.as_ref(), once))
    }
}

fn maybe<S, C>(layer: Option<&SchemaLayer<C>>, inner: S) -> Maybe<S, C> {
    match layer {
        Some(layer) => Either::Left(layer.layer(inner)),
        None => Either::Right(inner),
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C, L: Clone> Clone for WulaiLayer<C, L> {
    fn clone(&self) -> Self {
        Self {
            receive: self.receive.clone(),
            request: self.request.clone(),
            dedup: self.dedup.clone(),
            order: self.order.clone(),
            response: self.response.clone(),
        }
    }
}

impl<C: Contract, L> fmt::Debug for WulaiLayer<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WulaiLayer")
            .field("dedup", &self.dedup)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}
