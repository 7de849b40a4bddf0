//! What a chat platform promises and expects of its callbacks.
//!
//! This crate is the vocabulary of [tower-callback]: what the layers pass to each other, and what
//! a platform tells them about itself.
//!
//! * [`Contract`]: how one kind of callback is identified, what the platform does with each response,
//!   which response asks for what, and its timing. Implement it for a platform of your own.
//! * [`Callback`]: one request, read once; its JSON is parsed at most once for all layers.
//! * [`Envelope`]: who a callback is: [`Id`], conversation, and when it was sent.
//! * [`Scope`]: what tells equal ids and equal conversations apart.
//! * [`Action`]: what the platform does on a response.
//! * [`Refusal`]: why a layer answered instead of the handler, in the response's extensions.
//! * [`Violations`]: where a document does not match its schema.
//!
//! ```
//! use std::time::Duration;
//!
//! use http::{Request, request};
//! use tower_callback_contract::{
//!     Action, Body, Callback, Contract, Envelope, Id, Refusal, Timing,
//! };
//!
//! /// A shop that reports its orders, and sends each report again until the response is a 2xx.
//! struct Orders;
//!
//! impl Contract for Orders {
//!     fn name(&self) -> &'static str {
//!         "shop.order"
//!     }
//!
//!     fn timing(&self) -> Timing {
//!         Timing::new(Duration::from_secs(10), Duration::from_secs(3600))
//!     }
//!
//!     fn identify(&self, _: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
//!         let id = body.field("order")?.and_then(|id| Id::from_json(self.name(), id));
//!         Ok(Envelope::new(id))
//!     }
//! }
//!
//! # fn main() -> Result<(), Refusal> {
//! let (head, ()) = Request::post("/orders").body(()).expect("valid").into_parts();
//! let callback = Callback::receive(&Orders, &head, r#"{"order": 17}"#)?;
//! assert_eq!(callback.envelope().id, Id::new("shop.order", "17"));
//!
//! let refused = Callback::receive(&Orders, &head, "order 17").unwrap_err();
//! assert_eq!(refused.reason().code(), "malformed");
//!
//! let response = Orders.reply(&Action::Retry { after: None });
//! assert_eq!(response.status(), 503);
//! # Ok(())
//! # }
//! ```
//!
//! # Words
//!
//! | | |
//! |---|---|
//! | **callback** | a request that a platform sends: an event, or a question |
//! | **duplicate** | a second arrival of one callback, while the first runs or after it |
//! | **redelivery** | the platform's act of sending a callback again |
//! | **response** | what goes back over the wire, from the handler or from a layer in its place |
//! | **disconnect** | the client closes the connection before it has the response |
//! | **reply deadline** | when the platform will wait no longer, less a margin |
//! | **claim** | the right to run the handler for one callback; given back if the run fails |
//! | **in flight** | claimed, and not yet finished |
//! | **replay** | send the remembered response again |
//! | **conversation** | the stream of callbacks within which order matters, usually one user's |
//! | **hold** | wait with a callback, so that one that was sent before it can go first |
//! | **late** | handled after a callback that was sent later |
//!
//! [tower-callback]: https://docs.rs/tower-callback

#![cfg_attr(docsrs, feature(doc_cfg))]

mod action;
mod body;
mod callback;
mod contract;
mod envelope;
#[cfg(feature = "axum")]
mod extract;
mod hash;
mod refusal;
mod scope;
mod violation;

#[doc(hidden)]
pub use self::callback::Arrival;
pub use tower_callback_document::{Document, Fields, Items, Mismatch, Pointer, Spelling, ValueRef};

#[cfg(feature = "axum")]
#[doc(hidden)]
pub use self::extract::extension;
pub use self::{
    action::{Action, Content},
    body::Body,
    callback::{Callback, Limits},
    contract::{Contract, Exchange, Timing},
    envelope::{Envelope, Id, Timestamp},
    hash::keyed_hash,
    refusal::{Reason, Refusal, retry_after},
    scope::{Scope, route},
    violation::{Violation, Violations},
};
