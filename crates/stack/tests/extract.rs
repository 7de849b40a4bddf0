//! The extractors from outside, with layers and without.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
};
use bytes::Bytes;
use http::{Response, request};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_callback_contract::{
    Callback, Contract, Envelope, Id, Reason, Refusal, Spelling, Timing, ValueRef,
};
use tower_callback_stack::{Buffered, Payload, ReceiveLayer};
use tower_callback_testkit::capture_events;

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Order {
    number: u32,
    #[serde(alias = "userName")]
    user_name: String,
}

#[tokio::test]
async fn a_payload_is_read_without_any_layer() {
    let order =
        Payload::<Order>::from_request(post(r#"{"number":1,"userName":"安娜"}"#), &()).await;
    assert_eq!(order.unwrap().0, Order { number: 1, user_name: "安娜".into() });
    for (body, reason, detail) in [
        (r#"{"number":1}"#, "invalid", "field `/user_name` is missing"),
        (r#"{"number":"secret","user_name":""}"#, "invalid", "field `/number` must be u32"),
        (r#"[1,"secret"]"#, "invalid", "the document must be a JSON object"),
        ("", "malformed", "the body is empty"),
    ] {
        let refusal = Payload::<Order>::from_request(post(body), &()).await.unwrap_err();
        let problem: Value = serde_json::from_slice(refusal.to_problem().body()).unwrap();
        assert_eq!((refusal.reason().code(), &problem["status"]), (reason, &400.into()));
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
}

#[tokio::test]
async fn v01_a_payload_that_does_not_fit_says_where() {
    for (body, violation) in [
        (r#"{"number":1}"#, ["/user_name", "required", "is missing"]),
        (r#"{"number":"secret","user_name":""}"#, ["/number", "type", "must be u32"]),
        ("[]", ["", "type", "must be a JSON object"]),
    ] {
        let refusal = Payload::<Order>::from_request(post(body), &()).await.unwrap_err();
        let problem: Value = serde_json::from_slice(refusal.to_problem().body()).unwrap();
        let [pointer, keyword, message] = violation;
        let expected = json!([{"pointer": pointer, "keyword": keyword, "message": message}]);
        assert_eq!((&problem["violations"], problem.get("line")), (&expected, None));
    }
}

#[tokio::test]
async fn a_warning_says_which_callback_did_not_fit_which_type_and_nothing_of_the_payload() {
    let (log, _guard) = capture_events();
    let handler = service_fn(async |request: Request<Buffered<Body>>| {
        let request = request.map(Body::new);
        let refusal = Payload::<Order>::from_request(request, &()).await.unwrap_err();
        Ok::<_, Refusal>(refusal.to_problem().map(Body::from))
    });
    let service = ReceiveLayer::for_contract(Orders).layer(handler);
    service.oneshot(post(r#"{"number":"17","user_name":["secret"]}"#)).await.unwrap();
    // A flood of callbacks must not flood a log.
    Payload::<Order>::from_request(post("secret"), &()).await.unwrap_err();
    let text = log.lines("WARN").join("\n");
    for part in ["WARN", "a callback does not fit", "id=17", "expected=\"extract::Order\""] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!log.text().contains("secret") && text.lines().count() == 1, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_payload_without_a_layer_is_bounded_in_size_and_time() {
    let large = post(&format!(r#"{{"x":"{}"}}"#, "x".repeat(1024 * 1024)));
    let refusal = Payload::<Order>::from_request(large, &()).await.unwrap_err();
    assert_eq!(refusal.reason(), &Reason::BodyTooLarge);
    let never = Body::new(http_body_util::StreamBody::new(tokio_stream::pending::<
        Result<http_body::Frame<Bytes>, std::io::Error>,
    >()));
    let stalled = http::Request::post("/").body(never).unwrap();
    let refusal = Payload::<Order>::from_request(stalled, &()).await.unwrap_err();
    assert_eq!(refusal.reason(), &Reason::BodyTimeout { deadline: Duration::from_secs(10) });
}

/// Each pass over the text asks of each name whether its field is free.
#[tokio::test]
async fn a_payload_behind_a_layer_is_parsed_no_second_time() {
    let handler = service_fn(async |request: Request<Buffered<Body>>| {
        let request = request.map(Body::new);
        let before = asked();
        let callback: Callback = request.extensions().get::<Callback>().unwrap().clone();
        let (mut head, body) = request.into_parts();
        let envelope = Envelope::from_request_parts(&mut head, &()).await.unwrap();
        let request = Request::from_parts(head, body);
        assert_eq!(envelope.id, Id::new("shop.order", "1"));
        let Payload(order) = Payload::<Order>::from_request(request, &()).await?;
        assert_eq!((order.number, asked()), (1, before));
        let user_name = callback.json()?.get("user_name").and_then(ValueRef::as_str);
        assert_eq!(user_name, Some(&*order.user_name));
        Ok::<_, Refusal>(Response::new(Body::empty()))
    });
    let service = ReceiveLayer::for_contract(Orders).layer(handler);
    service.oneshot(post(r#"{"number":1,"user_name":"安娜"}"#)).await.unwrap();
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn r06_a_payload_is_that_of_the_body_there_is() {
    let handler = service_fn(async |request: Request<Buffered<Body>>| {
        let changed = request.map(|_| Body::from(r#"{"number":2,"user_name":""}"#));
        let Payload(order) = Payload::<Order>::from_request(changed, &()).await?;
        assert_eq!(order.number, 2);
        Ok::<_, Refusal>(Response::new(Body::empty()))
    });
    let service = ReceiveLayer::for_contract(Orders).layer(handler);
    service.oneshot(post(r#"{"number":1,"user_name":"安娜"}"#)).await.unwrap();
}

#[tokio::test]
async fn callbacks_and_envelopes_need_a_layer() {
    let (mut head, _) = post("{}").into_parts();
    let (status, said) = Envelope::from_request_parts(&mut head, &()).await.unwrap_err();
    assert_eq!((status.as_u16(), said.starts_with("no callback")), (500, true));
    let (status, _) = Callback::from_request_parts(&mut head, &()).await.unwrap_err();
    assert_eq!(status.as_u16(), 500);
}

struct Orders;

thread_local! {
    static ASKED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn asked() -> usize {
    ASKED.get()
}

impl Contract for Orders {
    fn name(&self) -> &'static str {
        "shop.order"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(10), Duration::from_secs(3600))
    }

    fn identify(
        &self,
        _: &request::Parts,
        body: &tower_callback_contract::Body,
    ) -> Result<Envelope, Refusal> {
        Ok(Envelope::new(body.field("number")?.and_then(|id| Id::from_json(self.name(), id))))
    }

    /// Only who goes over a body asks which fields are free.
    fn spelling(&self) -> Spelling {
        Spelling::VERBATIM.with_free_fields(|_| {
            ASKED.set(ASKED.get() + 1);
            false
        })
    }
}

fn post(body: &str) -> Request {
    http::Request::post("/").body(Body::from(body.to_owned())).unwrap()
}
