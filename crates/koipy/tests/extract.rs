//! The model and the response in axum handlers, behind the preset and without any layer.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use axum::{Router, body::Body, routing::post};
use http::{Request, Response};
use tower::ServiceExt;
use tower_callback_contract::Refusal;
use tower_callback_koipy::{HookRequest, KoipyLayer, OnMessage, Reply};
use tower_callback_testkit::body_of;

const ON_MESSAGE: &str = include_str!("payloads/on_message.json");

async fn on_message(request: HookRequest) -> Reply {
    match request.message.username() {
        Some(name) => Reply::text(format!("hello {name}")),
        None => Reply::refuse("who are you?"),
    }
}

fn bare() -> Router {
    Router::new().route("/", post(on_message))
}

fn layered() -> Router {
    Router::new().route("/", post(on_message).layer(KoipyLayer::on_message()))
}

#[tokio::test]
async fn models_are_extractors_of_their_own() {
    // Both spellings: the extractor needs no layer to know them.
    let other = ON_MESSAGE.replace("from-user", "from_user");
    for app in [bare(), layered()] {
        for body in [ON_MESSAGE, &other] {
            let response = sent(&app, body).await;
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
            assert_eq!(body_of(response.into_body()).await, "hello anna");
        }
    }
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_refused_the_contracts_way() {
    let odd = r#"{"message": {"id": "SECRET", "chat": {"id": 1}}}"#;
    let closed = KoipyLayer::for_contract(OnMessage::new().fail_closed());
    let closed = Router::new().route("/", post(on_message).layer(closed));
    for (app, status) in [(bare(), 400), (layered(), 400), (closed, 422)] {
        let refused = sent(&app, odd).await;
        assert_eq!(refused.status(), status);
        assert_eq!(refused.extensions().get::<Refusal>().unwrap().reason().code(), "invalid");
        let said = body_of(refused.into_body()).await;
        assert!(!String::from_utf8_lossy(&said).contains("SECRET"));
    }
}

async fn sent(app: &Router, body: &str) -> Response<Body> {
    let request = Request::post("/").body(Body::from(body.to_owned())).unwrap();
    app.clone().oneshot(request).await.unwrap()
}
