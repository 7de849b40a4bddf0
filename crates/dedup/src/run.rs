use std::{any::Any, panic::AssertUnwindSafe, pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, request};
use http_body::Body;
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;
use tower_callback_contract::{Action, Callback, Contract, Exchange, Handled, Reason, Refusal};
use tower_service::Service;

use crate::{
    Attempt, Claim, Fingerprint, Key, Outcome, Previous, Record, Store,
    claimed::{Claimed, End},
    fingerprint::differ,
    flights::{Flight, Landed},
    layer::Shared,
    service::BoxError,
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

/// How the claim ends, what those that wait are told, if they do not start anew, and what the client
/// gets.
type Settled<E, B> = (End, Option<Landed>, Result<Response<B>, E>);

type Caught<T> = Result<T, Box<dyn Any + Send>>;

impl<C: Contract, S: Store> Run<C, S> {
    /// Runs to its end whoever still listens: the caller detaches it.
    pub(crate) async fn lead<I, B, ResBody>(
        self,
        key: Key,
        give_up: Instant,
        inner: I,
        mut head: request::Parts,
    ) -> Result<I::Response, I::Error>
    where
        I: Service<Request<B>, Response = Response<ResBody>>,
        B: From<Bytes>,
        ResBody: Body<Error: Into<BoxError>> + From<Bytes>,
    {
        let Shared { store, settings, .. } = &*self.shared;
        let mut claimed = Claimed::new(Arc::clone(store), key, settings.window);
        match claimed.claim(give_up).await {
            Ok(Claim::Granted(attempt)) => {
                head.extensions.insert(attempt);
                let request = self.callback.clone().into_request(head);
                let handled = handle(inner, request, settings.record_limit);
                // Pinned here: passed on, it would be there several times.
                let handled = {
                    let handled = pin!(AssertUnwindSafe(handled).catch_unwind());
                    claimed.kept_alive(handled).await
                };
                let (end, landed, response) = self.settled(attempt, handled);
                claimed.end(end).await;
                if let Some(landed) = landed {
                    self.flight.land(landed);
                }
                response
            }
            Ok(Claim::Done(record)) if differ(record.fingerprint, self.fingerprint) => {
                self.shared.warn_of_conflict(&self.callback);
                Ok(self.refuse(Reason::Conflict))
            }
            Ok(Claim::Done(record)) => {
                let landed = record.reply.map_or(Landed::Accepted, Landed::Reply);
                self.flight.land(landed.clone());
                Ok(self.shared.answer(landed, Outcome::Replayed))
            }
            Ok(Claim::Held) => Ok(self.refuse(Reason::StillRunning)),
            Err(reason) => Ok(self.refuse(reason)),
        }
    }

    fn settled<E, B: From<Bytes>>(
        &self,
        attempt: Attempt,
        handled: Caught<Result<Handled<B>, E>>,
    ) -> Settled<E, B> {
        let failed = End::Released(Previous::Failed);
        match handled {
            Ok(Ok(Handled::Whole(response))) => self.whole(response),
            Ok(Ok(Handled::Streaming(response))) => self.streaming(response),
            Ok(Err(error)) => {
                let refused = Landed::Refused(Reason::HandlerFailed.into());
                (failed, Some(refused), Err(error))
            }
            Ok(Ok(Handled::BrokenOff)) | Err(_) => {
                let contract = self.shared.contract.name();
                let id = self.callback.envelope().id.as_ref().map(tracing::field::display);
                let attempt = attempt.number;
                tracing::error!(contract, id, attempt, "handler panicked or broke off its reply");
                let refusal = Refusal::from(Reason::HandlerFailed);
                let refused = Landed::Refused(refusal.clone());
                (failed, Some(refused), Ok(self.shared.refuse(refusal)))
            }
        }
    }

    fn whole<E, B: From<Bytes>>(&self, mut response: Response<Bytes>) -> Settled<E, B> {
        let reply = self.shared.replies.reply(&response);
        let end = if self.releases(&response, &self.shared.contract.action(&response)) {
            End::Released(Previous::Failed)
        } else {
            let reply = Some(Arc::clone(&reply));
            End::Completed(Record { fingerprint: self.fingerprint, reply })
        };
        response.extensions_mut().insert(Outcome::First);
        (end, Some(Landed::Reply(reply)), Ok(response.map(B::from)))
    }

    /// The reply goes to its own client only: never a truncated one to the others. They get one
    /// that asks the platform for the same.
    fn streaming<E, B>(&self, response: Response<B>) -> Settled<E, B> {
        let Shared { contract, replies, .. } = &*self.shared;
        let (head, body) = response.into_parts();
        let mut head_only = Response::from_parts(head, Bytes::new());
        let action = contract.action(&head_only);
        let releases = self.releases(&head_only, &action);
        let needs_reply = contract.exchange(&self.callback) == Exchange::RequestReply;
        let reply = match &action {
            Action::Accept | Action::Use(_) => None,
            _ if head_only.status().is_success() => None,
            failure => Some(replies.reply(&contract.reply(failure))),
        };
        head_only.extensions_mut().insert(Outcome::First);
        let landed = reply.clone().map_or(Landed::Accepted, Landed::Reply);
        let (end, landed) = if releases {
            (End::Released(Previous::Failed), Some(landed))
        } else if reply.is_none() && needs_reply {
            // A copy needs this very reply, so it runs again; those that wait start anew now.
            (End::Released(Previous::Unrecorded), None)
        } else {
            (End::Completed(Record { fingerprint: self.fingerprint, reply }), Some(landed))
        };
        (end, landed, Ok(head_only.map(|_| body)))
    }

    /// Whether the next copy runs again. Never after a 2xx: the work is done then, and running it
    /// twice is worse than a reply that the platform does not take.
    fn releases(&self, response: &Response<Bytes>, action: &Action) -> bool {
        let releases = (self.shared.settings.releases)(action);
        if releases && response.status().is_success() {
            let (contract, status) = (self.shared.contract.name(), response.status().as_u16());
            tracing::warn!(contract, status, "the platform does not take this status for success");
        }
        releases && !response.status().is_success()
    }

    /// Refuses this copy and those that wait for it.
    fn refuse<B: From<Bytes>>(self, reason: Reason) -> Response<B> {
        let refusal = Refusal::new(reason);
        self.flight.land(Landed::Refused(refusal.clone()));
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
    Ok(Handled::read(inner.oneshot(request).await?, limit).await)
}
