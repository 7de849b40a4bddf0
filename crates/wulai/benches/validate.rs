//! What it costs to validate a route request and to read it as a type:
//! `cargo bench -p tower-callback-wulai --features axum --bench validate`.

use std::{convert::Infallible, hint::black_box, time::Duration};

use axum::{Json, body::Body, extract::FromRequest};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Layer, Service, service_fn};
use tower_callback_contract::{Body as CallbackBody, Callback, Document};
use tower_callback_stack::{Buffered, Payload, ReceiveLayer};
use tower_callback_wulai::{MessageRoute, RouteRequest, SPELLING, schema};

type Req = Request<Full<Bytes>>;
type Inner = Request<Buffered<Full<Bytes>>>;
type Res = Response<Full<Bytes>>;

/// A type of the user's own, with some of the fields.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only made")]
struct Question {
    user_id: String,
    msg_id: String,
    is_dispatch: bool,
    suggested_response: Vec<Answer>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only made")]
struct Answer {
    is_send: bool,
    score: Option<f64>,
}

fn validate(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let schema = schema::route();
    for (name, size, answers) in
        [("500 B", 500, 1), ("16 KiB of text", 16 * 1024, 3), ("16 KiB of answers", 16 * 1024, 26)]
    {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let body = Bytes::from(route(size, answers).to_string());
        assert!((size - size / 20..=size + size / 20).contains(&body.len()), "{}", body.len());
        let parsed = CallbackBody::new(body.clone(), SPELLING);
        let document = parsed.json().expect("JSON");
        assert_eq!(schema.check_ref(document), Ok(()));

        group.bench_function("parse", |b| {
            b.iter(|| CallbackBody::new(body.clone(), SPELLING).json().is_ok());
        });
        group.bench_function("parse into serde_json::Value", |b| {
            b.iter(|| serde_json::from_slice::<Value>(&body).is_ok());
        });
        group.bench_function("validate", |b| {
            b.iter(|| schema.check_ref(black_box(document)).is_ok());
        });
        group.bench_function("parse and validate", |b| {
            b.iter(|| {
                let body = CallbackBody::new(body.clone(), SPELLING);
                schema.check_ref(body.json().expect("JSON")).is_ok()
            });
        });
        let mut wrong = document.to_value();
        for pointer in ["/user_id", "/is_dispatch", "/suggested_response/0/is_send"] {
            *wrong.pointer_mut(pointer).expect("a field") = 1.5.into();
        }
        let wrong = Document::from(&wrong);
        group.bench_function("three violations", |b| {
            b.iter(|| schema.check_ref(black_box(wrong.root())).is_err());
        });

        let post = || Request::post("/").body(Full::from(body.clone())).expect("a request");
        measure(
            &mut group,
            "layer: receive",
            &mut ReceiveLayer::for_contract(MessageRoute::new()).layer(noop()),
            post,
        );
        measure(
            &mut group,
            "layer: receive and validate",
            &mut schema::route_layer().layer(noop()),
            post,
        );

        extract(&mut group, &body);
    }
}

/// Each extractor on a request as a handler gets it behind a layer that has parsed it, or from axum.
fn extract(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    body: &Bytes,
) {
    let bare = || {
        Request::post("/")
            .header("content-type", "application/json")
            .body(Body::from(body.clone()))
            .expect("a request")
    };
    let received = || {
        let (mut head, same) = bare().into_parts();
        let callback = Callback::receive(&MessageRoute::new(), &head, body.clone());
        head.extensions.insert(callback.expect("a question"));
        Request::from_parts(head, same)
    };
    // The layers hold the callback in any case: it is dropped after the clock has stopped.
    let held = |request: &Request<Body>| request.extensions().get::<Callback>().cloned();
    macro_rules! extracted {
        ($name:literal, $request:expr, $extractor:ty) => {
            group.bench_function($name, |b| {
                b.iter_batched(
                    $request,
                    |request| {
                        let held = held(&request);
                        let extracted = <$extractor>::from_request(request, &());
                        (held, extracted.now_or_never().expect("no waiting").expect("it fits"))
                    },
                    BatchSize::SmallInput,
                );
            });
        };
    }
    extracted!("own type: axum's Json", bare, Json<Question>);
    extracted!("own type: Payload without a layer", bare, Payload<Question>);
    extracted!("own type: Payload", received, Payload<Question>);
    extracted!("model: axum's Json", bare, Json<RouteRequest>);
    extracted!("model: without a layer", bare, RouteRequest);
    extracted!("model: behind a layer", received, RouteRequest);
    extracted!("model: Payload behind a layer", received, Payload<RouteRequest>);
}

fn measure<S>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    service: &mut S,
    request: impl Fn() -> Req,
) where
    S: Service<Req, Response = Response<Buffered<Full<Bytes>>>, Error = Infallible>,
{
    group.bench_function(name, |b| {
        b.iter_batched(
            &request,
            |request| {
                let Ok(response) = service.call(request).now_or_never().expect("no waiting");
                assert_eq!(response.status(), 200);
            },
            BatchSize::SmallInput,
        );
    });
}

fn noop() -> impl Service<Inner, Response = Res, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(async |request: Inner| {
        black_box(request);
        Ok(Response::new(Full::from("success")))
    })
}

/// A request of this size, with so many answers.
fn route(size: usize, answers: usize) -> Value {
    let mut request = json!({
        "user_id": "oZ8_anna", "msg_id": "160273500001", "msg_ts": "1602735000456",
        "nickname": "安娜", "msg_body": {"text": {"content": "这个多少钱?"}}, "is_dispatch": false,
        "extra": "", "suggested_response": [],
    });
    let answer = |text: &str| {
        json!({
            "is_send": true, "source": "TASK_BOT", "score": 0.875,
            "bot": {"task": {"block_id": 17, "task_id": 3}}, "quick_reply": [],
            "response": [{
                "msg_body": {"text": {"content": text}}, "similar_response": [],
                "enable_evaluate": true, "delay_ts": 2, "answer_id": 9_007_199_254_i64, "extra": "",
            }],
        })
    };
    let room = size - request.to_string().len();
    let text = "答".repeat((room / answers - answer("").to_string().len()) / "答".len());
    request["suggested_response"] = vec![answer(&text); answers].into();
    request
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    validate(&mut criterion);
    criterion.final_summary();
}
