//! Validation among the other layers, and typed extractors behind all of them.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, body::Body, extract::State, routing::post};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt};
use tower_callback::{
    Action, Callback, Contract, Envelope, Exchange, Id, Payload, ReceiveLayer, Refusal, Spelling,
    Timing,
    dedup::{Attempt, DedupLayer, Outcome},
    order::{OrderLayer, Position},
    schema::SchemaLayer,
    wulai::{
        Delivery, MessageRoute, RouteReply, RouteRequest, SPELLING, WulaiDedupLayer, WulaiLayer,
        WulaiOrderLayer, schema,
    },
};
use tower_callback_tests::{DELIVERY, DELIVERY_CAMEL, ROUTE};

type Runs = Arc<AtomicUsize>;

#[tokio::test]
async fn a_handler_gets_everything_about_its_callback() {
    async fn deliver(
        envelope: Envelope,
        attempt: Attempt,
        position: Position,
        Payload(delivery): Payload<Delivery>,
    ) -> &'static str {
        assert_eq!(envelope.id, Id::new("wulai.delivery", &delivery.msg_id));
        assert_eq!(envelope.sent_at, Some(delivery.msg_ts));
        assert_eq!(attempt, Attempt::FIRST);
        assert!(matches!(position, Position::InOrder { .. }), "{position:?}");
        assert_eq!(delivery.quick_reply.len(), 3);
        "success"
    }
    let layers = ServiceBuilder::new()
        .layer(schema::delivery_layer())
        .layer(WulaiLayer::delivery())
        .layer(WulaiOrderLayer::new());
    let app = Router::new().route("/", post(deliver).layer(layers));
    for (body, outcome) in [(DELIVERY, Outcome::First), (DELIVERY_CAMEL, Outcome::Replayed)] {
        let reply = app.clone().oneshot(to("/", body)).await.unwrap();
        assert_eq!((reply.status().as_u16(), reply.extensions().get()), (200, Some(&outcome)));
        assert_eq!(text(reply).await, "success");
    }
}

#[tokio::test]
async fn an_extractor_without_its_layer_says_what_is_missing() {
    let app = Router::new()
        .route("/envelope", post(async |_: Envelope| ()))
        .route("/attempt", post(async |_: Attempt| ()))
        .route("/position", post(async |_: Position| ()));
    for (path, said) in
        [("/envelope", "no callback"), ("/attempt", "no `Attempt`"), ("/position", "no `Position`")]
    {
        let reply = app.clone().oneshot(to(path, DELIVERY)).await.unwrap();
        assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(text(reply).await.starts_with(said));
    }
}

#[tokio::test]
async fn a_payload_needs_no_layer_and_names_what_does_not_fit() {
    let deliver = async |Payload(delivery): Payload<Delivery>| delivery.user_id;
    let app = Router::new().route("/", post(deliver));
    let reply = app.clone().oneshot(to("/", DELIVERY_CAMEL)).await.unwrap();
    assert_eq!(text(reply).await, "oZ8_anna");
    for (body, reason, detail) in [
        (r#"{"user_id":"anna"}"#, "invalid", "field `/msg_id` is missing"),
        (
            r#"{"user_id":"a","msg_id":"1","msg_ts":"1","msg_body":{"text":{"content":["secret"]}}}"#,
            "invalid",
            "field `/msg_body/text/content` must be a string",
        ),
        (
            r#"{"user_id":"a","msg_id":"1234567890123456789","msg_ts":"1","msg_body":{}}"#,
            "invalid",
            "field `/msg_id` must have 1 to 18 characters",
        ),
        (
            r#"{"user_id":"a","userId":"b"}"#,
            "invalid",
            "field `/user_id` has two spellings with different values",
        ),
        (r#"{"user_id":1.5,"user_id":"a"}"#, "invalid", "field `/msg_id` is missing"),
    ] {
        let refused = app.clone().oneshot(to("/", body)).await.unwrap();
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(&text(refused).await).unwrap();
        assert_eq!(problem["reason"], reason);
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
    }
}

#[tokio::test]
async fn v01_a_callback_that_does_not_match_claims_no_id() {
    let runs = Runs::default();
    let layers =
        ServiceBuilder::new().layer(schema::delivery_layer()).layer(WulaiDedupLayer::new());
    let app = Router::new().route("/", post(count).layer(layers)).with_state(runs.clone());
    let mut wrong: Value = serde_json::from_str(DELIVERY).unwrap();
    wrong["extra"] = 17.into();
    let wrong = wrong.to_string();
    let refused = app.clone().oneshot(to("/", &wrong)).await.unwrap();
    assert_eq!(refused.status(), 400);
    let problem: Value = serde_json::from_str(&text(refused).await).unwrap();
    let expected = json!([{
        "pointer": "/extra", "keyword": "type",
        "message": "the value is not of types \"null\", \"string\"",
    }]);
    assert_eq!(problem["violations"], expected);
    let right = app.oneshot(to("/", DELIVERY)).await.unwrap();
    assert_eq!(right.extensions().get(), Some(&Outcome::First));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn v04_a_bot_still_answers_when_a_route_handler_does_not() {
    async fn wrong(State(runs): State<Runs>) -> Json<Value> {
        runs.fetch_add(1, Ordering::SeqCst);
        Json(json!({"is_dispatch": "yes", "suggested_response": {}}))
    }
    let runs = Runs::default();
    let layers = ServiceBuilder::new()
        .layer(schema::route_layer())
        .layer(WulaiLayer::route())
        .layer(schema::route_response_layer());
    let app = Router::new().route("/", post(wrong).layer(layers)).with_state(runs.clone());
    let question: Value = serde_json::from_str(ROUTE).unwrap();
    for outcome in [Outcome::First, Outcome::Replayed] {
        let reply = app.clone().oneshot(to("/", ROUTE)).await.unwrap();
        assert_eq!((reply.status().as_u16(), reply.extensions().get()), (200, Some(&outcome)));
        assert_eq!(reply.headers()["content-type"], "application/json");
        let reply: Value = serde_json::from_str(&text(reply).await).unwrap();
        let keys = ["is_dispatch", "suggested_response"];
        let unchanged: Value =
            keys.iter().map(|key| ((*key).to_owned(), question[*key].clone())).collect();
        assert_eq!(reply, unchanged);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn v04_a_valid_response_and_one_the_platform_does_not_read_go_out_as_they_are() {
    async fn edit(Payload(request): Payload<RouteRequest>) -> Json<Value> {
        assert_eq!(request.suggested_response.len(), 2);
        Json(json!({"isDispatch": true, "suggestedResponse": [], "new": 1}))
    }
    let layer = schema::route_response_layer;
    let app = Router::new()
        .route("/right", post(edit).layer(layer()))
        .route("/nothing", post(async || ()).layer(layer()))
        .route("/late", post(async || (StatusCode::SERVICE_UNAVAILABLE, "later")).layer(layer()));
    for (path, status, body) in [
        ("/right", 200, r#"{"isDispatch":true,"new":1,"suggestedResponse":[]}"#),
        ("/nothing", 200, ""),
        ("/late", 503, "later"),
    ] {
        let reply = app.clone().oneshot(to(path, ROUTE)).await.unwrap();
        assert!(reply.extensions().get::<Refusal>().is_none(), "{path}");
        assert_eq!((reply.status().as_u16(), &*text(reply).await), (status, body));
    }
}

/// A parser asks the spelling of every key, by the key's place in the body. So the number of questions is
/// the number of parses.
#[tokio::test]
async fn the_request_is_parsed_once_in_the_whole_stack() {
    async fn edit(
        callback: Callback,
        _: Envelope,
        _: Attempt,
        _: Position,
        Payload(request): Payload<RouteRequest>,
    ) -> Result<Json<RouteReply>, Refusal> {
        let mut reply = RouteReply::to(&callback)?;
        reply.set_extra(request.user_id);
        Ok(Json(reply))
    }
    let layers = ServiceBuilder::new()
        .layer(ReceiveLayer::for_contract(Counted))
        .layer(SchemaLayer::request(Counted, schema::route()))
        .layer(DedupLayer::for_contract(Counted))
        .layer(OrderLayer::for_contract(Counted))
        .layer(SchemaLayer::response(Counted, schema::route_response()));
    let app = Router::new().route("/", post(edit).layer(layers));
    let passes = async |app: Router, layers: &str| {
        PASSES.take();
        let question = Request::post("/").body(Body::from(QUESTION)).unwrap();
        let reply = app.oneshot(question).await.unwrap();
        assert_eq!(reply.status(), 200, "{layers}");
        PASSES.take()
    };
    assert_eq!(passes(app.clone(), "first").await, 1);
    assert_eq!(passes(app, "duplicate").await, 1);
    // The first of our layers parses it, whichever layer that is.
    let alone = SchemaLayer::request(Counted, schema::route());
    let handler = post(async |Payload(_): Payload<RouteRequest>| ());
    assert_eq!(passes(Router::new().route("/", handler.layer(alone.clone())), "alone").await, 1);
    // A second parse is counted.
    let again = post(async || {
        let body = tower_callback::Body::new(QUESTION, Counted.spelling());
        assert!(body.json().is_ok());
    });
    assert_eq!(passes(Router::new().route("/", again.layer(alone)), "again").await, 2);
}

const QUESTION: &str = r#"{"once":1,"user_id":"anna","msg_id":"17","msg_ts":"1700000000000",
    "nickname":"a","is_dispatch":false,"suggested_response":[],"msg_body":{}}"#;

thread_local! {
    static PASSES: Cell<u32> = const { Cell::new(0) };
}

/// [`MessageRoute`], which counts the parses.
#[derive(Clone)]
struct Counted;

const ROUTES: MessageRoute = MessageRoute::new();

impl Contract for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }

    fn timing(&self) -> Timing {
        ROUTES.timing()
    }

    fn exchange(&self, callback: &Callback) -> Exchange {
        ROUTES.exchange(callback)
    }

    fn identify(
        &self,
        head: &request::Parts,
        body: &tower_callback::Body,
    ) -> Result<Envelope, Refusal> {
        ROUTES.identify(head, body)
    }

    fn action(&self, reply: &Response<Bytes>) -> Action {
        ROUTES.action(reply)
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        ROUTES.reply(action)
    }

    /// Only who goes over the body asks which fields are free.
    fn spelling(&self) -> Spelling {
        SPELLING.with_free_fields(|name| {
            if name == "once" && QUESTION.as_bytes().as_ptr_range().contains(&name.as_ptr()) {
                PASSES.set(PASSES.get() + 1);
            }
            false
        })
    }
}

async fn count(State(runs): State<Runs>) -> &'static str {
    runs.fetch_add(1, Ordering::SeqCst);
    "success"
}

fn to(path: &str, body: &str) -> Request<Body> {
    Request::post(path).body(Body::from(body.to_owned())).unwrap()
}

async fn text(reply: Response<Body>) -> String {
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}
