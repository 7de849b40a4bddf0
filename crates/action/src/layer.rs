use std::{fmt, sync::Arc};

use tower_callback_contract::Contract;
use tower_callback_stack::{Layered, Receiver};
use tower_layer::Layer;

use crate::{
    OnMisleadingReply, Rule, Statuses,
    step::{ActionStep, Shared},
    table::Table,
};

/// [`Layer`] that turns the response of a handler, which speaks plain HTTP, into one that makes the
/// platform do what it asks for.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct ActionLayer<C> {
    contract: Arc<C>,
    settings: Settings,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) table: Table,
    pub(crate) max_reply_bytes: usize,
}

impl<C: Contract + Default> ActionLayer<C> {
    /// For the default contract of this type.
    pub fn new() -> Self {
        Self::for_contract(C::default())
    }
}

impl<C: Contract> ActionLayer<C> {
    /// For this contract, with an empty table: responses pass unchanged, except misleading ones, which
    /// are rewritten.
    pub fn for_contract(contract: C) -> Self {
        let settings = Settings { table: Table::default(), max_reply_bytes: 16 * 1024 * 1024 };
        Self { contract: Arc::new(contract), settings }
    }
}

impl<C> ActionLayer<C> {
    /// Sets what a response of these statuses asks for: one status, a range, or a class.
    ///
    /// The narrowest entry counts; of two as narrow, the one that was added last. So a route can
    /// overrule an entry of a preset.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_callback_action::{ActionLayer, Statuses};
    /// use tower_callback_contract::Action;
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
    /// let later = Action::Retry { after: Some(Duration::from_secs(30)) };
    /// let layer = ActionLayer::for_contract(Orders)
    ///     .on(409, Action::Accept) // it was done before
    ///     .on(429, later)
    ///     .on(Statuses::SERVER_ERRORS, Action::Retry { after: None })
    ///     .otherwise(Action::Accept);
    /// # drop(layer);
    /// ```
    ///
    /// # Panics
    /// If a number is not a status: see [`Statuses`].
    pub fn on(mut self, statuses: impl Into<Statuses>, rule: impl Into<Rule>) -> Self {
        self.settings.table.on(statuses.into(), rule.into());
        self
    }

    /// Sets what a response asks for that has no other entry, successes included. Default: what the
    /// contract makes of it.
    pub fn otherwise(self, rule: impl Into<Rule>) -> Self {
        self.on(Statuses::ANY, rule)
    }

    /// Sets what a response asks for that has a typed error in its extensions, whatever its status. If
    /// a response has several errors, the entry that was added last counts.
    ///
    /// ```
    /// use tower_callback_action::ActionLayer;
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
    /// #[derive(Clone)]
    /// enum Failure {
    ///     UserIsGone,
    ///     DatabaseIsDown,
    /// }
    ///
    /// let layer = ActionLayer::for_contract(Orders).on_error(|failure| match failure {
    ///     Failure::UserIsGone => Action::Accept,
    ///     Failure::DatabaseIsDown => Action::Retry { after: None },
    /// });
    /// # drop(layer);
    /// # drop([Failure::UserIsGone, Failure::DatabaseIsDown]);
    /// ```
    pub fn on_error<E, R>(mut self, decide: impl Fn(&E) -> R + Send + Sync + 'static) -> Self
    where
        E: Send + Sync + 'static,
        R: Into<Rule>,
    {
        self.settings.table.on_error(decide);
        self
    }

    /// Sets what becomes of a response that would not do what it seems to, and has no entry. Default:
    /// the layer rewrites it.
    pub fn on_misleading_reply(mut self, policy: OnMisleadingReply) -> Self {
        self.settings.table.on_misleading_reply = policy;
        self
    }

    /// Sets the size of the largest response that is read. Default: 16 MiB. The layer judges a larger
    /// one, and a stream that is still under way, by its head.
    pub fn max_reply_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_reply_bytes = bytes;
        self
    }

    /// This layer's part of a preset.
    #[doc(hidden)]
    #[must_use]
    pub fn step(&self) -> ActionStep<C> {
        let (contract, settings) = (Arc::clone(&self.contract), self.settings.clone());
        ActionStep::new(Shared { contract, settings })
    }
}

impl<C: Contract + Default> Default for ActionLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, C: Contract> Layer<S> for ActionLayer<C> {
    type Service = Layered<S, C, ActionStep<C>>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, Receiver::for_contract(Arc::clone(&self.contract)), self.step())
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for ActionLayer<C> {
    fn clone(&self) -> Self {
        Self { contract: Arc::clone(&self.contract), settings: self.settings.clone() }
    }
}

impl<C: Contract> fmt::Debug for ActionLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionLayer")
            .field("contract", &self.contract.name())
            .field("settings", &self.settings)
            .finish()
    }
}
