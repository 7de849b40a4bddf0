use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use tower_callback::{
    Body, Callback, Contract, Refusal,
    schema::SchemaLayer,
    wulai::{Delivery, ErrorReport, MessageRoute, RouteReply, RouteRequest, SPELLING, schema},
};
use tower_callback_testkit::{body_of, post, response, service};

/// Sends a body to each of the three routes. Each must respond, and agree with the model of its callback,
/// except where the callback cannot be identified, which a model does not ask. Returns the codes of the refusals; `None` for a route that accepted the body.
///
/// # Panics
/// Panics if it finds a defect.
#[must_use]
pub fn answer(body: &[u8]) -> [Option<&'static str>; 3] {
    let callback = Body::new(Bytes::copy_from_slice(body), SPELLING);
    let delivery = sent(&schema::delivery_layer(), body);
    assert_agree(delivery, Delivery::try_from(&callback).is_ok(), "a delivery");
    let route = sent(&schema::route_layer(), body);
    assert_agree(route, RouteRequest::try_from(&callback).is_ok(), "a route");
    let error = sent(&schema::error_layer(), body);
    assert_agree(error, ErrorReport::try_from(&callback).is_ok(), "an error callback");
    if route.is_none() {
        let (head, ()) = http::Request::new(()).into_parts();
        let bytes = callback.bytes().clone();
        let callback =
            Callback::receive(&MessageRoute::new(), &head, bytes).expect("it was accepted");
        let reply = RouteReply::to(&callback).expect("it has answers").to_bytes();
        let reply = serde_json::from_slice(&reply).expect("JSON");
        assert_eq!(schema::route_response().check(&reply), Ok(()), "the platform's own answers");
    }
    [delivery, route, error]
}

fn assert_agree(refused: Option<&str>, fits: bool, what: &str) {
    if refused != Some("ambiguous") {
        assert_eq!(refused.is_none(), fits, "{what}: {refused:?}");
    }
}

fn sent<C: Contract>(layer: &SchemaLayer<C>, body: &[u8]) -> Option<&'static str> {
    let service = service(layer, |request| {
        let callback: &Callback = request.extensions().get().expect("received");
        assert!(callback.json().is_ok(), "the handler got a body that is not JSON");
        std::future::ready(Ok(response(200, "success")))
    });
    thread_local! {
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    let sent = service.oneshot(post("/", Bytes::copy_from_slice(body)));
    let response = RUNTIME.with(|runtime| runtime.block_on(sent)).expect("a response");
    if response.status() == StatusCode::OK {
        return None;
    }
    let refusal: Refusal = response.extensions().get().cloned().expect("a reason");
    assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{refusal:?}");
    let problem = RUNTIME.with(|runtime| runtime.block_on(body_of(response.into_body())));
    let document: Value = serde_json::from_slice(&problem).expect("a problem document");
    assert_eq!(document["reason"], refusal.reason().code());
    // 32 violations are listed, and each is cut; an escape takes six bytes.
    assert!(problem.len() < 128 * 1024, "a refusal of {} bytes", problem.len());
    Some(refusal.reason().code())
}
