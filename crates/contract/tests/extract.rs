//! The extractors from outside, with layers and without.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum_core::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
};
use bytes::Bytes;
use http::{Response, request};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_callback_contract::{
    Action, Callback, Contract, Envelope, Exchange, Id, Payload, Reason, ReceiveLayer, Refusal,
    Spelling, Timing, ValueRef,
};
use tracing::subscriber::NoSubscriber;

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
        (r#"{"number":1,"number":1,"user_name":""}"#, "ambiguous", "`number` stands twice"),
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
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // With one subscriber alive, tracing keeps for all threads what the first of them says of an event,
    // and that may have none. With two it asks both.
    let _other = tracing::Dispatch::new(NoSubscriber::new());
    let _guard = tracing::subscriber::set_default(subscriber);
    let handler = service_fn(async |request: Request| {
        let refusal = Payload::<Order>::from_request(request, &()).await.unwrap_err();
        Ok::<_, Refusal>(refusal.to_problem().map(Body::from))
    });
    let service = ReceiveLayer::new(Orders).layer(handler);
    service.oneshot(post(r#"{"number":"17","user_name":["secret"]}"#)).await.unwrap();
    // Whoever is flooded must not flood a log.
    Payload::<Order>::from_request(post("secret"), &()).await.unwrap_err();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for part in ["WARN", "a callback does not fit", "id=17", "expected=\"extract::Order\""] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("secret") && text.lines().count() == 1, "{text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_without_a_layer_is_bounded_in_size_and_time() {
    let large = post(&format!(r#"{{"x":"{}"}}"#, "x".repeat(1024 * 1024)));
    let refusal = Payload::<Order>::from_request(large, &()).await.unwrap_err();
    assert_eq!(refusal.reason(), &Reason::TooLarge);
    let never = Body::new(http_body_util::StreamBody::new(tokio_stream::pending::<
        Result<http_body::Frame<Bytes>, std::io::Error>,
    >()));
    let stalled = http::Request::post("/").body(never).unwrap();
    let refusal = Payload::<Order>::from_request(stalled, &()).await.unwrap_err();
    assert_eq!(refusal.reason(), &Reason::TooSlow { deadline: Duration::from_secs(10) });
}

/// The spelling is asked about each key of each pass over the text.
#[tokio::test]
async fn a_payload_behind_a_layer_is_parsed_no_second_time() {
    let handler = service_fn(async |request: Request| {
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
    let service = ReceiveLayer::new(Orders).layer(handler);
    service.oneshot(post(r#"{"number":1,"user_name":"安娜"}"#)).await.unwrap();
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn r06_a_payload_is_that_of_the_body_there_is() {
    let handler = service_fn(async |request: Request| {
        let changed = request.map(|_| Body::from(r#"{"number":2,"user_name":""}"#));
        let Payload(order) = Payload::<Order>::from_request(changed, &()).await?;
        assert_eq!(order.number, 2);
        Ok::<_, Refusal>(Response::new(Body::empty()))
    });
    let service = ReceiveLayer::new(Orders).layer(handler);
    service.oneshot(post(r#"{"number":1,"user_name":"安娜"}"#)).await.unwrap();
}

#[tokio::test]
async fn an_envelope_needs_a_layer() {
    let (mut head, _) = post("{}").into_parts();
    let (status, said) = Envelope::from_request_parts(&mut head, &()).await.unwrap_err();
    assert_eq!((status.as_u16(), said.starts_with("no `Envelope`")), (500, true));
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

    fn exchange(&self, _: &Callback) -> Exchange {
        Exchange::OneWay
    }

    fn identify(&self, _: &request::Parts, callback: &Callback) -> Result<Envelope, Refusal> {
        let id = callback.field("number")?.and_then(|id| Id::from_json(self.name(), id));
        Ok(Envelope { id, ..Envelope::default() })
    }

    fn action(&self, _: &Response<Bytes>) -> Action {
        Action::Accept
    }

    fn reply(&self, _: &Action) -> Response<Bytes> {
        Response::default()
    }

    fn spelling(&self) -> Spelling {
        |name| {
            ASKED.set(ASKED.get() + 1);
            name
        }
    }
}

fn post(body: &str) -> Request {
    http::Request::post("/").body(Body::from(body.to_owned())).unwrap()
}
