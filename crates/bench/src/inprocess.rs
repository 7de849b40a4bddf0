//! Measures every layer alone, and the presets, around a handler that is always ready, without sockets.

use std::{
    convert::Infallible,
    future::poll_fn,
    hint::black_box,
    mem::replace,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt, task::noop_waker_ref};
use http::{Request, Response};
use http_body_util::Full;
use serde::Serialize;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, util::BoxCloneService};
use tower_callback::{
    Buffered, ReceiveLayer,
    action::ActionLayer,
    dedup::DedupLayer,
    order::OrderLayer,
    wulai::{MessageDelivery, WulaiLayer, schema},
};

use crate::{
    callgrind,
    load::Failure,
    payload::Kind,
    report::{Table, median},
};

type Req = Request<Full<Bytes>>;
type Res = Response<Buffered<Full<Bytes>>>;
type Subject = BoxCloneService<Req, Res, Infallible>;

/// One service, for one size of body.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    name: &'static str,
    size: usize,
    duplicates: Duplicates,
    nanos: f64,
    /// To the time of a handler that reads the same body into a `serde_json::Value`.
    ratio: f64,
    /// `None` without valgrind.
    instructions: Option<u64>,
}

pub(crate) const ABOUT: &str = "A call until its response, median of nine interleaved rounds. The \
    ratio is to a handler that parses the same body into a `serde_json::Value`. Making the request is \
    not timed. Instructions are those of a call in the long run, with making its request, counted by \
    callgrind.";

const SIZES: [usize; 2] = [500, 16 * 1024];
const ROUNDS: usize = 9;
const CALLS: u64 = 4_000;

pub(crate) fn run() -> Result<(Vec<Row>, Table), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    let counts = callgrind::is_there();
    let mut rows = Vec::new();
    for size in SIZES {
        let mut services: Vec<_> = CASES.iter().map(|case| (case.service)()).collect();
        let mut nanos = vec![Vec::new(); CASES.len()];
        let mut next = 0;
        for _ in 0..ROUNDS {
            for ((case, service), nanos) in CASES.iter().zip(&mut services).zip(&mut nanos) {
                nanos.push(case.measure(service, next, size, CALLS)?);
                next += CALLS;
            }
        }
        let medians: Vec<f64> = nanos.iter().map(|all| median(all.iter().copied())).collect();
        let parsed = CASES.iter().position(|case| case.name == PARSED).ok_or("no bare handler")?;
        for (case, &nanos) in CASES.iter().zip(&medians) {
            let Case { name, duplicates, .. } = *case;
            let instructions = counts.then(|| callgrind::per_call(name, size)).transpose()?;
            let ratio = nanos / medians[parsed];
            rows.push(Row { name, size, duplicates, nanos, ratio, instructions });
        }
    }
    let table = table(&rows);
    Ok((rows, table))
}

/// Calls the service of one case, for callgrind.
pub(crate) fn call(name: &str, size: usize, calls: u64) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    let case = CASES.iter().find(|case| case.name == name).ok_or("no such case")?;
    case.measure(&mut (case.service)(), 0, size, calls)?;
    Ok(())
}

/// A service under test, and the callbacks that it is called with.
struct Case {
    name: &'static str,
    kind: Kind,
    duplicates: Duplicates,
    service: fn() -> Subject,
}

/// Which calls are duplicates of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Duplicates {
    None,
    /// Each is a duplicate of one that was handled before.
    Replayed,
    /// Many come at once, while the first of them is handled.
    Joined,
}

const CASES: &[Case] = &[
    Case {
        name: "bare",
        kind: Kind::Delivery,
        duplicates: Duplicates::None,
        service: || bare(noop()),
    },
    Case {
        name: PARSED,
        kind: Kind::Delivery,
        duplicates: Duplicates::None,
        service: || bare(parsing()),
    },
    Case {
        name: "receive",
        kind: Kind::Delivery,
        duplicates: Duplicates::None,
        service: || boxed(ReceiveLayer::for_contract(MessageDelivery::new()).layer(noop())),
    },
    Case {
        name: "dedup, first delivery",
        kind: Kind::Delivery,
        duplicates: Duplicates::None,
        service: dedup,
    },
    Case {
        name: "dedup, joined",
        kind: Kind::Delivery,
        duplicates: Duplicates::Joined,
        service: || boxed(DedupLayer::for_contract(MessageDelivery::new()).layer(slow())),
    },
    Case {
        name: "dedup, replay",
        kind: Kind::Delivery,
        duplicates: Duplicates::Replayed,
        service: dedup,
    },
    Case {
        name: "order, not held",
        kind: Kind::Delivery,
        duplicates: Duplicates::None,
        service: || boxed(OrderLayer::for_contract(MessageDelivery::new()).layer(noop())),
    },
    Case {
        name: "schema",
        kind: Kind::Delivery,
        duplicates: Duplicates::None,
        service: || boxed(schema::delivery_layer().layer(noop())),
    },
    Case {
        name: "action",
        kind: Kind::Delivery,
        duplicates: Duplicates::None,
        service: || boxed(ActionLayer::for_contract(MessageDelivery::new()).layer(noop())),
    },
    Case {
        name: "WulaiLayer::delivery, first delivery",
        kind: Kind::Delivery,
        duplicates: Duplicates::None,
        service: delivery,
    },
    Case {
        name: "WulaiLayer::delivery, joined",
        kind: Kind::Delivery,
        duplicates: Duplicates::Joined,
        service: || boxed(WulaiLayer::delivery().layer(slow())),
    },
    Case {
        name: "WulaiLayer::delivery, replay",
        kind: Kind::Delivery,
        duplicates: Duplicates::Replayed,
        service: delivery,
    },
    Case {
        name: "schema of a route's response",
        kind: Kind::Route,
        duplicates: Duplicates::None,
        service: || boxed(schema::route_response_layer().layer(answer())),
    },
    Case {
        name: "WulaiLayer::route, first delivery",
        kind: Kind::Route,
        duplicates: Duplicates::None,
        service: route,
    },
    Case {
        name: "WulaiLayer::route, replay",
        kind: Kind::Route,
        duplicates: Duplicates::Replayed,
        service: route,
    },
];

/// The case that the others are compared with.
const PARSED: &str = "bare, body parsed";

fn dedup() -> Subject {
    boxed(DedupLayer::for_contract(MessageDelivery::new()).layer(noop()))
}

fn delivery() -> Subject {
    boxed(WulaiLayer::delivery().layer(noop()))
}

fn route() -> Subject {
    boxed(WulaiLayer::route().layer(answer()))
}

impl Case {
    /// Returns the nanoseconds per call.
    fn measure(
        &self,
        service: &mut Subject,
        from: u64,
        size: usize,
        calls: u64,
    ) -> Result<f64, Failure> {
        let request = |number| {
            let body = Full::new(self.kind.body(number, 1_000, size));
            Request::post(self.kind.path()).body(body)
        };
        let (together, message): (usize, fn(u64) -> u64) = match self.duplicates {
            Duplicates::None => (1, |number| number),
            Duplicates::Replayed => (1, |_| 0),
            Duplicates::Joined => (JOINED, |number| number / JOINED as u64),
        };
        let requests: Vec<Req> = (from..from + calls)
            .map(|number| request(message(number)))
            .collect::<Result<_, _>>()?;
        let mut requests = requests.into_iter();
        let start = Instant::now();
        while requests.len() > 0 {
            self.answer(service, requests.by_ref().take(together))?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        Ok(start.elapsed().as_secs_f64() * 1e9 / calls as f64)
    }

    /// Calls the service with all requests before it waits for any response.
    fn answer(
        &self,
        service: &mut Subject,
        requests: impl Iterator<Item = Req>,
    ) -> Result<(), Failure> {
        let mut context = Context::from_waker(noop_waker_ref());
        let mut waiting = Vec::new();
        let answered = |reply: &Res| match reply.status().as_u16() {
            200 => Ok(()),
            status => Err(format!("{}: {status}", self.name)),
        };
        for request in requests {
            let service = service.ready().now_or_never().ok_or("not ready")??;
            let mut reply = service.call(request);
            match reply.poll_unpin(&mut context) {
                Poll::Ready(reply) => answered(&black_box(reply?))?,
                Poll::Pending => waiting.push(reply),
            }
        }
        for reply in waiting {
            answered(&black_box(reply.now_or_never().ok_or("it waits")??))?;
        }
        Ok(())
    }
}

fn boxed<S>(service: S) -> Subject
where
    S: Service<Req, Response = Res, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    BoxCloneService::new(service)
}

fn bare(handler: Handler) -> Subject {
    let handler = handler.map_request(|request: Req| request.map(Buffered::Passed));
    boxed(handler.map_response(|response| response.map(Buffered::Passed)))
}

/// How many deliveries come at once.
const JOINED: usize = 100;

type HandlerReq = Request<Buffered<Full<Bytes>>>;
type Handler = tower::util::BoxCloneSyncService<HandlerReq, Response<Full<Bytes>>, Infallible>;

fn noop() -> Handler {
    Handler::new(tower::service_fn(async |request: HandlerReq| {
        black_box(request);
        Ok(Response::new(Full::from("success")))
    }))
}

/// Is pending once, so that duplicates come while it runs.
fn slow() -> Handler {
    Handler::new(tower::service_fn(async |request: HandlerReq| {
        black_box(request);
        let mut is_over = false;
        poll_fn(|_| if replace(&mut is_over, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        Ok(Response::new(Full::from("success")))
    }))
}

/// Reads the body as JSON.
fn parsing() -> Handler {
    Handler::new(tower::service_fn(async |request: HandlerReq| {
        let body = http_body_util::BodyExt::collect(request.into_body()).await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        black_box(serde_json::from_slice::<serde_json::Value>(&body).ok());
        Ok(Response::new(Full::from("success")))
    }))
}

fn answer() -> Handler {
    const ANSWER: &str = r#"{"is_dispatch":false,"suggested_response":[{"is_send":true,"score":0.5,
        "response":[{"msg_body":{"text":{"content":"您好"}},"answer_id":42}]}]}"#;
    Handler::new(tower::service_fn(async |request: HandlerReq| {
        black_box(request);
        Ok(Response::new(Full::from(ANSWER)))
    }))
}

fn table(rows: &[Row]) -> Table {
    let heads = SIZES.map(|size| [format!("{size} B: ns"), "ratio".into(), "instructions".into()]);
    let heads: Vec<_> = heads.iter().flatten().map(String::as_str).collect();
    let mut table = Table::new(&[&[""], &*heads].concat());
    let (small, large) = rows.split_at(rows.len() / 2);
    for (small, large) in small.iter().zip(large) {
        let figures = [small, large].map(|row| {
            let instructions = row.instructions.map_or("-".to_owned(), |count| count.to_string());
            [format!("{:.0}", row.nanos), format!("{:.2}", row.ratio), instructions]
        });
        table.row(std::iter::once(small.name.to_owned()).chain(figures.into_iter().flatten()));
    }
    table
}
