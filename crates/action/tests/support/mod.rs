//! What the tests of this crate share.

#![allow(dead_code, reason = "each test uses some of it")]
#![allow(unreachable_pub, reason = "a module of several tests")]

use std::{
    io,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, request};
use http_body::{Body, Frame, SizeHint};
use tower_callback_contract::{
    Action, Callback, Content, Contract, Envelope, Exchange, Refusal, Timing,
};
use tracing::{
    Dispatch,
    subscriber::{DefaultGuard, NoSubscriber, set_default},
};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An ordinary message of Wulai's.
pub const BODY: &str = r#"{"user_id": "anna", "msg_id": "17", "msg_ts": "1700000000000"}"#;

/// A hook that goes on at 200 and at 400, and is refused by what is above.
#[derive(Clone, Debug, Default)]
pub struct Hook;

impl Contract for Hook {
    fn name(&self) -> &'static str {
        "hook"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(5), Duration::from_secs(60))
    }

    fn exchange(&self, _: &Callback) -> Exchange {
        Exchange::RequestReply
    }

    fn identify(&self, _: &request::Parts, _: &Callback) -> Result<Envelope, Refusal> {
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

pub fn callback<B: From<Bytes>>() -> Request<B> {
    Request::post("/").body(B::from(Bytes::from_static(BODY.as_bytes()))).unwrap()
}

pub fn reply(status: u16, body: &'static str) -> Response<AnyBody> {
    let body = AnyBody::from(Bytes::from_static(body.as_bytes()));
    Response::builder().status(status).body(body).unwrap()
}

/// A body that is whole, comes bit by bit, or breaks off.
#[derive(Debug)]
pub struct AnyBody {
    data: Option<Bytes>,
    says: Option<u64>,
    breaks: bool,
}

impl AnyBody {
    /// A body that does not say how long it is.
    pub fn stream(data: &'static str) -> Self {
        Self { data: Some(data.into()), says: None, breaks: false }
    }

    /// A body that is to have this many bytes, and breaks off after none.
    pub fn broken(says: u64) -> Self {
        Self { data: None, says: Some(says), breaks: true }
    }
}

impl From<Bytes> for AnyBody {
    fn from(data: Bytes) -> Self {
        Self { says: Some(data.len() as u64), data: Some(data), breaks: false }
    }
}

impl Body for AnyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.breaks {
            let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Poll::Ready(Some(Err(cut.into())));
        }
        Poll::Ready(self.data.take().map(|data| Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        self.says.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What was logged on this thread since [`capture_events`].
#[derive(Clone, Default, Debug)]
pub struct Events(Arc<Mutex<Vec<u8>>>);

pub fn capture_events() -> (Events, DefaultGuard) {
    // With one subscriber alive, tracing keeps for all threads what the first of them says of an event,
    // and that may have none. With two it asks both.
    static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&OTHER);
    let events = Events::default();
    let writer = events.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    (events, set_default(subscriber))
}

impl Events {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn lines(&self, level: &str) -> Vec<String> {
        let text = self.text();
        let of_level = text.lines().filter(|line| line.contains(&format!(" {level} ")));
        of_level.map(str::to_owned).collect()
    }
}

impl io::Write for Events {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
