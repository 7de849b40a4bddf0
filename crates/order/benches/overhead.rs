//! What the layer costs a message that is not held:
//! `cargo bench -p tower-callback-order --bench overhead`.

use std::{cell::Cell, convert::Infallible, hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{BatchSize, Criterion};
use futures_util::FutureExt;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, layer::util::Identity, service_fn};
use tower_callback_contract::ReceiveLayer;
use tower_callback_order::{Hold, OrderLayer};
use tower_callback_wulai::MessageDelivery;

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;

fn overhead(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let mut group = c.benchmark_group("500 B");
    let order = || OrderLayer::for_contract(MessageDelivery::new());

    // Every layer in front of the handler receives the callback if none did before: what ordering
    // itself costs is the difference to this.
    measure(&mut group, "received", &mut service(&Identity::new()), &Method::POST);
    measure(&mut group, "received, not held", &mut service(&order()), &Method::POST);
    let none = order().hold(Hold::none());
    measure(&mut group, "received, one at a time", &mut service(&none), &Method::POST);
    measure(&mut group, "bare", &mut noop(), &Method::POST);
    measure(&mut group, "alone, not held", &mut order().layer(noop()), &Method::POST);
    measure(&mut group, "pass-through", &mut order().layer(noop()), &Method::GET);
}

fn service<L>(layer: &L) -> impl Service<Req, Response = Res, Error = Infallible> + use<L>
where
    L: Layer<Noop>,
    L::Service: Service<Req, Response = Res, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    ReceiveLayer::new(MessageDelivery::new()).layer(layer.layer(noop()))
}

fn measure(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    service: &mut impl Service<Req, Response = Res, Error = Infallible>,
    method: &Method,
) {
    let sent = Cell::new(0_u64);
    let request = || {
        sent.set(sent.get() + 1);
        delivery(method, sent.get())
    };
    group.bench_function(name, |b| {
        b.iter_batched(
            request,
            // Nothing here waits: the answer is there at the first poll.
            |request| service.call(request).now_or_never().expect("no waiting"),
            BatchSize::SmallInput,
        );
    });
}

type Noop = tower::util::ServiceFn<fn(Req) -> std::future::Ready<Result<Res, Infallible>>>;

fn noop() -> Noop {
    service_fn(|request: Req| {
        black_box(request);
        std::future::ready(Ok(Response::new(Full::from("success"))))
    })
}

/// One message of a thousand conversations, in order.
fn delivery(method: &Method, number: u64) -> Req {
    let (user, sent_at) = (number % 1_000, 1_700_000_000_000 + number);
    let fill = "x".repeat(380);
    let body = format!(
        r#"{{"user_id":"user {user}","msg_id":"{number}","msg_ts":"{sent_at}","msg_type":"TEXT",
        "msg_body":{{"text":{{"content":"{fill}"}}}}}}"#
    );
    let request = Request::builder().method(method).uri("/callback/message");
    request.body(Full::from(body)).expect("a request")
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    overhead(&mut criterion);
    criterion.final_summary();
}
