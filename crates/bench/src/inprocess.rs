//! Every layer alone, and the presets, around a handler that is always ready: no sockets.

use std::{cell::Cell, convert::Infallible, hint::black_box};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use serde::Serialize;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, util::BoxCloneService};
use tower_callback::{
    ReceiveLayer,
    action::ActionLayer,
    dedup::DedupLayer,
    order::OrderLayer,
    wulai::{MessageDelivery, MessageRoute, WulaiLayer, WulaiSchemaLayer},
};

use crate::{
    load::Failure,
    payload::Kind,
    report::{Table, median},
};

type Req = Request<Full<Bytes>>;
type Res = Response<Full<Bytes>>;
type Subject = BoxCloneService<Req, Res, Infallible>;

/// One service, for one size of body.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    name: &'static str,
    size: usize,
    copies: bool,
    nanos: f64,
    /// To what a handler takes that reads the same body by `serde_json::Value`.
    ratio: f64,
}

pub(crate) const ABOUT: &str = "A call with its reply, median of nine interleaved rounds. The ratio \
    is to a handler that parses the same body into a `serde_json::Value`. Making the request is not \
    counted.";

const SIZES: [usize; 2] = [500, 16 * 1024];
const ROUNDS: usize = 9;
const CALLS: u64 = 4_000;

struct Case {
    name: &'static str,
    kind: Kind,
    copies: bool,
    service: Subject,
}

pub(crate) fn run() -> Result<(Vec<Row>, Table), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    let mut rows = Vec::new();
    for size in SIZES {
        let mut cases = cases();
        let mut nanos = vec![Vec::new(); cases.len()];
        let number = Cell::new(0);
        for _ in 0..ROUNDS {
            for (case, nanos) in cases.iter_mut().zip(&mut nanos) {
                nanos.push(measure(case, &number, size)?);
            }
        }
        let medians: Vec<f64> = nanos.iter().map(|all| median(all.iter().copied())).collect();
        let parsed = medians.get(1).copied().ok_or("no bare handler")?;
        rows.extend(cases.iter().zip(medians).map(|(case, nanos)| Row {
            name: case.name,
            size,
            copies: case.copies,
            nanos,
            ratio: nanos / parsed,
        }));
    }
    let table = table(&rows);
    Ok((rows, table))
}

fn cases() -> Vec<Case> {
    let case = |name, kind, copies, service| Case { name, kind, copies, service };
    let delivery = MessageDelivery::new;
    let receive = || ReceiveLayer::new(delivery()).layer(noop());
    let dedup = || boxed(DedupLayer::for_contract(delivery()).layer(noop()));
    let preset = || boxed(WulaiLayer::delivery().layer(noop()));
    let route = || boxed(WulaiLayer::route().layer(answer()));
    vec![
        case("bare", Kind::Delivery, false, boxed(noop())),
        case("bare, body parsed", Kind::Delivery, false, boxed(parsing())),
        case("receive", Kind::Delivery, false, boxed(receive())),
        case("dedup, first copy", Kind::Delivery, false, dedup()),
        case("dedup, replay", Kind::Delivery, true, dedup()),
        case(
            "order, not held",
            Kind::Delivery,
            false,
            boxed(OrderLayer::for_contract(delivery()).layer(noop())),
        ),
        case("schema", Kind::Delivery, false, boxed(WulaiSchemaLayer::delivery().layer(noop()))),
        case(
            "action",
            Kind::Delivery,
            false,
            boxed(ActionLayer::for_contract(delivery()).layer(noop())),
        ),
        case("WulaiLayer::delivery, first copy", Kind::Delivery, false, preset()),
        case("WulaiLayer::delivery, replay", Kind::Delivery, true, preset()),
        case(
            "schema of a route's reply",
            Kind::Route,
            false,
            boxed(
                ReceiveLayer::new(MessageRoute::new())
                    .document()
                    .layer(WulaiSchemaLayer::route_response().layer(answer())),
            ),
        ),
        case("WulaiLayer::route, first copy", Kind::Route, false, route()),
        case("WulaiLayer::route, replay", Kind::Route, true, route()),
    ]
}

fn measure(case: &mut Case, number: &Cell<u64>, size: usize) -> Result<f64, Failure> {
    let requests: Vec<Req> = (0..CALLS)
        .map(|_| {
            number.set(number.get() + 1);
            let message = if case.copies { 1 } else { number.get() };
            let body = Full::new(case.kind.body(message, 1_000, size));
            Request::post(case.kind.path()).body(body)
        })
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    for request in requests {
        let reply = case.service.ready().now_or_never().ok_or("not ready")?;
        let Ok(service) = reply;
        let Ok(reply) = service.call(request).now_or_never().ok_or("it waits")?;
        if reply.status() != 200 {
            return Err(format!("{}: {}", case.name, reply.status()).into());
        }
        black_box(reply);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    Ok(start.elapsed().as_secs_f64() * 1e9 / CALLS as f64)
}

fn boxed<S>(service: S) -> Subject
where
    S: Service<Req, Response = Res, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    BoxCloneService::new(service)
}

type Handler = tower::util::BoxCloneSyncService<Req, Res, Infallible>;

fn noop() -> Handler {
    Handler::new(tower::service_fn(async |request: Req| {
        black_box(request);
        Ok(Response::new(Full::from("success")))
    }))
}

/// What a handler does that reads JSON.
fn parsing() -> Handler {
    Handler::new(tower::service_fn(async |request: Req| {
        let Ok(body) = http_body_util::BodyExt::collect(request.into_body()).await;
        black_box(serde_json::from_slice::<serde_json::Value>(&body.to_bytes()).ok());
        Ok(Response::new(Full::from("success")))
    }))
}

fn answer() -> Handler {
    const ANSWER: &str = r#"{"is_dispatch":false,"suggested_response":[{"is_send":true,"score":0.5,
        "response":[{"msg_body":{"text":{"content":"您好"}},"answer_id":42}]}]}"#;
    Handler::new(tower::service_fn(async |request: Req| {
        black_box(request);
        Ok(Response::new(Full::from(ANSWER)))
    }))
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["", "500 B: ns", "ratio", "16 KiB: ns", "ratio"]);
    let (small, large) = rows.split_at(rows.len() / 2);
    for (small, large) in small.iter().zip(large) {
        table.row([
            small.name.to_owned(),
            format!("{:.0}", small.nanos),
            format!("{:.2}", small.ratio),
            format!("{:.0}", large.nanos),
            format!("{:.2}", large.ratio),
        ]);
    }
    table
}
