//! Handles the messages of a conversation in the order they were sent.
//!
//! Platforms deliver messages in no particular order. [`OrderLayer`] holds the *response* of a
//! message for a moment, so that one that was sent before it can go first:
//!
//! * The messages of one conversation go by the time they were sent, then by id, then by arrival,
//!   one at a time. Conversations do not wait for each other.
//! * The [hold](Hold) is by default as long as recent traffic needed it, and zero for traffic that
//!   comes in order.
//! * A message that comes too late for its place goes at once, and [`Position`] says so.
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
//! use tower_callback_stack::Buffered;
//! # use tower_callback_contract::{Body, Contract, Envelope, Id, Refusal, Timestamp, Timing, ValueRef};
//! # struct Chat;
//! # impl Contract for Chat {
//! #     fn name(&self) -> &'static str { "chat" }
//! #     fn timing(&self) -> Timing { Timing::new(Duration::from_secs(10), Duration::from_secs(3600)) }
//! #     fn identify(&self, _: &http::request::Parts, body: &Body) -> Result<Envelope, Refusal> {
//! #         let id = body.field("id")?.and_then(|id| Id::from_json("chat", id));
//! #         let who = body.field("who")?.and_then(ValueRef::as_str).map(str::to_owned);
//! #         let at = body.field("at")?.and_then(Timestamp::from_json);
//! #         Ok(Envelope::new(id).conversation(who).sent_at(at))
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! static HANDLED: Mutex<Vec<String>> = Mutex::new(Vec::new());
//! let handler = service_fn(async |request: Request<Buffered<Full<Bytes>>>| {
//!     let callback: &Callback = request.extensions().get().expect("received");
//!     let id = callback.envelope().id.as_ref().expect("an id").to_string();
//!     HANDLED.lock().unwrap().push(id);
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("success")))
//! });
//! // `Chat` is a contract, see tower-callback-contract.
//! let hold = Hold::fixed(Duration::from_millis(20));
//! let chat = OrderLayer::for_contract(Chat).hold(hold).layer(handler);
//!
//! let send = |id: &str| {
//!     let message = format!(r#"{{"who": "anna", "id": "{id}", "at": "170000000000{id}"}}"#);
//!     chat.clone().oneshot(Request::post("/").body(Full::from(message)).unwrap())
//! };
//! let (third, first, second) = tokio::join!(send("3"), send("1"), send("2"));
//! assert!([third, first, second].iter().all(Result::is_ok));
//! assert_eq!(*HANDLED.lock().unwrap(), ["1", "2", "3"]);
//! # }
//! ```
//!
//! # Where it goes in the stack
//!
//! Put it inside dedup: there, a duplicate of a message that is held joins it, and a disconnect
//! does not cost the message its place. A message that is held is not acknowledged, so a crash
//! loses nothing.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | a message comes while one that was sent after it is held | it goes first, and no other is held longer for it |
//! | one that was sent after it was handled already | it goes at once, as [`Position::Late`]; or the layer [refuses](OnLate) it |
//! | it has no time or no conversation, or the platform waits for the response itself | it goes at once, as [`Position::Unordered`]; or [one at a time](OrderLayer::queue_unordered) |
//! | the hold would take more than half of the contract's [reply deadline](tower_callback_contract::Timing::reply_deadline) | the layer holds it for less, as [`Position::Hurried`] |
//! | its time is more than a minute in the future | it goes at once, as [`Position::Unordered`]: it can neither hold others back nor make them late |
//! | too many wait in its conversation, or in all | 503 |
//! | its turn does not come within the reply deadline | 503 |
//! | a message fails, so that the platform redelivers it | the next one goes; or [waits for the redelivery](OrderLayer::wait_for_retry), up to a limit |
//! | a message was sent more than a minute ago | it goes in order, but the hold does not adapt to it: it is a redelivery, and no slow message |
//! | some conversations are in disorder | all are held for the same time, as long as [the share](Hold::adaptive) of all messages needs it |
//! | a client disconnects while its message waits | the place is free at once; with dedup outside, the message keeps it |
//! | a conversation is idle | the layer [forgets](OrderLayer::forget_after) its state after a time |
//! | an order layer stands around this one | callbacks pass through: the outer one has decided |
//! | a request is no POST | it passes through untouched |
//!
//! # How well it keeps the order, and for what delay
//!
//! The table shows seeded traffic through the layer in virtual time. Its conversations have five
//! messages, on average 320 ms apart; storms take one minute out of ten (`cargo bench -p
//! tower-callback-order --bench quality`). It compares the default hold with the shortest fixed
//! hold that leaves as few late:
//!
//! | traffic | late | mean delay | the fixed hold: late, mean delay |
//! |---|---|---|---|
//! | in order | 0 % | 0 ms | |
//! | jitter, log-normal around 20 ms | 0.099 % | 22 ms | |
//! | the same, and 1 % redelivered after 1 s, 0.3 % after 5 s | 0.356 %, of which 0.257 % no hold up to 1 s would help | 923 ms | |
//! | storms of delays around 150 ms, 100 messages a second | 0.114 %, of which 0.088 % … | 90 ms | 0.113 %, 847 ms |
//! | the same, 20 messages a second | 0.179 %, of which 0.113 % … | 137 ms | 0.178 %, 737 ms |
//!
//! # What it costs
//!
//! `cargo bench -p tower-callback-order --bench overhead` and `--bench scale`, on 2 shared cores:
//!
//! | | |
//! |---|---|
//! | a message that is not held, once it has been received | 0.7 µs |
//! | a request that is not a POST | 0.04 µs |
//! | a message that is held, besides the request that waits anyway | 1.7 KB: 0.3 KB for its place, 0.5 KB for its conversation, the rest for the future that waits |
//! | taking in and releasing one of 1 000 · 10 000 · 100 000 held in one conversation | 3.2 · 4.8 · 4.8 µs |
//! | … each in a conversation of its own | 3.6 · 5.3 · 8.4 µs |
//! | an idle conversation, until it is forgotten | 0.5 KB, and up to 1 KB after much disorder; of 65 536 at most |
//! | p99 of others' calls while one conversation floods | unchanged |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod estimate;
mod hold;
mod lanes;
mod layer;
mod position;
mod rank;
mod settings;
mod state;
mod stats;
mod step;
mod turn;

#[doc(hidden)]
pub use self::step::OrderStep;
pub use self::{
    hold::Hold,
    layer::{OnLate, OrderLayer},
    position::{Position, Unordered},
    stats::OrderStats,
};
