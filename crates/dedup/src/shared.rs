use std::sync::Arc;

use http::{HeaderName, HeaderValue, Response, request};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use tower_callback_contract::{Action, Callback, Contract, Reason, Refusal};
use tower_callback_stack::{Buffered, refuse, whole};

use crate::{
    Fingerprint, Key, OnConflict, Outcome,
    flights::{Flights, Landed},
    reply::Replies,
    settings::Settings,
};

/// What the services of one layer share.
pub(crate) struct Shared<C, S> {
    pub(crate) contract: Arc<C>,
    pub(crate) settings: Settings,
    pub(crate) state: Arc<State<S>>,
}

/// What a layer and its clones share, whatever their settings.
pub(crate) struct State<S> {
    pub(crate) store: Arc<S>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) replies: Replies,
    pub(crate) tracker: TaskTracker,
}

/// Marks a response that the handler gave for another delivery.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl<S> State<S> {
    pub(crate) fn new(store: S) -> Self {
        Self {
            store: Arc::new(store),
            flights: Arc::new(Flights::new()),
            replies: Replies::default(),
            tracker: TaskTracker::new(),
        }
    }
}

impl<C: Contract, S> Shared<C, S> {
    /// Lets a callback in, if there is room for one. The callback holds the token to its end, and a
    /// drain waits for that.
    pub(crate) fn admit(&self) -> Result<TaskTrackerToken, Reason> {
        let tasks = &self.state.tracker;
        if tasks.is_closed() {
            return Err(Reason::Draining);
        }
        let tracked = tasks.token();
        if tasks.len() > self.settings.max_running {
            return Err(Reason::Overloaded);
        }
        Ok(tracked)
    }

    pub(crate) fn fingerprint(&self, callback: &Callback) -> Option<Fingerprint> {
        (self.settings.on_conflict != OnConflict::FirstWins)
            .then(|| Fingerprint::of(callback.body(), &self.settings.ignored))
    }

    pub(crate) fn key(
        &self,
        head: &request::Parts,
        callback: &Callback,
        fingerprint: Option<Fingerprint>,
    ) -> Option<Key> {
        let id = callback.envelope().id.as_ref()?;
        let scope = self.settings.scope.of(head, callback.envelope());
        let other = fingerprint
            .filter(|_| self.settings.on_conflict == OnConflict::TreatAsNew)
            .map_or_else(String::new, |Fingerprint(body)| format!("{body:016x}"));
        Some(Key::new(&[id.scope(), &scope, id.as_str(), &other]))
    }

    pub(crate) fn warn_of_conflict(&self, callback: &Callback) {
        let id = callback.envelope().id.as_ref().map(tracing::field::display);
        tracing::warn!(contract = self.contract.name(), id, "another callback under a known id");
    }

    pub(crate) fn refuse<R>(&self, refusal: Refusal) -> Response<Buffered<R>> {
        let (contract, reason) = (self.contract.name(), refusal.reason().code());
        // A flood of callbacks must not become a flood of lines in a log.
        tracing::debug!(contract, reason, "callback refused");
        let outcome = match refusal.reason() {
            Reason::Conflict => Outcome::Conflict,
            _ => Outcome::Refused,
        };
        let mut response = refuse(&*self.contract, refusal);
        response.extensions_mut().insert(outcome);
        response
    }

    /// How another delivery's run ended.
    pub(crate) fn answer<R>(&self, landed: Landed, outcome: Outcome) -> Response<Buffered<R>> {
        let mut response = match landed {
            Landed::Reply(reply) => reply.to_response(),
            Landed::Accepted => self.contract.reply(&Action::Accept),
            Landed::Refused(refusal) => return self.refuse(refusal),
        };
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response.extensions_mut().insert(outcome);
        whole(response)
    }
}
