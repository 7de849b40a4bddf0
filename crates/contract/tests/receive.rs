//! The layer from outside, row by row of the semantics it promises.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use tokio::time::{Instant, advance, sleep};
use tokio_stream::StreamExt;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_callback_contract::{
    Action, Callback, Contract, Envelope, Exchange, Id, Limits, Reason, Receive, ReceiveLayer,
    Refusal, Timing, receive,
};
use tower_test::mock::{Handle, Mock, pair};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Res = Response<Full<Bytes>>;
type Handler = Mock<Request<AnyBody>, Res>;

#[tokio::test(start_paused = true)]
async fn r01_a_body_over_the_limit_is_refused_before_it_is_read() {
    let (service, mut handler) = receiver(&ReceiveLayer::new(Orders).limit(20));
    let fits = order(r#"{"id":"1234567890"}"#);
    assert_eq!(answered(&service, &mut handler, fits).await.status(), 200);

    // It says its length: nothing of it is read.
    let unread = AnyBody::new(Unreadable { length: 21 });
    // It says none: reading stops at the limit, though it would never end.
    let frame = || Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"[[[[[[[[")));
    let endless = AnyBody::new(StreamBody::new(tokio_stream::iter(std::iter::repeat_with(frame))));
    // Somebody else's limit is a limit too.
    let limited = AnyBody::new(Limited::new(Full::<Bytes>::from(r#"{"id":"12"}"#), 5));
    for body in [unread, endless, limited] {
        let request = Request::post("/").body(body).unwrap();
        let refused = service.clone().oneshot(request).await.unwrap();
        assert_eq!(refused.status(), 413);
        assert_eq!(reason(&refused), Reason::TooLarge);
    }
}

#[tokio::test(start_paused = true)]
async fn r01_the_default_limit_is_a_mebibyte() {
    let (service, mut handler) = receiver(&ReceiveLayer::new(Orders));
    let of_length = |length: usize| {
        let frame = r#"{"id":""}"#;
        order(&frame.replace("\"\"", &format!("\"{}\"", "1".repeat(length - frame.len()))))
    };
    let fits = of_length(1024 * 1024);
    assert_eq!(answered(&service, &mut handler, fits).await.status(), 200);
    let refused = service.oneshot(of_length(1024 * 1024 + 1)).await.unwrap();
    assert_eq!(refused.status(), 413);
}

#[tokio::test(start_paused = true)]
async fn r02_a_body_that_stalls_is_refused_at_the_deadline() {
    let second = Duration::from_secs(1);
    for (layer, deadline) in [
        (ReceiveLayer::new(Orders), 9 * second),
        (ReceiveLayer::new(Orders).deadline(second), second),
    ] {
        let (service, _handler) = receiver(&layer);
        let stalled = Request::post("/").body(AnyBody::new(Stalled { sent: false })).unwrap();
        let start = Instant::now();
        let refused = service.oneshot(stalled).await.unwrap();
        assert_eq!(refused.status(), 408);
        assert_eq!(reason(&refused), Reason::TooSlow { deadline });
        assert!((deadline..deadline + second / 100).contains(&start.elapsed()));
    }
}

#[tokio::test(start_paused = true)]
async fn r02_a_body_that_comes_in_pieces_has_one_deadline_for_the_whole() {
    let second = Duration::from_secs(1);
    let in_pieces = || {
        let pieces = tokio_stream::iter([r#"{"id""#, r#":"17"}"#, " ", " "]);
        let frames = pieces.then(async |piece| {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, BoxError>(Frame::data(Bytes::from(piece)))
        });
        Request::post("/").body(AnyBody::new(StreamBody::new(frames))).unwrap()
    };
    let (service, mut handler) = receiver(&ReceiveLayer::new(Orders).deadline(5 * second));
    let sent = tokio::spawn(service.oneshot(in_pieces()));
    let (request, respond) = handler.next_request().await.unwrap();
    let callback: &Callback = request.extensions().get().unwrap();
    assert_eq!(callback.body(), "{\"id\":\"17\"}  ");
    respond.send_response(Response::default());
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);

    let (service, _handler) =
        receiver(&ReceiveLayer::new(Orders).deadline(3 * second + second / 2));
    let start = Instant::now();
    let refused = service.oneshot(in_pieces()).await.unwrap();
    assert_eq!(refused.status(), 408);
    assert!(start.elapsed() < 4 * second);
}

/// Outside of a runtime there is none.
#[test]
fn what_is_there_of_a_body_needs_no_timer() {
    let limits = Limits::of(&Orders);
    let mut received = pin!(receive(&Orders, limits, order(r#"{"id":"17"}"#)));
    let poll = received.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok((_, callback))) = poll else { panic!("it is all there") };
    assert_eq!(callback.envelope().id, Id::new("shop.order", "17"));
}

#[tokio::test(start_paused = true)]
async fn r02_a_body_that_is_cut_is_refused() {
    let (service, _handler) = receiver(&ReceiveLayer::new(Orders));
    let frames = [
        Ok(Frame::data(Bytes::from_static(b"{\"id\":\"1\""))),
        Err(BoxError::from(io::Error::from(io::ErrorKind::ConnectionReset))),
    ];
    let cut = AnyBody::new(StreamBody::new(tokio_stream::iter(frames)));
    let refused = service.oneshot(Request::post("/").body(cut).unwrap()).await.unwrap();
    assert_eq!((refused.status().as_u16(), reason(&refused)), (400, Reason::Cut));
}

#[tokio::test(start_paused = true)]
async fn r03_what_the_contract_refuses_does_not_reach_the_handler() {
    let (service, _handler) = receiver(&ReceiveLayer::new(Orders));
    for (body, code) in [
        ("{\"id\":", "malformed"),
        ("\u{feff}{}", "malformed"),
        ("", "malformed"),
        ("[]", "malformed"),
        (r#"{"id":"1","id":"2"}"#, "ambiguous"),
    ] {
        let refused = service.clone().oneshot(order(body)).await.unwrap();
        assert_eq!((refused.status().as_u16(), reason(&refused).code()), (400, code), "{body}");
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let problem = refused.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap();
        assert!(problem["line"].is_u64() && problem["column"].is_u64(), "{problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn r05_what_is_not_posted_passes_through_untouched() {
    let (service, mut handler) = receiver(&ReceiveLayer::new(Orders).limit(0));
    for method in ["GET", "HEAD", "OPTIONS", "PUT"] {
        let body = AnyBody::new(Full::<Bytes>::from("not json"));
        let request = Request::builder().method(method).body(body).unwrap();
        let sent = tokio::spawn(service.clone().oneshot(request));
        let (request, respond) = handler.next_request().await.unwrap();
        assert!(request.extensions().is_empty());
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "not json");
        respond.send_response(Response::default());
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn r06_a_changed_body_is_read_anew() {
    for (changed, expected, id) in [
        (None, r#"{"id":"1"}"#, "1"),
        (Some(r#"{"id":"2"}"#), r#"{"id":"2"}"#, "2"),
        (Some(r#"{"id":"1" }"#), r#"{"id":"1" }"#, "1"),
    ] {
        let (mock, mut handler): (Handler, _) = pair();
        let service = ServiceBuilder::new()
            .layer(ReceiveLayer::new(Orders))
            .map_request(move |request: Request<AnyBody>| match changed {
                Some(body) => request.map(|_| AnyBody::new(Full::<Bytes>::from(body))),
                None => request,
            })
            .layer(ReceiveLayer::new(Orders))
            .service(mock);
        let sent = tokio::spawn(service.oneshot(order(r#"{"id":"1"}"#)));
        let (request, respond) = handler.next_request().await.unwrap();
        respond.send_response(Response::default());
        sent.await.unwrap().unwrap();

        let callback = request.extensions().get::<Callback>().unwrap().clone();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!((&callback.body()[..], &body[..]), (expected.as_bytes(), expected.as_bytes()));
        assert_eq!(callback.envelope().id, Id::new("shop.order", id));
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_outermost_layer_bind_those_behind_it() {
    let (mock, mut handler): (Handler, _) = pair();
    let (outer, inner) = (ReceiveLayer::new(Orders), ReceiveLayer::new(Orders).limit(1));
    let service = outer.layer(inner.layer(mock));
    let request = order(r#"{"id":"1"}"#);
    assert_eq!(answered(&service, &mut handler, request).await.status(), 200);
}

// ===== what every layer does =====

#[tokio::test(start_paused = true)]
async fn calls_the_service_that_was_polled_ready() {
    // `ConcurrencyLimit` panics when it is called without having been polled ready.
    let echo = service_fn(async |_: Request<AnyBody>| Ok::<_, Infallible>(Res::default()));
    let limit = tower::limit::ConcurrencyLimitLayer::new(1);
    let service = ReceiveLayer::new(Orders).layer(limit.layer(echo));
    for method in ["POST", "GET", "POST"] {
        let mut request = order(r#"{"id":"1"}"#);
        *request.method_mut() = method.parse().unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_keeps_no_place_in_the_inner_service() {
    let (mock, mut handler): (Handler, _) = pair();
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(1);
    let service = ReceiveLayer::new(Orders).layer(limit.layer(mock));
    let stalled = Request::post("/").body(AnyBody::new(Stalled { sent: false })).unwrap();
    let _slow = tokio::spawn(service.clone().oneshot(stalled));
    advance(Duration::from_millis(1)).await;
    let sent = tokio::spawn(service.oneshot(order(r#"{"id":"1"}"#)));
    let (_, respond) = handler.next_request().await.unwrap();
    respond.send_response(Response::default());
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn passes_errors_through() {
    let (service, mut handler) = receiver(&ReceiveLayer::new(Orders));
    let sent = tokio::spawn(service.oneshot(order(r#"{"id":"1"}"#)));
    handler.next_request().await.unwrap().1.send_error("spilt");
    assert_eq!(sent.await.unwrap().unwrap_err().to_string(), "spilt");
}

#[test]
fn is_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    let layer = ReceiveLayer::new(Orders);
    check(&layer);
    check(&layer.layer(()));
    check(&Callback::new(Bytes::new(), tower_callback_contract::as_written));
    check(&Refusal::new(Reason::Conflict));
}

struct Orders;

impl Contract for Orders {
    fn name(&self) -> &'static str {
        "shop.order"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(10), Duration::from_secs(3600))
    }

    fn exchange(&self, _: &Callback) -> Exchange {
        Exchange::OneWay
    }

    fn identify(&self, _: &request::Parts, callback: &Callback) -> Result<Envelope, Refusal> {
        let id = callback.field("id")?.and_then(|id| Id::from_json(self.name(), id));
        Ok(Envelope { id, ..Envelope::default() })
    }

    fn action(&self, _: &Response<Bytes>) -> Action {
        Action::Accept
    }

    fn reply(&self, _: &Action) -> Response<Bytes> {
        Response::default()
    }
}

fn receiver(
    layer: &ReceiveLayer<Orders>,
) -> (Receive<Handler, Orders>, Handle<Request<AnyBody>, Res>) {
    let (mock, handler) = pair();
    (layer.layer(mock), handler)
}

async fn answered<S>(
    service: &S,
    handler: &mut Handle<Request<AnyBody>, Res>,
    request: Request<AnyBody>,
) -> Res
where
    S: Service<Request<AnyBody>, Response = Res, Error = BoxError, Future: Send>,
    S: Clone + Send + 'static,
{
    let sent = tokio::spawn(service.clone().oneshot(request));
    handler.next_request().await.unwrap().1.send_response(Response::default());
    sent.await.unwrap().unwrap()
}

fn order(body: &str) -> Request<AnyBody> {
    Request::post("/").body(AnyBody::new(Full::<Bytes>::from(body.to_owned()))).unwrap()
}

fn reason(response: &Res) -> Reason {
    response.extensions().get::<Refusal>().expect("a refusal").reason().clone()
}

/// A body of any kind that can be made from bytes, as axum's.
struct AnyBody(UnsyncBoxBody<Bytes, BoxError>);

impl AnyBody {
    fn new(body: impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static) -> Self {
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

/// Says its length, and must not be read.
struct Unreadable {
    length: u64,
}

impl Body for Unreadable {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        unreachable!("it was read")
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// Sends a beginning, and then nothing more.
struct Stalled {
    sent: bool,
}

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::replace(&mut self.sent, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{\"id\"")))))
    }
}
