use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, request};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;
use tower_callback_contract::{Action, Callback, Contract, Exchange, Reason, Refusal};
use tower_service::Service;

use crate::{
    Attempt, Claim, Fingerprint, Key, Outcome, Previous, Record, Store, Token, claimed::Claimed,
    fingerprint::differ, flights::Flight, layer::Shared, service::BoxError,
};

/// The callback that leads its copies: claims the key, runs the handler, and settles both.
pub(crate) struct Run<C, S> {
    pub(crate) shared: Arc<Shared<C, S>>,
    #[expect(dead_code, reason = "held: a drain waits for it")]
    pub(crate) tracked: TaskTrackerToken,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) flight: Flight,
    pub(crate) callback: Callback,
}

/// What the handler answered.
enum Handled<B> {
    Whole(Response<Bytes>),
    /// Too large to be remembered, or of a length that is not known beforehand.
    Streaming(Response<B>),
    BrokenOff,
}

/// How long the store may take for a claim.
const CLAIM_DEADLINE: Duration = Duration::from_millis(500);
/// How long we wait before we ask again for a key that another process holds.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

// ===== impl Run =====

impl<C: Contract, S: Store> Run<C, S> {
    /// Runs to its end whoever still listens: the caller detaches it.
    pub(crate) async fn lead<I, B, ResBody>(
        self,
        key: Key,
        inner: I,
        mut head: request::Parts,
    ) -> Result<I::Response, I::Error>
    where
        I: Service<Request<B>, Response = Response<ResBody>>,
        B: From<Bytes>,
        ResBody: Body<Error: Into<BoxError>> + From<Bytes>,
    {
        let token = Token::unique();
        match self.claim(&key, token).await {
            Ok(Claim::Granted(attempt)) => {
                let Shared { store, settings, .. } = &*self.shared;
                let claimed = Claimed::new(Arc::clone(store), key, token, settings.window);
                head.extensions.insert(attempt);
                let request = self.callback.clone().into_request(head);
                let limit = self.shared.settings.record_limit;
                let handled = AssertUnwindSafe(handle(inner, request, limit)).catch_unwind();
                let handled = claimed.kept_alive(handled).await;
                self.settle(claimed, attempt, handled).await
            }
            Ok(Claim::Done(record)) if differ(record.fingerprint, self.fingerprint) => {
                Ok(self.shared.refuse(Reason::Conflict.into()))
            }
            Ok(Claim::Done(record)) => {
                self.flight.land(record.reply.clone());
                Ok(self.shared.answer(record.reply, Outcome::Replayed))
            }
            Ok(Claim::Held) => Ok(self.fail(Reason::StillRunning)),
            Err(reason) => Ok(self.fail(reason)),
        }
    }

    /// Claims the key, and waits for whoever holds it elsewhere. `Held` only after the wait bound.
    async fn claim(&self, key: &Key, token: Token) -> Result<Claim, Reason> {
        let Shared { store, settings, .. } = &*self.shared;
        let mut give_up = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut claim = pin!(store.claim(key, token));
            // A store in memory is done at once, and needs no timer.
            let claim = match claim.as_mut().now_or_never() {
                Some(done) => Ok(done),
                None => timeout(CLAIM_DEADLINE, claim).await,
            };
            let claim = match claim {
                Ok(Ok(claim)) => claim,
                Ok(Err(error)) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "store failed at claim"
                    );
                    return Err(Reason::StoreUnavailable);
                }
                Err(_) => {
                    tracing::error!(deadline = ?CLAIM_DEADLINE, "store too slow at claim");
                    return Err(Reason::StoreUnavailable);
                }
            };
            if claim != Claim::Held {
                return Ok(claim);
            }
            let now = Instant::now();
            if now + pause > *give_up.get_or_insert(now + settings.wait) {
                return Ok(Claim::Held);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn settle<E, B: From<Bytes>>(
        self,
        claimed: Claimed<S>,
        attempt: Attempt,
        handled: std::thread::Result<Result<Handled<B>, E>>,
    ) -> Result<Response<B>, E> {
        let mut response = match handled {
            Ok(Ok(Handled::Whole(response))) => {
                self.settle_whole(claimed, response).await.map(B::from)
            }
            Ok(Ok(Handled::Streaming(response))) => self.settle_streaming(claimed, response).await,
            Ok(Err(error)) => {
                claimed.release(Previous::Failed).await;
                self.fail::<B>(Reason::HandlerFailed);
                return Err(error);
            }
            Ok(Ok(Handled::BrokenOff)) | Err(_) => {
                let contract = self.shared.contract.name();
                let id = self.callback.envelope().id.as_ref().map(tracing::field::display);
                tracing::error!(
                    contract,
                    id,
                    attempt = attempt.number,
                    "handler panicked or broke off its reply"
                );
                claimed.release(Previous::Failed).await;
                return Ok(self.fail(Reason::HandlerFailed));
            }
        };
        response.extensions_mut().insert(Outcome::First);
        Ok(response)
    }

    async fn settle_whole(self, claimed: Claimed<S>, response: Response<Bytes>) -> Response<Bytes> {
        let reply = self.shared.replies.reply(&response);
        if self.releases(&response) {
            claimed.release(Previous::Failed).await;
        } else {
            let record = Record { fingerprint: self.fingerprint, reply: Some(Arc::clone(&reply)) };
            claimed.complete(record).await;
        }
        self.flight.land(Some(reply));
        response
    }

    /// The reply goes to its own client only: never a truncated one to the others.
    async fn settle_streaming<B>(self, claimed: Claimed<S>, response: Response<B>) -> Response<B> {
        let (head, body) = response.into_parts();
        let head_only = Response::from_parts(head, Bytes::new());
        if self.releases(&head_only) {
            claimed.release(Previous::Failed).await;
            let retry = self.shared.contract.reply(&Action::Retry { after: None });
            self.flight.land(Some(self.shared.replies.reply(&retry)));
        } else if self.shared.contract.exchange(&self.callback) == Exchange::OneWay {
            claimed.complete(Record { fingerprint: self.fingerprint, reply: None }).await;
            self.flight.land(None);
        } else {
            // A copy needs this very reply, so it runs again; those that wait start anew now.
            claimed.release(Previous::Unrecorded).await;
        }
        head_only.map(|_| body)
    }

    /// Whether the next copy runs again. Never after a 2xx: the work is done then, and running it
    /// twice is worse than a reply that the platform does not take.
    fn releases(&self, response: &Response<Bytes>) -> bool {
        let action = self.shared.contract.action(response);
        let releases = (self.shared.settings.releases)(&action);
        if releases && response.status().is_success() {
            let (contract, status) = (self.shared.contract.name(), response.status().as_u16());
            tracing::warn!(contract, status, "the platform does not take this status for success");
        }
        releases && !response.status().is_success()
    }

    /// Refuses this copy and those that wait for it.
    fn fail<B: From<Bytes>>(self, reason: Reason) -> Response<B> {
        let refusal = Refusal::new(reason);
        let reply = self.shared.contract.refuse(&refusal);
        self.flight.land(Some(self.shared.replies.reply(&reply)));
        self.shared.refuse(refusal)
    }
}

async fn handle<I, B, ResBody>(
    inner: I,
    request: Request<B>,
    limit: usize,
) -> Result<Handled<ResBody>, I::Error>
where
    I: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Body<Error: Into<BoxError>>,
{
    let response = inner.oneshot(request).await?;
    let length = response.body().size_hint().exact();
    if length.is_none_or(|length| length > limit as u64) {
        return Ok(Handled::Streaming(response));
    }
    let (head, body) = response.into_parts();
    let whole = Limited::new(body, limit).collect().await;
    Ok(whole.map_or(Handled::BrokenOff, |body| {
        Handled::Whole(Response::from_parts(head, body.to_bytes()))
    }))
}
