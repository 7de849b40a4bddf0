use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;
use tower_callback_contract::{Action, Contract};
use tower_layer::Layer;

use crate::{
    Dedup, DrainHandle, MemoryStore, OnConflict, OnMissingId, fingerprint::Pointer,
    flights::Flights, reply::Replies, settings::Settings,
};

/// [`Layer`] that runs the handler once per callback id.
///
/// All services made by one layer and its clones share what they remember, so it can wrap several
/// routes or a whole router. Equal ids on different paths are different callbacks; host and query
/// make no difference. Routers nested in axum hide the first part of a path, which the feature
/// `axum` brings to light again; without it, give each of them a layer or a [scope](Self::scope)
/// of its own.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct DedupLayer<C, S = MemoryStore> {
    shared: Shared<C, S>,
}

/// What the services of one layer share.
pub(crate) struct Shared<C, S> {
    pub(crate) contract: Arc<C>,
    pub(crate) store: Arc<S>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) replies: Arc<Replies>,
    pub(crate) tracker: TaskTracker,
    pub(crate) settings: Settings,
}

// ===== impl DedupLayer =====

impl<C: Contract + Default> DedupLayer<C> {
    /// Deduplicates callbacks of the default contract of this type in memory.
    pub fn new() -> Self {
        Self::for_contract(C::default())
    }
}

impl<C: Contract> DedupLayer<C> {
    /// Deduplicates callbacks of this contract in memory.
    pub fn for_contract(contract: C) -> Self {
        Self::with_store(contract, MemoryStore::new())
    }

    /// How many bytes the memory of finished ids takes: about 400 for an id, and the size of its
    /// reply. Default: 64 MiB, more than 100 000 acknowledged ids. The memory starts
    /// empty, and clones made before keep the old one: set it before you clone the layer.
    ///
    /// # Panics
    /// If it is less than [`MemoryStore::LEAST_BUDGET`], 1 MiB.
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.shared.store = Arc::new(MemoryStore::with_budget(bytes));
        self
    }
}

impl<C: Contract, S> DedupLayer<C, S> {
    /// Deduplicates callbacks of this contract in this store.
    pub fn with_store(contract: C, store: S) -> Self {
        let timing = contract.timing();
        let shared = Shared {
            contract: Arc::new(contract),
            store: Arc::new(store),
            flights: Arc::new(Flights::new()),
            replies: Arc::default(),
            tracker: TaskTracker::new(),
            settings: Settings::new(timing),
        };
        Self { shared }
    }

    /// How long a finished id is remembered. Default: the contract's retry horizon; a shorter
    /// window lets the platform's last copies through, and says so in a warning.
    pub fn window(mut self, window: Duration) -> Self {
        let horizon = self.shared.contract.timing().retry_horizon;
        if window < horizon {
            let contract = self.shared.contract.name();
            tracing::warn!(
                contract,
                ?window,
                ?horizon,
                "ids are forgotten before the platform's last retry"
            );
        }
        self.shared.settings.window = window;
        self
    }

    /// How long after its arrival a copy that waits for the first one is refused with 503. Default:
    /// the contract's [patience](tower_callback_contract::Timing::patience), its time-out less a
    /// tenth.
    pub fn wait(mut self, bound: Duration) -> Self {
        self.shared.settings.wait = bound;
        self
    }

    /// How many copies of one id may wait for the first; the others are refused with 503.
    /// Default: 1024.
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.shared.settings.max_waiters = waiters;
        self
    }

    /// How many callbacks may run or wait at once; the others are refused with 503. Default:
    /// 16 384. Handlers run on when their client hangs up, so the number of connections does not
    /// bound them.
    pub fn max_running(mut self, callbacks: NonZeroUsize) -> Self {
        self.shared.settings.max_running = callbacks.get();
        self
    }

    /// The largest reply body in bytes that is remembered. Default: 64 KiB. A larger one, and one
    /// whose length is not known beforehand, goes to its client only: see the [crate docs](crate).
    pub fn record_limit(mut self, bytes: usize) -> Self {
        self.shared.settings.record_limit = bytes;
        self
    }

    /// What to do with a known id that comes with another body. Default: refuse it with 422.
    pub fn on_conflict(mut self, policy: OnConflict) -> Self {
        self.shared.settings.on_conflict = policy;
        self
    }

    /// What to do with a callback that has no usable id. Default: pass it through.
    pub fn on_missing_id(mut self, policy: OnMissingId) -> Self {
        self.shared.settings.on_missing_id = policy;
        self
    }

    /// Leaves a field out when bodies are compared, because it changes from copy to copy. Named by
    /// a JSON pointer (RFC 6901), in any of the platform's spellings. Default: none.
    ///
    /// # Panics
    /// If the pointer does not start with a slash.
    pub fn volatile(mut self, pointer: &str) -> Self {
        let pointer = Pointer::parse(pointer).expect("a JSON pointer starts with a slash");
        self.shared.settings.volatile =
            self.shared.settings.volatile.iter().cloned().chain([pointer]).collect();
        self
    }

    /// Tells the ids of this layer apart from equal ones in the same store: an account, a tenant.
    /// Platform, kind of callback and path are told apart anyway. Default: empty.
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> Self {
        self.shared.settings.scope = scope.into();
        self
    }

    /// After which actions the next copy runs again. Default: [`Action::Retry`]. A reply of status
    /// 2xx never releases, because the handler's work is done, whatever the platform makes of it.
    pub fn release_on(
        mut self,
        releases: impl Fn(&Action) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.shared.settings.releases = Arc::new(releases);
        self
    }

    /// The handle that ends this layer's work gracefully.
    #[must_use]
    pub fn drain_handle(&self) -> DrainHandle {
        DrainHandle::new(self.shared.tracker.clone())
    }

    /// Where finished ids are remembered.
    #[must_use]
    pub fn store(&self) -> &Arc<S> {
        &self.shared.store
    }
}

impl<C: Contract + Default> Default for DedupLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Inner, C, S> Layer<Inner> for DedupLayer<C, S> {
    type Service = Dedup<Inner, C, S>;

    fn layer(&self, inner: Inner) -> Self::Service {
        Dedup::new(inner, Arc::new(self.shared.clone()))
    }
}

impl<C, S> Clone for DedupLayer<C, S> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

// By hand: a derive would ask for `C: Clone` and `S: Clone`.
impl<C, S> Clone for Shared<C, S> {
    fn clone(&self) -> Self {
        Self {
            contract: Arc::clone(&self.contract),
            store: Arc::clone(&self.store),
            flights: Arc::clone(&self.flights),
            replies: Arc::clone(&self.replies),
            tracker: self.tracker.clone(),
            settings: self.settings.clone(),
        }
    }
}

impl<C: Contract, S> fmt::Debug for DedupLayer<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupLayer")
            .field("contract", &self.shared.contract.name())
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
