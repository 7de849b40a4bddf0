use std::fmt;

use bytes::Bytes;
use http::Request;
use tower::{BoxError, util::BoxCloneSyncService};
use tower_callback_contract::Action;
use tower_service::Service;

/// What a response of some status asks the platform for: an [`Action`], or to accept a callback that was
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
    /// Accepts the callback once the sink has taken it, because the handler never will.
    ///
    /// The sink gets the request as the handler got it: its [`Callback`] in the extensions, and its
    /// body. The extensions also hold the [`StatusCode`] of the handler's response.
    ///
    /// From the moment it is called, the sink has the contract's [reply deadline] to finish. The
    /// handler's time is not subtracted, so both together may take longer than the platform waits.
    /// Inside dedup that does no harm: both run to their end, and the platform's redelivery gets their
    /// response. Without dedup, a server that drops the request when its client disconnects drops the
    /// sink half-way, and the redelivery runs the handler again.
    ///
    /// If the sink fails or is too slow, the layer refuses the callback as [`SinkUnavailable`] and logs
    /// an error. A platform that redelivers what was refused loses nothing. A platform that does not,
    /// such as koipy, loses the letter if its contract fails open: the user's task goes on, and dedup
    /// remembers the callback as done. For such a platform, use a sink that falls back on something
    /// that does not fail together with the first, such as a local file; or let the contract fail
    /// closed, so that the user hears that nothing was done.
    ///
    /// The sink returns `()`: a service that returns a response would have to say which responses mean
    /// that it took the callback. A closure makes a channel a sink:
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Request;
    /// use tokio::sync::mpsc;
    /// use tower::service_fn;
    /// use tower_callback_action::{ActionLayer, Rule};
    /// # use std::time::Duration;
    /// # use tower_callback_contract::{Body, Contract, Envelope, Refusal, Timing};
    /// # struct Orders;
    /// # impl Contract for Orders {
    /// #     fn name(&self) -> &'static str { "shop.order" }
    /// #     fn timing(&self) -> Timing { Timing::new(Duration::from_secs(10), Duration::from_secs(3600)) }
    /// #     fn identify(&self, _: &http::request::Parts, _: &Body) -> Result<Envelope, Refusal> {
    /// #         Ok(Envelope::default())
    /// #     }
    /// # }
    ///
    /// let (letters, mut unhandled) = mpsc::channel::<Request<Bytes>>(1024);
    /// let sink = service_fn(move |request| {
    ///     let letters = letters.clone();
    ///     async move { letters.send(request).await }
    /// });
    /// let layer = ActionLayer::for_contract(Orders).on(422, Rule::dead_letter(sink));
    /// # drop((layer, unhandled.try_recv()));
    /// ```
    ///
    /// [`Callback`]: tower_callback_contract::Callback
    /// [`StatusCode`]: http::StatusCode
    /// [reply deadline]: tower_callback_contract::Timing::reply_deadline
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
