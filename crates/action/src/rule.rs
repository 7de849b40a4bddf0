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
    /// body again, and in the extensions also the [`StatusCode`] of the handler's reply. It has as
    /// long as the contract's [patience]; if it fails or is too slow, the callback is refused, so
    /// that the platform sends it again, where the platform does that.
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
