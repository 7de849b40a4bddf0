//! Layers of tower-http, tower and axum around and inside ours: in a tuple, in a `ServiceBuilder`, and in
//! calls of their own; under axum and under bare hyper. None of them changes what dedup remembers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    error_handling::HandleErrorLayer,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
    middleware::{Next, from_fn, map_request},
    routing::{MethodRouter, post},
};
use tokio::net::TcpListener;
use tower::{
    BoxError, Layer, ServiceBuilder,
    buffer::BufferLayer,
    limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer},
    load_shed::LoadShedLayer,
    util::MapRequestLayer,
};
use tower_callback::{
    Buffered,
    wulai::{Delivery, WulaiDedupLayer, WulaiLayer},
};
use tower_callback_testkit::{Handling, TestBody};
use tower_callback_tests::{DELIVERY, DELIVERY_CAMEL, Platform, serve_by_hyper};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::CorsLayer,
    decompression::RequestDecompressionLayer,
    limit::RequestBodyLimitLayer,
    map_response_body::MapResponseBodyLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveHeadersLayer,
    set_header::SetResponseHeaderLayer,
    timeout::{RequestBodyTimeoutLayer, ResponseBodyTimeoutLayer, TimeoutLayer},
    trace::TraceLayer,
    validate_request::ValidateRequestHeaderLayer,
};

type Runs = Arc<AtomicUsize>;

const MINUTE: Duration = Duration::from_secs(60);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Tests a layer under axum and under hyper, inside and outside, with the preset and with dedup alone.
macro_rules! composes {
    ($($name:ident: $layer:expr;)+) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn with_the_preset() {
                under_axum!(WulaiLayer::delivery(), $layer);
                under_hyper!(WulaiLayer::delivery(), $layer);
            }

            #[tokio::test]
            async fn with_dedup_alone() {
                under_axum!(WulaiDedupLayer::new(), $layer);
                under_hyper!(WulaiDedupLayer::new(), $layer);
            }
        }
    )+};
}

macro_rules! under_axum {
    ($ours:expr, $theirs:expr) => {
        handles_once("tuple, inside", |h: MethodRouter<Runs>| h.layer(($ours, $theirs))).await;
        handles_once("tuple, outside", |h: MethodRouter<Runs>| h.layer(($theirs, $ours))).await;
        handles_once("builder, inside", |h: MethodRouter<Runs>| {
            h.layer(ServiceBuilder::new().layer($ours).layer($theirs))
        })
        .await;
        handles_once("builder, outside", |h: MethodRouter<Runs>| {
            h.layer(ServiceBuilder::new().layer($theirs).layer($ours))
        })
        .await;
        apart!($ours, $theirs);
    };
}

macro_rules! apart {
    ($ours:expr, $theirs:expr) => {
        handles_once("apart, inside", |h: MethodRouter<Runs>| {
            h.route_layer($theirs).route_layer($ours)
        })
        .await;
        handles_once("apart, outside", |h: MethodRouter<Runs>| {
            h.route_layer($ours).route_layer($theirs)
        })
        .await;
        handles_once_in("router, inside", |app: Router| app.layer($theirs).layer($ours)).await;
        handles_once_in("router, outside", |app: Router| app.layer($ours).layer($theirs)).await;
    };
}

macro_rules! under_hyper {
    ($ours:expr, $theirs:expr) => {
        let runs = Runs::default();
        let service = ($ours, $theirs).layer(deliver_all(&runs));
        assert_handled_once(serve_by_hyper(service).await, &runs, "hyper, inside").await;
        let runs = Runs::default();
        let service = ($theirs, $ours).layer(deliver_all(&runs));
        assert_handled_once(serve_by_hyper(service).await, &runs, "hyper, outside").await;
    };
}

composes! {
    trace: TraceLayer::new_for_http();
    compression: CompressionLayer::new();
    decompression: RequestDecompressionLayer::new();
    request_body_limit: RequestBodyLimitLayer::new(64 * 1024);
    timeout: TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, MINUTE);
    request_body_timeout: RequestBodyTimeoutLayer::new(MINUTE);
    response_body_timeout: ResponseBodyTimeoutLayer::new(MINUTE);
    catch_panic: CatchPanicLayer::new();
    request_id: (
        SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid),
        PropagateRequestIdLayer::new(REQUEST_ID),
    );
    sensitive_headers: SetSensitiveHeadersLayer::new([header::AUTHORIZATION]);
    validate_request: ValidateRequestHeaderLayer::accept("*/*");
    cors: CorsLayer::permissive();
    set_header: SetResponseHeaderLayer::overriding(
        HeaderName::from_static("x-server"),
        HeaderValue::from_static("ours"),
    );
    map_response_body: MapResponseBodyLayer::new(TestBody::new);
    concurrency_limit: ConcurrencyLimitLayer::new(8);
    global_concurrency_limit: GlobalConcurrencyLimitLayer::new(8);
    extension: Extension("known");
}

/// A layer that returns errors of its own needs a `HandleErrorLayer`. Errors pass through our layers, so it
/// may stand inside or outside them.
macro_rules! fallible {
    ($($name:ident: $layer:expr;)+) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn with_the_preset() {
                under_handler!(WulaiLayer::delivery(), $layer);
            }

            #[tokio::test]
            async fn with_dedup_alone() {
                under_handler!(WulaiDedupLayer::new(), $layer);
            }
        }
    )+};
}

macro_rules! under_handler {
    ($ours:expr, $theirs:expr) => {
        handles_once("inside its error handler", |h: MethodRouter<Runs>| {
            h.layer(($ours, HandleErrorLayer::new(failed), $theirs))
        })
        .await;
        handles_once("inside, its error handler outside", |h: MethodRouter<Runs>| {
            h.layer((HandleErrorLayer::new(failed), $ours, $theirs))
        })
        .await;
        handles_once("outside", |h: MethodRouter<Runs>| {
            h.layer((HandleErrorLayer::new(failed), $theirs, $ours))
        })
        .await;
        handles_once("builder", |h: MethodRouter<Runs>| {
            h.layer(
                ServiceBuilder::new()
                    .layer(HandleErrorLayer::new(failed))
                    .layer($ours)
                    .layer($theirs),
            )
        })
        .await;
        apart!($ours, (HandleErrorLayer::new(failed), $theirs));
    };
}

fallible! {
    buffer: BufferLayer::new(8);
    load_shed: LoadShedLayer::new();
    tower_timeout: tower::timeout::TimeoutLayer::new(MINUTE);
}

async fn failed(error: BoxError) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

/// A layer that takes no other body than axum's stands in a call of its own, or behind a mapping of the
/// body.
mod axum_alone {
    use super::*;

    async fn pass(request: Request, next: Next) -> axum::response::Response {
        next.run(request).await
    }

    async fn mapped(request: Request) -> Request {
        request
    }

    #[tokio::test]
    async fn from_fn_and_map_request() {
        apart!(WulaiLayer::delivery(), from_fn(pass));
        apart!(WulaiDedupLayer::new(), map_request(mapped));
        handles_once("tuple, outside", |h: MethodRouter<Runs>| {
            h.layer((from_fn(pass), WulaiLayer::delivery()))
        })
        .await;
        handles_once("tuple, inside", |h: MethodRouter<Runs>| {
            let to_axum = MapRequestLayer::new(|request: axum::http::Request<Buffered<Body>>| {
                request.map(Body::new)
            });
            h.layer((WulaiLayer::delivery(), to_axum, from_fn(pass)))
        })
        .await;
    }

    #[tokio::test]
    async fn default_body_limit() {
        apart!(WulaiLayer::delivery(), DefaultBodyLimit::max(64 * 1024));
        handles_once("a tuple", |h: MethodRouter<Runs>| {
            h.layer((DefaultBodyLimit::disable(), WulaiLayer::delivery()))
        })
        .await;
    }

    #[tokio::test]
    async fn nested_merged_and_as_a_fallback() {
        handles_once_in("merged", |app: Router| {
            let other = Router::new().route("/other", post(async || "other"));
            other.merge(app.layer(WulaiLayer::delivery()))
        })
        .await;
        let runs = Runs::default();
        let app = Router::new()
            .fallback_service(post(deliver).layer(WulaiLayer::delivery()).with_state(runs.clone()));
        assert_handled_once(serve(app).await, &runs, "fallback").await;
        let runs = Runs::default();
        let inner = Router::new().route("/", post(deliver)).layer(WulaiLayer::delivery());
        let app = Router::new().nest("/callback", inner).with_state(runs.clone());
        let platform = serve(app).await;
        for replayed in [false, true] {
            let reply = platform.post("/callback", DELIVERY).await;
            assert_eq!((reply.status.as_u16(), reply.is_replayed()), (200, replayed));
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

async fn deliver(State(runs): State<Runs>, delivery: Delivery) -> String {
    runs.fetch_add(1, Ordering::SeqCst);
    format!("success, {}", delivery.user_id)
}

/// The same handler, as a plain service that takes any body.
fn deliver_all(
    runs: &Runs,
) -> Handling<impl Fn(http::Request<TestBody>) -> Answer + Clone + Send + Sync + 'static> {
    let runs = Arc::clone(runs);
    Handling(move |_: http::Request<TestBody>| {
        runs.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(Response::new(TestBody::from("success, oZ8_anna"))))
    })
}

type Answer = std::future::Ready<Result<Response<TestBody>, BoxError>>;

async fn handles_once(how: &str, layered: impl FnOnce(MethodRouter<Runs>) -> MethodRouter<Runs>) {
    let runs = Runs::default();
    let app = Router::new().route("/", layered(post(deliver))).with_state(Arc::clone(&runs));
    assert_handled_once(serve(app).await, &runs, how).await;
}

async fn handles_once_in(how: &str, layered: impl FnOnce(Router) -> Router) {
    let runs = Runs::default();
    let app = Router::new().route("/", post(deliver)).with_state(Arc::clone(&runs));
    assert_handled_once(serve(layered(app)).await, &runs, how).await;
}

async fn assert_handled_once(platform: Platform, runs: &Runs, how: &str) {
    for (body, replayed) in [(DELIVERY, false), (DELIVERY_CAMEL, true), (DELIVERY, true)] {
        let reply = platform.post("/", body).await;
        assert_eq!(reply.status, StatusCode::OK, "{how}: {:?}", reply.body);
        assert_eq!(reply.body, "success, oZ8_anna", "{how}");
        assert_eq!(reply.is_replayed(), replayed, "{how}");
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1, "{how}");
}

async fn serve(app: Router) -> Platform {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let platform = Platform::new(listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, app).into_future());
    platform
}
