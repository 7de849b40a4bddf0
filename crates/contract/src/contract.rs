use std::time::Duration;

use bytes::Bytes;
use http::{Response, request};

use crate::{Action, Callback, Envelope, Refusal};

/// What a platform promises and expects for one kind of callback.
///
/// Pure functions and data, no I/O and no state. One law binds the two directions: for every
/// action the platform can express, `action(&reply(a)) == a`. What it cannot express degrades,
/// as the contract documents, to something it can; a retry never degrades to an accept.
pub trait Contract: Send + Sync + 'static {
    /// Platform and kind of callback, such as `wulai.delivery`. It is the contract's identity:
    /// a layer takes over what an outer one received under the same name.
    fn name(&self) -> &'static str;

    /// The times of the platform.
    fn timing(&self) -> Timing;

    /// Whether the platform needs what the reply to this callback holds.
    fn exchange(&self, callback: &Callback) -> Exchange;

    /// Who the callback is.
    ///
    /// `callback` has its body and its JSON; its own envelope is still empty.
    ///
    /// # Errors
    /// Refuses what is not in the platform's format. What is merely absent stays absent in the
    /// envelope.
    fn identify(&self, head: &request::Parts, callback: &Callback) -> Result<Envelope, Refusal>;

    /// What the platform does when it gets this reply.
    fn action(&self, reply: &Response<Bytes>) -> Action;

    /// The reply that asks the platform for this action.
    fn reply(&self, action: &Action) -> Response<Bytes>;

    /// The reply of a layer that answers instead of the handler. Default: a problem document.
    fn refuse(&self, refusal: &Refusal) -> Response<Bytes> {
        refusal.to_problem()
    }

    /// The reply that does no harm where the handler's own may not be sent, because it does not match
    /// its schema. Default: none, and the callback is [refused](Self::refuse) with 500.
    fn fallback(&self, _: &Callback) -> Option<Response<Bytes>> {
        None
    }

    /// The fields of the body's object, by their canonical names, that [`identify`](Self::identify)
    /// looks at. They are read in one pass over the body, without building its document, which
    /// costs three times as much. Default: none, which is slower and nothing else.
    fn fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// How field names are spelled. Default: in one way only.
    fn spelling(&self) -> Spelling {
        as_written
    }
}

/// Maps a field's name, in any spelling a platform uses, to its canonical one.
///
/// Two fields of one object that map to one name are one field: if their values differ, the
/// callback is refused as ambiguous.
pub type Spelling = fn(&str) -> &str;

/// The [`Spelling`] of a platform that has only one.
#[must_use]
pub fn as_written(name: &str) -> &str {
    name
}

/// The times of a platform. Where it does not publish them, a contract takes them as settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// How long the platform waits for a reply before it hangs up.
    pub timeout: Duration,
    /// How long after the first copy the platform may still send another.
    pub retry_horizon: Duration,
}

/// Who needs the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The platform reports something and needs to know only that it arrived.
    OneWay,
    /// The platform goes on with what the reply holds: a copy needs the same reply.
    RequestReply,
}

impl Timing {
    /// The times of a platform: its time-out and its retry horizon.
    #[must_use]
    pub const fn new(timeout: Duration, retry_horizon: Duration) -> Self {
        Self { timeout, retry_horizon }
    }

    /// How long an answer may take: the time-out less a tenth, so that it gets there in time.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.timeout.saturating_sub(self.timeout / 10)
    }
}
