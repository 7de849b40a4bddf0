//! The platforms that are played. A new one is a file like [`wulai`]: what it sends, and the
//! contract by which it reads the reply.

pub mod koipy;
pub mod wulai;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::Value;
use tower_callback_contract::{Action, Callback, Contract, Envelope, Exchange};

/// One kind of callback of one platform.
#[derive(Clone)]
pub struct Platform {
    /// Such as `wulai delivery`.
    pub name: &'static str,
    /// Where its callbacks go, unless the target says otherwise.
    pub path: &'static str,
    contract: Arc<dyn Contract>,
    payload: fn(&Event) -> Value,
    breach: fn(&Response<Bytes>) -> Option<&'static str>,
    is_repeating: bool,
}

/// Something that happened on the platform, of which it tells the receiver.
#[derive(Clone, Debug)]
pub struct Event {
    /// Tells events apart: no other one of the platform has it.
    pub number: u64,
    /// To whom it happened.
    pub user: String,
    /// When, in milliseconds since the Unix epoch.
    pub sent_at: u64,
    /// What was said.
    pub text: String,
}

impl Platform {
    /// A platform that sends these payloads and reads replies by this contract. `breach` names
    /// what is wrong with a reply that does not do what it seems to.
    #[must_use]
    pub fn new(
        name: &'static str,
        path: &'static str,
        contract: impl Contract,
        payload: fn(&Event) -> Value,
        breach: fn(&Response<Bytes>) -> Option<&'static str>,
    ) -> Self {
        Self { name, path, contract: Arc::new(contract), payload, breach, is_repeating: true }
    }

    /// One that sends nothing twice: what it does not hear of is over.
    #[must_use]
    pub fn without_repetitions(mut self) -> Self {
        self.is_repeating = false;
        self
    }

    /// Whether it repeats what was not accepted.
    #[must_use]
    pub fn is_repeating(&self) -> bool {
        self.is_repeating
    }

    /// How long it waits for a reply, by its contract.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.contract.timing().timeout
    }

    /// What it sends for an event.
    #[must_use]
    pub fn payload(&self, event: &Event) -> Value {
        (self.payload)(event)
    }

    /// The callback for an event.
    #[must_use]
    pub fn request<B>(&self, event: &Event, body: impl FnOnce(Bytes) -> B) -> Request<B> {
        self.post(body(self.payload(event).to_string().into()))
    }

    /// A callback with a body of one's own.
    ///
    /// # Panics
    /// If the path of the platform is none.
    #[must_use]
    pub fn post<B>(&self, body: B) -> Request<B> {
        let request = Request::post(self.path).header(header::CONTENT_TYPE, "application/json");
        request.body(body).expect("the path is one")
    }

    /// Who an event is for the receiver: its id, conversation and time. What the platform waits for
    /// has no place in an order, and so no time.
    #[must_use]
    pub fn envelope(&self, event: &Event) -> Envelope {
        let (head, body) = self.request(event, |body| body).into_parts();
        let callback = Callback::new(body, self.contract.spelling());
        let envelope = self.contract.identify(&head, &callback).unwrap_or_default();
        match self.contract.exchange(&callback) {
            Exchange::OneWay => envelope,
            Exchange::RequestReply => Envelope { sent_at: None, ..envelope },
        }
    }

    /// What it does when it gets this reply.
    #[must_use]
    pub fn action(&self, reply: &Response<Bytes>) -> Action {
        self.contract.action(reply)
    }

    /// What is wrong with a reply that does not do what it seems to.
    #[must_use]
    pub fn breach(&self, reply: &Response<Bytes>) -> Option<&'static str> {
        (self.breach)(reply)
    }
}

/// All platforms by the names the binary takes.
#[must_use]
pub fn all() -> Vec<Platform> {
    vec![
        wulai::delivery(),
        wulai::route(),
        wulai::error(),
        koipy::on_message(),
        koipy::on_pre_send(),
        koipy::on_result(),
    ]
}

/// A text that is used as an instruction by apps that are made to be tried out: what a handler does
/// with `#sim fail once` and `#sim slow 2s` is said in the docs of the [crate].
pub const INSTRUCTION: &str = "#sim ";

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("name", &self.name).finish_non_exhaustive()
    }
}
