use std::{fmt, sync::Arc, time::Duration};

use tower_callback_action::{ActionLayer, ActionStep};
use tower_callback_contract::Contract;
use tower_callback_dedup::{DedupLayer, DedupStep, DrainHandle, MemoryStore};
use tower_callback_order::{OrderLayer, OrderStats, OrderStep};
use tower_callback_schema::{SchemaLayer, SchemaStep};
use tower_callback_stack::{Layered, Receiver};
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
/// user. Route and error callbacks pass through it. It stands inside dedup.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_callback_wulai::{WulaiDedupLayer, WulaiOrderLayer};
///
/// let layers = ServiceBuilder::new().layer(WulaiDedupLayer::new()).layer(WulaiOrderLayer::new());
/// # drop(layers);
/// ```
pub type WulaiOrderLayer = OrderLayer<AnyCallback>;

/// [`Layer`] with all that one of Wulai's routes needs, in the right order.
///
/// It receives the callback within a size and a time, refuses one that does not match its
/// [schema](crate::schema), runs the handler once per id, and the messages of a user in the order of
/// their `msg_ts`. It does not hold questions and errors for any order. It sends a 2xx of the handler as
/// the 200 that Wulai takes, and the platform's own suggestions in place of a response to a message
/// route that does not match its schema.
///
/// ```
/// use std::time::Duration;
/// use tower_callback_dedup::MemoryStore;
/// use tower_callback_order::Hold;
/// use tower_callback_wulai::WulaiLayer;
///
/// let two_days = Duration::from_secs(48 * 60 * 60);
/// let layer = WulaiLayer::delivery()
///     .max_body_bytes(256 * 1024)
///     .request_schema(|schema| schema.report())
///     .with_store(MemoryStore::with_budget(256 * 1024 * 1024))
///     .dedup(|dedup| dedup.window(two_days))
///     .order(|order| order.hold(Hold::adaptive(0.99)));
/// # drop(layer);
/// ```
#[must_use = "a layer does nothing until it wraps a service"]
pub struct WulaiLayer<C, S = MemoryStore> {
    receiver: Receiver<C>,
    request: Option<SchemaLayer<C>>,
    dedup: DedupLayer<C, S>,
    order: OrderLayer<C>,
    response: Option<SchemaLayer<C>>,
    action: ActionLayer<C>,
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
        let dedup = DedupLayer::for_contract(contract.clone());
        let order = OrderLayer::for_contract(contract.clone());
        let action = ActionLayer::for_contract(contract.clone());
        let receiver = Receiver::for_contract(Arc::new(contract));
        Self { receiver, request, dedup, order, response, action }
    }
}

impl<C: Contract, S> WulaiLayer<C, S> {
    /// Remembers finished ids in this store. Default: a [`MemoryStore`] of 64 MiB.
    pub fn with_store<S2>(self, store: S2) -> WulaiLayer<C, S2> {
        self.dedup(|dedup| dedup.with_store(store))
    }

    /// Refuses larger bodies with 413. Default: 1 MiB. Inside another of our layers, that one has read
    /// the body, and its limits count.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.receiver.limits.max_body_bytes = bytes;
        self
    }

    /// Refuses with 408 a body that has not arrived whole by then. Default: the contract's
    /// [reply deadline](tower_callback_contract::Timing::reply_deadline).
    pub fn read_deadline(mut self, deadline: Duration) -> Self {
        self.receiver.limits.read_deadline = deadline;
        self
    }

    /// Changes what becomes of callbacks that do not match their schema. An
    /// [`AnyCallback`](crate::AnyCallback) has none.
    pub fn request_schema(mut self, change: impl FnOnce(SchemaLayer<C>) -> SchemaLayer<C>) -> Self {
        self.request = self.request.map(change);
        self
    }

    /// Changes what becomes of responses that do not match their schema. Only those to a message route
    /// have one.
    pub fn response_schema(
        mut self,
        change: impl FnOnce(SchemaLayer<C>) -> SchemaLayer<C>,
    ) -> Self {
        self.response = self.response.map(change);
        self
    }

    /// Changes how duplicates are found and answered.
    pub fn dedup<S2>(
        self,
        change: impl FnOnce(DedupLayer<C, S>) -> DedupLayer<C, S2>,
    ) -> WulaiLayer<C, S2> {
        let Self { receiver, request, dedup, order, response, action } = self;
        WulaiLayer { receiver, request, dedup: change(dedup), order, response, action }
    }

    /// Changes how messages are put in order: how long the layer holds them, and what becomes of late
    /// ones.
    pub fn order(mut self, change: impl FnOnce(OrderLayer<C>) -> OrderLayer<C>) -> Self {
        self.order = change(self.order);
        self
    }

    /// Changes what the handler's responses ask for. Default: a 2xx is sent as the 200 that Wulai
    /// takes.
    pub fn action(mut self, change: impl FnOnce(ActionLayer<C>) -> ActionLayer<C>) -> Self {
        self.action = change(self.action);
        self
    }

    /// The store that remembers finished ids, with its statistics.
    #[must_use]
    pub fn store(&self) -> &S {
        self.dedup.store()
    }

    /// How well the order is kept.
    #[must_use]
    pub fn stats(&self) -> OrderStats {
        self.order.stats()
    }

    /// The handle that drains this layer before a shutdown.
    #[must_use]
    pub fn drain_handle(&self) -> DrainHandle {
        self.dedup.drain_handle()
    }
}

/// Schema, dedup, order, the schema of responses, action.
type Steps<C, S> = (
    Option<SchemaStep<C>>,
    (DedupStep<C, S>, (OrderStep<C>, (Option<SchemaStep<C>>, ActionStep<C>))),
);

impl<I, C: Contract, S> Layer<I> for WulaiLayer<C, S> {
    type Service = Layered<I, C, Steps<C, S>>;

    fn layer(&self, inner: I) -> Self::Service {
        let inside = (self.response.as_ref().map(SchemaLayer::step), self.action.step());
        let once = (self.dedup.step(), (self.order.step(), inside));
        let steps = (self.request.as_ref().map(SchemaLayer::step), once);
        Layered::new(inner, self.receiver.clone(), steps)
    }
}

// By hand: a derive would ask for `C: Clone` and `S: Clone`.
impl<C, S> Clone for WulaiLayer<C, S> {
    fn clone(&self) -> Self {
        Self {
            receiver: self.receiver.clone(),
            request: self.request.clone(),
            dedup: self.dedup.clone(),
            order: self.order.clone(),
            response: self.response.clone(),
            action: self.action.clone(),
        }
    }
}

impl<C: Contract, S> fmt::Debug for WulaiLayer<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WulaiLayer")
            .field("contract", &self.receiver.contract.name())
            .field("dedup", &self.dedup)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}
