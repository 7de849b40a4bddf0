use std::{fmt, marker::PhantomData, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request};
use tower_callback_contract::{
    Action, Body, Callback, Contract, Envelope, Exchange, Refusal, Spelling, Timing,
};

use crate::{
    hook::{self, Hook},
    identity,
    spelling::SPELLING,
    wire::{self, TextType},
};

/// The contract of `callbacks.onMessage`, which koipy calls when a test command arrived:
/// `koipy.onMessage`.
pub type OnMessage = KoipyContract<hook::OnMessage>;

/// The contract of `callbacks.onPreSend`, which koipy calls before it sends the task to a back end:
/// `koipy.onPreSend`.
pub type OnPreSend = KoipyContract<hook::OnPreSend>;

/// The contract of `callbacks.onResult`, which koipy calls with the raw results: `koipy.onResult`.
pub type OnResult = KoipyContract<hook::OnResult>;

/// The contract of one hook; named by its three aliases.
///
/// koipy stops in the middle of a user's task and waits for the response. A status above 400 refuses
/// the task; 400 itself is ignored; a 200 is used as its `Content-Type` says. koipy never redelivers,
/// so a retry becomes a refusal that asks the user to try again.
///
/// # What koipy cannot do
///
/// Content that koipy cannot use becomes the nearest that it can: a picture that is neither PNG nor JPEG
/// becomes a file; an empty text, picture or file, and a document that is not a JSON object, are left
/// out, and the task goes on.
pub struct KoipyContract<H> {
    timing: Timing,
    on_failure: OnFailure,
    text_type: TextType,
    hook: PhantomData<fn() -> H>,
}

/// What becomes of a task when its callback server fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    GoOn,
    Refuse,
}

// ===== impl KoipyContract =====

impl<H> KoipyContract<H> {
    /// The contract with assumed times, as koipy publishes none: it disconnects after 5 s, and
    /// a duplicate may arrive within a minute, though none has been seen. It
    /// [fails open](Self::fail_open).
    #[must_use]
    pub const fn new() -> Self {
        Self::with_timing(Timing::new(Duration::from_secs(5), Duration::from_secs(60)))
    }

    /// The contract with times of your own.
    #[must_use]
    pub const fn with_timing(timing: Timing) -> Self {
        let (on_failure, text_type) = (OnFailure::GoOn, TextType::TextPlain);
        Self { timing, on_failure, text_type, hook: PhantomData }
    }

    /// Lets the user's task go on when a layer refuses a callback, because the handler crashed, too many
    /// callbacks run, the payload cannot be read or a dead-letter sink failed. This is the default: a
    /// bug in a callback server does not refuse everybody's tests.
    #[must_use]
    pub const fn fail_open(mut self) -> Self {
        self.on_failure = OnFailure::GoOn;
        self
    }

    /// Refuses the user's task when a layer refuses a callback. For hooks that nobody may get around,
    /// such as one that charges for a test.
    #[must_use]
    pub const fn fail_closed(mut self) -> Self {
        self.on_failure = OnFailure::Refuse;
        self
    }

    /// Labels text `plain/text`, as koipy's older documents do. Default: `text/plain`. koipy reads
    /// both.
    #[must_use]
    pub const fn plain_text_as_documented(mut self) -> Self {
        self.text_type = TextType::PlainText;
        self
    }

    pub(crate) fn on_failure(&self) -> OnFailure {
        self.on_failure
    }
}

impl<H: Hook> Contract for KoipyContract<H> {
    fn name(&self) -> &'static str {
        H::NAME
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    fn exchange(&self, _: &Callback) -> Exchange {
        Exchange::RequestReply
    }

    /// Chat and message identify a callback: those of `message`, otherwise those of
    /// `slaveRequest.task`. It has no place in an order, because the date of a message has no zone.
    fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        identity::envelope(H::NAME, body)
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        wire::action(reply)
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        wire::reply(action, self.text_type)
    }

    fn intent(&self, reply: &Response<Bytes>) -> Option<Action> {
        wire::intent(reply)
    }

    /// A contract that fails open refuses a callback that cannot be read with 400, which koipy ignores,
    /// and answers a fault of the server with 204. One that fails closed tells the user why.
    fn refuse(&self, refusal: &Refusal) -> Response<Bytes> {
        let mut reply = refusal.to_problem();
        match self.on_failure {
            OnFailure::GoOn if reply.status().is_server_error() => wire::go_on(),
            OnFailure::GoOn => {
                *reply.status_mut() = StatusCode::BAD_REQUEST;
                reply
            }
            OnFailure::Refuse => {
                if reply.status() == StatusCode::BAD_REQUEST {
                    *reply.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
                }
                let text_type = HeaderValue::from_static(self.text_type.header());
                reply.headers_mut().insert(header::CONTENT_TYPE, text_type);
                reply.map(|_| refusal.reason().to_string().into())
            }
        }
    }

    fn spelling(&self) -> Spelling {
        SPELLING
    }
}

// By hand: derives would ask the same of `H`.
impl<H> Clone for KoipyContract<H> {
    fn clone(&self) -> Self {
        Self { hook: PhantomData, ..*self }
    }
}

impl<H: Hook> fmt::Debug for KoipyContract<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KoipyContract")
            .field("name", &H::NAME)
            .field("timing", &self.timing)
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}

impl<H> Default for KoipyContract<H> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use tower_callback_contract::Reason;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn reasons() -> [Reason; 15] {
        [
            Reason::BodyTooLarge,
            Reason::BodyTimeout { deadline: SECOND },
            Reason::BodyIncomplete,
            Reason::Malformed { line: 1, column: 1 },
            Reason::Ambiguous { line: 1, column: 1 },
            Reason::Unidentified,
            Reason::Conflict,
            Reason::InProgress,
            Reason::QueueFull,
            Reason::Late,
            Reason::Overloaded,
            Reason::Draining,
            Reason::StoreUnavailable,
            Reason::SinkUnavailable,
            Reason::HandlerFailed,
        ]
    }

    #[test]
    fn failing_open_no_refusal_of_a_layer_refuses_a_task() {
        for reason in reasons() {
            let reply = OnMessage::new().refuse(&reason.clone().into());
            assert_eq!(OnMessage::new().action(&reply), Action::Accept, "{reason}");
            // A sender of garbage learns why it was refused; koipy ignores the 400.
            let expected = if reason.status().is_server_error() { 204 } else { 400 };
            assert_eq!(reply.status(), expected, "{reason}");
        }
    }

    #[test]
    fn failing_closed_every_refusal_of_a_layer_refuses_the_task_with_a_text() {
        let contract = OnPreSend::new().fail_closed();
        for reason in reasons() {
            let reply = contract.refuse(&reason.clone().into());
            let text = reason.to_string();
            assert_eq!(contract.action(&reply), Action::Refuse { text }, "{reason}");
            let reopened = contract.clone().fail_open().refuse(&reason.clone().into());
            assert_eq!(contract.action(&reopened), Action::Accept, "{reason}");
        }
    }

    #[test]
    fn times_are_settings_with_a_default() {
        assert_eq!(OnResult::new().timing(), Timing::new(SECOND * 5, SECOND * 60));
        let timing = Timing::new(SECOND, SECOND * 2);
        assert_eq!(OnResult::with_timing(timing).fail_closed().clone().timing(), timing);
    }
}
