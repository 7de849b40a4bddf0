use std::{fmt, sync::Arc};

use http::Response;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower_callback_contract::{Contract, Id, Reason};
use tower_callback_stack::{Buffered, Next, Received, ResponseBody, Step};
use tracing::Instrument;

use crate::{
    Attempt, Fingerprint, Key, OnMissingId, Outcome, Store,
    detach::Detached,
    flights::{Followed, Join},
    run::Run,
    shared::Shared,
};

/// Dedup's part of a callback's way. Inside another dedup step that claimed the same id, it passes the
/// callback through.
pub struct DedupStep<C, S> {
    shared: Arc<Shared<C, S>>,
}

impl<C, S> DedupStep<C, S> {
    pub(crate) fn new(shared: Shared<C, S>) -> Self {
        Self { shared: Arc::new(shared) }
    }
}

// By hand: a derive would ask for `C: Clone` and `S: Clone`.
impl<C, S> Clone for DedupStep<C, S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C, S> fmt::Debug for DedupStep<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupStep").finish_non_exhaustive()
    }
}

impl<C, S, R, E> Step<R, E> for DedupStep<C, S>
where
    C: Contract,
    S: Store,
    R: ResponseBody,
    E: Send + 'static,
{
    async fn run<N: Next<R, E>>(
        self,
        received: Received,
        next: N,
    ) -> Result<Response<Buffered<R>>, E> {
        let Self { shared } = self;
        // The same layer around a router and around one of its routes would wait for itself. Boxed, as
        // most callbacks need no room for it.
        let outer = received.head.extensions.get::<Deduplicated>();
        if outer.is_some_and(|Deduplicated(id)| *id == received.callback.envelope().id) {
            return Box::pin(next.run(received)).await;
        }
        let tracked = match shared.admit() {
            Ok(tracked) => tracked,
            Err(reason) => return Ok(shared.refuse(reason.into())),
        };
        let fingerprint = shared.fingerprint(&received.callback);
        match shared.key(&received.head, &received.callback, fingerprint) {
            Some(key) => deduplicate(shared, tracked, key, fingerprint, received, next).await,
            None if shared.settings.on_missing_id == OnMissingId::Refuse => {
                Ok(shared.refuse(Reason::Unidentified.into()))
            }
            None => {
                tracing::debug!(contract = shared.contract.name(), "callback without a usable id");
                run_unidentified(tracked, received, next).await
            }
        }
    }
}

/// Marks a request of which a dedup step around this one has claimed the id.
#[derive(Clone)]
pub(crate) struct Deduplicated(pub(crate) Option<Id>);

/// Runs the handler for a callback that has no id to tell it from others.
async fn run_unidentified<R, E, N>(
    tracked: TaskTrackerToken,
    mut received: Received,
    next: N,
) -> Result<Response<Buffered<R>>, E>
where
    R: ResponseBody,
    E: Send + 'static,
    N: Next<R, E>,
{
    received.head.extensions.insert(Attempt::FIRST);
    let run = async move {
        let _tracked = tracked;
        next.run(received).await
    };
    let mut response = Detached::new(run.in_current_span()).await?;
    response.extensions_mut().insert(Outcome::Unidentified);
    Ok(response)
}

/// Runs the handler for the first delivery of a callback; its duplicates wait for that run.
async fn deduplicate<C, S, R, E, N>(
    shared: Arc<Shared<C, S>>,
    tracked: TaskTrackerToken,
    key: Key,
    fingerprint: Option<Fingerprint>,
    received: Received,
    next: N,
) -> Result<Response<Buffered<R>>, E>
where
    C: Contract,
    S: Store,
    R: ResponseBody,
    E: Send + 'static,
    N: Next<R, E>,
{
    // Counted from the callback's arrival, because the platform's timeout is.
    let give_up = shared.settings.give_up(received.callback.age());
    loop {
        match shared.state.flights.join(&key, fingerprint, shared.settings.max_waiters) {
            Join::Lead(_) if shared.state.tracker.is_closed() => {
                return Ok(shared.refuse(Reason::Draining.into()));
            }
            Join::Lead(flight) => {
                let callback = received.callback.clone();
                let run = Run { shared, tracked, fingerprint, flight, callback };
                let run = run.lead(key, give_up, received, next).in_current_span();
                return Detached::new(run).await;
            }
            Join::Follow(follower) => match follower.landed(give_up).await {
                Followed::Landed(landed) => return Ok(shared.answer(landed, Outcome::Joined)),
                Followed::TimedOut => return Ok(shared.refuse(Reason::InProgress.into())),
                Followed::Abandoned => {}
            },
            Join::Conflict => {
                shared.warn_of_conflict(&received.callback);
                return Ok(shared.refuse(Reason::Conflict.into()));
            }
            Join::Crowded => return Ok(shared.refuse(Reason::QueueFull.into())),
        }
    }
}
