//! What every layer and preset promises about readiness, as one table.

use tower_callback::koipy::KoipyLayer;
use tower_callback::{
    ReceiveLayer,
    action::ActionLayer,
    dedup::DedupLayer,
    order::OrderLayer,
    schema::{Schema, SchemaLayer},
    wulai::{WulaiDedupLayer, WulaiLayer, WulaiOrderLayer},
};
use tower_callback_testkit::{Platform, Req, post};
use tower_callback_tests::{DELIVERY, ERROR, ROUTE};

/// A new callback each time.
fn order(number: u32) -> Req {
    post("/", format!(r#"{{"id":"{number}"}}"#))
}

fn delivery(number: u32) -> Req {
    post("/", DELIVERY.replace("160273400001", &format!("1602734000{number:02}")))
}

fn question(number: u32) -> Req {
    post("/", ROUTE.replace("\"msg_id\": \"", &format!("\"msg_id\": \"{number}")))
}

fn report(number: u32) -> Req {
    post("/", ERROR.replace("\"error_msg\": \"", &format!("\"error_msg\": \"{number} ")))
}

fn hook(number: u32) -> Req {
    post("/", format!(r#"{{"message": {{"id": {number}, "chat": {{"id": -5}}}}}}"#))
}

fn any() -> Schema {
    Schema::new(&serde_json::json!({})).expect("a schema")
}

macro_rules! readiness {
    ($($name:ident: $layer:expr, $callback:expr;)+) => {$(
        mod $name {
            use tower_callback_testkit as testkit;

            use super::*;

            #[tokio::test(start_paused = true)]
            async fn is_always_ready() {
                testkit::is_always_ready(&$layer, $callback(1)).await;
            }

            #[tokio::test(start_paused = true)]
            async fn calls_the_service_that_was_polled_ready() {
                let callbacks = (1..4).map($callback);
                testkit::calls_the_service_that_was_polled_ready(&$layer, callbacks).await;
            }

            #[tokio::test(start_paused = true)]
            async fn keeps_no_place_while_it_waits() {
                testkit::keeps_no_place_while_it_waits(&$layer, $callback(1)).await;
            }

            #[tokio::test(start_paused = true)]
            async fn passes_errors_of_readiness_through() {
                testkit::passes_errors_of_readiness_through(&$layer, $callback(1)).await;
            }

            #[test]
            fn is_a_service_anywhere() {
                let handler = testkit::Handling(|_: Req| {
                    std::future::ready(Ok::<_, testkit::BoxError>(testkit::response(200, "")))
                });
                testkit::is_service(&tower::Layer::layer(&$layer, handler));
            }
        }
    )+};
}

readiness! {
    receive: ReceiveLayer::for_contract(Platform::ORDERS), order;
    dedup: DedupLayer::for_contract(Platform::ORDERS), order;
    order_layer: OrderLayer::for_contract(Platform::CHAT), order;
    schema_of_requests: SchemaLayer::request(Platform::ORDERS, any()), order;
    schema_of_responses: SchemaLayer::response(Platform::ORDERS, any()).report(), order;
    action: ActionLayer::for_contract(Platform::ORDERS), order;
    wulai_dedup: WulaiDedupLayer::new(), delivery;
    wulai_order: WulaiOrderLayer::new(), delivery;
    wulai_delivery: WulaiLayer::delivery(), delivery;
    wulai_route: WulaiLayer::route(), question;
    wulai_error: WulaiLayer::error(), report;
    koipy_on_message: KoipyLayer::on_message(), hook;
    koipy_on_pre_send: KoipyLayer::on_pre_send(), hook;
    koipy_on_result: KoipyLayer::on_result(), hook;
}
