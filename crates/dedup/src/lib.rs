//! Run a handler once per callback, however often the platform sends it.
//!
//! [`DedupLayer`] wraps a handler and decides for each callback:
//!
//! * **First**: no copy runs, and none has succeeded. The handler runs, and its reply is remembered
//!   if it succeeds.
//! * **Joined**: another copy runs just now. It waits, and gets the same reply.
//! * **Replayed**: another copy succeeded before. It gets that reply again.
//! * **Conflict**: its id is known with another body. Refused.
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_dedup::{Attempt, DedupLayer, Outcome};
//! use tower_callback_wulai::MessageDelivery;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! static CUPS: AtomicU32 = AtomicU32::new(0);
//! let handler = service_fn(async |request: Request<Full<Bytes>>| {
//!     assert_eq!(request.extensions().get(), Some(&Attempt::FIRST));
//!     let cup = CUPS.fetch_add(1, Ordering::SeqCst) + 1;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(format!("cup {cup}"))))
//! });
//! let service = DedupLayer::for_contract(MessageDelivery::new()).layer(handler);
//!
//! for expected in [Outcome::First, Outcome::Replayed] {
//!     let message = r#"{"user_id": "anna", "msg_id": "17", "msg_ts": "1700000000000"}"#;
//!     let callback = Request::post("/callback/message").body(message.into()).unwrap();
//!     let reply = service.clone().oneshot(callback).await.unwrap();
//!     assert_eq!(reply.extensions().get(), Some(&expected));
//! }
//! assert_eq!(CUPS.load(Ordering::SeqCst), 1);
//! # }
//! ```
//!
//! What is remembered is in a [`Store`], by default a [`MemoryStore`]. [`Attempt`] tells the handler
//! which run it is; [`Outcome`] tells outer layers, in the response's extensions, what was decided,
//! and a [`Refusal`](tower_callback_contract::Refusal) beside it why a callback was refused.
//!
//! # Where it goes in the stack
//!
//! Inside of what authenticates, so that a forger cannot use up ids; outside of everything that has
//! an effect. What stands inside runs once per id, as the handler does. A limit of time belongs
//! inside too: a handler that never ends would hold its id until the process ends.
//!
//! The handler runs in the task that called the layer. If the client hangs up it runs on in a task
//! of its own, in its span, but without the task-locals of the one it came from.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | the handler succeeds | its reply is remembered for the [window](DedupLayer::window), and replayed with `idempotency-replayed: true` |
//! | it answers what makes the platform retry, by the [contract](tower_callback_contract::Contract::action) | waiting copies get the same reply, nothing is remembered, the next copy runs as [`Attempt`] 2 |
//! | it panics, returns an error or breaks off its reply | the same, with status 500; an error goes to its own caller as it is |
//! | it answers a 2xx that the platform does not take for success | it is remembered, and a warning logged: running twice would be worse |
//! | the client hangs up while it runs | it runs to its end, and its reply is remembered |
//! | a waiting copy's client hangs up | nobody else notices |
//! | the first copy takes longer than the [wait bound](DedupLayer::wait) | 503 for the copies that wait, never 200 |
//! | more copies wait than [may](DedupLayer::max_waiters), more callbacks run than [may](DedupLayer::max_running) | 503 for the others |
//! | a known id comes with another body | 422, or [as you say](OnConflict). What a body says is compared, not its bytes |
//! | a callback has no usable id | it passes through, or [as you say](OnMissingId) |
//! | the reply is larger than the [record limit](DedupLayer::record_limit), or its length is not known beforehand | it goes to its client as it is. A copy gets the platform's plain accept; where the platform needs the reply itself, the handler runs again, told so by [`Previous::Unrecorded`] |
//! | replayed headers | all values of each; not hop-by-hop ones, `date` and `set-cookie`. Trailers are not replayed |
//! | memory is full | the ids longest not seen are forgotten first; [`MemoryStats`] counts them |
//! | the process ends | [`DrainHandle`] refuses new callbacks, waits for running ones, and counts those abandoned |
//! | it is killed | memory is lost: copies of what was handled run again |
//! | a shared store is down, or slow for more than 500 ms | 503 at claim; at the end of a run the client gets its reply all the same |
//! | a request is no POST | it passes through untouched |
//!
//! # What it costs
//!
//! Over a ready no-op service, medians on two cores of a shared Intel Xeon, with an ordinary text
//! message of 26 fields, as `cargo bench -p tower-callback-dedup --bench overhead` prints them
//! (the bare service taken off; a bare handler that reads the body into a `serde_json::Value` costs
//! 2.7 µs and 6.1 µs):
//!
//! | | 500 B | 16 KiB |
//! |---|---|---|
//! | no callback | 0.08 µs | 0.13 µs |
//! | replay | 2.9 µs | 6.4 µs |
//! | first copy | 5.1 µs | 8.8 µs |
//! | first copy, a memory of 1 MiB full | 5.6 µs | 9.2 µs |
//! | `WulaiLayer::delivery()`, replay | 3.7 µs | 7.2 µs |
//! | … first copy, the default memory full | 7.7 µs | 10.8 µs |
//!
//! Reading the body is 1.5 µs of these at 500 B; what grows with the body is reading it once. A full
//! memory of the default size costs more than a small one, because what it forgets has left the
//! processor's caches.
//!
//! A million remembered ids, acknowledged with `success`, take 369 B each of resident memory. While
//! they come in, a call takes 3.3 µs in the median and 0.45 ms at p99.99; while they expire, 3.5 µs
//! and 0.06 ms (`cargo bench -p tower-callback-dedup --bench memory`).

mod attempt;
mod claimed;
mod detach;
mod drain;
mod fingerprint;
mod flights;
mod key;
mod layer;
mod memory;
mod reply;
mod route;
mod run;
mod service;
mod settings;
mod store;

pub use self::{
    attempt::{Attempt, Outcome, Previous},
    drain::{DrainHandle, Drained},
    fingerprint::Fingerprint,
    key::Key,
    layer::DedupLayer,
    memory::{MemoryStats, MemoryStore},
    reply::Reply,
    service::Dedup,
    settings::{OnConflict, OnMissingId},
    store::{Claim, Ownership, Record, Store, Token},
};
