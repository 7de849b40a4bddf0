use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, request};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;
use tower_callback_contract::{Action, Callback, Contract, Exchange, Reason, Refusal};
use tower_service::Service;

use crate::{
    Attempt, Claim, Fingerprint, Key, Outcome, Previous, Record, Store,
    claimed::Claimed,
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

/// What the handler answered.
enum Handled<B> {
    Whole(Response<Bytes>),
    /// Too large to be remembered, or of a length that is not known beforehand.
    Streaming(Response<B>),
    BrokenOff,
}

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
                let handled = AssertUnwindSafe(handled).catch_unwind();
                let handled = claimed.kept_alive(handled).await;
                self.settle(claimed, attempt, handled).await
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

    async fn settle<E, B: From<Bytes>>(
        self,
        claimed: Claimed<S>,
        attempt: Attempt,
        handled: Caught<Result<Handled<B>, E>>,
    ) -> Result<Response<B>, E> {
        let mut response = match handled {
            Ok(Ok(Handled::Whole(response))) => {
                self.settle_whole(claimed, response).await.map(B::from)
            }
            Ok(Ok(Handled::Streaming(response))) => self.settle_streaming(claimed, response).await,
            Ok(Err(error)) => {
                claimed.release(Previous::Failed).await;
                self.flight.land(Landed::Refused(Reason::HandlerFailed.into()));
                return Err(error);
            }
            Ok(Ok(Handled::BrokenOff)) | Err(_) => {
                let contract = self.shared.contract.name();
                let id = self.callback.envelope().id.as_ref().map(tracing::field::display);
                let attempt = attempt.number;
                tracing::error!(contract, id, attempt, "handler panicked or broke off its reply");
                claimed.release(Previous::Failed).await;
                return Ok(self.refuse(Reason::HandlerFailed));
            }
        };
        response.extensions_mut().insert(Outcome::First);
        Ok(response)
    }

    async fn settle_whole(self, claimed: Claimed<S>, response: Response<Bytes>) -> Response<Bytes> {
        let reply = self.shared.replies.reply(&response);
        if self.releases(&response, &self.shared.contract.action(&response)) {
            claimed.release(Previous::Failed).await;
        } else {
            let record = Record { fingerprint: self.fingerprint, reply: Some(Arc::clone(&reply)) };
            claimed.complete(record).await;
        }
        self.flight.land(Landed::Reply(reply));
        response
    }

    /// The reply goes to its own client only: never a truncated one to the others. They get one
    /// that asks the platform for the same.
    async fn settle_streaming<B>(self, claimed: Claimed<S>, response: Response<B>) -> Response<B> {
        let Shared { contract, replies, .. } = &*self.shared;
        let (head, body) = response.into_parts();
        let head_only = Response::from_parts(head, Bytes::new());
        let action = contract.action(&head_only);
        let releases = self.releases(&head_only, &action);
        let needs_reply = contract.exchange(&self.callback) == Exchange::RequestReply;
        let reply = match &action {
            Action::Accept | Action::Use(_) => None,
            _ if head_only.status().is_success() => None,
            failure => Some(replies.reply(&contract.reply(failure))),
        };
        let landed = reply.clone().map_or(Landed::Accepted, Landed::Reply);
        if releases {
            claimed.release(Previous::Failed).await;
            self.flight.land(landed);
        } else if reply.is_none() && needs_reply {
            // A copy needs this very reply, so it runs again; those that wait start anew now.
            claimed.release(Previous::Unrecorded).await;
        } else {
            claimed.complete(Record { fingerprint: self.fingerprint, reply }).await;
            self.flight.land(landed);
        }
        head_only.map(|_| body)
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
