//! What a million remembered ids take, and the worst call while they expire:
//! `cargo bench -p tower-callback-dedup --bench memory`. Linux only: it reads /proc.

#![expect(clippy::disallowed_types, reason = "real time is what is measured")]

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, request};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_callback_contract::{Body, Contract, Envelope, Id, Refusal, Timing};
use tower_callback_dedup::{DedupLayer, MemoryStore, Outcome};
use tower_callback_stack::Buffered;

const IDS: u64 = 1_000_000;
const WINDOW: Duration = Duration::from_secs(1);

fn main() {
    // `cargo test --benches` runs this too, and must not take its time.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let handler = service_fn(async |_: Request<Buffered<Full<Bytes>>>| {
        let mut response = Response::new(Full::<Bytes>::from("success"));
        let text = http::HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert("content-type", text);
        Ok::<_, Infallible>(response)
    });
    let store = MemoryStore::with_budget(u64::MAX);
    let layer = DedupLayer::for_contract(Messages).with_store(store).window(WINDOW);
    let mut service = layer.layer(handler);

    let before = resident();
    let start = Instant::now();
    let mut filling = first_deliveries(&mut service, 0);
    let took = start.elapsed();
    let _ = layer.store().stats();
    let bytes = resident() - before;
    println!("{IDS} ids, acknowledged with `success`");
    println!("memory per id: {} B of RSS", bytes / IDS);
    println!("time per id: {} ns, request and response made", took.as_nanos() / u128::from(IDS));
    print_worst("while they come in", &mut filling);

    std::thread::sleep(2 * WINDOW);
    let mut expiring = first_deliveries(&mut service, 0);
    print_worst("while they expire, and come again", &mut expiring);
    std::thread::sleep(2 * WINDOW);
    let mut others = first_deliveries(&mut service, IDS);
    print_worst("while they expire, and others come", &mut others);
}

fn first_deliveries<S, B>(service: &mut S, from: u64) -> Vec<Duration>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
{
    let mut took = Vec::with_capacity(IDS.try_into().expect("it fits"));
    for id in from..from + IDS {
        let body = format!(
            r#"{{"user_id":"anna","msg_id":"{id}","msg_ts":"1700000000123",
            "msg_body":{{"text":{{"content":"hello"}}}}}}"#
        );
        let request = Request::post("/callback/message").body(Full::from(body));
        let request = request.expect("a request");
        let start = Instant::now();
        let Ok(response) = service.call(request).now_or_never().expect("no waiting");
        took.push(start.elapsed());
        assert_eq!(response.extensions().get(), Some(&Outcome::First));
    }
    took
}

fn print_worst(when: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        took[((took.len() - 1) as f64 * share) as usize]
    };
    println!(
        "a call {when}: median {:?}, p99 {:?}, p99.99 {:?}, worst {:?}",
        at(0.5),
        at(0.99),
        at(0.9999),
        at(1.0)
    );
}

/// The resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("KiB");
    kib * 1024
}

/// A platform that sends messages.
struct Messages;

impl Contract for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(5), WINDOW)
    }

    fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        Ok(Envelope::new(body.field("msg_id")?.and_then(|id| Id::from_json(self.name(), id))))
    }
}
