use std::{fmt, sync::Arc};

use tower_callback_contract::Contract;
use tower_layer::Layer;

use crate::{Acted, OnMistake, Rule, Statuses, table::Table};

/// [`Layer`] that turns the reply of a handler that speaks plain HTTP into what it asks of the
/// platform.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct ActionLayer<C> {
    contract: Arc<C>,
    settings: Arc<Settings>,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) table: Table,
    pub(crate) limit: usize,
}

impl<C: Contract + Default> ActionLayer<C> {
    /// For the default contract of this type.
    pub fn new() -> Self {
        Self::for_contract(C::default())
    }
}

impl<C: Contract> ActionLayer<C> {
    /// For this contract, with an empty table: replies go as they are, and mistakes are mended.
    pub fn for_contract(contract: C) -> Self {
        let settings = Settings { table: Table::default(), limit: 16 * 1024 * 1024 };
        Self { contract: Arc::new(contract), settings: Arc::new(settings) }
    }
}

impl<C> ActionLayer<C> {
    /// What a reply of these statuses asks for: one status, a range, or a class.
    ///
    /// The narrowest entry counts, and of two as narrow the one that was added last. So what a
    /// preset says can be overruled for a route.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_callback_action::{ActionLayer, Statuses};
    /// use tower_callback_contract::Action;
    /// use tower_callback_wulai::MessageDelivery;
    ///
    /// let later = Action::Retry { after: Some(Duration::from_secs(30)) };
    /// let layer = ActionLayer::for_contract(MessageDelivery::new())
    ///     .on(409, Action::Accept) // it was done before
    ///     .on(429, later)
    ///     .on(Statuses::SERVER_ERRORS, Action::Retry { after: None })
    ///     .otherwise(Action::Accept);
    /// # drop(layer);
    /// ```
    ///
    /// # Panics
    /// If what is given are no [statuses](Statuses).
    pub fn on(self, statuses: impl Into<Statuses>, rule: impl Into<Rule>) -> Self {
        self.with(|settings| settings.table.on(statuses.into(), rule.into()))
    }

    /// What a reply asks for that has no other entry, successes included. Default: what the
    /// contract makes of it.
    pub fn otherwise(self, rule: impl Into<Rule>) -> Self {
        self.on(Statuses::ANY, rule)
    }

    /// What a reply asks for that has a typed error in its extensions, whatever its status. Of
    /// several errors in one reply, the entry that was added last counts.
    ///
    /// ```
    /// use tower_callback_action::ActionLayer;
    /// use tower_callback_contract::Action;
    /// use tower_callback_wulai::MessageDelivery;
    ///
    /// #[derive(Clone)]
    /// enum Failure {
    ///     UserIsGone,
    ///     DatabaseIsDown,
    /// }
    ///
    /// let layer = ActionLayer::for_contract(MessageDelivery::new()).on_error(|failure| match failure {
    ///     Failure::UserIsGone => Action::Accept,
    ///     Failure::DatabaseIsDown => Action::Retry { after: None },
    /// });
    /// # drop(layer);
    /// # drop([Failure::UserIsGone, Failure::DatabaseIsDown]);
    /// ```
    pub fn on_error<E, R>(self, decide: impl Fn(&E) -> R + Send + Sync + 'static) -> Self
    where
        E: Send + Sync + 'static,
        R: Into<Rule>,
    {
        self.with(|settings| settings.table.on_error(decide))
    }

    /// What to do with a reply that would not do what it seems to, and has no entry. Default: mend
    /// it.
    pub fn on_mistake(self, policy: OnMistake) -> Self {
        self.with(|settings| settings.table.on_mistake = policy)
    }

    /// The largest reply body in bytes that is looked at. Default: 16 MiB. A larger one, and one
    /// whose length is not known beforehand, is judged by its head.
    pub fn limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.limit = bytes)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<C: Contract + Default> Default for ActionLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, C> Layer<S> for ActionLayer<C> {
    type Service = Acted<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Acted::new(inner, Arc::clone(&self.contract), Arc::clone(&self.settings))
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for ActionLayer<C> {
    fn clone(&self) -> Self {
        Self { contract: Arc::clone(&self.contract), settings: Arc::clone(&self.settings) }
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
