//! A chat platform on your desk, with its worst habits.
//!
//! [`Storm`] plays conversations of many users to a callback receiver: messages that overtake each
//! other, duplicates, slow bodies, disconnects, and redeliveries of what was not accepted. [`Report`]
//! counts what happened to them. If the app under test records what its handlers did, the report also
//! lists what was lost, handled twice or handled out of order.
//!
//! In a test, it drives any tower service, without sockets and in virtual time:
//!
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, service_fn};
//! use tower_callback_sim::{Body, Storm, platform};
//! use tower_callback_stack::Buffered;
//! use tower_callback_wulai::WulaiLayer;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let handler = service_fn(async |_: Request<Buffered<Body>>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from("success")))
//! });
//! let receiver = WulaiLayer::delivery().layer(handler);
//! let report = Storm::new(platform::wulai::delivery()).messages(100).run(receiver).await;
//! assert!(report.is_clean(), "{report}");
//! # }
//! ```
//!
//! The binary `callback-sim` does the same over a socket.
//!
//! # What an app records of its handlers
//!
//! A file with one line of JSON for every handler run, written before the response: see [`Effect`]. An
//! app in any language can write it; an app in Rust can use [`demo`].
//!
//! ```json
//! {"callback": "wulai.delivery", "id": "17", "conversation": "anna", "sent_at": 1700000000000, "start": 1700000000120, "end": 1700000000125, "outcome": "ok", "late": false}
//! ```
//!
//! An error callback of Wulai has no id of its own. A suite finds it by its conversation. A storm finds
//! it by the id that our layers compose: user, message and source, each after its length in bytes and a
//! colon, such as `4:anna5:450152:17`. The id of a koipy hook is made of its chat and message, such as
//! `-100123/4711`. In koipy's suite, only `failing-handler` looks at more than responses.
//!
//! # What a message can ask of a handler
//!
//! Some cases of a [suite](check::Suite) need a handler that is slow or fails. An app under test looks
//! at the text of a message before its handler runs, as [`demo`] does:
//!
//! | text | the handler |
//! |---|---|
//! | `#sim slow 1s`, `#sim slow 20ms` | takes that long |
//! | `#sim fail once` | fails in the first run for this id, and succeeds in the next |
//! | `#sim panic once` | the same, by a panic or an uncaught exception |
//!
//! If an app does not obey, the cases that need it to are not applicable.
//!
//! # What a platform redelivers
//!
//! Wulai redelivers every callback that was not accepted, whatever the reason. koipy asks once, in the
//! middle of a user's task: it redelivers neither what was refused nor what took too long. So its storms
//! send no duplicates unless you [set a share](Storm::duplicates). Its hooks have no order.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod cause;
pub mod check;
pub mod demo;
mod effects;
mod plan;
pub mod platform;
mod report;
mod storm;

pub use self::{
    body::Body,
    effects::{Effect, Effects, Outcome, parse},
    plan::Disorder,
    platform::{Event, Platform},
    report::{Latency, Report},
    storm::Storm,
};
