//! What the tests of this crate share.

#![allow(dead_code, reason = "each test uses some of it")]
#![allow(unreachable_pub, reason = "a module of several tests")]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, request};
use tower_callback_contract::{
    Action, Body, Content, Contract, Envelope, Refusal, Timing, retry_after,
};
use tower_callback_testkit::{Req, post};

/// An ordinary message.
pub const BODY: &str = r#"{"user_id": "anna", "msg_id": "17", "msg_ts": "1700000000000"}"#;

/// A hook that goes on at 200 and at 400; any status above 400 refuses it.
#[derive(Clone, Debug, Default)]
pub struct Hook;

/// A platform that takes a 200 and sends the callback again on anything else. It can be told neither
/// when, nor to give up.
#[derive(Clone, Debug)]
pub struct Strict {
    /// Whether it goes on with what a 200 holds.
    pub merges: bool,
}

pub const DELIVERY: Strict = Strict { merges: false };
pub const ROUTE: Strict = Strict { merges: true };

const TIMING: Timing = Timing::new(Duration::from_secs(5), Duration::from_secs(60));

impl Contract for Hook {
    fn name(&self) -> &'static str {
        "hook"
    }

    fn timing(&self) -> Timing {
        TIMING
    }

    fn identify(&self, _: &request::Parts, _: &Body) -> Result<Envelope, Refusal> {
        Ok(Envelope::default())
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        let text = || String::from_utf8_lossy(reply.body()).into_owned();
        match reply.status().as_u16() {
            401.. => Action::Refuse { text: text() },
            200 if !reply.body().is_empty() => Action::Use(Content::Merge(reply.body().clone())),
            _ => Action::Accept,
        }
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        let (status, body) = match action {
            Action::Accept => (StatusCode::NO_CONTENT, Bytes::new()),
            Action::Use(Content::Merge(document)) => (StatusCode::OK, document.clone()),
            Action::Refuse { text } => (StatusCode::FORBIDDEN, text.clone().into()),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "later".into()),
        };
        let mut reply = Response::new(body);
        *reply.status_mut() = status;
        reply.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
        reply
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Bytes> {
        let mut reply = refusal.to_problem();
        *reply.status_mut() = StatusCode::IM_A_TEAPOT;
        reply
    }
}

impl Contract for Strict {
    fn name(&self) -> &'static str {
        "strict"
    }

    fn timing(&self) -> Timing {
        TIMING
    }

    fn identify(&self, _: &request::Parts, _: &Body) -> Result<Envelope, Refusal> {
        Ok(Envelope::default())
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        let body = reply.body();
        match reply.status() {
            StatusCode::OK if self.merges && !body.is_empty() => {
                Action::Use(Content::Merge(body.clone()))
            }
            StatusCode::OK => Action::Accept,
            _ => Action::Retry { after: None },
        }
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        let mut reply = Response::new(match action {
            Action::Use(Content::Merge(document)) if self.merges => document.clone(),
            Action::Accept | Action::Use(_) if !self.merges => "success".into(),
            _ => Bytes::new(),
        });
        if matches!(action, Action::Retry { .. } | Action::Refuse { .. }) {
            *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        if let Action::Retry { after: Some(after) } = action {
            reply.headers_mut().insert("retry-after", retry_after(*after));
        }
        reply
    }
}

pub fn callback() -> Req {
    post("/", BODY)
}
