use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, request};
use tower_callback_contract::{
    Action, Body, Callback, Content, Contract, Envelope, Exchange, Id, Refusal, Timestamp, Timing,
    ValueRef,
};

/// A platform for tests.
///
/// Its callbacks are objects with `id`, `who` (the conversation) and `at` (the time). It disconnects after
/// 10 s. After 5xx, 408, 425 and 429 it redelivers a callback for an hour, any other 4xx is a refusal,
/// and it uses the content of a 2xx.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    name: &'static str,
    exchange: Exchange,
    timing: Timing,
}

impl Platform {
    /// It reports orders, and needs to know only that they arrived.
    pub const ORDERS: Self = Self {
        name: "shop.order",
        exchange: Exchange::OneWay,
        timing: Timing::new(Duration::from_secs(10), Duration::from_secs(3600)),
    };

    /// It asks questions, and needs the response.
    pub const QUESTIONS: Self =
        Self { name: "shop.question", exchange: Exchange::RequestReply, ..Self::ORDERS };

    /// It sends messages of conversations. A message with a `question` is a question.
    pub const CHAT: Self = Self { name: "chat", ..Self::ORDERS };

    /// The same with other times.
    #[must_use]
    pub const fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }
}

impl Contract for Platform {
    fn name(&self) -> &'static str {
        self.name
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    fn exchange(&self, callback: &Callback) -> Exchange {
        match callback.body().has("question") {
            Ok(true) => Exchange::RequestReply,
            _ => self.exchange,
        }
    }

    fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        let id = body.field("id")?.and_then(|id| Id::from_json(self.name, id));
        let who = body.field("who")?.and_then(ValueRef::as_str).map(str::to_owned);
        let sent_at = body.field("at")?.and_then(Timestamp::from_json);
        Ok(Envelope::new(id).conversation(who).sent_at(sent_at))
    }

    fn action(&self, response: &Response<Bytes>) -> Action {
        match response.status().as_u16() {
            408 | 425 | 429 | 500.. => Action::Retry { after: None },
            400.. => Action::Refuse { text: String::new() },
            _ if response.body().is_empty() => Action::Accept,
            _ => Action::Use(Content::Merge(response.body().clone())),
        }
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        let (status, body) = match action {
            Action::Retry { .. } => (StatusCode::SERVICE_UNAVAILABLE, "again"),
            Action::Refuse { .. } => (StatusCode::FORBIDDEN, "no"),
            _ => (StatusCode::OK, "taken"),
        };
        let mut response = Response::new(Bytes::from_static(body.as_bytes()));
        *response.status_mut() = status;
        response
    }
}
