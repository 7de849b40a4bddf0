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
//! | one that was sent after it was handled already | it is handled at once, as [`Position::Late`]; or [refused](OnLate) |
//! | it has no time, or one that cannot be read | it is handled at once, as [`Position::Unordered`], one at a time |
//! | it has no conversation, or its platform waits for the reply | it is handled at once |
//! | its time is in the future | it counts as sent now |
//! | too many wait in its conversation, or in all | 503 |
//! | its turn does not come within the contract's patience | 503 |
//! | one fails | the next goes; or [waits for its retry](OrderLayer::strict), up to a limit |
//! | a client that waits hangs up | without dedup outside, its place is free at once |
//! | a conversation is idle | its state is forgotten after the [memory](OrderLayer::memory) |
//! | a request is no POST | it passes through untouched |

mod estimate;
mod hold;
pub mod lanes;
mod layer;
mod position;
mod rank;
mod service;
mod shared;

pub use self::{
    estimate::Estimate,
    hold::Hold,
    layer::{Divert, OnLate, OrderLayer},
    position::{Position, Unordered},
    service::Ordered,
    shared::Gauges,
};
