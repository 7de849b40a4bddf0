//! What the layer costs over a ready no-op service: `cargo bench -p tower-callback-dedup --bench overhead`.

use std::{cell::Cell, convert::Infallible, hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use futures_util::FutureExt;
use http::{Method, Request, Response, request};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_callback_contract::{Body, Contract, Envelope, Id, Refusal, Timing};
use tower_callback_dedup::{DedupLayer, MemoryStore, Outcome};

type Req = Request<Full<Bytes>>;

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
        let within = |budget| {
            let store = MemoryStore::with_budget(budget);
            DedupLayer::for_contract(Messages).with_store(store)
        };

        measure(&mut group, "bare", &mut noop(), unique, None);
        measure(&mut group, "bare, body read and parsed", &mut parsing(), unique, None);
        let first = Some(Outcome::First);
        let mut full = within(MemoryStore::LEAST_BUDGET).layer(noop());
        measure(&mut group, "first delivery, memory full", &mut full, unique, first);
        let mut service = within(u64::MAX).layer(noop());
        measure(&mut group, "pass-through", &mut service, || get(size), None);
        measure(&mut group, "first delivery", &mut service, unique, first);
        let same = || delivery(size, 1);
        call(&mut service, same());
        measure(&mut group, "replay", &mut service, same, Some(Outcome::Replayed));
    }
}

fn measure<S, B>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    service: &mut S,
    request: impl Fn() -> Req,
    expected: Option<Outcome>,
) where
    S: Service<Req, Response = Response<B>, Error = Infallible>,
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

/// Nothing here waits: the response is there at the first poll.
fn call<S, B>(service: &mut S, request: Req) -> Response<B>
where
    S: Service<Req, Response = Response<B>, Error = Infallible>,
{
    let Ok(response) = service.call(request).now_or_never().expect("no waiting");
    response
}

/// A handler, whether it stands alone or behind a layer.
fn noop<B: Send + 'static>()
-> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(async |request: Request<B>| {
        black_box(request);
        Ok(Response::new(Full::from("success")))
    })
}

/// What a handler does that reads JSON.
fn parsing() -> impl Service<Req, Response = Response<Full<Bytes>>, Error = Infallible> {
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

/// A platform that sends messages.
struct Messages;

impl Contract for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(5), Duration::from_secs(3600))
    }

    fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        Ok(Envelope::new(body.field("msg_id")?.and_then(|id| Id::from_json(self.name(), id))))
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    overhead(&mut criterion);
    criterion.final_summary();
}
