use std::fmt;

use tower_callback_action::{Acted, ActionLayer, Statuses};
use tower_callback_contract::{Action, Receive, ReceiveLayer};
use tower_callback_dedup::{Dedup, DedupLayer, DrainHandle, MemoryStore, OnConflict};
use tower_layer::Layer;

use crate::{
    KoipyContract, OnMessage, OnPreSend, OnResult,
    contract::OnFailure,
    hook::{self, Hook},
};

/// [`Layer`] with all that one of koipy's hooks needs, in the right order: receives the callback
/// within a size and a time, runs the handler once for it, and sees to it that the reply does what
/// it seems to.
///
/// It fails open: where the handler crashes, answers 5xx, 408, 425 or 429, or too many run, the
/// user's task goes on. Failing closed is a word of the contract:
///
/// ```
/// use tower_callback_contract::Action;
/// use tower_callback_koipy::{KoipyLayer, OnMessage};
///
/// let statistics = KoipyLayer::on_result();
/// let points = KoipyLayer::for_contract(OnMessage::new().fail_closed());
/// // On 409 it goes on: this was done before.
/// let points = points.action(|action| action.on(409, Action::Accept));
/// # drop((statistics, points));
/// ```
///
/// A copy of a hook gets the same reply again, a large one by another run. What comes for the same
/// message and says something else is another question, and gets an answer of its own.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct KoipyLayer<H> {
    receive: ReceiveLayer<KoipyContract<H>>,
    dedup: DedupLayer<KoipyContract<H>>,
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
    /// For a contract that fails as you choose, or has times of your own.
    pub fn for_contract(contract: KoipyContract<H>) -> Self {
        let action = ActionLayer::for_contract(contract.clone());
        let action = match contract.on_failure() {
            OnFailure::Refuse => action,
            OnFailure::GoOn => [408, 425, 429]
                .into_iter()
                .fold(action, |action, status| action.on(status, Action::Accept))
                .on(Statuses::SERVER_ERRORS, Action::Accept),
        };
        let receive = ReceiveLayer::new(contract.clone());
        let dedup = DedupLayer::for_contract(contract)
            .on_conflict(OnConflict::TreatAsNew)
            .record_limit(1024 * 1024);
        Self { receive, dedup, action }
    }

    /// Changes how the callback is received.
    pub fn receive(
        mut self,
        change: impl FnOnce(ReceiveLayer<KoipyContract<H>>) -> ReceiveLayer<KoipyContract<H>>,
    ) -> Self {
        self.receive = change(self.receive);
        self
    }

    /// Changes how copies are found and answered. Default: replies of up to 1 MiB are replayed.
    pub fn dedup(
        mut self,
        change: impl FnOnce(DedupLayer<KoipyContract<H>>) -> DedupLayer<KoipyContract<H>>,
    ) -> Self {
        self.dedup = change(self.dedup);
        self
    }

    /// Changes what the handler's replies ask for.
    pub fn action(
        mut self,
        change: impl FnOnce(ActionLayer<KoipyContract<H>>) -> ActionLayer<KoipyContract<H>>,
    ) -> Self {
        self.action = change(self.action);
        self
    }

    /// Where finished callbacks are remembered, and how well that goes.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        self.dedup.store()
    }

    /// The handle that ends this layer's work gracefully.
    #[must_use]
    pub fn drain_handle(&self) -> DrainHandle {
        self.dedup.drain_handle()
    }
}

impl<S, H> Layer<S> for KoipyLayer<H> {
    type Service = Receive<Dedup<Acted<S, KoipyContract<H>>, KoipyContract<H>>, KoipyContract<H>>;

    fn layer(&self, inner: S) -> Self::Service {
        self.receive.layer(self.dedup.layer(self.action.layer(inner)))
    }
}

// By hand: a derive would ask for `H: Clone`.
impl<H> Clone for KoipyLayer<H> {
    fn clone(&self) -> Self {
        let (receive, dedup) = (self.receive.clone(), self.dedup.clone());
        Self { receive, dedup, action: self.action.clone() }
    }
}

impl<H: Hook> fmt::Debug for KoipyLayer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KoipyLayer")
            .field("dedup", &self.dedup)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}
