use std::{fmt, sync::Arc, time::Duration};

use http::request;
use tower_callback_contract::{Contract, Envelope, Scope};
use tower_callback_stack::{Layered, Receiver};
use tower_layer::Layer;

use crate::{
    Hold, OrderStats,
    settings::Settings,
    state::State,
    step::{OrderStep, Shared},
};

/// [`Layer`] that handles the messages of a conversation in the order they were sent, one at a
/// time, by holding the response.
///
/// All services made by one layer and its clones share its conversations, whatever their settings.
/// Equal conversations on different routes are different conversations; set a
/// [scope](Self::scope_by) of your own to change that. Set the [hold](Self::hold) before you clone
/// the layer: the first message decides which share of messages an adaptive hold aims at.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct OrderLayer<C> {
    contract: Arc<C>,
    settings: Settings,
    state: Arc<State>,
}

/// What to do with a message that comes after one that was sent later has been handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLate {
    /// Handle it at once, and tell the handler by [`Position::Late`](crate::Position::Late).
    #[default]
    Handle,
    /// Refuse it with 409. Some platforms redeliver a refused message until they give up.
    Refuse,
}

impl<C: Contract + Default> OrderLayer<C> {
    /// Orders callbacks of the default contract of this type.
    pub fn new() -> Self {
        Self::for_contract(C::default())
    }
}

impl<C: Contract> OrderLayer<C> {
    /// Orders callbacks of this contract.
    pub fn for_contract(contract: C) -> Self {
        let settings = Settings::new(contract.timing());
        Self { contract: Arc::new(contract), settings, state: Arc::new(State::new()) }
    }

    /// What to do with a message that comes too late for its place. Default: handle it, flagged.
    pub fn on_late(mut self, policy: OnLate) -> Self {
        self.settings.limits.refuses_late = policy == OnLate::Refuse;
        self
    }

    /// How long the layer holds a message. Default: [adaptive](Hold::adaptive), for 999 of 1000
    /// messages. It holds none for more than half of the contract's [reply
    /// deadline](tower_callback_contract::Timing::reply_deadline), because the handler takes time
    /// too; [`Position::Hurried`](crate::Position::Hurried) marks a message that goes earlier for
    /// this.
    pub fn hold(mut self, hold: Hold) -> Self {
        self.settings.hold = hold;
        self
    }

    /// How many messages of one conversation may wait; the layer refuses the others with 503.
    /// Default: 64.
    pub fn max_per_lane(mut self, messages: usize) -> Self {
        self.settings.limits.per_lane = messages;
        self
    }

    /// How many messages may wait in all conversations; the layer refuses the others with 503.
    /// Default: 16 384.
    pub fn max_held(mut self, messages: usize) -> Self {
        self.settings.limits.overall = messages;
        self
    }

    /// How many bytes they may take in all, bodies and what was read of them; the layer refuses the
    /// others with 503. Default: 64 MiB.
    pub fn max_held_bytes(mut self, bytes: usize) -> Self {
        self.settings.limits.bytes = bytes;
        self
    }

    /// How long the layer remembers what it handled last in an idle conversation, to tell which
    /// message is late. Default: 10 min. Less if more than 65 536 conversations are idle.
    pub fn forget_after(mut self, time: Duration) -> Self {
        self.settings.limits.forget_after = time;
        self
    }

    /// How long the messages behind a failed one wait for its redelivery before they go. Default:
    /// zero, they do not wait. A message fails if its response makes the platform redeliver it, by
    /// the [contract](Contract::effect).
    pub fn wait_for_retry(mut self, limit: Duration) -> Self {
        self.settings.limits.wait_for_retry = limit;
        self
    }

    /// Handles callbacks without a place in the order (they have no time, or the platform waits for
    /// the response itself) one at a time in each conversation. They are not held. Default: they go
    /// at once.
    pub fn queue_unordered(mut self) -> Self {
        self.settings.queue_unordered = true;
        self
    }

    /// What tells equal conversations apart, besides platform and kind of callback. Default: the
    /// [route](tower_callback_contract::route).
    pub fn scope_by(
        mut self,
        scope_of: impl Fn(&request::Parts, &Envelope) -> String + Send + Sync + 'static,
    ) -> Self {
        self.settings.scope = Scope::by(scope_of);
        self
    }

    /// How the layer and its clones do.
    #[must_use]
    pub fn stats(&self) -> OrderStats {
        self.state.stats(&self.settings)
    }

    /// This layer's part of a preset.
    #[doc(hidden)]
    #[must_use]
    pub fn step(&self) -> OrderStep<C> {
        let (contract, settings) = (Arc::clone(&self.contract), self.settings.clone());
        OrderStep::new(Shared { contract, settings, state: Arc::clone(&self.state) })
    }
}

impl<C: Contract + Default> Default for OrderLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, C: Contract> Layer<S> for OrderLayer<C> {
    type Service = Layered<S, C, OrderStep<C>>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, Receiver::for_contract(Arc::clone(&self.contract)), self.step())
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for OrderLayer<C> {
    fn clone(&self) -> Self {
        let (contract, state) = (Arc::clone(&self.contract), Arc::clone(&self.state));
        Self { contract, settings: self.settings.clone(), state }
    }
}

impl<C: Contract> fmt::Debug for OrderLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderLayer")
            .field("contract", &self.contract.name())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
