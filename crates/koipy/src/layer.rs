use std::{fmt, sync::Arc, time::Duration};

use tower_callback_action::{ActionLayer, ActionStep, Statuses};
use tower_callback_contract::{Action, Contract};
use tower_callback_dedup::{DedupLayer, DedupStep, DrainHandle, MemoryStore, OnConflict};
use tower_callback_stack::{Layered, Receiver};
use tower_layer::Layer;

use crate::{
    KoipyContract, OnMessage, OnPreSend, OnResult,
    contract::OnFailure,
    hook::{self, Hook},
};

/// [`Layer`] with all that one of koipy's hooks needs, in the right order. It receives the callback
/// within a size and a time, runs the handler once for it, and rewrites a response that would not do
/// what it seems to.
///
/// It fails open: if the handler crashes or responds with 5xx, 408, 425 or 429, or too many callbacks
/// run, the user's task goes on. To fail closed, give it a contract that does:
///
/// ```
/// use tower_callback_contract::Action;
/// use tower_callback_koipy::{KoipyLayer, OnMessage};
///
/// let statistics = KoipyLayer::on_result();
/// let points = KoipyLayer::for_contract(OnMessage::new().fail_closed());
/// // 409 means that this was done before: the task goes on.
/// let points = points.action(|action| action.on(409, Action::Accept));
/// # drop((statistics, points));
/// ```
///
/// A duplicate gets the same response; a response too large to remember takes another run. A callback
/// about the same message that says something else is another question, and the handler runs for it.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct KoipyLayer<H, S = MemoryStore> {
    receiver: Receiver<KoipyContract<H>>,
    dedup: DedupLayer<KoipyContract<H>, S>,
    action: ActionLayer<KoipyContract<H>>,
}

impl KoipyLayer<hook::OnMessage> {
    /// For `callbacks.onMessage`.
    pub fn on_message() -> Self {
        Self::for_contract(OnMessage::new())
    }
}

impl KoipyLayer<hook::OnPreSend> {
    /// For `callbacks.onPreSend`.
    pub fn on_pre_send() -> Self {
        Self::for_contract(OnPreSend::new())
    }
}

impl KoipyLayer<hook::OnResult> {
    /// For `callbacks.onResult`.
    pub fn on_result() -> Self {
        Self::for_contract(OnResult::new())
    }
}

impl<H: Hook> KoipyLayer<H> {
    /// For a contract that fails closed, or has times of your own.
    pub fn for_contract(contract: KoipyContract<H>) -> Self {
        let action = ActionLayer::for_contract(contract.clone());
        let action = match contract.on_failure() {
            OnFailure::Refuse => action,
            OnFailure::GoOn => [408, 425, 429]
                .into_iter()
                .fold(action, |action, status| action.on(status, Action::Accept))
                .on(Statuses::SERVER_ERRORS, Action::Accept),
        };
        let receiver = Receiver::for_contract(Arc::new(contract.clone()));
        let dedup = DedupLayer::for_contract(contract)
            .on_conflict(OnConflict::TreatAsNew)
            .max_record_bytes(1024 * 1024);
        Self { receiver, dedup, action }
    }
}

impl<H: Hook, S> KoipyLayer<H, S> {
    /// Remembers finished callbacks in this store. Default: a [`MemoryStore`] of 64 MiB.
    pub fn with_store<S2>(self, store: S2) -> KoipyLayer<H, S2> {
        let Self { receiver, dedup, action } = self;
        KoipyLayer { receiver, dedup: dedup.with_store(store), action }
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

    /// Changes how duplicates are found and answered. Default: responses of up to 1 MiB are
    /// replayed.
    pub fn dedup<S2>(
        self,
        change: impl FnOnce(DedupLayer<KoipyContract<H>, S>) -> DedupLayer<KoipyContract<H>, S2>,
    ) -> KoipyLayer<H, S2> {
        let Self { receiver, dedup, action } = self;
        KoipyLayer { receiver, dedup: change(dedup), action }
    }

    /// Changes what the handler's responses ask for.
    pub fn action(
        mut self,
        change: impl FnOnce(ActionLayer<KoipyContract<H>>) -> ActionLayer<KoipyContract<H>>,
    ) -> Self {
        self.action = change(self.action);
        self
    }

    /// The store that remembers finished callbacks, with its statistics.
    #[must_use]
    pub fn store(&self) -> &S {
        self.dedup.store()
    }

    /// The handle that drains this layer before a shutdown.
    #[must_use]
    pub fn drain_handle(&self) -> DrainHandle {
        self.dedup.drain_handle()
    }
}

type Steps<C, S> = (DedupStep<C, S>, ActionStep<C>);

impl<I, H: Hook, S> Layer<I> for KoipyLayer<H, S> {
    type Service = Layered<I, KoipyContract<H>, Steps<KoipyContract<H>, S>>;

    fn layer(&self, inner: I) -> Self::Service {
        let steps = (self.dedup.step(), self.action.step());
        Layered::new(inner, self.receiver.clone(), steps)
    }
}

// By hand: a derive would ask for `H: Clone` and `S: Clone`.
impl<H, S> Clone for KoipyLayer<H, S> {
    fn clone(&self) -> Self {
        let (receiver, dedup) = (self.receiver.clone(), self.dedup.clone());
        Self { receiver, dedup, action: self.action.clone() }
    }
}

impl<H: Hook, S> fmt::Debug for KoipyLayer<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KoipyLayer")
            .field("contract", &self.receiver.contract.name())
            .field("dedup", &self.dedup)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}
