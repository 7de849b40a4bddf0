use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, header, request};

use crate::{Action, Callback, Envelope, Refusal};

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

    /// The reply that asks the platform for this action; for one that is not known, for a retry.
    fn reply(&self, action: &Action) -> Response<Bytes>;

    /// What a handler meant by a reply of which the platform would make something else; `None` for
    /// one that does what it seems to. Default: the platform's accept for a 2xx that it would not
    /// take, and a plain failure for a 4xx or 5xx that it would take.
    fn meant(&self, reply: &Response<Bytes>) -> Option<Action> {
        let status = reply.status();
        let taken = is_taken(&self.action(reply));
        if status.is_success() && !taken {
            let mut ok = reply.clone();
            *ok.status_mut() = StatusCode::OK;
            Some(self.action(&ok)).filter(is_taken).or(Some(Action::Accept))
        } else if (status.is_client_error() || status.is_server_error()) && taken {
            Some(failure(reply))
        } else {
            None
        }
    }

    /// The reply of a layer that answers instead of the handler. Default: a problem document.
    fn refuse(&self, refusal: &Refusal) -> Response<Bytes> {
        refusal.to_problem()
    }

    /// The reply that does no harm where the handler's own may not be sent, because it does not match
    /// its schema. Default: none, and the callback is [refused](Self::refuse) with 500.
    fn fallback(&self, _: &Callback) -> Option<Response<Bytes>> {
        None
    }

    /// How field names are spelled. Default: in one way only.
    fn spelling(&self) -> Spelling {
        as_written
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

    fn identify(&self, head: &request::Parts, callback: &Callback) -> Result<Envelope, Refusal> {
        (**self).identify(head, callback)
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        (**self).action(reply)
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        (**self).reply(action)
    }

    fn meant(&self, reply: &Response<Bytes>) -> Option<Action> {
        (**self).meant(reply)
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
}

fn is_taken(action: &Action) -> bool {
    matches!(action, Action::Accept | Action::Use(_))
}

/// What a failure says in plain HTTP.
fn failure(reply: &Response<Bytes>) -> Action {
    let passes = matches!(reply.status().as_u16(), 408 | 425 | 429 | 500..);
    if passes {
        let after = reply.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok());
        let seconds = after.and_then(|after| after.trim().parse().ok());
        Action::Retry { after: seconds.map(Duration::from_secs) }
    } else {
        Action::Refuse { text: String::from_utf8_lossy(reply.body()).into_owned() }
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

        fn identify(&self, _: &request::Parts, _: &Callback) -> Result<Envelope, Refusal> {
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
            Odd.meant(&reply.body(Bytes::from(body)).unwrap())
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

        fn identify(&self, _: &request::Parts, _: &Callback) -> Result<Envelope, Refusal> {
            Err(Reason::Unidentified.into())
        }

        fn action(&self, _: &Response<Bytes>) -> Action {
            Action::Refuse { text: "action".to_owned() }
        }

        fn reply(&self, _: &Action) -> Response<Bytes> {
            Response::new("reply".into())
        }

        fn meant(&self, _: &Response<Bytes>) -> Option<Action> {
            Some(Action::Retry { after: None })
        }

        fn refuse(&self, _: &Refusal) -> Response<Bytes> {
            Response::new("refuse".into())
        }

        fn fallback(&self, _: &Callback) -> Option<Response<Bytes>> {
            Some(Response::new("fallback".into()))
        }

        fn spelling(&self) -> Spelling {
            |_| "spelling"
        }
    }

    /// All that a contract says.
    fn says(contract: &impl Contract) -> String {
        let (head, ()) = http::Request::new(()).into_parts();
        let (callback, reply) = (Callback::new(Bytes::new(), as_written), Response::default());
        let replies = [
            Some(contract.reply(&Action::Accept)),
            Some(contract.refuse(&Reason::Late.into())),
            contract.fallback(&callback),
        ];
        format!(
            "{} {:?} {:?} {:?} {:?} {:?} {replies:?} {}",
            contract.name(),
            contract.timing(),
            contract.exchange(&callback),
            contract.identify(&head, &callback),
            contract.action(&reply),
            contract.meant(&reply),
            contract.spelling()("name"),
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
