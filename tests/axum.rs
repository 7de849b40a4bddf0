//! The layers in axum routers, over real sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::timeout};
use tower_callback::{
    Callback, Refusal,
    dedup::{Attempt, Outcome},
    wulai::{Delivery, RouteReply, WulaiDedupLayer, WulaiLayer},
};
use tower_callback_tests::{DEADLINE, DELIVERY, DELIVERY_CAMEL, ERROR, Platform, ROUTE};

/// The state that the handlers share with the test.
#[derive(Clone, Default)]
struct Shared {
    runs: Arc<AtomicUsize>,
    started: Arc<Notify>,
    go_on: Arc<Notify>,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_handles_its_callback_once() {
    async fn deliver(
        State(shared): State<Shared>,
        attempt: Attempt,
        callback: Callback,
        Json(raw): Json<Value>,
    ) -> String {
        shared.runs.fetch_add(1, Ordering::SeqCst);
        let delivery = Delivery::try_from(&callback).expect("a delivery");
        assert_eq!((attempt, raw["user_id"].as_str()), (Attempt::FIRST, Some(&*delivery.user_id)));
        format!("success {}", delivery.msg_body.text().expect("a text"))
    }
    async fn route(State(shared): State<Shared>, callback: Callback) -> Json<RouteReply> {
        let run = shared.runs.fetch_add(1, Ordering::SeqCst);
        let mut reply = RouteReply::to(&callback).expect("a question");
        reply.set_extra(format!("run {run}"));
        Json(reply)
    }
    async fn on_error(State(shared): State<Shared>, _: Attempt) {
        shared.runs.fetch_add(1, Ordering::SeqCst);
    }
    let shared = Shared::default();
    let app = Router::new()
        .route("/callback/message", post(deliver).layer(WulaiLayer::delivery()))
        .route("/webhook/route", post(route).layer(WulaiLayer::route()))
        .route("/callback/error", post(on_error).layer(WulaiLayer::error()))
        .with_state(shared.clone());
    let platform = serve(app).await;

    for (path, bodies) in [
        ("/callback/message", [DELIVERY, DELIVERY_CAMEL, DELIVERY]),
        ("/webhook/route", [ROUTE; 3]),
        ("/callback/error", [ERROR; 3]),
    ] {
        shared.runs.store(0, Ordering::SeqCst);
        let first = platform.post(path, bodies[0]).await;
        assert_eq!((first.status, first.is_replayed()), (StatusCode::OK, false), "{path}");
        for body in &bodies[1..] {
            let again = platform.post(path, body).await;
            assert_eq!((again.status, again.is_replayed()), (StatusCode::OK, true), "{path}");
            assert_eq!(again.body, first.body);
            assert_eq!(again.headers.get("content-type"), first.headers.get("content-type"));
        }
        assert_eq!(shared.runs.load(Ordering::SeqCst), 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_layer_around_a_whole_router_tells_routes_and_kinds_apart() {
    async fn count(State(shared): State<Shared>) -> &'static str {
        shared.runs.fetch_add(1, Ordering::SeqCst);
        "success"
    }
    let shared = Shared::default();
    let app = Router::new()
        .route("/a", post(count))
        .route("/b", post(count))
        .layer(WulaiDedupLayer::new())
        .with_state(shared.clone());
    let platform = serve(app).await;
    for body in [DELIVERY, DELIVERY_CAMEL, ROUTE, ERROR, ROUTE, ERROR, DELIVERY] {
        for path in ["/a", "/b"] {
            assert_eq!(platform.post(path, body).await.status, StatusCode::OK);
        }
    }
    assert_eq!(shared.runs.load(Ordering::SeqCst), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn d11_nested_routers_that_repeat_a_path_are_told_apart() {
    async fn count(State(shared): State<Shared>) -> &'static str {
        shared.runs.fetch_add(1, Ordering::SeqCst);
        "success"
    }
    let shared = Shared::default();
    let tenant = Router::new().route("/message", post(count)).layer(WulaiDedupLayer::new());
    let app = Router::new().nest("/a", tenant.clone()).nest("/b", tenant);
    let platform = serve(app.with_state(shared.clone())).await;
    for path in ["/a/message", "/b/message", "/a/message", "/b/message"] {
        assert_eq!(platform.post(path, DELIVERY).await.status, StatusCode::OK);
    }
    assert_eq!(shared.runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_disconnect_does_not_cut_the_handler() {
    async fn slow(State(shared): State<Shared>) -> &'static str {
        shared.started.notify_one();
        shared.go_on.notified().await;
        shared.runs.fetch_add(1, Ordering::SeqCst);
        "success"
    }
    let shared = Shared::default();
    let handler = post(slow).layer(WulaiLayer::delivery());
    let platform = serve(Router::new().route("/", handler).with_state(shared.clone())).await;

    let impatient = tokio::spawn({
        let platform = platform.clone();
        async move { platform.post("/", DELIVERY).await }
    });
    timeout(DEADLINE, shared.started.notified()).await.expect("it runs");
    impatient.abort();
    assert!(impatient.await.expect_err("aborted").is_cancelled());

    let retry = tokio::spawn(async move { platform.post("/", DELIVERY).await });
    shared.go_on.notify_one();
    let retry = retry.await.expect("no panic");
    assert_eq!((retry.status, &retry.body[..]), (StatusCode::OK, &b"success"[..]));
    assert!(retry.is_replayed());
    assert_eq!(shared.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_over_many_connections_run_once() {
    async fn slow(State(shared): State<Shared>) -> &'static str {
        shared.runs.fetch_add(1, Ordering::SeqCst);
        shared.started.notify_one();
        shared.go_on.notified().await;
        "success"
    }
    let shared = Shared::default();
    let handler = post(slow).layer(WulaiLayer::delivery());
    let platform = serve(Router::new().route("/", handler).with_state(shared.clone())).await;
    let mut deliveries = JoinSet::new();
    for _ in 0..100 {
        let platform = platform.clone();
        deliveries.spawn(async move { platform.post("/", DELIVERY).await });
    }
    timeout(DEADLINE, shared.started.notified()).await.expect("it runs");
    shared.go_on.notify_one();
    while let Some(reply) = deliveries.join_next().await {
        let reply = reply.expect("no panic");
        assert_eq!((reply.status, &reply.body[..]), (StatusCode::OK, &b"success"[..]));
    }
    assert_eq!(shared.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_the_sender_and_outer_layers_why() {
    async fn unreached() {
        unreachable!("it was refused");
    }
    let (seen, mut refusals) = tokio::sync::mpsc::unbounded_channel();
    let handler = post(unreached).layer(WulaiLayer::delivery().max_body_bytes(1024)).layer(
        axum::middleware::map_response(move |response: axum::response::Response| {
            let refusal = response.extensions().get::<Refusal>().cloned();
            let outcome = response.extensions().get::<Outcome>().copied();
            let _ = seen.send((refusal, outcome));
            async { response }
        }),
    );
    let platform = serve(Router::new().route("/", handler)).await;
    for (body, status, reason) in [
        ("{\"user_id\":", 400, "malformed"),
        (r#"{"msg_id":"1","msgId":"2"}"#, 400, "ambiguous"),
        (&"x".repeat(2048), 413, "body-too-large"),
    ] {
        let reply = platform.post("/", body).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_slice(&reply.body).expect("a problem document");
        assert_eq!((&problem["reason"], &problem["status"]), (&reason.into(), &status.into()));
        let (refusal, _) = refusals.recv().await.expect("a response");
        assert_eq!(refusal.expect("a refusal").reason().code(), reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_lets_running_callbacks_end() {
    async fn slow(State(shared): State<Shared>) -> &'static str {
        shared.started.notify_one();
        shared.go_on.notified().await;
        "success"
    }
    let shared = Shared::default();
    let layer = WulaiLayer::delivery();
    let handle = layer.drain_handle();
    let app = Router::new().route("/", post(slow).layer(layer)).with_state(shared.clone());
    let platform = serve(app).await;
    let running = tokio::spawn({
        let platform = platform.clone();
        async move { platform.post("/", DELIVERY).await }
    });
    timeout(DEADLINE, shared.started.notified()).await.expect("it runs");
    assert_eq!(handle.drain(Duration::ZERO).await.abandoned, 1);
    let refused = platform.post("/", &DELIVERY.replace("160273400001", "17")).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.headers["retry-after"]),
        (503, &"1".parse().expect("a value"))
    );
    shared.go_on.notify_one();
    assert_eq!(handle.drain(DEADLINE).await.abandoned, 0);
    assert_eq!(running.await.expect("no panic").status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn d05_a_panic_is_a_500_and_the_redelivery_runs_again() {
    async fn fragile(State(shared): State<Shared>, attempt: Attempt) -> String {
        assert!(shared.runs.fetch_add(1, Ordering::SeqCst) > 0, "the first run fails");
        format!("{attempt:?}")
    }
    let handler = post(fragile).layer(WulaiLayer::delivery());
    let platform = serve(Router::new().route("/", handler).with_state(Shared::default())).await;
    assert_eq!(platform.post("/", DELIVERY).await.status, 500);
    let again = platform.post("/", DELIVERY).await;
    assert_eq!(again.body, "Attempt { number: 2, previous: Some(Failed) }");
}

async fn serve(app: Router) -> Platform {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = listener.local_addr().expect("an address");
    tokio::spawn(axum::serve(listener, app).into_future());
    Platform::new(server)
}
