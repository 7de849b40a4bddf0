use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tokio::time::timeout;
use tower::ServiceExt;
use tower_callback_contract::{Action, Contract, Reason, Refusal};
use tower_callback_stack::{Buffered, BufferedResponse, Next, Received, ResponseBody, Step, whole};

use crate::{
    layer::Settings,
    rule::{Decision, Sink},
    table::{Seen, Verdict},
    wire::{refused, said},
};

/// The action layer's step.
pub struct ActionStep<C> {
    shared: Arc<Shared<C>>,
}

/// What the services of one layer share.
pub(crate) struct Shared<C> {
    pub(crate) contract: Arc<C>,
    pub(crate) settings: Settings,
}

impl<C> ActionStep<C> {
    pub(crate) fn new(shared: Shared<C>) -> Self {
        Self { shared: Arc::new(shared) }
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for ActionStep<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C> fmt::Debug for ActionStep<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionStep").finish_non_exhaustive()
    }
}

impl<C, R, E> Step<R, E> for ActionStep<C>
where
    C: Contract,
    R: ResponseBody,
    E: Send + 'static,
{
    async fn run<N: Next<R, E>>(
        self,
        received: Received,
        next: N,
    ) -> Result<Response<Buffered<R>>, E> {
        let Shared { contract, settings } = &*self.shared;
        let letter = settings.table.may_dead_letter().then(|| letter(&received));
        let callback = received.callback.clone();
        // A poison message often panics its handler: the table must get to decide about that too.
        let done = AssertUnwindSafe(next.run(received)).catch_unwind().await;
        let handled = match done {
            Ok(response) => BufferedResponse::read(response?, settings.max_reply_bytes).await,
            Err(_) => BufferedResponse::BrokenOff,
        };
        Ok(match handled {
            BufferedResponse::Whole(reply) => {
                whole(act(&**contract, settings, reply, letter).await)
            }
            BufferedResponse::Streaming(response) => {
                act_on_head(&**contract, settings, response, letter).await
            }
            BufferedResponse::BrokenOff => {
                let name = contract.name();
                let id = callback.envelope().id.as_ref().map(tracing::field::display);
                tracing::error!(contract = name, id, "handler panicked, or broke off its response");
                whole(act(&**contract, settings, failed(), letter).await)
            }
        })
    }
}

/// The request as the handler gets it, for a dead-letter sink.
fn letter(received: &Received) -> Request<Bytes> {
    let body = received.callback.body().bytes().clone();
    Request::from_parts((*received.head).clone(), body)
}

/// The response that makes the platform do what the handler's response asks for.
async fn act<C: Contract>(
    contract: &C,
    settings: &Settings,
    mut reply: Response<Bytes>,
    letter: Option<Request<Bytes>>,
) -> Response<Bytes> {
    match settings.table.verdict(contract, &reply, Seen::Whole) {
        Verdict::Stands => {
            let action = contract.action(&reply);
            reply.extensions_mut().insert(action);
            reply
        }
        verdict => rewritten(contract, reply, verdict, letter).await,
    }
}

/// The same for a response of which only the head is known. If it passes, it gets no action in its
/// extensions: an outer action layer would write that action again, without the body.
async fn act_on_head<C: Contract, R>(
    contract: &C,
    settings: &Settings,
    response: Response<Buffered<R>>,
    letter: Option<Request<Bytes>>,
) -> Response<Buffered<R>> {
    let (head, body) = response.into_parts();
    let head = Response::from_parts(head, Bytes::new());
    match settings.table.verdict(contract, &head, Seen::HeadOnly) {
        Verdict::Stands => head.map(|_| body),
        verdict => whole(rewritten(contract, head, verdict, letter).await),
    }
}

async fn rewritten<C: Contract>(
    contract: &C,
    reply: Response<Bytes>,
    verdict: Verdict,
    letter: Option<Request<Bytes>>,
) -> Response<Bytes> {
    match verdict {
        Verdict::Stands => reply,
        Verdict::Refused(refusal) => refused(contract, reply, refusal),
        Verdict::Decided(Decision::Say(action)) => said(contract, reply, &action),
        Verdict::Decided(Decision::DeadLetter(sink)) => {
            let letter = letter.expect("kept where the table may need it");
            dead_lettered(contract, reply, sink, letter).await
        }
    }
}

/// The response in place of one that never came: to the table, a 500 like any other.
fn failed() -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    reply.extensions_mut().insert(Refusal::from(Reason::HandlerFailed));
    reply
}

/// Accepts a callback that the sink has taken. Refuses any other, so that the platform keeps it.
async fn dead_lettered<C: Contract>(
    contract: &C,
    reply: Response<Bytes>,
    sink: Sink,
    mut letter: Request<Bytes>,
) -> Response<Bytes> {
    let status = reply.status();
    letter.extensions_mut().insert(status);
    let taken = timeout(contract.timing().reply_deadline(), sink.oneshot(letter)).await;
    let (name, status) = (contract.name(), status.as_u16());
    match taken.unwrap_or_else(|late| Err(late.into())) {
        Ok(()) => {
            tracing::warn!(contract = name, status, "callback handed to the dead-letter sink");
            said(contract, reply, &Action::Accept)
        }
        Err(error) => {
            tracing::error!(contract = name, status, error = &*error, "dead-letter sink failed");
            refused(contract, reply, Reason::SinkUnavailable.into())
        }
    }
}
