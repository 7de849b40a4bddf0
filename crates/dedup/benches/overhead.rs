//! What the layer costs over a ready no-op service: `cargo bench -p tower-callback-dedup --bench overhead`.

use std::{cell::Cell, convert::Infallible, hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use futures_util::FutureExt;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_callback_dedup::Outcome;
use tower_callback_wulai::{MessageDelivery, WulaiLayer};

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;

const SIZES: [(&str, usize); 2] = [("500 B", 500), ("16 KiB", 16 * 1024)];

fn overhead(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    for (name, size) in SIZES {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let id = Cell::new(0_u64);
        let unique = || {
            id.set(id.get() + 1);
            delivery(size, id.get())
        };
        let dedup = || tower_callback_dedup::DedupLayer::for_contract(MessageDelivery::new());

        measure(&mut group, "bare", &mut noop(), unique, None);
        measure(&mut group, "bare, body read and parsed", &mut parsing(), unique, None);
        let mut full = dedup().memory_budget(1024 * 1024).layer(noop());
        measure(&mut group, "first copy, memory full", &mut full, unique, Some(Outcome::First));
        let mut service = dedup().memory_budget(u64::MAX).layer(noop());
        measure(&mut group, "pass-through", &mut service, || get(size), None);
        measure(&mut group, "first copy", &mut service, unique, Some(Outcome::First));
        let same = || delivery(size, 1);
        call(&mut service, same());
        measure(&mut group, "replay", &mut service, same, Some(Outcome::Replayed));

        let mut preset = WulaiLayer::delivery().layer(noop());
        measure(&mut group, "preset, first copy", &mut preset, unique, Some(Outcome::First));
        call(&mut preset, same());
        measure(&mut group, "preset, replay", &mut preset, same, Some(Outcome::Replayed));
    }
}

fn measure<S>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    service: &mut S,
    request: impl Fn() -> Req,
    expected: Option<Outcome>,
) where
    S: Service<Req, Response = Res, Error = Infallible>,
{
    group.bench_function(name, |b| {
        b.iter_batched(
            &request,
            |request| {
                let response = call(service, request);
                debug_assert_eq!(response.extensions().get(), expected.as_ref());
                response
            },
            BatchSize::SmallInput,
        );
    });
    assert_eq!(call(service, request()).extensions().get(), expected.as_ref());
}

/// Nothing here waits: the answer is there at the first poll.
fn call<S>(service: &mut S, request: Req) -> Res
where
    S: Service<Req, Response = Res, Error = Infallible>,
{
    let Ok(response) = service.call(request).now_or_never().expect("no waiting");
    response
}

fn noop() -> impl Service<Req, Response = Res, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(async |request: Req| {
        black_box(request);
        Ok(Response::new(Full::from("success")))
    })
}

/// What a handler does that reads JSON.
fn parsing() -> impl Service<Req, Response = Res, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(async |request: Req| {
        let body = http_body_util::BodyExt::collect(request.into_body()).await?.to_bytes();
        black_box(serde_json::from_slice::<serde_json::Value>(&body).expect("JSON"));
        Ok(Response::new(Full::from("success")))
    })
}

fn delivery(size: usize, id: u64) -> Req {
    let head = format!(
        r#"{{"user_id":"anna","msg_id":"{id}","msg_ts":"1700000000123","msg_type":"TEXT",
        "sender_info":{{"avatar_url":"","nickname":"小来","real_name":""}},"source":"QA_BOT",
        "extra":"","bot":{{"qa":{{"knowledge_id":1234,"is_none_intention":false}}}},
        "similar_response":[{{"url":"","source":"QA_BOT","detail":{{}}}}],
        "enable_evaluate":false,"quick_reply":["好","谢谢"],"msg_body":{{"text":{{"content":""#
    );
    let fill = size.saturating_sub(head.len() + 4);
    let body = format!("{head}{}\"}}}}}}", "x".repeat(fill));
    Request::post("/callback/message").body(Full::from(body)).expect("a request")
}

fn get(size: usize) -> Req {
    let mut request = delivery(size, 1);
    *request.method_mut() = Method::GET;
    request
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    overhead(&mut criterion);
    criterion.final_summary();
}
