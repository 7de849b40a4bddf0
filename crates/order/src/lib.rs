//! Handle the messages of a conversation in the order they were sent.
//!
//! Platforms deliver in no order. [`OrderLayer`] holds the *response* of a message for a moment, so
//! that one which was sent before it can pass:
//!
//! * Messages of one conversation go by the time they were sent, then by id, then by arrival, one
//!   at a time. Conversations do not wait for each other.
//! * The [hold](Hold) is by default as long as the traffic of late needs it, and zero for traffic
//!   that comes in order.
//! * What comes too late for its place is handled at once, and says so: [`Position`].
//!
//! ```
//! use std::{sync::Mutex, time::Duration};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_contract::Callback;
//! use tower_callback_order::{Hold, OrderLayer};
//! use tower_callback_wulai::MessageDelivery;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! static HANDLED: Mutex<Vec<String>> = Mutex::new(Vec::new());
//! let handler = service_fn(async |request: Request<Full<Bytes>>| {
//!     let callback: &Callback = request.extensions().get().expect("received");
//!     let id = callback.envelope().id.as_ref().expect("an id").to_string();
//!     HANDLED.lock().unwrap().push(id);
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("success")))
//! });
//! let hold = Hold::fixed(Duration::from_millis(20));
//! let service = OrderLayer::for_contract(MessageDelivery::new()).hold(hold).layer(handler);
//!
//! let send = |id: &str| {
//!     let message = format!(r#"{{"user_id": "anna", "msg_id": "{id}", "msg_ts": "170000000000{id}"}}"#);
//!     service.clone().oneshot(Request::post("/").body(message.into()).unwrap())
//! };
//! let (third, first, second) = tokio::join!(send("3"), send("1"), send("2"));
//! assert!([third, first, second].iter().all(Result::is_ok));
//! assert_eq!(*HANDLED.lock().unwrap(), ["1", "2", "3"]);
//! # }
//! ```
//!
//! # Where it goes in the stack
//!
//! Inside of dedup: a copy of a message that is held joins it there, and a hang-up does not cost it
//! its place. What is held is not acknowledged, so a crash loses nothing.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | a message comes while one that was sent after it is held | it goes first, and nobody is held longer for it |
//! | one that was sent after it was handled already | it is handled at once, as [`Position::Late`]; or [refused](OnLate), or [diverted](OrderLayer::divert_late) |
//! | it has no time or no conversation, or the platform waits for the reply | it is handled at once, as [`Position::Unordered`]; or [one at a time](OrderLayer::queue_unordered) |
//! | the hold would take more than half of the platform's patience | it is held for less, as [`Position::Hurried`] |
//! | its time is more than a minute in the future | the same: it can neither hold others back nor make them late |
//! | too many wait in its conversation, or in all | 503 |
//! | its turn does not come within the contract's patience | 503 |
//! | one fails | the next goes; or [waits for its retry](OrderLayer::strict), up to a limit |
//! | it was sent more than a minute ago | it is ordered, but says nothing of the hold: it is a repetition, no slow message |
//! | some conversations are in disorder | the hold is that of all, as long as [the share](Hold::adaptive) of all is to be reached |
//! | a client that waits hangs up | without dedup outside, its place is free at once |
//! | a conversation is idle | its state is forgotten after the [memory](OrderLayer::memory) |
//! | an order layer stands outside of this one | it passes through: the outer one has decided |
//! | a request is no POST | it passes through untouched |
//!
//! # How well it keeps the order, and for what delay
//!
//! Seeded traffic through the layer in virtual time, in conversations of five messages, 320 ms on
//! average apart; storms are one minute out of ten (`cargo bench -p tower-callback-order --bench
//! quality`). The default hold, against the shortest fixed hold that leaves as few late:
//!
//! | traffic | late | mean delay | the fixed hold: late, mean delay |
//! |---|---|---|---|
//! | in order | 0 % | 0 ms | |
//! | jitter, log-normal around 20 ms | 0.099 % | 22 ms | |
//! | the same, and 1 % sent again after 1 s, 0.3 % after 5 s | 0.356 %, of which 0.257 % no hold up to 1 s would help | 923 ms | |
//! | storms of delays around 150 ms, 100 messages a second | 0.114 %, of which 0.088 % … | 90 ms | 0.113 %, 847 ms |
//! | the same, 20 messages a second | 0.179 %, of which 0.113 % … | 137 ms | 0.178 %, 737 ms |
//!
//! # What it costs
//!
//! `cargo bench -p tower-callback-order --bench overhead` and `--bench scale`, on 2 shared cores:
//!
//! | | |
//! |---|---|
//! | a message that is not held, once it has been received | 1.2 µs |
//! | a request that is no POST | 0.06 µs |
//! | a message that is held, besides the request that waits anyway | 2.0 KB: 0.3 KB its place, 0.5 KB its conversation, the rest the future that waits |
//! | taking in and releasing one of 1 000 · 10 000 · 100 000 held in one conversation | 4.0 · 4.1 · 4.5 µs |
//! | … each in a conversation of its own | 4.4 · 5.1 · 8.7 µs |
//! | an idle conversation, until it is forgotten | 0.5 KB, and up to 1 KB after much disorder; of 65 536 at most |
//! | p99 of others' calls while one conversation floods | unchanged |

mod estimate;
mod hold;
pub mod lanes;
mod layer;
mod position;
mod rank;
mod service;
mod shared;

pub use self::{
    hold::Hold,
    layer::{Divert, OnLate, OrderLayer},
    position::{Position, Unordered},
    service::Ordered,
    shared::Gauges,
};
