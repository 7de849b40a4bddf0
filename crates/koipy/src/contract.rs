use std::{fmt, marker::PhantomData, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request};
use tower_callback_contract::{
    Action, Callback, Contract, Envelope, Exchange, Refusal, Spelling, Timing,
};

use crate::{
    hook::{self, Hook},
    identity,
    spelling::spelling,
    wire,
};

/// The contract of `callbacks.onMessage`, a test command arrived: `koipy.onMessage`.
pub type OnMessage = KoipyContract<hook::OnMessage>;

/// The contract of `callbacks.onPreSend`, the task is about to go to a back end:
/// `koipy.onPreSend`.
pub type OnPreSend = KoipyContract<hook::OnPreSend>;

/// The contract of `callbacks.onResult`, raw results are in: `koipy.onResult`.
pub type OnResult = KoipyContract<hook::OnResult>;

/// The contract of one hook; named by its three aliases.
///
/// koipy stops in the middle of a user's task and goes on by the reply. It refuses the task at any
/// status above 400, and ignores 400 itself; it uses what a 200 holds by its `Content-Type`. It
/// repeats nothing, so a retry becomes a refusal that asks the user to try again.
///
/// # What cannot be said
///
/// Content becomes what comes next to it: a picture that is neither PNG nor JPEG becomes a file;
/// an empty text, picture or file, and a document that is no JSON object, are left out. The task
/// goes on.
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

/// How text is labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextType {
    TextPlain,
    /// As in koipy's older documents.
    PlainText,
}

// ===== impl KoipyContract =====

impl<H> KoipyContract<H> {
    /// The contract with times that koipy does not publish: 5 s until it hangs up, and a minute in
    /// which a copy may come, though no retry has been seen. It [fails open](Self::fail_open).
    #[must_use]
    pub const fn new() -> Self {
        Self::with_timing(Timing::new(Duration::from_secs(5), Duration::from_secs(60)))
    }

    /// The contract with times that you know better.
    #[must_use]
    pub const fn with_timing(timing: Timing) -> Self {
        let (on_failure, text_type) = (OnFailure::GoOn, TextType::TextPlain);
        Self { timing, on_failure, text_type, hook: PhantomData }
    }

    /// The default: where a layer refuses a callback, because the handler crashed, too many run, the
    /// payload cannot be read or a dead-letter sink failed, the user's task goes on. A bug in
    /// a callback server then does not refuse everybody's tests.
    #[must_use]
    pub const fn fail_open(mut self) -> Self {
        self.on_failure = OnFailure::GoOn;
        self
    }

    /// Where a layer refuses a callback, the user's task is refused. For hooks that must not be
    /// got round, such as one that charges for a test.
    #[must_use]
    pub const fn fail_closed(mut self) -> Self {
        self.on_failure = OnFailure::Refuse;
        self
    }

    /// Labels text `plain/text`, as koipy's older documents do. Default: `text/plain`. Both are
    /// read.
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

    /// Named by chat and message, those of `message` or else those of `slaveRequest.task`. Nothing
    /// orders them: the date of a message has no zone.
    fn identify(&self, _: &request::Parts, callback: &Callback) -> Result<Envelope, Refusal> {
        identity::envelope(H::NAME, callback)
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        wire::action(reply)
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        wire::reply(action, self.text_type)
    }

    fn meant(&self, reply: &Response<Bytes>) -> Option<Action> {
        wire::meant(reply)
    }

    /// Failing open, a callback that cannot be read is refused with 400, which koipy ignores, and
    /// what is the server's own fault is a 204. Failing closed, the user sees why.
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
        spelling
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

// ===== impl TextType =====

impl TextType {
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::TextPlain => "text/plain; charset=utf-8",
            Self::PlainText => "plain/text",
        }
    }
}

#[cfg(test)]
mod tests {
    use tower_callback_contract::Reason;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn reasons() -> [Reason; 15] {
        [
            Reason::TooLarge,
            Reason::TooSlow { deadline: SECOND },
            Reason::Cut,
            Reason::Malformed { line: 1, column: 1 },
            Reason::Ambiguous { line: 1, column: 1 },
            Reason::Unidentified,
            Reason::Conflict,
            Reason::StillRunning,
            Reason::Crowded,
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
            // Whoever sent what cannot be read is told so; koipy ignores it.
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
