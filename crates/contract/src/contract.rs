use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, header, request};

use crate::{Action, Body, Callback, Envelope, Refusal, Spelling, retry_after};

/// What a platform promises and expects for one kind of callback.
///
/// Pure functions and data, no I/O and no state. One law binds the two directions: for every
/// action the platform can express, `action(&reply(a)) == a`. What it cannot express degrades,
/// as the contract documents, to something it can; a retry never degrades to an accept.
///
/// An `Arc` of a contract is that contract, so that several layers can share one.
pub trait Contract: Send + Sync + 'static {
    /// Platform and kind of callback, such as `wulai.delivery`. It is the contract's identity:
    /// a layer takes over what an outer one received under the same name.
    fn name(&self) -> &'static str;

    /// The times of the platform.
    fn timing(&self) -> Timing;

    /// Who the callback with this head and body is. A layer takes over what an outer one identified as
    /// long as the body is the same; it does not ask again because a layer in between changed the head.
    ///
    /// # Errors
    /// Refuses what is not in the platform's format. What is merely absent stays absent in the
    /// envelope.
    fn identify(&self, head: &request::Parts, body: &Body) -> Result<Envelope, Refusal>;

    /// Whether the platform needs what the response to this callback holds. Default: no.
    fn exchange(&self, _: &Callback) -> Exchange {
        Exchange::OneWay
    }

    /// What the platform does when it gets this response. Default: it accepts a 2xx, and sends the
    /// callback again on anything else, after the seconds that `Retry-After` says.
    fn action(&self, response: &Response<Bytes>) -> Action {
        if response.status().is_success() {
            Action::Accept
        } else {
            Action::Retry { after: after(response) }
        }
    }

    /// Builds the response that makes the platform take this action. An action that the contract does
    /// not know becomes a retry. Default: an empty 200 for an accept and for content, which is
    /// left out; 503 for a retry, and for a refusal, which degrades to one.
    fn reply(&self, action: &Action) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        if !is_taken(action) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        if let Action::Retry { after: Some(after) } = action {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(*after));
        }
        response
    }

    /// The action that the handler intended, where the platform would read its response differently:
    /// a 204 where only a 200 is accepted. `None` for a response that does what it seems to.
    ///
    /// Default: a 2xx that the platform would not take is meant as the accept that it would be as a
    /// 200; a 4xx or 5xx that the platform would take is meant as a failure. A response is as it
    /// seems if the platform codes its verdict in the body: if [`reply`](Self::reply) writes a retry
    /// into a 2xx.
    fn intent(&self, response: &Response<Bytes>) -> Option<Action> {
        let (status, action) = (response.status(), self.action(response));
        if status.is_success() && !is_taken(&action) {
            intended_success(self, response)
        } else if (status.is_client_error() || status.is_server_error()) && is_taken(&action) {
            let is_own = self.reply(&action).status() == status;
            (!is_own).then(|| failure(response))
        } else {
            None
        }
    }

    /// What becomes of a callback by this response: what the handler [intended](Self::intent), else
    /// what the platform [does](Self::action). Dedup, order and every other layer ask this alone.
    fn effect(&self, response: &Response<Bytes>) -> Action {
        self.intent(response).unwrap_or_else(|| self.action(response))
    }

    /// The response of a layer that answers instead of the handler. Default: a problem document.
    fn refuse(&self, refusal: &Refusal) -> Response<Bytes> {
        refusal.to_problem()
    }

    /// The response that does no harm where the handler's own may not be sent, because it does not match
    /// its schema. Default: none, and the callback is [refused](Self::refuse) with 500.
    fn fallback(&self, _: &Callback) -> Option<Response<Bytes>> {
        None
    }

    /// How field names are spelled. Default: in one way only.
    fn spelling(&self) -> Spelling {
        Spelling::VERBATIM
    }

    /// JSON pointers to the fields that only say that this is a redelivery: a counter, a send time,
    /// a flag. They are no part of what a callback says. `*` stands for each item of a list, and a
    /// name is found in every spelling. Default: none.
    fn ignored(&self) -> &[&str] {
        &[]
    }
}

/// One contract for several layers.
impl<C: Contract + ?Sized> Contract for Arc<C> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn timing(&self) -> Timing {
        (**self).timing()
    }

    fn exchange(&self, callback: &Callback) -> Exchange {
        (**self).exchange(callback)
    }

    fn identify(&self, head: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        (**self).identify(head, body)
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        (**self).action(reply)
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        (**self).reply(action)
    }

    fn intent(&self, reply: &Response<Bytes>) -> Option<Action> {
        (**self).intent(reply)
    }

    fn effect(&self, response: &Response<Bytes>) -> Action {
        (**self).effect(response)
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Bytes> {
        (**self).refuse(refusal)
    }

    fn fallback(&self, callback: &Callback) -> Option<Response<Bytes>> {
        (**self).fallback(callback)
    }

    fn spelling(&self) -> Spelling {
        (**self).spelling()
    }

    fn ignored(&self) -> &[&str] {
        (**self).ignored()
    }
}

fn is_taken(action: &Action) -> bool {
    matches!(action, Action::Accept | Action::Use(_))
}

/// What a 2xx means that the platform does not take.
fn intended_success<C: Contract + ?Sized>(
    contract: &C,
    response: &Response<Bytes>,
) -> Option<Action> {
    let mut ok = response.clone();
    *ok.status_mut() = StatusCode::OK;
    let as_ok = contract.action(&ok);
    let codes_in_body = || contract.reply(&Action::Retry { after: None }).status().is_success();
    if is_taken(&as_ok) {
        Some(as_ok)
    } else if codes_in_body() {
        None
    } else {
        Some(Action::Accept)
    }
}

/// What a failure says in plain HTTP.
fn failure(reply: &Response<Bytes>) -> Action {
    let passes = matches!(reply.status().as_u16(), 408 | 425 | 429 | 500..);
    if passes {
        Action::Retry { after: after(reply) }
    } else {
        Action::Refuse { text: String::from_utf8_lossy(reply.body()).into_owned() }
    }
}

/// What `Retry-After` says in seconds.
fn after(response: &Response<Bytes>) -> Option<Duration> {
    let after = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    after.trim().parse().ok().map(Duration::from_secs)
}

/// The times of a platform. Where it does not publish them, a contract takes them as settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// How long the platform waits for a response before it disconnects.
    pub timeout: Duration,
    /// How long after the first delivery the platform may still redeliver.
    pub retry_horizon: Duration,
}

/// Who needs the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exchange {
    /// The platform reports something and needs to know only that it arrived.
    OneWay,
    /// The platform goes on with what the response holds: a duplicate needs the same one.
    RequestReply,
}

impl Timing {
    /// The times of a platform: its timeout and its retry horizon.
    #[must_use]
    pub const fn new(timeout: Duration, retry_horizon: Duration) -> Self {
        Self { timeout, retry_horizon }
    }

    /// When the response has to be under way: the timeout less a tenth, so that it arrives in time.
    #[must_use]
    pub fn reply_deadline(&self) -> Duration {
        self.timeout.saturating_sub(self.timeout / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Reason};

    /// A platform that takes nothing but a 200 and a 400.
    struct Odd;

    impl Contract for Odd {
        fn name(&self) -> &'static str {
            "odd"
        }

        fn timing(&self) -> Timing {
            Timing::new(Duration::from_secs(1), Duration::from_secs(1))
        }

        fn exchange(&self, _: &Callback) -> Exchange {
            Exchange::OneWay
        }

        fn identify(&self, _: &request::Parts, _: &Body) -> Result<Envelope, Refusal> {
            Ok(Envelope::default())
        }

        fn action(&self, reply: &Response<Bytes>) -> Action {
            match reply.status().as_u16() {
                200 if reply.body().is_empty() => Action::Accept,
                200 | 400 => Action::Use(Content::Merge(reply.body().clone())),
                _ => Action::Retry { after: None },
            }
        }

        fn reply(&self, _: &Action) -> Response<Bytes> {
            Response::default()
        }
    }

    #[test]
    fn a03_a_reply_means_what_its_status_says() {
        let meant = |status: u16, body: &'static str| {
            let reply = Response::builder().status(status).header("retry-after", "7");
            Odd.intent(&reply.body(Bytes::from(body)).unwrap())
        };
        assert_eq!(meant(200, ""), None);
        assert_eq!(meant(204, ""), Some(Action::Accept));
        let document = Action::Use(Content::Merge(Bytes::from("{}")));
        assert_eq!(meant(201, "{}"), Some(document));
        assert_eq!(meant(400, "no"), Some(Action::Refuse { text: "no".to_owned() }));
        // These fail on the platform too.
        for status in [302, 404, 429, 500] {
            assert_eq!(meant(status, ""), None);
        }
    }

    /// A platform that reads its verdict in the body of a 200.
    struct Coded;

    impl Contract for Coded {
        fn name(&self) -> &'static str {
            "coded"
        }

        fn timing(&self) -> Timing {
            Odd.timing()
        }

        fn identify(&self, _: &request::Parts, _: &Body) -> Result<Envelope, Refusal> {
            Ok(Envelope::default())
        }

        fn action(&self, response: &Response<Bytes>) -> Action {
            let is_taken = response.status() == StatusCode::OK && response.body() == "success";
            if is_taken { Action::Accept } else { Action::Retry { after: None } }
        }

        fn reply(&self, action: &Action) -> Response<Bytes> {
            let is_taken = matches!(action, Action::Accept | Action::Use(_));
            Response::new(Bytes::from(if is_taken { "success" } else { "fail" }))
        }
    }

    #[test]
    fn k05_a_retry_in_a_200_is_what_it_says() {
        let effect = |status: u16, body: &'static str| {
            let response = Response::builder().status(status).body(Bytes::from(body)).unwrap();
            (Coded.intent(&response), Coded.effect(&response))
        };
        let retry = Action::Retry { after: None };
        for body in ["fail", "{\"code\": \"FAIL\"}", ""] {
            assert_eq!(effect(200, body), (None, retry.clone()), "{body}");
        }
        assert_eq!(effect(200, "success"), (None, Action::Accept));
        assert_eq!(effect(201, "success"), (Some(Action::Accept), Action::Accept));
        assert_eq!(effect(500, "success"), (None, retry));
    }

    /// What most webhooks do, and no more than a name, times and an identity.
    struct Plain;

    impl Contract for Plain {
        fn name(&self) -> &'static str {
            "plain"
        }

        fn timing(&self) -> Timing {
            Odd.timing()
        }

        fn identify(&self, _: &request::Parts, _: &Body) -> Result<Envelope, Refusal> {
            Ok(Envelope::default())
        }
    }

    #[test]
    fn by_default_a_2xx_accepts_and_all_else_is_sent_again() {
        let later = Action::Retry { after: Some(Duration::from_secs(7)) };
        for action in [Action::Accept, Action::Retry { after: None }, later] {
            assert_eq!(Plain.action(&Plain.reply(&action)), action);
        }
        let refused = Plain.reply(&Action::Refuse { text: "no".to_owned() });
        assert_eq!(Plain.action(&refused), Action::Retry { after: None });
        let used = Plain.reply(&Action::Use(Content::Text("hello".to_owned())));
        assert_eq!(Plain.action(&used), Action::Accept);
    }

    /// Says everything in its own way, defaults included.
    struct Own;

    impl Contract for Own {
        fn name(&self) -> &'static str {
            "own"
        }

        fn timing(&self) -> Timing {
            Timing::new(Duration::from_secs(2), Duration::from_secs(3))
        }

        fn exchange(&self, _: &Callback) -> Exchange {
            Exchange::RequestReply
        }

        fn identify(&self, _: &request::Parts, _: &Body) -> Result<Envelope, Refusal> {
            Ok(Envelope::default().conversation("identify".to_owned()))
        }

        fn action(&self, _: &Response<Bytes>) -> Action {
            Action::Refuse { text: "action".to_owned() }
        }

        fn reply(&self, _: &Action) -> Response<Bytes> {
            Response::new("reply".into())
        }

        fn intent(&self, _: &Response<Bytes>) -> Option<Action> {
            Some(Action::Retry { after: None })
        }

        fn refuse(&self, _: &Refusal) -> Response<Bytes> {
            Response::new("refuse".into())
        }

        fn fallback(&self, _: &Callback) -> Option<Response<Bytes>> {
            Some(Response::new("fallback".into()))
        }

        fn spelling(&self) -> Spelling {
            Spelling::new(|_| "spelling")
        }

        fn ignored(&self) -> &[&str] {
            &["/ignored"]
        }
    }

    /// All that a contract says.
    fn says(contract: &impl Contract) -> String {
        let (head, ()) = http::Request::new(()).into_parts();
        let callback = Callback::receive(contract, &head, "").expect("it identifies everything");
        let reply = Response::default();
        let replies = [
            Some(contract.reply(&Action::Accept)),
            Some(contract.refuse(&Reason::Late.into())),
            contract.fallback(&callback),
        ];
        format!(
            "{} {:?} {:?} {:?} {:?} {:?} {replies:?} {} {:?}",
            contract.name(),
            contract.timing(),
            contract.exchange(&callback),
            callback.envelope(),
            contract.action(&reply),
            (contract.intent(&reply), contract.effect(&reply)),
            contract.spelling().canonical("name"),
            contract.ignored(),
        )
    }

    #[test]
    fn a_shared_contract_says_what_it_says_alone() {
        assert_eq!(says(&Arc::new(Own)), says(&Own));
        let one_of_many: Arc<dyn Contract> = Arc::new(Own);
        assert_eq!(says(&one_of_many), says(&Own));
    }

    #[test]
    fn a_failure_that_passes_is_a_retry() {
        for status in [408, 425, 429, 500, 503] {
            let reply = Response::builder().status(status);
            let plain = failure(&reply.body(Bytes::new()).unwrap());
            assert_eq!(plain, Action::Retry { after: None }, "{status}");
        }
        let reply = Response::builder().status(503).header("retry-after", " 7");
        let seven = Some(Duration::from_secs(7));
        assert_eq!(failure(&reply.body(Bytes::new()).unwrap()), Action::Retry { after: seven });
    }
}
