use std::{any::Any, panic::AssertUnwindSafe, pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::Response;
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower_callback_contract::{Action, Callback, Contract, Exchange, Reason, Refusal};
use tower_callback_stack::{
    Buffered, BufferedResponse, Next, Received, ResponseBody, effect, whole as buffered,
};

use crate::{
    Attempt, Claim, Fingerprint, Key, Outcome, Previous, Record, Store,
    claimed::{Claimed, End},
    fingerprint::differ,
    flights::{Flight, Landed},
    shared::Shared,
    step::Deduplicated,
};

/// The delivery that leads its duplicates: claims the key, runs the handler, and settles both.
pub(crate) struct Run<C, S> {
    pub(crate) shared: Arc<Shared<C, S>>,
    #[expect(dead_code, reason = "held: a drain waits for it")]
    pub(crate) tracked: TaskTrackerToken,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) flight: Flight,
    pub(crate) callback: Callback,
}

/// How the claim ends; what the duplicates that wait are told, or `None` if they start anew; and
/// what the client gets.
type Settled<R, E> = (End, Option<Landed>, Result<Response<Buffered<R>>, E>);

type Caught<T> = Result<T, Box<dyn Any + Send>>;

impl<C: Contract, S: Store> Run<C, S> {
    /// Runs to its end, even if nobody waits for it any more: the caller detaches it.
    pub(crate) async fn lead<R, E, N>(
        self,
        key: Key,
        give_up: Instant,
        mut received: Received,
        next: N,
    ) -> Result<Response<Buffered<R>>, E>
    where
        R: ResponseBody,
        N: Next<R, E>,
    {
        let Shared { state, settings, .. } = &*self.shared;
        let mut claimed = Claimed::new(Arc::clone(&state.store), key, settings.window);
        match claimed.claim(give_up).await {
            Ok(Claim::Granted(attempt)) => {
                received.head.extensions.insert(attempt);
                received.head.extensions.insert(Deduplicated(self.callback.envelope().id.clone()));
                let handled = handle(next, received, settings.max_record_bytes);
                // Pinned here: each function that it is moved into would keep room for it.
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
            Ok(Claim::Held) => Ok(self.refuse(Reason::InProgress)),
            Err(reason) => Ok(self.refuse(reason)),
        }
    }

    fn settled<R: ResponseBody, E>(
        &self,
        attempt: Attempt,
        handled: Caught<Result<BufferedResponse<Buffered<R>>, E>>,
    ) -> Settled<R, E> {
        let failed = End::Released(Previous::Failed);
        match handled {
            Ok(Ok(BufferedResponse::Whole(response))) => self.whole(response),
            Ok(Ok(BufferedResponse::Streaming(response))) => self.streaming(response),
            Ok(Err(error)) => {
                let refused = Landed::Refused(Reason::HandlerFailed.into());
                (failed, Some(refused), Err(error))
            }
            Ok(Ok(BufferedResponse::BrokenOff)) | Err(_) => {
                let contract = self.shared.contract.name();
                let id = self.callback.envelope().id.as_ref().map(tracing::field::display);
                let attempt = attempt.number;
                tracing::error!(
                    contract,
                    id,
                    attempt,
                    "handler panicked or broke off its response"
                );
                let refusal = Refusal::from(Reason::HandlerFailed);
                let refused = Landed::Refused(refusal.clone());
                (failed, Some(refused), Ok(self.shared.refuse(refusal)))
            }
        }
    }

    fn whole<R, E>(&self, mut response: Response<Bytes>) -> Settled<R, E> {
        let Shared { contract, state, .. } = &*self.shared;
        let reply = state.replies.reply(&response);
        let end = if self.releases(&contract.effect(&response)) {
            End::Released(Previous::Failed)
        } else {
            let reply = Some(Arc::clone(&reply));
            End::Completed(Record { fingerprint: self.fingerprint, reply })
        };
        response.extensions_mut().insert(Outcome::First);
        (end, Some(Landed::Reply(reply)), Ok(buffered(response)))
    }

    /// The response goes to its own client only, so that no duplicate gets a truncated one: they
    /// get the contract's response for the same effect. Where only the head is known, the head
    /// decides.
    fn streaming<R, E>(&self, response: Response<Buffered<R>>) -> Settled<R, E> {
        let Shared { contract, state, .. } = &*self.shared;
        let (mut response, effect) = effect(&**contract, response);
        let needs_reply = contract.exchange(&self.callback) == Exchange::RequestReply;
        let failure = fails(&effect).then(|| state.replies.reply(&contract.reply(&effect)));
        response.extensions_mut().insert(Outcome::First);
        let landed = failure.clone().map_or(Landed::Accepted, Landed::Reply);
        let (end, landed) = if self.releases(&effect) {
            (End::Released(Previous::Failed), Some(landed))
        } else if failure.is_none() && needs_reply {
            // A duplicate needs this very response, so it runs again: those that wait start anew
            // now.
            (End::Released(Previous::Unrecorded), None)
        } else {
            let record = Record { fingerprint: self.fingerprint, reply: failure };
            (End::Completed(record), Some(landed))
        };
        (end, landed, Ok(response))
    }

    /// Whether the next delivery runs again.
    fn releases(&self, effect: &Action) -> bool {
        fails(effect) && (self.shared.settings.releases)(effect)
    }

    /// Refuses this delivery and the duplicates that wait for it.
    fn refuse<R>(self, reason: Reason) -> Response<Buffered<R>> {
        let refusal = Refusal::new(reason);
        self.flight.land(Landed::Refused(refusal.clone()));
        self.shared.refuse(refusal)
    }
}

/// Whether the platform did not get what it wanted.
fn fails(effect: &Action) -> bool {
    !matches!(effect, Action::Accept | Action::Use(_))
}

async fn handle<R, E, N>(
    next: N,
    received: Received,
    limit: usize,
) -> Result<BufferedResponse<Buffered<R>>, E>
where
    R: ResponseBody,
    N: Next<R, E>,
{
    Ok(BufferedResponse::read(next.run(received).await?, limit).await)
}
