//! A platform, and its callbacks to a mocked handler.
#![expect(unreachable_pub, clippy::unwrap_used, reason = "a module of a test")]

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower::{Layer, ServiceExt};
use tower_callback_contract::{
    Action, Callback, Content, Contract, Envelope, Exchange, Id, Reason, Refusal, Timestamp, Timing,
};
use tower_callback_dedup::{
    Attempt, Claim, Dedup, DedupLayer, Key, Outcome, Ownership, Previous, Record, Store, Token,
};
use tower_test::mock::{Handle, Mock, SendResponse, pair};
use tracing::{
    Dispatch,
    subscriber::{DefaultGuard, NoSubscriber, set_default},
};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type Req = Request<Full<Bytes>>;
pub type Res = Response<Full<Bytes>>;
pub type Handler = Mock<Req, Res>;

/// Repeats for an hour what is answered by 5xx, 408, 425 or 429, and hangs up after 10 s.
#[derive(Clone, Copy, Debug)]
pub struct Shop {
    pub exchange: Exchange,
}

pub const ORDERS: Shop = Shop { exchange: Exchange::OneWay };
pub const QUESTIONS: Shop = Shop { exchange: Exchange::RequestReply };

impl Contract for Shop {
    fn name(&self) -> &'static str {
        match self.exchange {
            Exchange::OneWay => "shop.order",
            Exchange::RequestReply => "shop.question",
        }
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(10), Duration::from_secs(3600))
    }

    fn exchange(&self, _: &Callback) -> Exchange {
        self.exchange
    }

    fn identify(&self, _: &request::Parts, callback: &Callback) -> Result<Envelope, Refusal> {
        let id = callback.field("id")?.and_then(|id| Id::from_json(self.name(), id));
        let sent_at = callback.field("at")?.and_then(Timestamp::from_json);
        Ok(Envelope { id, conversation: None, sent_at })
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        match reply.status().as_u16() {
            408 | 425 | 429 | 500.. => Action::Retry { after: None },
            400.. => Action::Refuse { text: String::new() },
            _ if reply.body().is_empty() => Action::Accept,
            _ => Action::Use(Content::Merge(reply.body().clone())),
        }
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        let (status, body) = match action {
            Action::Retry { .. } => (StatusCode::SERVICE_UNAVAILABLE, "again"),
            Action::Refuse { .. } => (StatusCode::FORBIDDEN, "no"),
            _ => (StatusCode::OK, "taken"),
        };
        let mut reply = Response::new(Bytes::from_static(body.as_bytes()));
        *reply.status_mut() = status;
        reply
    }
}

/// A receiver whose handler the test plays.
pub struct Receiver<S: Store> {
    pub service: Dedup<Handler, Shop, S>,
    pub handler: Handle<Req, Res>,
}

impl<S: Store> Receiver<S> {
    pub fn new(layer: &DedupLayer<Shop, S>) -> Self {
        let (mock, handler) = pair();
        Self { service: layer.layer(mock), handler }
    }

    /// Sends a callback from a task of its own: aborting it is a hang-up.
    pub fn send(&self, request: Req) -> JoinHandle<Res> {
        let service = self.service.clone();
        tokio::spawn(async move { service.oneshot(request).await.expect("a response") })
    }

    /// Sends a callback, and has the handler answer it.
    pub async fn handled(&mut self, request: Req, reply: Res) -> (Attempt, Res) {
        let sent = self.send(request);
        let (attempt, respond) = self.run().await;
        respond.send_response(reply);
        (attempt, sent.await.expect("no panic"))
    }

    /// The handler's next run.
    pub async fn run(&mut self) -> (Attempt, SendResponse<Res>) {
        let (request, respond) = self.handler.next_request().await.expect("a run");
        (*request.extensions().get().expect("an attempt"), respond)
    }

    /// Sends a callback that the handler must not see.
    pub async fn answered(&mut self, request: Req) -> Res {
        let sent = self.send(request);
        let response = sent.await.expect("no panic");
        self.assert_idle().await;
        response
    }

    /// Asserts that no run waits for the handler.
    pub async fn assert_idle(&mut self) {
        settle().await;
        let run = self.handler.poll_request();
        assert!(!matches!(run, Poll::Ready(Some(_))), "the handler ran");
    }
}

/// Lets every task go on until it waits. Takes no time: the clock is paused.
pub async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

pub fn order(id: &str) -> Req {
    post("/orders", &format!(r#"{{"id":"{id}","what":"tea"}}"#))
}

pub fn post(path: &str, body: &str) -> Req {
    Request::post(path).body(Full::from(body.to_owned())).unwrap()
}

pub fn reply(status: u16, body: &'static str) -> Res {
    Response::builder().status(status).body(Full::from(body)).unwrap()
}

pub fn outcome(response: &Res) -> Outcome {
    *response.extensions().get().expect("an outcome")
}

pub fn reason(response: &Res) -> Reason {
    response.extensions().get::<Refusal>().expect("a refusal").reason().clone()
}

pub async fn body(response: Res) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// A body of any kind that can be made from bytes, as axum's.
pub struct AnyBody(http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>);

impl AnyBody {
    pub fn new(body: impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static) -> Self {
        Self(body.map_err(Into::into).boxed_unsync())
    }
}

impl From<Bytes> for AnyBody {
    fn from(bytes: Bytes) -> Self {
        Self::new(Full::from(bytes))
    }
}

impl Body for AnyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Says its length, and fails.
pub struct BreaksOff;

impl Body for BreaksOff {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Err("broken".into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(1)
    }
}

pub async fn collect(response: Response<AnyBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// A shared store whose claims run out after a second.
#[derive(Default)]
pub struct Leased {
    keys: Mutex<HashMap<String, Slot>>,
    renewals: AtomicUsize,
}

enum Slot {
    Held(Token, Instant),
    Done(Record),
    Free(Attempt),
}

impl Leased {
    const LEASE: Duration = Duration::from_secs(1);

    pub fn renewals(&self) -> usize {
        self.renewals.load(Ordering::Relaxed)
    }

    fn change(&self, key: &Key, token: Token, slot: Slot) -> Ownership {
        let mut keys = self.keys.lock().unwrap();
        match keys.get(key.as_str()) {
            Some(Slot::Held(holder, _)) if *holder == token => {
                keys.insert(key.as_str().to_owned(), slot);
                Ownership::Ours
            }
            _ => Ownership::Lost,
        }
    }
}

impl Store for Leased {
    type Error = Infallible;

    fn lease(&self) -> Option<Duration> {
        Some(Leased::LEASE)
    }

    async fn claim(&self, key: &Key, token: Token) -> Result<Claim, Infallible> {
        let now = Instant::now();
        let mut keys = self.keys.lock().unwrap();
        let attempt = match keys.get(key.as_str()) {
            Some(Slot::Done(record)) => return Ok(Claim::Done(record.clone())),
            Some(Slot::Held(_, until)) if *until > now => return Ok(Claim::Held),
            Some(Slot::Held(..)) => Attempt::FIRST.next(Previous::Indeterminate),
            Some(Slot::Free(attempt)) => *attempt,
            None => Attempt::FIRST,
        };
        keys.insert(key.as_str().to_owned(), Slot::Held(token, now + Leased::LEASE));
        Ok(Claim::Granted(attempt))
    }

    async fn renew(&self, key: &Key, token: Token) -> Result<Ownership, Infallible> {
        self.renewals.fetch_add(1, Ordering::Relaxed);
        Ok(self.change(key, token, Slot::Held(token, Instant::now() + Leased::LEASE)))
    }

    async fn complete(
        &self,
        key: &Key,
        token: Token,
        record: Record,
        _: Duration,
    ) -> Result<Ownership, Infallible> {
        Ok(self.change(key, token, Slot::Done(record)))
    }

    async fn release(
        &self,
        key: &Key,
        token: Token,
        previous: Previous,
        _: Duration,
    ) -> Result<Ownership, Infallible> {
        Ok(self.change(key, token, Slot::Free(Attempt::FIRST.next(previous))))
    }
}

/// A store that never answers a claim well.
pub struct Broken(pub Fault);

#[derive(Clone, Copy)]
pub enum Fault {
    Error,
    Hang,
    /// It grants the claim, and says nothing more.
    HangAtEnd,
}

impl Store for Broken {
    type Error = std::io::Error;

    async fn claim(&self, _: &Key, _: Token) -> Result<Claim, Self::Error> {
        match self.0 {
            Fault::Error => Err(std::io::Error::other("down")),
            Fault::Hang => std::future::pending().await,
            Fault::HangAtEnd => Ok(Claim::Granted(Attempt::FIRST)),
        }
    }

    async fn renew(&self, _: &Key, _: Token) -> Result<Ownership, Self::Error> {
        unreachable!("nothing was claimed")
    }

    async fn complete(
        &self,
        _: &Key,
        _: Token,
        _: Record,
        _: Duration,
    ) -> Result<Ownership, Self::Error> {
        std::future::pending().await
    }

    async fn release(
        &self,
        _: &Key,
        _: Token,
        _: Previous,
        _: Duration,
    ) -> Result<Ownership, Self::Error> {
        Ok(Ownership::Lost)
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

impl std::io::Write for Events {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
