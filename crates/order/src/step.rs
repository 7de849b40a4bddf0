use std::{fmt, sync::Arc};

use http::{Response, request};
use tower_callback_contract::{Action, Callback, Contract, Exchange, Reason, keyed_hash};
use tower_callback_stack::{
    Buffered, BufferedResponse, Next, Received, ResponseBody, Step, effect as effect_of, refuse,
    whole,
};

use crate::{
    Position, Unordered,
    lanes::{Ended, Refused},
    settings::Settings,
    state::{Sent, State},
    turn::Turn,
};

/// Order's part of a callback's way. Inside another order step that has put it in the queue of the
/// same conversation, it passes the callback through.
pub struct OrderStep<C> {
    shared: Arc<Shared<C>>,
}

/// What the services of one layer share.
pub(crate) struct Shared<C> {
    pub(crate) contract: Arc<C>,
    pub(crate) settings: Settings,
    pub(crate) state: Arc<State>,
}

/// What becomes of a callback.
enum Way {
    /// It goes at once.
    Through,
    /// It waits for its turn, without a place in the order if there is no time.
    InTurn(Option<Sent>),
}

/// Of a larger response, the head decides what it does.
const MAX_REPLY_BYTES: usize = 64 * 1024;

impl<C> OrderStep<C> {
    pub(crate) fn new(shared: Shared<C>) -> Self {
        Self { shared: Arc::new(shared) }
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<C> Clone for OrderStep<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C> fmt::Debug for OrderStep<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderStep").finish_non_exhaustive()
    }
}

impl<C, R, E> Step<R, E> for OrderStep<C>
where
    C: Contract,
    R: ResponseBody,
    E: Send + 'static,
{
    fn run<N: Next<R, E>>(
        self,
        mut received: Received,
        next: N,
    ) -> impl Future<Output = Result<Response<Buffered<R>>, E>> + Send {
        let Self { shared } = self;
        let way = shared.way_of(&mut received);
        // A block: an `async fn` would keep room for its arguments twice, and one within it again.
        async move {
            let Way::InTurn(sent) = way else { return next.run(received).await };
            let mut turn = match shared.arrive(sent, &received) {
                Ok(turn) => turn,
                Err(reason) => return Ok(refuse(&*shared.contract, reason.into())),
            };
            if !turn.wait().await {
                return Ok(refuse(&*shared.contract, Reason::InProgress.into()));
            }
            received.head.extensions.insert(Queued::of(&received.callback));
            if let Some(position) = turn.position() {
                received.head.extensions.insert(position);
            }
            let response = next.run(received).await?;
            // Boxed, because a message that is held would keep the room for it too.
            let (response, effect) = Box::pin(effect(&*shared.contract, response)).await;
            if !matches!(effect, Action::Retry { .. }) {
                turn.ended(Ended::Handled);
            }
            Ok(response)
        }
    }
}

/// Marks a request that an order step around this one has put in the queue of its conversation.
#[derive(Clone, PartialEq)]
struct Queued(u128);

impl Queued {
    fn of(callback: &Callback) -> Self {
        Self(keyed_hash(&callback.envelope().conversation))
    }
}

impl<C: Contract> Shared<C> {
    fn way_of(&self, received: &mut Received) -> Way {
        // The same layer around a router and around one of its routes would wait for itself.
        let outer = received.head.extensions.get::<Queued>();
        if outer.is_some_and(|outer| *outer == Queued::of(&received.callback)) {
            return Way::Through;
        }
        match self.time_of(&received.callback) {
            Ok(sent) => Way::InTurn(Some(sent)),
            Err(reason) => {
                received.head.extensions.insert(Position::Unordered(reason));
                let has_lane = received.callback.envelope().conversation.is_some();
                if self.settings.queue_unordered && has_lane {
                    Way::InTurn(None)
                } else {
                    Way::Through
                }
            }
        }
    }

    fn arrive(&self, sent: Option<Sent>, received: &Received) -> Result<Turn<'_>, Reason> {
        let Received { head, callback } = received;
        let (lane, age) = (self.lane_of(head, callback), callback.age());
        let (id, bytes) = (&callback.envelope().id, callback.body().size());
        let turn = self.state.arrive(&self.settings, lane, sent, id.as_ref(), bytes, age);
        turn.map_err(|refused| match refused {
            Refused::LaneFull => Reason::QueueFull,
            Refused::Full => Reason::Overloaded,
            Refused::Late => Reason::Late,
        })
    }

    fn lane_of(&self, head: &request::Parts, callback: &Callback) -> u128 {
        let envelope = callback.envelope();
        let kind = envelope.id.as_ref().map_or(self.contract.name(), |id| id.scope());
        let scope = self.settings.scope.of(head, envelope);
        keyed_hash(&(kind, scope, envelope.conversation.as_deref()))
    }

    /// When a callback was sent, or why it has no place in the order.
    fn time_of(&self, callback: &Callback) -> Result<Sent, Unordered> {
        let envelope = callback.envelope();
        if self.contract.exchange(callback) == Exchange::RequestReply {
            return Err(Unordered::Synchronous);
        }
        if envelope.conversation.is_none() {
            return Err(Unordered::NoConversation);
        }
        let sent_at = envelope.sent_at.ok_or(Unordered::NoTime)?;
        let age = self.state.age(sent_at).ok_or(Unordered::Future)?;
        Ok(Sent { at: sent_at, age })
    }
}

/// Reads a response if it is small, and returns it with what the platform does on it.
async fn effect<C: Contract, R: ResponseBody>(
    contract: &C,
    response: Response<Buffered<R>>,
) -> (Response<Buffered<R>>, Action) {
    match BufferedResponse::read(response, MAX_REPLY_BYTES).await {
        BufferedResponse::Whole(response) => effect_of(contract, whole(response)),
        BufferedResponse::Streaming(response) => effect_of(contract, response),
        BufferedResponse::BrokenOff => {
            (refuse(contract, Reason::HandlerFailed.into()), Action::Retry { after: None })
        }
    }
}
