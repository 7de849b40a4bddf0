//! Models and responses in axum handlers, behind the presets and without any layer.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use axum::{Router, body::Body, routing::post};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_callback_contract::{Callback, Refusal};
use tower_callback_schema::SchemaLayer;
use tower_callback_testkit::body_of;
use tower_callback_wulai::{
    Delivery, ErrorReport, RouteReply, RouteRequest, WulaiLayer, model::AnyRequest,
};

const DELIVERY: &str = include_str!("payloads/delivery_snake.json");
const DELIVERY_CAMEL: &str = include_str!("payloads/delivery_camel.json");
const ROUTE: &str = include_str!("payloads/route.json");
const ERROR: &str = include_str!("payloads/error.json");

async fn deliver(message: Delivery) -> String {
    message.msg_body.text().unwrap().to_owned()
}

async fn route(question: RouteRequest) -> String {
    json!({"is_dispatch": true, "suggested_response": [], "extra": question.nickname}).to_string()
}

async fn on_error(report: ErrorReport) -> String {
    report.source_msg_id.unwrap()
}

async fn any(request: AnyRequest) -> &'static str {
    match request {
        AnyRequest::Delivery(_) => "delivery",
        AnyRequest::Route(_) => "route",
        AnyRequest::Error(_) => "error",
        _ => "another",
    }
}

fn bare() -> Router {
    Router::new()
        .route("/deliver", post(deliver))
        .route("/route", post(route))
        .route("/error", post(on_error))
        .route("/any", post(any))
}

fn layered() -> Router {
    Router::new()
        .route("/deliver", post(deliver).layer(WulaiLayer::delivery()))
        .route("/route", post(route).layer(WulaiLayer::route()))
        .route("/error", post(on_error).layer(WulaiLayer::error()))
}

#[tokio::test]
async fn models_are_extractors_of_their_own() {
    let dispatch = r#"{"extra":"安娜","is_dispatch":true,"suggested_response":[]}"#;
    for (path, body, said) in [
        ("/deliver", DELIVERY, "您好，您的订单已经发货 📦"),
        ("/deliver", DELIVERY_CAMEL, "您好，您的订单已经发货 📦"),
        ("/route", ROUTE, dispatch),
        ("/error", ERROR, "160273400001"),
    ] {
        for app in [bare(), layered()] {
            assert_eq!(said_by(&app, path, body).await, (200, said.to_owned()), "{path}");
        }
    }
    for (body, kind) in [(DELIVERY_CAMEL, "delivery"), (ROUTE, "route"), (ERROR, "error")] {
        assert_eq!(said_by(&bare(), "/any", body).await, (200, kind.to_owned()));
    }
}

#[tokio::test]
async fn what_a_model_does_not_fit_is_refused_by_name() {
    let odd = DELIVERY.replace("\"msg_id\": \"160273400001\"", "\"msg_id\": [\"secret\"]");
    assert_ne!(odd, DELIVERY);
    let reported = WulaiLayer::delivery().request_schema(SchemaLayer::report);
    let reported = Router::new().route("/deliver", post(deliver).layer(reported));
    for app in [bare(), layered(), reported] {
        let refused = sent(&app, "/deliver", &odd).await;
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.extensions().get::<Refusal>().unwrap().reason().code(), "invalid");
        let problem: Value = serde_json::from_slice(&body_of(refused.into_body()).await).unwrap();
        assert_eq!(problem["violations"][0]["pointer"], "/msg_id");
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }
}

#[tokio::test]
async fn a_reply_to_a_route_is_a_response_of_its_own() {
    async fn hand_over(callback: Callback) -> Result<RouteReply, Refusal> {
        let mut reply = RouteReply::to(&callback)?;
        reply.hand_over();
        Ok(reply)
    }
    let app = Router::new().route("/", post(hand_over).layer(WulaiLayer::route()));
    let response = sent(&app, "/", ROUTE).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let reply: Value = serde_json::from_slice(&body_of(response.into_body()).await).unwrap();
    let question: Value = serde_json::from_str(ROUTE).unwrap();
    let expected =
        json!({"is_dispatch": true, "suggested_response": question["suggested_response"]});
    assert_eq!(reply, expected);
}

async fn said_by(app: &Router, path: &str, body: &str) -> (u16, String) {
    let response = sent(app, path, body).await;
    let status = response.status().as_u16();
    (status, String::from_utf8(body_of(response.into_body()).await.into()).unwrap())
}

async fn sent(app: &Router, path: &str, body: &str) -> Response<Body> {
    let request = Request::post(path).body(Body::from(body.to_owned())).unwrap();
    app.clone().oneshot(request).await.unwrap()
}
