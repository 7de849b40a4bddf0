use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use http::request;
use tower_callback_contract::{Action, Contract, Envelope, Pointer, Scope};
use tower_callback_stack::{Layered, Receiver};
use tower_layer::Layer;

use crate::{
    DrainHandle, MemoryStore, OnConflict, OnMissingId,
    settings::Settings,
    shared::{Shared, State},
    step::DedupStep,
};

/// [`Layer`] that runs the handler once per callback id.
///
/// All services made by one layer and its clones share what they remember, whatever their settings,
/// so one layer can wrap several routes or a whole router. Equal ids on different routes are
/// different callbacks; host and query make no difference. Set a [scope](Self::scope_by) of your
/// own to change that. Routers nested in axum hide the first part of a path from a layer; the
/// feature `axum` reads the whole path.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct DedupLayer<C, S = MemoryStore> {
    contract: Arc<C>,
    settings: Settings,
    state: Arc<State<S>>,
}

impl<C: Contract + Default> DedupLayer<C> {
    /// Deduplicates callbacks of the default contract of this type in memory.
    pub fn new() -> Self {
        Self::for_contract(C::default())
    }
}

impl<C: Contract> DedupLayer<C> {
    /// Deduplicates callbacks of this contract in memory.
    pub fn for_contract(contract: C) -> Self {
        let settings = Settings::of(&contract);
        let state = Arc::new(State::new(MemoryStore::new()));
        Self { contract: Arc::new(contract), settings, state }
    }
}

impl<C: Contract, S> DedupLayer<C, S> {
    /// Remembers finished ids in this store. Default: a [`MemoryStore`] of 64 MiB.
    ///
    /// The result is another layer: it shares nothing with clones and drain handles that were made
    /// before.
    ///
    /// ```
    /// use tower_callback_dedup::{DedupLayer, MemoryStore};
    /// # use tower_callback_contract::{Body, Contract, Envelope, Id, Refusal, Timing};
    /// # struct Orders;
    /// # impl Contract for Orders {
    /// #     fn name(&self) -> &'static str { "shop.order" }
    /// #     fn timing(&self) -> Timing { Timing::new(std::time::Duration::from_secs(10), std::time::Duration::from_secs(3600)) }
    /// #     fn identify(&self, _: &http::request::Parts, body: &Body) -> Result<Envelope, Refusal> {
    /// #         Ok(Envelope::new(body.field("order")?.and_then(|id| Id::from_json("shop.order", id))))
    /// #     }
    /// # }
    ///
    /// let large = MemoryStore::with_budget(1024 * 1024 * 1024);
    /// let layer = DedupLayer::for_contract(Orders).with_store(large);
    /// # drop(layer);
    /// ```
    pub fn with_store<S2>(self, store: S2) -> DedupLayer<C, S2> {
        let Self { contract, settings, .. } = self;
        DedupLayer { contract, settings, state: Arc::new(State::new(store)) }
    }

    /// How long the layer remembers a finished id. Default: the contract's retry horizon. A shorter
    /// window logs a warning: the platform's last redeliveries run again.
    pub fn window(mut self, window: Duration) -> Self {
        let horizon = self.contract.timing().retry_horizon;
        if window < horizon {
            let contract = self.contract.name();
            tracing::warn!(
                contract,
                ?window,
                ?horizon,
                "ids are forgotten before the platform's last retry"
            );
        }
        self.settings.window = window;
        self
    }

    /// How long after its arrival a duplicate may wait for the first delivery; then the layer
    /// refuses it with 503. Default: the contract's [reply
    /// deadline](tower_callback_contract::Timing::reply_deadline).
    pub fn max_wait(mut self, bound: Duration) -> Self {
        self.settings.max_wait = bound;
        self
    }

    /// How many duplicates of one id may wait for its first delivery; the layer refuses the others
    /// with 503. Default: 1024.
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.settings.max_waiters = waiters;
        self
    }

    /// How many callbacks may run or wait at once; the layer refuses the others with 503. Default:
    /// 16 384. A handler runs on when its client disconnects, so the number of connections does not
    /// bound how many run.
    pub fn max_running(mut self, callbacks: NonZeroUsize) -> Self {
        self.settings.max_running = callbacks.get();
        self
    }

    /// The largest body of a response, in bytes, that the layer reads and remembers. Default: 64
    /// KiB. A larger one, and one that does not say its length and is not there at once, goes to its client only,
    /// and its head alone tells what it does: see the [crate docs](crate).
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_record_bytes = bytes;
        self
    }

    /// What to do with a known id that comes with another body. Default: refuse it with 422.
    pub fn on_conflict(mut self, policy: OnConflict) -> Self {
        self.settings.on_conflict = policy;
        self
    }

    /// What to do with a callback that has no usable id. Default: pass it through.
    pub fn on_missing_id(mut self, policy: OnMissingId) -> Self {
        self.settings.on_missing_id = policy;
        self
    }

    /// Leaves a field out when the layer compares bodies, because it changes from one delivery to
    /// the next. A JSON pointer (RFC 6901) names it, in any of the platform's spellings; `*` stands
    /// for each item of a list. Default: the fields that the contract
    /// [names](Contract::ignored).
    ///
    /// # Panics
    /// If the pointer does not start with a slash.
    pub fn ignore_field(mut self, pointer: &str) -> Self {
        let pointer = Pointer::parse(pointer).expect("a JSON pointer starts with a slash");
        self.settings.ignored = self.settings.ignored.iter().cloned().chain([pointer]).collect();
        self
    }

    /// What tells equal ids apart, besides platform and kind of callback. Default: the
    /// [route](tower_callback_contract::route).
    pub fn scope_by(
        mut self,
        scope_of: impl Fn(&request::Parts, &Envelope) -> String + Send + Sync + 'static,
    ) -> Self {
        self.settings.scope = Scope::by(scope_of);
        self
    }

    /// After which failures the next delivery runs again. Default: after every [`Action::Retry`].
    /// An accept never releases an id: the work is done.
    pub fn release_on(
        mut self,
        releases: impl Fn(&Action) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.settings.releases = Arc::new(releases);
        self
    }

    /// The handle that ends the work of this layer and its clones gracefully.
    #[must_use]
    pub fn drain_handle(&self) -> DrainHandle {
        DrainHandle::new(self.state.tracker.clone())
    }

    /// Where finished ids are remembered.
    #[must_use]
    pub fn store(&self) -> &Arc<S> {
        &self.state.store
    }

    /// This layer's part of a preset.
    #[doc(hidden)]
    #[must_use]
    pub fn step(&self) -> DedupStep<C, S> {
        let (contract, settings) = (Arc::clone(&self.contract), self.settings.clone());
        DedupStep::new(Shared { contract, settings, state: Arc::clone(&self.state) })
    }
}

impl<C: Contract + Default> Default for DedupLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I, C: Contract, S> Layer<I> for DedupLayer<C, S> {
    type Service = Layered<I, C, DedupStep<C, S>>;

    fn layer(&self, inner: I) -> Self::Service {
        Layered::new(inner, Receiver::for_contract(Arc::clone(&self.contract)), self.step())
    }
}

// By hand: a derive would ask for `C: Clone` and `S: Clone`.
impl<C, S> Clone for DedupLayer<C, S> {
    fn clone(&self) -> Self {
        let (contract, state) = (Arc::clone(&self.contract), Arc::clone(&self.state));
        Self { contract, settings: self.settings.clone(), state }
    }
}

impl<C: Contract, S> fmt::Debug for DedupLayer<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupLayer")
            .field("contract", &self.contract.name())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
