//! What the layer costs a message that is not held:
//! `cargo bench -p tower-callback-order --bench overhead`.

use std::{cell::Cell, convert::Infallible, hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{BatchSize, Criterion};
use futures_util::FutureExt;
use http::{Method, Request, Response, request};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_callback_contract::{Body, Contract, Envelope, Id, Refusal, Timestamp, Timing, ValueRef};
use tower_callback_order::{Hold, OrderLayer};
use tower_callback_stack::ReceiveLayer;

type Req = Request<Full<Bytes>>;

fn overhead(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let mut group = c.benchmark_group("500 B");
    let order = || OrderLayer::for_contract(Messages);
    let receive = ReceiveLayer::for_contract(Messages);

    // Every layer in front of the handler receives the callback if none did before: what ordering
    // itself costs is the difference to this.
    measure(&mut group, "received", &mut receive.layer(noop()), &Method::POST);
    let mut ordered = receive.layer(order().layer(noop()));
    measure(&mut group, "received, not held", &mut ordered, &Method::POST);
    let mut none = receive.layer(order().hold(Hold::none()).layer(noop()));
    measure(&mut group, "received, one at a time", &mut none, &Method::POST);
    measure(&mut group, "bare", &mut noop(), &Method::POST);
    measure(&mut group, "alone, not held", &mut order().layer(noop()), &Method::POST);
    measure(&mut group, "pass-through", &mut order().layer(noop()), &Method::GET);
}

fn measure<S, B>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    service: &mut S,
    method: &Method,
) where
    S: Service<Req, Response = Response<B>, Error = Infallible>,
{
    let sent = Cell::new(0_u64);
    let request = || {
        sent.set(sent.get() + 1);
        delivery(method, sent.get())
    };
    group.bench_function(name, |b| {
        b.iter_batched(
            request,
            // Nothing here waits: the response is there at the first poll.
            |request| service.call(request).now_or_never().expect("no waiting"),
            BatchSize::SmallInput,
        );
    });
}

/// A handler, whether it stands alone or behind layers.
fn noop<B: Send + 'static>()
-> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(|request: Request<B>| {
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

/// A platform that sends messages of conversations.
struct Messages;

impl Contract for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(5), Duration::from_secs(3600))
    }

    fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        let id = body.field("msg_id")?.and_then(|id| Id::from_json(self.name(), id));
        let user = body.field("user_id")?.and_then(ValueRef::as_str).map(str::to_owned);
        let sent_at = body.field("msg_ts")?.and_then(Timestamp::from_json);
        Ok(Envelope::new(id).conversation(user).sent_at(sent_at))
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
