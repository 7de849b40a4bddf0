//! The layer from outside, row by row of the semantics it promises.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_callback_contract::{
    Action, Callback, Content, Contract, Envelope, Exchange, Id, Reason, ReceiveLayer, Refusal,
    Timing,
};
use tower_callback_schema::{Schema, SchemaLayer, Validated, Violations};
use tower_test::mock::{Handle, Mock, pair};
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::MakeWriter;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Req = Request<Full<Bytes>>;
type Res = Response<AnyBody>;

#[tokio::test]
async fn v01_a_request_that_does_not_match_is_refused_with_every_violation() {
    let (service, _handler) = service(&request());
    let refused = service.oneshot(post(r#"{"id":"1","count":"secret","list":[1]}"#)).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let reason = refused.extensions().get::<Refusal>().unwrap().reason().clone();
    assert!(matches!(reason, Reason::Invalid(violations) if violations.count() == 2));
    let problem = json_of(refused).await;
    assert_eq!(problem["reason"], "invalid");
    let said = json!([
        {"pointer": "/count", "keyword": "type", "message": "the value is not of type \"integer\""},
        {"pointer": "/list/0", "keyword": "type", "message": "the value is not of type \"string\""},
    ]);
    assert_eq!(problem["violations"], said);
}

#[tokio::test]
async fn v01_what_matches_reaches_the_handler_untouched() {
    let (service, mut handler) = service(&request());
    let body = r#" {"id": "1", "count": 1.0, "new": null} "#;
    let sent = tokio::spawn(service.oneshot(post(body)));
    let (request, respond) = handler.next_request().await.unwrap();
    assert!(request.extensions().get::<Violations>().is_none());
    assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), body);
    respond.send_response(reply(200, "success"));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn v01_the_status_can_be_set() {
    for (layer, status, retry_after) in [
        (request().status(StatusCode::UNPROCESSABLE_ENTITY), 422, None),
        (request().status(StatusCode::SERVICE_UNAVAILABLE), 503, Some("1")),
    ] {
        let (service, _handler) = service(&layer);
        let refused = service.oneshot(post("{}")).await.unwrap();
        assert_eq!(refused.status(), status);
        let header = refused.headers().get("retry-after");
        assert_eq!(header.map(|value| value.to_str().unwrap()), retry_after);
        assert_eq!(json_of(refused).await["status"], status);
    }
}

#[tokio::test]
async fn v01_values_are_shown_only_if_asked_for() {
    let body = format!(r#"{{"id":"1","count":"secret{}"}}"#, "é".repeat(100_000));
    let (hidden, _handler) = service(&request());
    let (shown, _handler) = service(&request().show_values());
    let hidden = json_of(hidden.oneshot(post(&body)).await.unwrap()).await.to_string();
    let shown = json_of(shown.oneshot(post(&body)).await.unwrap()).await.to_string();
    assert!(!hidden.contains("secret"), "{hidden}");
    assert!(shown.contains("secret") && shown.len() < 1024, "{shown}");
}

#[tokio::test]
async fn v01_what_is_no_json_is_refused_as_such() {
    let (service, _handler) = service(&request());
    for (body, code) in [("{", "malformed"), (r#"{"id":"1","id":"2"}"#, "ambiguous")] {
        let refused = service.clone().oneshot(post(body)).await.unwrap();
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.extensions().get::<Refusal>().unwrap().reason().code(), code);
    }
}

#[tokio::test]
async fn v02_a_report_lets_the_handler_run_and_tells_it() {
    let (service, mut handler) = service(&request().report());
    for (body, keyword) in [(r#"{"count":1}"#, "required"), ("{", "malformed")] {
        let sent = tokio::spawn(service.clone().oneshot(post(body)));
        let (request, respond) = handler.next_request().await.unwrap();
        let violations = request.extensions().get::<Violations>().unwrap();
        let keywords: Vec<_> = violations.iter().map(|one| &*one.keyword).collect();
        assert_eq!(keywords, [keyword]);
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), body);
        respond.send_response(reply(200, "success"));
        let response = sent.await.unwrap().unwrap();
        assert!(response.extensions().get::<Refusal>().is_none());
    }
}

#[tokio::test]
async fn v02_a_sample_looks_at_its_share() {
    for (share, expected) in [(0.0, 0..=0), (0.1, 95..=105), (0.5, 495..=505), (1.0, 1000..=1000)] {
        let seen = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&seen);
        let handler = service_fn(move |request: Req| {
            let looked_at = request.extensions().get::<Violations>().is_some();
            *counted.lock().unwrap() += usize::from(looked_at);
            async { Ok::<_, Infallible>(reply(200, "success")) }
        });
        let layer = request().sample(share);
        // One layer, however many services it makes.
        for _ in 0..1000 {
            layer.layer(handler.clone()).oneshot(post("{}")).await.unwrap();
        }
        assert!(expected.contains(&*seen.lock().unwrap()), "{share}: {seen:?}");
    }
}

#[test]
#[should_panic(expected = "a share is between 0 and 1")]
fn a_share_of_more_than_all_is_a_mistake() {
    let _ = request().sample(50.0);
}

#[test]
fn v02_an_event_says_where_in_the_schema_and_nothing_of_the_payload() {
    let log = Log::default();
    // With one subscriber alive, tracing keeps for all threads what the first of them says of an event,
    // and that may have none. With two it asks both.
    let _other = tracing::Dispatch::new(NoSubscriber::new());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let body = r#"{"id":"17","count":"secret","secret":{"x":1}}"#;
        let handler = service_fn(async |_: Req| Ok::<_, Infallible>(reply(200, "{}")));
        let requests = request().show_values().layer(handler);
        runtime.block_on(requests.oneshot(post(body))).unwrap();
        let replies = response().report().layer(handler);
        runtime.block_on(replies.oneshot(post(body))).unwrap();
    });
    let log = log.text();
    for part in ["shop.order", "id=17", "count=1", "/properties/count/type", "enforced=true"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(log.contains("a reply does not match its schema") && log.contains("enforced=false"));
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test]
async fn v03_an_unknown_field_is_fine_and_kept() {
    let handler = service_fn(async |request: Req| {
        let callback: &Callback = request.extensions().get().unwrap();
        Ok::<_, Infallible>(reply(200, &json!(callback.json().unwrap().get("new")).to_string()))
    });
    let service = request().layer(handler);
    let response = service.oneshot(post(r#"{"id":"1","new":{"a":[1]}}"#)).await.unwrap();
    assert_eq!(body_of(response).await, r#"{"a":[1]}"#);
}

#[tokio::test]
async fn v04_a_reply_that_does_not_match_is_a_500() {
    for (wrong, keyword) in [
        ("{}", "required"),
        (r#"{"ok":"secret"}"#, "type"),
        ("success", "malformed"),
        (r#"{"ok":true,"ok":true}"#, "ambiguous"),
    ] {
        let refused = replied(&response(), "{}", reply(200, wrong)).await;
        assert_eq!(refused.status(), 500);
        let Some(Reason::InvalidReply(violations)) =
            refused.extensions().get().map(Refusal::reason).cloned()
        else {
            panic!("{refused:?}")
        };
        assert_eq!(violations.iter().next().unwrap().keyword, keyword);
        let problem = json_of(refused).await;
        assert_eq!(
            (&problem["reason"], problem["violations"].is_array()),
            (&json!("invalid-reply"), true)
        );
        assert!(!problem.to_string().contains("secret"));
    }
    let fine = replied(&response(), "{}", reply(201, r#"{"ok":true,"new":1}"#)).await;
    assert_eq!(fine.status(), 201);
    assert_eq!(fine.headers()["x-kept"], "1");
    assert_eq!(body_of(fine).await, r#"{"ok":true,"new":1}"#);
}

#[tokio::test]
async fn v04_the_contracts_fallback_goes_before_the_500() {
    let answered = replied(&response(), r#"{"ask":"what?"}"#, reply(200, "{}")).await;
    assert_eq!(answered.status(), 200);
    let reason = answered.extensions().get::<Refusal>().unwrap().reason().code();
    assert_eq!(reason, "invalid-reply");
    assert_eq!(body_of(answered).await, r#"{"ok":"what?"}"#);
}

#[tokio::test]
async fn v04_a_report_lets_the_reply_go_and_marks_it() {
    let response = replied(&response().report(), "{}", reply(200, "success")).await;
    let violations = response.extensions().get::<Violations>().unwrap();
    assert_eq!(violations.iter().next().unwrap().keyword, "malformed");
    assert_eq!((response.status().as_u16(), &*body_of(response).await), (200, "success"));
    let nothing = replied(&self::response().sample(0.0), "{}", reply(200, "success")).await;
    assert!(nothing.extensions().get::<Violations>().is_none());
}

#[tokio::test]
async fn v04_what_the_platform_does_not_read_is_not_looked_at() {
    for unread in [reply(500, "sorry"), reply(503, ""), reply(204, ""), reply(200, "")] {
        let (status, body) = (unread.status(), unread.body().size());
        let response = replied(&response(), "{}", unread).await;
        assert_eq!(response.status(), status);
        assert!(response.extensions().get::<Refusal>().is_none());
        assert_eq!(body_of(response).await.len(), body);
    }
    // However long it is.
    let endless = Response::builder().status(500).body(AnyBody::endless()).unwrap();
    assert_eq!(replied(&response(), "{}", endless).await.status(), 500);
}

#[tokio::test]
async fn v04_a_reply_over_the_limit_is_a_violation() {
    let layer = response().limit(16);
    let fits = r#"{"ok":true     }"#;
    assert_eq!(replied(&layer, "{}", reply(200, fits)).await.status(), 200);
    for too_large in [reply(200, &format!("{fits} ")), Response::new(AnyBody::endless())] {
        let refused = replied(&layer, "{}", too_large).await;
        assert_eq!(refused.status(), 500);
        let problem = json_of(refused).await;
        assert_eq!(problem["violations"][0]["keyword"], "too-large");
    }
    let layer = layer.report();
    let whole = replied(&layer, "{}", reply(200, &format!("{fits} "))).await;
    assert_eq!(body_of(whole).await.len(), 17);
    // A stream is not held back to be looked at.
    let mut endless = replied(&layer, "{}", Response::new(AnyBody::endless())).await;
    assert!(endless.body_mut().frame().await.is_some());
}

#[tokio::test]
async fn v04_a_reply_that_breaks_off_is_a_500() {
    // Also where there is a fallback, which would say that the callback was handled.
    for body in ["{}", r#"{"ask":"what?"}"#] {
        let frames = [
            Ok(Frame::data(Bytes::from_static(b"{"))),
            Err(BoxError::from(io::Error::from(io::ErrorKind::ConnectionReset))),
        ];
        let broken = AnyBody(StreamBody::new(tokio_stream::iter(frames)).boxed_unsync());
        let refused = replied(&response(), body, Response::new(broken)).await;
        assert_eq!(refused.status(), 500);
        assert_eq!(refused.extensions().get::<Refusal>().unwrap().reason(), &Reason::HandlerFailed);
    }
}

#[tokio::test]
async fn r05_what_is_not_posted_passes_through_untouched() {
    for layer in [request(), response()] {
        let (service, mut handler) = service(&layer);
        let probe = Request::get("/").body(Full::from("probe")).unwrap();
        let sent = tokio::spawn(service.oneshot(probe));
        let (request, respond) = handler.next_request().await.unwrap();
        assert!(request.extensions().is_empty());
        respond.send_response(reply(200, "not json"));
        assert_eq!(body_of(sent.await.unwrap().unwrap()).await, "not json");
    }
}

/// One document, at one address: it was parsed once.
#[tokio::test]
async fn all_layers_look_at_one_document() {
    static SEEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let look = |request: Req| {
        let callback: &Callback = request.extensions().get().unwrap();
        SEEN.lock().unwrap().push(callback.json().unwrap().address());
        request
    };
    let handler = service_fn(async |_: Req| Ok::<_, Infallible>(reply(200, r#"{"ok":1}"#)));
    let service = ServiceBuilder::new()
        .layer(ReceiveLayer::new(Orders))
        .map_request(look)
        .layer(request())
        .map_request(look)
        .layer(response())
        .map_request(look)
        .service(handler);
    assert_eq!(service.oneshot(post(r#"{"id":"1"}"#)).await.unwrap().status(), 200);
    let seen = SEEN.lock().unwrap();
    assert_eq!((seen.len(), seen.windows(2).all(|two| two[0] == two[1])), (3, true));
}

#[tokio::test]
async fn polls_the_inner_service_ready_for_each_callback() {
    for layer in [request(), response()] {
        let handler = service_fn(async |_: Req| Ok::<_, Infallible>(reply(200, r#"{"ok":1}"#)));
        let mut service = ServiceBuilder::new().layer(layer).concurrency_limit(1).service(handler);
        for _ in 0..3 {
            let answer = service.ready().await.unwrap().call(post(r#"{"id":"1"}"#)).await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    }
}

#[tokio::test]
async fn passes_errors_through() {
    for layer in [request(), response()] {
        let (service, mut handler) = service(&layer);
        let sent = tokio::spawn(service.oneshot(post(r#"{"id":"1"}"#)));
        let (_, respond) = handler.next_request().await.unwrap();
        respond.send_error("broken");
        assert_eq!(sent.await.unwrap().unwrap_err().to_string(), "broken");
    }
}

#[test]
fn is_send_and_sync() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Schema>();
    is_send_and_sync::<SchemaLayer<Orders>>();
    is_send_and_sync::<Validated<(), Orders>>();
}

/// A shop's orders. It reads the replies, and one order says what to answer if all else fails.
#[derive(Clone)]
struct Orders;

impl Contract for Orders {
    fn name(&self) -> &'static str {
        "shop.order"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(10), Duration::from_secs(3600))
    }

    fn exchange(&self, _: &Callback) -> Exchange {
        Exchange::RequestReply
    }

    fn identify(&self, _: &request::Parts, callback: &Callback) -> Result<Envelope, Refusal> {
        let id = callback.field("id").ok().flatten().and_then(|id| Id::from_json("shop", id));
        Ok(Envelope { id, ..Envelope::default() })
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        if reply.status().is_success() {
            Action::Use(Content::Merge(reply.body().clone()))
        } else {
            Action::Retry { after: None }
        }
    }

    fn reply(&self, _: &Action) -> Response<Bytes> {
        Response::default()
    }

    fn fallback(&self, callback: &Callback) -> Option<Response<Bytes>> {
        let ask = callback.field("ask").ok()??;
        Some(Response::new(json!({ "ok": ask }).to_string().into()))
    }
}

fn request() -> SchemaLayer<Orders> {
    let schema = json!({
        "type": "object",
        "properties": {"count": {"type": "integer"}, "list": {"items": {"type": "string"}}},
        "required": ["id"],
    });
    SchemaLayer::request(Orders, Schema::new(&schema).unwrap())
}

fn response() -> SchemaLayer<Orders> {
    let ok = json!({"properties": {"ok": {"type": ["boolean", "integer"]}}, "required": ["ok"]});
    SchemaLayer::response(Orders, Schema::new(&ok).unwrap())
}

fn service(layer: &SchemaLayer<Orders>) -> (Validated<Mock<Req, Res>, Orders>, Handle<Req, Res>) {
    let (mock, mut handle) = pair();
    handle.allow(u64::MAX);
    (layer.layer(mock), handle)
}

async fn replied(layer: &SchemaLayer<Orders>, body: &str, reply: Res) -> Res {
    let (service, mut handler) = service(layer);
    let sent = tokio::spawn(service.oneshot(post(body)));
    let (_, respond) = handler.next_request().await.unwrap();
    respond.send_response(reply);
    sent.await.unwrap().unwrap()
}

fn post(body: &str) -> Req {
    Request::post("/").body(Full::from(body.to_owned())).unwrap()
}

fn reply(status: u16, body: &str) -> Res {
    let body = AnyBody::from(Bytes::copy_from_slice(body.as_bytes()));
    Response::builder().status(status).header("x-kept", "1").body(body).unwrap()
}

async fn body_of(response: Res) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

async fn json_of(response: Res) -> Value {
    serde_json::from_str(&body_of(response).await).unwrap()
}

/// Some replies are there at once, some never end, some break off.
#[derive(Debug)]
struct AnyBody(UnsyncBoxBody<Bytes, BoxError>);

impl AnyBody {
    fn endless() -> Self {
        let frames = std::iter::repeat_with(|| Ok(Frame::data(Bytes::from_static(b"        "))));
        Self(StreamBody::new(tokio_stream::iter(frames)).boxed_unsync())
    }

    fn size(&self) -> usize {
        usize::try_from(self.size_hint().exact().unwrap()).unwrap()
    }
}

impl From<Bytes> for AnyBody {
    fn from(bytes: Bytes) -> Self {
        Self(Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
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

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}
