//! A chat platform on your desk, with its worst habits.
//!
//! [`Storm`] plays conversations of many users to a callback receiver: messages that overtake each
//! other, copies, slow bodies, hang-ups, and repetitions of what was not accepted. [`Report`] says
//! what came of it, and, if the app under test tells what its handlers did, what was lost, handled
//! twice or out of order.
//!
//! In a test it drives any tower service, without sockets and in virtual time:
//!
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, service_fn};
//! use tower_callback_sim::{Body, Storm, platform};
//! use tower_callback_wulai::WulaiLayer;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let handler = service_fn(async |_: Request<Body>| {
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
//! # What an app tells of its handlers
//!
//! A file with a line of JSON for every handler run, written before the reply: see [`Effect`]. Any
//! app in any language can write it; one in Rust has [`demo`] for it.
//!
//! ```json
//! {"callback": "wulai.delivery", "id": "17", "conversation": "anna", "sent_at": 1700000000000, "start": 1700000000120, "end": 1700000000125, "outcome": "ok", "late": false}
//! ```
//!
//! An error callback of Wulai has no id of its own. A suite finds it by its conversation, a storm by
//! the id that our layers compose: user, message and source, each after its length in bytes and a
//! colon, such as `4:anna5:450152:17`. Hooks of koipy are known by their chat and message, such as
//! `-100123/4711`; of its suite, only `failing-handler` looks further than replies.
//!
//! # What a handler is asked for
//!
//! Some cases of a [suite](check::Suite) need a handler that is slow or fails. An app that is made
//! to be tried out looks at the text of a message before its handler runs, as [`demo`] does:
//!
//! | text | what then |
//! |---|---|
//! | `#sim slow 1s`, `#sim slow 20ms` | the handler takes that long |
//! | `#sim fail once` | the first run for this id fails, and the next one does not |
//! | `#sim panic once` | the same by a panic, or an exception that nobody catches |
//!
//! Cases that need an app to obey are not applicable to one that does not.
//!
//! # What a platform repeats
//!
//! Wulai repeats what was not accepted, whatever the reason. koipy asks once, in the middle of a
//! user's task: it repeats neither what was refused nor what it did not wait for, and a storm of it
//! sends no copies, unless [told to](Storm::duplicates). Its hooks have no order.

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
