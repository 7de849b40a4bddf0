use std::fmt;

use bytes::Bytes;
use http::Request;
use tower::util::BoxCloneSyncService;
use tower_callback_contract::Action;
use tower_service::Service;

use crate::BoxError;

/// What a reply of some status asks the platform for: an [`Action`], or to accept what was
/// [handed to a dead-letter sink](Self::dead_letter).
#[derive(Clone)]
pub struct Rule(pub(crate) Decision);

#[derive(Clone)]
pub(crate) enum Decision {
    Say(Action),
    DeadLetter(Sink),
}

pub(crate) type Sink = BoxCloneSyncService<Request<Bytes>, (), BoxError>;

impl Rule {
    /// Accept the callback once the sink has taken it, because the handler never will.
    ///
    /// The sink gets the request as the handler got it: its [`Callback`] in the extensions, its
    /// body again, and in the extensions also the [`StatusCode`] of the handler's reply.
    ///
    /// It has as long as the contract's [patience] from when it is called. The handler's time is not
    /// taken off, so both together may take longer than the platform waits. Inside of dedup nothing
    /// comes of that: they run to their end, and the platform's next copy gets their reply. Without
    /// it, a server that drops what its client hung up on drops the sink half-way, and the next copy
    /// runs the handler again.
    ///
    /// If it fails or is too slow, the callback is refused as [`SinkUnavailable`], and an error is
    /// logged. A platform that repeats what is refused sends it again, so nothing is lost. One that
    /// does not, such as koipy, never does: with a contract that fails open, its user's task goes on,
    /// dedup remembers the callback as done, and the letter is lost. There, give it a sink that falls
    /// back on something that does not fail with the first, such as a local file; or let the
    /// contract fail closed, and the user hears that nothing was done.
    ///
    /// It answers with nothing: a service that answers with a response has to say which responses
    /// mean that it took the callback. A channel is a sink through a closure:
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Request;
    /// use tokio::sync::mpsc;
    /// use tower::service_fn;
    /// use tower_callback_action::{ActionLayer, Rule};
    /// use tower_callback_wulai::MessageDelivery;
    ///
    /// let (letters, mut unhandled) = mpsc::channel::<Request<Bytes>>(1024);
    /// let sink = service_fn(move |request| {
    ///     let letters = letters.clone();
    ///     async move { letters.send(request).await }
    /// });
    /// let layer = ActionLayer::for_contract(MessageDelivery::new()).on(422, Rule::dead_letter(sink));
    /// # drop((layer, unhandled.try_recv()));
    /// ```
    ///
    /// [`Callback`]: tower_callback_contract::Callback
    /// [`StatusCode`]: http::StatusCode
    /// [patience]: tower_callback_contract::Timing::patience
    /// [`SinkUnavailable`]: tower_callback_contract::Reason::SinkUnavailable
    pub fn dead_letter<S>(sink: S) -> Self
    where
        S: Service<Request<Bytes>, Response = (), Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + Sync + 'static,
    {
        let sink = tower::ServiceExt::map_err(sink, Into::into);
        Self(Decision::DeadLetter(BoxCloneSyncService::new(sink)))
    }
}

impl From<Action> for Rule {
    fn from(action: Action) -> Self {
        Self(Decision::Say(action))
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Decision::Say(action) => action.fmt(f),
            Decision::DeadLetter(_) => f.write_str("DeadLetter"),
        }
    }
}
