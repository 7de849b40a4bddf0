//! Runs a handler once per callback, however often the platform delivers it.
//!
//! [`DedupLayer`] wraps a handler and decides for each callback:
//!
//! * **First**: no other delivery of it runs, and none has succeeded. The handler runs, and the
//!   layer remembers its response if that is a success.
//! * **Joined**: the handler runs for another delivery at this moment. This one waits, and gets the
//!   same response.
//! * **Replayed**: another delivery has succeeded. This one gets that response again.
//! * **Conflict**: the id is known with another body. The layer refuses it.
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_dedup::{Attempt, DedupLayer, Outcome};
//! use tower_callback_stack::Buffered;
//! # use std::time::Duration;
//! # use tower_callback_contract::{Body, Contract, Envelope, Id, Refusal, Timing};
//! # struct Orders;
//! # impl Contract for Orders {
//! #     fn name(&self) -> &'static str { "shop.order" }
//! #     fn timing(&self) -> Timing { Timing::new(Duration::from_secs(10), Duration::from_secs(3600)) }
//! #     fn identify(&self, _: &http::request::Parts, body: &Body) -> Result<Envelope, Refusal> {
//! #         Ok(Envelope::new(body.field("order")?.and_then(|id| Id::from_json("shop.order", id))))
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! static CUPS: AtomicU32 = AtomicU32::new(0);
//! let handler = service_fn(async |request: Request<Buffered<Full<Bytes>>>| {
//!     assert_eq!(request.extensions().get(), Some(&Attempt::FIRST));
//!     let cup = CUPS.fetch_add(1, Ordering::SeqCst) + 1;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(format!("cup {cup}"))))
//! });
//! // `Orders` is a contract, see tower-callback-contract.
//! let shop = DedupLayer::for_contract(Orders).layer(handler);
//!
//! for expected in [Outcome::First, Outcome::Replayed] {
//!     let order = Request::post("/orders").body(Full::from(r#"{"order": 17}"#)).unwrap();
//!     let response = shop.clone().oneshot(order).await.unwrap();
//!     assert_eq!(response.extensions().get(), Some(&expected));
//! }
//! assert_eq!(CUPS.load(Ordering::SeqCst), 1);
//! # }
//! ```
//!
//! A [`Store`] remembers what has finished, by default a [`MemoryStore`]. [`Attempt`] tells the
//! handler which run this is. [`Outcome`], in the response's extensions, tells the layers outside
//! what dedup decided; beside it, a [`Refusal`](tower_callback_contract::Refusal) says why it
//! refused a callback.
//!
//! # Where it goes in the stack
//!
//! Put it inside the layer that authenticates, so that a forger cannot use up ids, and outside
//! everything that has an effect. What stands inside runs once per id, as the handler does. A
//! timeout belongs inside too: without one, a handler that never ends holds its id until the
//! process ends.
//!
//! The handler runs in the task that called the layer. If the client disconnects, the run goes on
//! in a task of its own, in its span, but without the task-locals of the first task.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | the handler succeeds | the layer remembers the response for the [window](DedupLayer::window), and replays it with `idempotency-replayed: true` |
//! | its response makes the platform redeliver the callback, by the [contract](tower_callback_contract::Contract::effect) | duplicates that wait get the same response, the layer remembers nothing, the next delivery runs as [`Attempt`] 2 |
//! | … and the platform reads that in the body of a 200 | the same: the contract alone decides |
//! | it panics, returns an error or breaks off its response | the same, with status 500; an error goes to its own caller as it is |
//! | it responds with a 2xx, and the platform takes another one | the layer remembers the success that was [intended](tower_callback_contract::Contract::intent): running twice would be worse |
//! | the client disconnects while the handler runs | the handler runs to its end, and the layer remembers its response |
//! | the client of a duplicate that waits disconnects | nobody else notices |
//! | the first delivery takes longer than duplicates [may wait](DedupLayer::max_wait) | 503 for those that wait, never 200 |
//! | more duplicates wait than [may](DedupLayer::max_waiters), or more callbacks run than [may](DedupLayer::max_running) | 503 for the others |
//! | a known id comes with another body | 422, unless [`OnConflict`] is set. The layer compares what a body says, not its bytes |
//! | a callback has no usable id | it passes through, unless [`OnMissingId`] is set |
//! | the response is larger than the [record limit](DedupLayer::max_record_bytes), or does not say its length and is not there at once | it goes to its client as it is. A duplicate gets the platform's plain accept; where the platform needs the response itself, the handler runs again, and [`Previous::Unrecorded`] says so |
//! | replayed headers | all values of each, without hop-by-hop headers, `date` and `set-cookie`. Trailers are not replayed |
//! | memory is full | the store forgets the ids that it has not seen for the longest time, and counts them in [`MemoryStats`] |
//! | the process ends | [`DrainHandle`] refuses new callbacks, waits for those that run, and counts those that it had to abandon |
//! | it is killed | memory is lost: what was handled before runs again when the platform redelivers it |
//! | a shared store is down, or slow for more than 500 ms | 503 when the layer claims an id; at the end of a run the client gets its response all the same |
//! | a request is no POST | it passes through untouched |
//!
//! # What it costs
//!
//! Over a ready no-op service, medians on two cores of a shared AMD EPYC, with an ordinary text
//! message of 26 fields, as `cargo bench -p tower-callback-dedup --bench overhead` prints them
//! (without the bare service; a bare handler that reads the body into a `serde_json::Value` costs
//! 1.9 µs and 4.3 µs). Another benchmark than that of a preset: compare within this table only.
//!
//! | | 500 B | 16 KiB |
//! |---|---|---|
//! | no callback | 0.07 µs | 0.07 µs |
//! | replay | 1.9 µs | 4.8 µs |
//! | first delivery | 3.3 µs | 6.6 µs |
//! | first delivery, a memory of 1 MiB full | 3.3 µs | 6.4 µs |
//!
//! Reading the body takes 1.1 µs of these at 500 B, and is all that grows with its size.
//!
//! A million remembered ids, acknowledged with `success`, take 369 B each of resident memory. While
//! they come in, a call takes 2.3 µs in the median and 0.67 ms at p99.99; while they expire, 2.7 µs
//! and 0.05 ms (`cargo bench -p tower-callback-dedup --bench memory`).

#![cfg_attr(docsrs, feature(doc_cfg))]

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
mod run;
mod settings;
mod shards;
mod shared;
mod step;
mod store;

#[doc(hidden)]
pub use self::step::DedupStep;
pub use self::{
    attempt::{Attempt, Outcome, Previous},
    drain::{DrainHandle, Drained},
    fingerprint::Fingerprint,
    key::Key,
    layer::DedupLayer,
    memory::{MemoryStats, MemoryStore},
    reply::Reply,
    settings::{OnConflict, OnMissingId},
    store::{Claim, Ownership, Record, Store, Token},
};
