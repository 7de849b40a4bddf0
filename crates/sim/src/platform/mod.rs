//! The platforms that the simulator plays. A new one is a file like [`wulai`]: the payloads that it
//! sends, and the contract by which it reads the response.

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
    /// The usual path of its callbacks.
    pub path: &'static str,
    contract: Arc<dyn Contract>,
    payload: fn(&Event) -> Value,
    breach: fn(&Response<Bytes>) -> Option<&'static str>,
    redelivers: bool,
}

/// Something that happened on the platform, and that it tells the receiver.
#[derive(Clone, Debug)]
pub struct Event {
    /// The number of the event. No other event of the platform has it.
    pub number: u64,
    /// The user to whom it happened.
    pub user: String,
    /// When it happened, in milliseconds since the Unix epoch.
    pub sent_at: u64,
    /// The text of the message.
    pub text: String,
}

impl Platform {
    /// A platform that sends these payloads and reads responses by this contract. `breach` says what is
    /// wrong with a response that would not do what it appears to do.
    #[must_use]
    pub fn new(
        name: &'static str,
        path: &'static str,
        contract: impl Contract,
        payload: fn(&Event) -> Value,
        breach: fn(&Response<Bytes>) -> Option<&'static str>,
    ) -> Self {
        Self { name, path, contract: Arc::new(contract), payload, breach, redelivers: true }
    }

    /// Makes it send every callback once only: without a response, it gives up.
    #[must_use]
    pub fn without_redeliveries(mut self) -> Self {
        self.redelivers = false;
        self
    }

    /// Whether it redelivers callbacks that were not accepted.
    #[must_use]
    pub fn redelivers(&self) -> bool {
        self.redelivers
    }

    /// How long it waits for a response, by its contract.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.contract.timing().timeout
    }

    /// The payload that it sends for an event.
    #[must_use]
    pub fn payload(&self, event: &Event) -> Value {
        (self.payload)(event)
    }

    /// The callback for an event.
    #[must_use]
    pub fn request<B>(&self, event: &Event, body: impl FnOnce(Bytes) -> B) -> Request<B> {
        self.post(body(self.payload(event).to_string().into()))
    }

    /// A callback with a body of your own.
    ///
    /// # Panics
    /// If the path of the platform is not a URI.
    #[must_use]
    pub fn post<B>(&self, body: B) -> Request<B> {
        let request = Request::post(self.path).header(header::CONTENT_TYPE, "application/json");
        request.body(body).expect("the path is a URI")
    }

    /// The envelope of an event, as the receiver sees it. If the platform needs the response, the callback
    /// has no place in the order, so its time is left out.
    #[must_use]
    pub fn envelope(&self, event: &Event) -> Envelope {
        let (head, body) = self.request(event, |body| body).into_parts();
        let Ok(callback) = Callback::receive(&*self.contract, &head, body) else {
            return Envelope::default();
        };
        let envelope = callback.envelope().clone();
        match self.contract.exchange(&callback) {
            Exchange::RequestReply => envelope.sent_at(None),
            _ => envelope,
        }
    }

    /// What it does when it gets this response.
    #[must_use]
    pub fn action(&self, response: &Response<Bytes>) -> Action {
        self.contract.action(response)
    }

    /// What is wrong with a response that would not do what it appears to do.
    #[must_use]
    pub fn breach(&self, response: &Response<Bytes>) -> Option<&'static str> {
        (self.breach)(response)
    }
}

/// All platforms, as the binary names them.
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

/// The start of a text that an app under test takes for an instruction, such as `#sim fail once`. The
/// docs of the [crate] list them.
pub const INSTRUCTION: &str = "#sim ";

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("name", &self.name).finish_non_exhaustive()
    }
}
