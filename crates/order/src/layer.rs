use std::{fmt, sync::Arc, time::Duration};

use tower_callback_contract::Contract;
use tower_layer::Layer;

use crate::{Gauges, Hold, Ordered, hold::LONGEST, lanes::Limits, shared::Shared};

/// [`Layer`] that handles the messages of a conversation in the order they were sent, one at a
/// time, by holding the response.
///
/// All services made by one layer and its clones share its lanes. Set it up before you clone it:
/// a setter starts with empty lanes.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct OrderLayer<C, L = ()> {
    core: Arc<Core<C>>,
    elsewhere: L,
}

/// What the services of one layer have in common.
pub(crate) struct Core<C> {
    // An `Arc` of its own, as setters make this anew.
    pub(crate) contract: Arc<C>,
    pub(crate) shared: Shared,
}

/// Where an [`OrderLayer`] sends late messages: see [`divert_late`](OrderLayer::divert_late).
#[derive(Clone, Debug)]
pub struct Divert<L>(L);

/// What to do with a message that comes after another, which was sent later, was handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLate {
    /// Handle it at once, and tell the handler by [`Position::Late`](crate::Position::Late).
    #[default]
    Handle,
    /// Refuse it with 409. A platform that repeats what is refused does so until it gives up.
    Refuse,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) hold: Hold,
    pub(crate) limits: Limits,
    pub(crate) queue_unordered: bool,
    pub(crate) patience: Duration,
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
        let limits = Limits {
            per_lane: 64,
            overall: 16_384,
            bytes: 64 * 1024 * 1024,
            strict: Duration::ZERO,
            memory: Duration::from_secs(600),
            idle: 65_536,
            refuses_late: false,
        };
        let settings = Settings {
            hold: Hold::default(),
            limits,
            queue_unordered: false,
            patience: contract.timing().patience().min(LONGEST),
        };
        Self::with_settings(Arc::new(contract), settings, ())
    }

    /// What to do with a message that comes too late for its place. Default: handle it, flagged.
    pub fn on_late(self, policy: OnLate) -> Self {
        self.with(|settings| settings.limits.refuses_late = policy == OnLate::Refuse)
    }

    /// Sends messages that come too late for their place to another service instead, which finds
    /// [`Position::Late`](crate::Position::Late) in their extensions. They are still handled at
    /// once, and one at a time.
    pub fn divert_late<L>(self, service: L) -> OrderLayer<C, Divert<L>> {
        let this = self.on_late(OnLate::Handle);
        let Core { contract, shared } = &*this.core;
        OrderLayer::with_settings(Arc::clone(contract), shared.settings, Divert(service))
    }
}

impl<C: Contract, L> OrderLayer<C, L> {
    /// How long a message is held. Default: [adaptive](Hold::adaptive), for 999 of 1000 messages.
    /// What would be held for more than half of its platform's patience goes earlier, because the
    /// handler takes time too, and says so: [`Position::Hurried`](crate::Position::Hurried).
    pub fn hold(self, hold: Hold) -> Self {
        self.with(|settings| settings.hold = hold)
    }

    /// How many messages of one conversation may wait; the others are refused with 503. Default:
    /// 64.
    pub fn max_per_lane(self, messages: usize) -> Self {
        self.with(|settings| settings.limits.per_lane = messages)
    }

    /// How many messages may wait in all; the others are refused with 503. Default: 16 384.
    pub fn max_held(self, messages: usize) -> Self {
        self.with(|settings| settings.limits.overall = messages)
    }

    /// How many bytes of bodies may wait in all; others are refused with 503. Default: 64 MiB.
    pub fn max_held_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.limits.bytes = bytes)
    }

    /// How long a conversation in which nothing happens remembers what was handled last, to tell
    /// who is late. Default: 10 min. Less if more than 65 536 conversations are idle.
    pub fn memory(self, memory: Duration) -> Self {
        self.with(|settings| settings.limits.memory = memory)
    }

    /// After a message has failed, those behind it wait so long for its retry before they go.
    /// Default: zero, they do not wait. It is what the platform hears that counts: a reply that is
    /// no success and makes it repeat the message.
    pub fn strict(self, limit: Duration) -> Self {
        self.with(|settings| settings.limits.strict = limit)
    }

    /// What nothing orders is not held: it has no time, or its platform waits for the reply. With
    /// this, it waits until nothing else of its conversation is under way. Default: it does not
    /// wait at all.
    pub fn queue_unordered(self) -> Self {
        self.with(|settings| settings.queue_unordered = true)
    }

    /// How the layer does.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        self.core.shared.gauges()
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let Core { contract, shared } = &*self.core;
        let mut settings = shared.settings;
        change(&mut settings);
        Self::with_settings(Arc::clone(contract), settings, self.elsewhere)
    }

    fn with_settings(contract: Arc<C>, mut settings: Settings, elsewhere: L) -> Self {
        settings.hold.max = settings.hold.max.min(settings.patience / 2);
        Self { core: Arc::new(Core { contract, shared: Shared::new(settings) }), elsewhere }
    }
}

impl<C: Contract + Default> Default for OrderLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, C> Layer<S> for OrderLayer<C> {
    type Service = Ordered<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Ordered::new(inner, Arc::clone(&self.core), None)
    }
}

impl<S, C, L: Clone> Layer<S> for OrderLayer<C, Divert<L>> {
    type Service = Ordered<S, C, L>;

    fn layer(&self, inner: S) -> Self::Service {
        let Divert(elsewhere) = self.elsewhere.clone();
        Ordered::new(inner, Arc::clone(&self.core), Some(elsewhere))
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C, L: Clone> Clone for OrderLayer<C, L> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), elsewhere: self.elsewhere.clone() }
    }
}

impl<C: Contract, L> fmt::Debug for OrderLayer<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderLayer")
            .field("contract", &self.core.contract.name())
            .field("settings", &self.core.shared.settings)
            .finish_non_exhaustive()
    }
}
