//! The layer from outside, row by row of the semantics it promises.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_callback_contract::{
    Action, Body, Callback, Contract, Envelope, Id, Reason, Refusal, Timing,
};
use tower_callback_schema::{Schema, SchemaLayer, Violations};
use tower_callback_stack::ReceiveLayer;
use tower_callback_testkit::{
    BoxError, Handling, Req, Res, TestBody, around, body_of, capture_events,
    passes_errors_of_readiness_through, response as reply, service,
};

#[tokio::test]
async fn v01_a_request_that_does_not_match_is_refused_with_every_violation() {
    let (service, _play) = around(&request());
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
    let (service, mut play) = around(&request());
    let body = r#" {"id": "1", "count": 1.0, "new": null} "#;
    let sent = tokio::spawn(service.oneshot(post(body)));
    let (request, respond) = play.next_request().await.unwrap();
    assert!(request.extensions().get::<Violations>().is_none());
    assert_eq!(body_of(request.into_body()).await, body);
    respond.send_response(reply(200, "success"));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn v01_the_status_can_be_set() {
    for (layer, status, retry_after) in [
        (request().status(StatusCode::UNPROCESSABLE_ENTITY), 422, None),
        (request().status(StatusCode::SERVICE_UNAVAILABLE), 503, Some("1")),
    ] {
        let (service, _play) = around(&layer);
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
    let (hidden, _play) = around(&request());
    let (shown, _play) = around(&request().show_values());
    let hidden = json_of(hidden.oneshot(post(body.clone())).await.unwrap()).await.to_string();
    let shown = json_of(shown.oneshot(post(body)).await.unwrap()).await.to_string();
    assert!(!hidden.contains("secret"), "{hidden}");
    assert!(shown.contains("secret") && shown.len() < 1024, "{shown}");
}

#[tokio::test]
async fn v01_what_is_no_json_is_refused_as_such() {
    let (service, _play) = around(&request());
    let refused = service.oneshot(post("{")).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.extensions().get::<Refusal>().unwrap().reason().code(), "malformed");
}

/// A key that stands twice is refused where it identifies; elsewhere the last one counts.
#[tokio::test]
async fn l03_of_a_key_that_stands_twice_the_last_is_validated() {
    let (service, _play) = around(&request());
    let refused = service.oneshot(post(r#"{"id":"1","count":1,"count":"x"}"#)).await.unwrap();
    let problem = json_of(refused).await;
    assert_eq!(problem["violations"][0]["pointer"], "/count");
}

#[tokio::test]
async fn v02_a_report_lets_the_handler_run_and_tells_it() {
    let (service, mut play) = around(&request().report());
    for (body, keyword) in [(r#"{"count":1}"#, "required"), ("{", "malformed")] {
        let sent = tokio::spawn(service.clone().oneshot(post(body)));
        let (request, respond) = play.next_request().await.unwrap();
        let violations = request.extensions().get::<Violations>().unwrap();
        let keywords: Vec<_> = violations.iter().map(|one| &*one.keyword).collect();
        assert_eq!(keywords, [keyword]);
        assert_eq!(body_of(request.into_body()).await, body);
        respond.send_response(reply(200, "success"));
        let response = sent.await.unwrap().unwrap();
        assert!(response.extensions().get::<Refusal>().is_none());
    }
}

#[tokio::test]
async fn v02_a_sample_looks_at_its_share() {
    for (share, expected) in [(0.0, 0..=0), (0.1, 95..=105), (0.5, 495..=505), (1.0, 1000..=1000)] {
        let seen: &AtomicUsize = Box::leak(Box::default());
        let layer = request().sample(share);
        let handle = async |request: Req| {
            let looked_at = request.extensions().get::<Violations>().is_some();
            seen.fetch_add(looked_at.into(), Ordering::SeqCst);
            Ok(reply(200, "success"))
        };
        // One layer, however many services it makes.
        for _ in 0..1000 {
            service(&layer, handle).oneshot(post("{}")).await.unwrap();
        }
        assert!(expected.contains(&seen.load(Ordering::SeqCst)), "{share}: {seen:?}");
    }
}

#[test]
#[should_panic(expected = "a share is between 0 and 1")]
fn a_share_of_more_than_all_is_a_mistake() {
    let _ = request().sample(50.0);
}

#[tokio::test]
async fn v02_an_event_says_where_in_the_schema_and_nothing_of_the_payload() {
    let (events, _guard) = capture_events();
    let body = r#"{"id":"17","count":"secret","secret":{"x":1}}"#;
    let handle = async |_: Req| Ok(reply(200, "{}"));
    service(&request().show_values(), handle).oneshot(post(body)).await.unwrap();
    service(&response().report(), handle).oneshot(post(body)).await.unwrap();
    let log = events.text();
    for part in ["shop.order", "id=17", "count=1", "/properties/count/type", "enforced=true"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(log.contains("a response does not match its schema") && log.contains("enforced=false"));
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test]
async fn v03_an_unknown_field_is_fine_and_kept() {
    let service = service(&request(), async |request: Req| {
        let callback: &Callback = request.extensions().get().unwrap();
        Ok(reply(200, json!(callback.json().unwrap().get("new")).to_string()))
    });
    let response = service.oneshot(post(r#"{"id":"1","new":{"a":[1]}}"#)).await.unwrap();
    assert_eq!(text_of(response).await, r#"{"a":[1]}"#);
}

#[tokio::test]
async fn v04_a_response_that_does_not_match_is_a_500() {
    for (wrong, keyword) in
        [("{}", "required"), (r#"{"ok":"secret"}"#, "type"), ("success", "malformed")]
    {
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
    let mut right = reply(201, r#"{"ok":true,"new":1}"#);
    right.headers_mut().insert("x-kept", 1.into());
    let fine = replied(&response(), "{}", right).await;
    assert_eq!(fine.status(), 201);
    assert_eq!(fine.headers()["x-kept"], "1");
    assert_eq!(text_of(fine).await, r#"{"ok":true,"new":1}"#);
}

#[tokio::test]
async fn v04_the_contracts_fallback_goes_before_the_500() {
    let answered = replied(&response(), r#"{"ask":"what?"}"#, reply(200, "{}")).await;
    assert_eq!(answered.status(), 200);
    let reason = answered.extensions().get::<Refusal>().unwrap().reason().code();
    assert_eq!(reason, "invalid-reply");
    assert_eq!(text_of(answered).await, r#"{"ok":"what?"}"#);

    // What the handler tells outer layers stays; what the platform does is told anew.
    let mut wrong = reply(200, "{}");
    wrong.extensions_mut().insert("kept");
    wrong.extensions_mut().insert(Action::Retry { after: None });
    let answered = replied(&response(), r#"{"ask":"what?"}"#, wrong).await;
    assert_eq!(answered.extensions().get(), Some(&"kept"));
    assert!(!matches!(answered.extensions().get(), Some(Action::Retry { .. }) | None));
}

#[tokio::test]
async fn v04_a_report_lets_the_response_go_and_marks_it() {
    let response = replied(&response().report(), "{}", reply(200, "success")).await;
    let violations = response.extensions().get::<Violations>().unwrap();
    assert_eq!(violations.iter().next().unwrap().keyword, "malformed");
    assert_eq!((response.status().as_u16(), &*text_of(response).await), (200, "success"));
    let nothing = replied(&self::response().sample(0.0), "{}", reply(200, "success")).await;
    assert!(nothing.extensions().get::<Violations>().is_none());
}

#[tokio::test]
async fn v04_what_the_platform_does_not_read_is_not_looked_at() {
    for unread in [reply(500, "sorry"), reply(503, ""), reply(204, ""), reply(200, "")] {
        let (status, length) = (unread.status(), unread.body().size_hint().exact().unwrap());
        let response = replied(&response(), "{}", unread).await;
        assert_eq!(response.status(), status);
        assert!(response.extensions().get::<Refusal>().is_none());
        assert_eq!(text_of(response).await.len() as u64, length);
    }
    // However long it is.
    assert_eq!(replied(&response(), "{}", reply(500, TestBody::endless())).await.status(), 500);
}

#[tokio::test]
async fn v04_a_response_over_the_limit_is_a_violation() {
    let layer = response().max_reply_bytes(16);
    let fits = r#"{"ok":true     }"#;
    assert_eq!(replied(&layer, "{}", reply(200, fits)).await.status(), 200);
    for too_large in [TestBody::from(format!("{fits} ")), TestBody::endless()] {
        let refused = replied(&layer, "{}", reply(200, too_large)).await;
        assert_eq!(refused.status(), 500);
        let problem = json_of(refused).await;
        assert_eq!(problem["violations"][0]["keyword"], "body-too-large");
    }
    let layer = layer.report();
    let whole = replied(&layer, "{}", reply(200, format!("{fits} "))).await;
    assert_eq!(text_of(whole).await.len(), 17);
    // A stream is not held back to be validated.
    let mut endless = replied(&layer, "{}", reply(200, TestBody::endless())).await;
    assert!(endless.body_mut().frame().await.is_some());
}

#[tokio::test]
async fn v04_a_response_that_breaks_off_is_a_500() {
    // Also where there is a fallback, which would say that the callback was handled.
    for body in ["{}", r#"{"ask":"what?"}"#] {
        let frames = [
            Ok(Frame::data(Bytes::from_static(b"{"))),
            Err(BoxError::from(io::Error::from(io::ErrorKind::ConnectionReset))),
        ];
        let stream = TestBody::new(StreamBody::new(tokio_stream::iter(frames)));
        for broken in [stream, TestBody::broken(16)] {
            let refused = replied(&response(), body, reply(200, broken)).await;
            assert_eq!(refused.status(), 500);
            let refusal = refused.extensions().get::<Refusal>().unwrap();
            assert_eq!(refusal.reason(), &Reason::HandlerFailed);
        }
    }
}

#[tokio::test]
async fn r05_what_is_not_posted_passes_through_untouched() {
    for layer in [request(), response()] {
        let (service, mut play) = around(&layer);
        let probe = Request::get("/").body("probe".into()).unwrap();
        let sent = tokio::spawn(service.oneshot(probe));
        let (request, respond) = play.next_request().await.unwrap();
        assert!(request.extensions().is_empty());
        assert_eq!(body_of(request.into_body()).await, "probe");
        respond.send_response(reply(200, "not json"));
        assert_eq!(text_of(sent.await.unwrap().unwrap()).await, "not json");
    }
}

/// One document, at one address: it was parsed once.
#[tokio::test]
async fn all_layers_look_at_one_document() {
    static SEEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    fn look<B>(request: Request<B>) -> Request<B> {
        let callback: &Callback = request.extensions().get().unwrap();
        SEEN.lock().unwrap().push(callback.json().unwrap().address());
        request
    }
    let handler = Handling(async |_: Req| Ok(reply(200, r#"{"ok":1}"#)));
    let service = ServiceBuilder::new()
        .layer(ReceiveLayer::for_contract(Orders))
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

#[tokio::test(start_paused = true)]
async fn is_always_ready() {
    for layer in both() {
        tower_callback_testkit::is_always_ready(&layer, order()).await;
    }
}

#[tokio::test]
async fn calls_the_service_that_was_polled_ready() {
    for layer in both() {
        let three = [order(), order(), order()];
        tower_callback_testkit::calls_the_service_that_was_polled_ready(&layer, three).await;
    }
}

#[tokio::test(start_paused = true)]
async fn keeps_no_place_while_it_waits() {
    for layer in both() {
        tower_callback_testkit::keeps_no_place_while_it_waits(&layer, order()).await;
    }
}

#[tokio::test]
async fn passes_errors_through() {
    for layer in both() {
        passes_errors_of_readiness_through(&layer, order()).await;
        let (service, mut play) = around(&layer);
        let sent = tokio::spawn(service.oneshot(order()));
        let (_, respond) = play.next_request().await.unwrap();
        respond.send_error("broken");
        assert_eq!(sent.await.unwrap().unwrap_err().to_string(), "broken");
    }
}

#[test]
fn is_a_service() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Schema>();
    is_send_and_sync::<SchemaLayer<Orders>>();
    let handler = Handling(async |_: Req| Ok(reply(200, "{}")));
    tower_callback_testkit::is_service(&request().layer(handler.clone()));
    tower_callback_testkit::is_service(&response().layer(handler));
}

/// A shop's orders, of any form. One that asks something says what to answer if all else fails.
struct Orders;

impl Contract for Orders {
    fn name(&self) -> &'static str {
        "shop.order"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(10), Duration::from_secs(3600))
    }

    fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        let id = body.field("id").ok().flatten();
        Ok(Envelope::new(id.and_then(|id| Id::from_json("shop", id))))
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

/// For the checks of readiness, whose handler does not respond with JSON.
fn both() -> [SchemaLayer<Orders>; 2] {
    [request(), response().report()]
}

async fn replied(layer: &SchemaLayer<Orders>, body: &'static str, reply: Res) -> Res {
    let (service, mut play) = around(layer);
    let sent = tokio::spawn(service.oneshot(post(body)));
    let (_, respond) = play.next_request().await.unwrap();
    respond.send_response(reply);
    sent.await.unwrap().unwrap()
}

fn order() -> Req {
    post(r#"{"id":"1"}"#)
}

fn post(body: impl Into<TestBody>) -> Req {
    tower_callback_testkit::post("/", body)
}

async fn text_of(response: Res) -> String {
    String::from_utf8(body_of(response.into_body()).await.into()).unwrap()
}

async fn json_of(response: Res) -> Value {
    serde_json::from_str(&text_of(response).await).unwrap()
}
