//! `WulaiLayer` from outside: what a handler's response becomes.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::future::ready;

use tower::{Layer, ServiceExt};
use tower_callback_action::OnMisleadingReply;
use tower_callback_contract::{Action, Contract};
use tower_callback_dedup::Outcome;
use tower_callback_testkit::{
    Handling, Req, TestBody, body_of, is_service, post, response, service,
};
use tower_callback_wulai::{AnyCallback, WulaiDedupLayer, WulaiLayer, WulaiOrderLayer, schema};

const DELIVERY: &str = include_str!("payloads/delivery_snake.json");
const ROUTE: &str = include_str!("payloads/route.json");
const ERROR: &str = include_str!("payloads/error.json");

const ANSWER: &str = r#"{"is_dispatch":true,"suggested_response":[]}"#;

#[tokio::test(start_paused = true)]
async fn a_204_or_201_of_a_handler_goes_out_as_the_200_that_wulai_takes() {
    for (status, body, goes_out) in [
        (200, "done", "done"),
        (200, "", ""),
        (201, "done", "success"),
        (202, "", "success"),
        (204, "", "success"),
    ] {
        assert_eq!(
            sent(&WulaiLayer::delivery(), DELIVERY, status, body).await,
            (200, goes_out.into())
        );
    }
    for (status, body) in [(200, ANSWER), (201, ANSWER), (200, ""), (204, "")] {
        assert_eq!(sent(&WulaiLayer::route(), ROUTE, status, body).await, (200, body.into()));
    }
    for (status, body) in [(200, ""), (201, "done"), (204, "")] {
        let goes_out = (200, String::new());
        assert_eq!(sent(&WulaiLayer::error(), ERROR, status, body).await, goes_out, "{status}");
    }
    // Nothing else becomes a success.
    for status in [302, 400, 404, 409, 429, 500, 503] {
        let sent_on = sent(&WulaiLayer::delivery(), DELIVERY, status, "no").await;
        assert_eq!(sent_on, (status, "no".into()));
        assert_eq!(sent(&WulaiLayer::route(), ROUTE, status, "no").await, (status, "no".into()));
    }
}

/// Wulai would not read a 201, but it goes out as a 200: so it has to match.
#[tokio::test]
async fn v04_a_201_to_a_route_is_validated_as_the_200_that_it_becomes() {
    let (status, body) = sent(&WulaiLayer::route(), ROUTE, 201, r#"{"is_dispatch":"no"}"#).await;
    let fallback: serde_json::Value = serde_json::from_str(&body).unwrap();
    let question: serde_json::Value = serde_json::from_str(ROUTE).unwrap();
    assert_eq!(status, 200);
    assert_eq!(fallback["suggested_response"], question["suggested_response"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_response_becomes_can_be_changed() {
    let layer = WulaiLayer::delivery().action(|action| {
        action.on(409, Action::Accept).on_misleading_reply(OnMisleadingReply::Pass)
    });
    assert_eq!(sent(&layer, DELIVERY, 409, "known").await, (200, "success".into()));
    let other = DELIVERY.replace("160273400001", "160273400002");
    assert_eq!(sent(&layer, other, 204, "").await, (204, String::new()));
}

/// Dedup stands outside: it remembers the 200, and a duplicate gets it too.
#[tokio::test(start_paused = true)]
async fn d01_a_duplicate_gets_the_200_that_went_out() {
    let service = service(&WulaiLayer::delivery(), async |_: Req| Ok(response(204, "")));
    for outcome in [Outcome::First, Outcome::Replayed] {
        let response = service.clone().oneshot(post("/", DELIVERY)).await.unwrap();
        assert_eq!(response.extensions().get(), Some(&outcome));
        assert_eq!(response.status(), 200);
        assert_eq!(body_of(response.into_body()).await, "success");
    }
}

#[test]
fn presets_are_services_anywhere() {
    let handler = || Handling(async |_: Req| Ok(response(200, "")));
    is_service(&WulaiLayer::delivery().layer(handler()));
    is_service(&WulaiLayer::route().layer(handler()));
    is_service(&WulaiLayer::error().layer(handler()));
    is_service(&WulaiLayer::for_contract(AnyCallback::new()).layer(handler()));
    is_service(&WulaiDedupLayer::new().layer(handler()));
    is_service(&WulaiOrderLayer::new().layer(handler()));
    is_service(&schema::delivery_layer().layer(handler()));
    is_service(&schema::route_layer().layer(handler()));
    is_service(&schema::route_response_layer().layer(handler()));
    is_service(&schema::error_layer().layer(handler()));
}

/// Status and body of what goes out when the handler responds like this.
async fn sent<C: Contract>(
    layer: &WulaiLayer<C>,
    callback: impl Into<TestBody>,
    status: u16,
    body: &'static str,
) -> (u16, String) {
    let service = service(layer, move |_: Req| ready(Ok(response(status, body))));
    let response = service.oneshot(post("/", callback)).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(body_of(response.into_body()).await.into()).unwrap())
}
