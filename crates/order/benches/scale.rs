//! What held messages take, how long they take to release, what idle conversations leave, and what
//! one that floods does to the others: `cargo bench -p tower-callback-order --bench scale`.
//! Linux only: it reads /proc.

#![expect(clippy::disallowed_types, reason = "real time is what is measured")]

use std::{
    convert::Infallible,
    future::pending,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{Request, Response, request};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_callback_contract::{Body, Contract, Envelope, Id, Refusal, Timestamp, Timing, ValueRef};
use tower_callback_order::{Hold, OrderLayer};
use tower_callback_stack::{Buffered, ReceiveLayer};

type Req = Request<Full<Bytes>>;
/// What a handler gets.
type Handled = Request<Buffered<Full<Bytes>>>;
/// A delivery that waits for its response.
type Held<B> = BoxFuture<'static, Result<Response<B>, Infallible>>;

const HOLD: Duration = Duration::from_secs(1);

fn main() {
    // `cargo test --benches` runs this too, and must not take its time.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async { idle() });
    memory(&runtime);
    for (name, conversations) in [("in one conversation", 1), ("each in its own", u64::MAX)] {
        for messages in [1_000, 10_000, 100_000] {
            runtime.block_on(release(name, conversations, messages));
        }
    }
    let _entered = runtime.enter();
    flood();
}

fn order() -> OrderLayer<Messages> {
    OrderLayer::for_contract(Messages)
        .max_held(usize::MAX)
        .max_per_lane(usize::MAX)
        .max_held_bytes(usize::MAX)
}

/// Polled until they wait, and kept.
fn held<S, B>(service: &S, messages: u64) -> Vec<Held<B>>
where
    S: Service<Req, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: 'static,
{
    let responses = (0..messages).map(|number| {
        let mut response = service.clone().oneshot(message(number, number)).boxed();
        assert!((&mut response).now_or_never().is_none(), "it waits");
        response
    });
    responses.collect()
}

fn memory(runtime: &tokio::runtime::Runtime) {
    const MESSAGES: u64 = 100_000;
    let _entered = runtime.enter();
    let receive = ReceiveLayer::for_contract(Messages);
    let ordered = receive.layer(order().hold(Hold::fixed(HOLD)).layer(waiting()));
    let received = receive.layer(waiting());
    // What the allocator and the clock take once is there after the first.
    let _warm = (held(&received, 1_000), held(&ordered, 1_000));
    let start = resident();
    let plain = held(&received, MESSAGES);
    let middle = resident();
    let in_order = held(&ordered, MESSAGES);
    let end = resident();
    let [plain_bytes, ordered_bytes] = [middle - start, end - middle].map(|bytes| bytes / MESSAGES);
    println!(
        "{MESSAGES} messages of {} B in as many conversations, held: {ordered_bytes} B each; the \
         same messages waiting in a handler: {plain_bytes} B",
        body(1, 1).len()
    );
    drop((plain, in_order));
}

/// A handler that never ends. Boxed, as axum's are.
fn waiting<B: Send + 'static>() -> BoxCloneSyncService<Request<B>, Response<Full<Bytes>>, Infallible>
{
    BoxCloneSyncService::new(service_fn(|request: Request<B>| async move {
        pending::<()>().await;
        drop(request);
        Ok(Response::new(Full::default()))
    }))
}

async fn release(name: &str, conversations: u64, messages: u64) {
    let handler =
        service_fn(async |_: Handled| Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())));
    let service = order().hold(Hold::fixed(HOLD)).layer(handler);
    let mut responses = tokio::task::JoinSet::new();
    let mut start = Instant::now();
    // The worst order: each goes before all that wait.
    for number in (0..messages).rev() {
        responses.spawn(service.clone().oneshot(message(number % conversations, number)));
    }
    tokio::task::yield_now().await;
    let taken_in = start.elapsed();
    start = Instant::now();
    while let Some(response) = responses.join_next().await {
        let Ok(response) = response.expect("no panic");
        assert_eq!(response.status(), 200);
    }
    let released = start.elapsed();
    let each = |took: Duration| took.as_nanos() / u128::from(messages);
    println!(
        "{messages} messages held {name}: {} ns each to take in, {} ns each to release and handle",
        each(taken_in),
        each(released)
    );
}

fn idle() {
    const CONVERSATIONS: u64 = 1_000_000;
    let handler =
        service_fn(async |_: Handled| Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())));
    let layer = order();
    let mut service = layer.layer(handler);
    let mut touch = |from: u64, count: u64| {
        for number in from..from + count {
            let Ok(response) = service.call(message(number, 1)).now_or_never().expect("no waiting");
            assert_eq!(response.status(), 200);
        }
    };
    touch(0, 1_000);
    let start = resident();
    touch(1_000, CONVERSATIONS);
    let grown = resident().saturating_sub(start);
    let lanes = layer.stats().lanes as u64;
    println!(
        "{CONVERSATIONS} conversations of one message: {lanes} are remembered, {} B each",
        grown / lanes
    );
}

/// How long calls of other conversations take while one of them floods.
fn flood() {
    const CALLS: u64 = 200_000;
    let handler = service_fn(async |request: Handled| {
        if request.headers().contains_key("slow") {
            pending::<()>().await;
        }
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let [mut quiet, mut flooded] = [(); 2].map(|()| order().max_per_lane(64).layer(handler));
    let mut waiting = Vec::new();
    let [mut alone, mut beside] = [(); 2].map(|()| Vec::new());
    let mut refused = 0;
    for number in 0..CALLS {
        for (service, took) in [(&mut quiet, &mut alone), (&mut flooded, &mut beside)] {
            let request = message(number % 1_000, number);
            let start = Instant::now();
            let response = service.call(request).now_or_never();
            took.push(start.elapsed());
            assert!(response.is_some());
        }
        let mut request = message(u64::MAX, number);
        request.headers_mut().insert("slow", http::HeaderValue::from_static("1"));
        let mut response = flooded.call(request).boxed();
        match (&mut response).now_or_never() {
            Some(_) => refused += 1,
            None => waiting.push(response),
        }
    }
    assert_eq!((waiting.len(), refused), (65, CALLS - 65));
    for (when, took) in [("alone", &mut alone), ("beside one that floods", &mut beside)] {
        took.sort_unstable();
        let at = |share: usize| took[took.len() * share / 1_000];
        println!("a call {when}: median {:?}, p99 {:?}, p99.9 {:?}", at(500), at(990), at(999));
    }
}

fn message(conversation: u64, number: u64) -> Req {
    let request = Request::post("/callback/message").body(Full::from(body(conversation, number)));
    request.expect("a request")
}

fn body(conversation: u64, number: u64) -> String {
    let sent_at = wall_millis() - 50_000 + number / 10;
    format!(
        r#"{{"user_id":"user {conversation}","msg_id":"{number}","msg_ts":"{sent_at}",
        "msg_body":{{"text":{{"content":"hello"}}}}}}"#
    )
}

fn wall_millis() -> u64 {
    use std::sync::LazyLock;
    static START: LazyLock<u64> = LazyLock::new(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        u64::try_from(now.as_millis()).expect("before the year 500 000")
    });
    *START
}

/// The resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("KiB");
    kib * 1024
}

/// A platform that sends messages of conversations, and waits long for their responses.
struct Messages;

impl Contract for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn timing(&self) -> Timing {
        Timing::new(Duration::from_secs(3_600), Duration::from_secs(7_200))
    }

    fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        let id = body.field("msg_id")?.and_then(|id| Id::from_json(self.name(), id));
        let user = body.field("user_id")?.and_then(ValueRef::as_str).map(str::to_owned);
        let sent_at = body.field("msg_ts")?.and_then(Timestamp::from_json);
        Ok(Envelope::new(id).conversation(user).sent_at(sent_at))
    }
}
