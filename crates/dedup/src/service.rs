use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, request};
use http_body::Body;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;
use tower_callback_contract::{
    Action, Callback, Contract, Limits, Reason, Refusal, ResponseFuture, is_callback, receive,
    refuse,
};
use tower_service::Service;
use tracing::Instrument;

use crate::{
    Attempt, Fingerprint, Key, MemoryStore, OnConflict, OnMissingId, Outcome, Store,
    detach::Detached,
    flights::{Followed, Join, Landed},
    layer::Shared,
    route,
    run::Run,
};

/// Marks a reply that the handler gave for another copy.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Middleware that runs the handler once per callback id. Made by
/// [`DedupLayer`](crate::DedupLayer).
///
/// Within another dedup layer it passes everything through: the outer one decides.
///
/// It is always ready; the inner service is polled ready when it is to run, so that copies which
/// wait keep no place in it.
pub struct Dedup<I, C, S = MemoryStore> {
    inner: I,
    shared: Arc<Shared<C, S>>,
}

impl<I, C, S> Dedup<I, C, S> {
    pub(crate) fn new(inner: I, shared: Arc<Shared<C, S>>) -> Self {
        Self { inner, shared }
    }
}

// By hand: a derive would ask for `C: Clone` and `S: Clone`.
impl<I: Clone, C, S> Clone for Dedup<I, C, S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<I, C: Contract, S> fmt::Debug for Dedup<I, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedup")
            .field("contract", &self.shared.contract.name())
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl<I, C, S, B, ResBody> Service<Request<B>> for Dedup<I, C, S>
where
    I: Service<Request<B>, Response = Response<ResBody>, Error: Send, Future: Send>,
    I: Clone + Send + 'static,
    C: Contract,
    S: Store,
    B: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
    ResBody: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
{
    type Response = I::Response;
    type Error = I::Error;
    type Future = ResponseFuture<I, Request<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = self.inner.clone();
        // Within another dedup layer, the outer one decides.
        if is_callback(&request) && request.extensions().get::<Attempt>().is_none() {
            let shared = Arc::clone(&self.shared);
            ResponseFuture::layered(deduplicate(shared, inner, request))
        } else {
            ResponseFuture::passed(inner, request)
        }
    }
}

async fn deduplicate<I, C, S, B, ResBody>(
    shared: Arc<Shared<C, S>>,
    inner: I,
    request: Request<B>,
) -> Result<I::Response, I::Error>
where
    I: Service<Request<B>, Response = Response<ResBody>, Error: Send, Future: Send>,
    I: Send + 'static,
    C: Contract,
    S: Store,
    B: Body<Error: Into<BoxError>> + From<Bytes> + Send + 'static,
    ResBody: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
{
    let (mut head, callback, tracked) = match shared.admit(request).await {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(shared.refuse(refusal)),
    };
    let fingerprint = shared.fingerprint(&callback);
    let Some(key) = shared.key(&head, &callback, fingerprint) else {
        if shared.settings.on_missing_id == OnMissingId::Refuse {
            return Ok(shared.refuse(Reason::Unidentified.into()));
        }
        tracing::debug!(contract = shared.contract.name(), "callback without a usable id");
        head.extensions.insert(Attempt::FIRST);
        let run = async move {
            let _tracked = tracked;
            inner.oneshot(callback.into_request(head)).await
        };
        let mut response = Detached::new(run.in_current_span()).await?;
        response.extensions_mut().insert(Outcome::Unidentified);
        return Ok(response);
    };
    // Counted from the callback's arrival, because the platform's time-out is.
    let give_up = shared.settings.give_up(callback.age());
    loop {
        match shared.flights.join(&key, fingerprint, shared.settings.max_waiters) {
            Join::Lead(_) if shared.tracker.is_closed() => {
                return Ok(shared.refuse(Reason::Draining.into()));
            }
            Join::Lead(flight) => {
                let run = Run { shared, tracked, fingerprint, flight, callback };
                let run = run.lead(key, give_up, inner, head).in_current_span();
                return Detached::new(run).await;
            }
            Join::Follow(follower) => match follower.landed(give_up).await {
                Followed::Landed(landed) => return Ok(shared.answer(landed, Outcome::Joined)),
                Followed::TimedOut => return Ok(shared.refuse(Reason::StillRunning.into())),
                Followed::Abandoned => {}
            },
            Join::Conflict => {
                shared.warn_of_conflict(&callback);
                return Ok(shared.refuse(Reason::Conflict.into()));
            }
            Join::Crowded => return Ok(shared.refuse(Reason::Crowded.into())),
        }
    }
}

impl<C: Contract, S> Shared<C, S> {
    /// Receives a callback, if there is room for one. The token is held to the callback's end: a
    /// drain waits for it.
    async fn admit<B>(
        &self,
        request: Request<B>,
    ) -> Result<(request::Parts, Callback, TaskTrackerToken), Refusal>
    where
        B: Body<Error: Into<BoxError>>,
    {
        if self.tracker.is_closed() {
            return Err(Reason::Draining.into());
        }
        let (head, callback) =
            receive(&*self.contract, Limits::of(&*self.contract), request).await?;
        let tracked = self.tracker.token();
        if self.tracker.len() > self.settings.max_running {
            return Err(Reason::Overloaded.into());
        }
        Ok((head, callback, tracked))
    }

    fn fingerprint(&self, callback: &Callback) -> Option<Fingerprint> {
        (self.settings.on_conflict != OnConflict::FirstWins)
            .then(|| Fingerprint::of(callback, &self.settings.volatile))
    }

    fn key(
        &self,
        head: &request::Parts,
        callback: &Callback,
        fingerprint: Option<Fingerprint>,
    ) -> Option<Key> {
        let id = callback.envelope().id.as_ref()?;
        let path = route::path(head);
        let other = fingerprint
            .filter(|_| self.settings.on_conflict == OnConflict::TreatAsNew)
            .map_or_else(String::new, |Fingerprint(body)| format!("{body:016x}"));
        let parts = [&self.settings.scope, id.scope(), path, id.as_str(), &other];
        Some(Key::new(&parts))
    }

    pub(crate) fn warn_of_conflict(&self, callback: &Callback) {
        let id = callback.envelope().id.as_ref().map(tracing::field::display);
        tracing::warn!(contract = self.contract.name(), id, "another callback under a known id");
    }

    pub(crate) fn refuse<B: From<Bytes>>(&self, refusal: Refusal) -> Response<B> {
        let (contract, reason) = (self.contract.name(), refusal.reason().code());
        // Whoever is flooded must not flood a log.
        tracing::debug!(contract, reason, "callback refused");
        let outcome = match refusal.reason() {
            Reason::Conflict => Outcome::Conflict,
            _ => Outcome::Refused,
        };
        let mut response = refuse(&*self.contract, refusal);
        response.extensions_mut().insert(outcome);
        response
    }

    /// How another copy's run ended.
    pub(crate) fn answer<B: From<Bytes>>(&self, landed: Landed, outcome: Outcome) -> Response<B> {
        let mut response = match landed {
            Landed::Reply(reply) => reply.to_response(),
            Landed::Accepted => self.contract.reply(&Action::Accept),
            Landed::Refused(refusal) => return self.refuse(refusal),
        };
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response.extensions_mut().insert(outcome);
        response.map(B::from)
    }
}
