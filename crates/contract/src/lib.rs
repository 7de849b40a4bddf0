//! What a chat platform promises and expects of its callbacks.
//!
//! This crate is the vocabulary of [tower-callback]: what the layers pass to each other, and what
//! a platform tells them about itself.
//!
//! * [`Contract`]: how one kind of callback is identified, what the platform does with each reply,
//!   which reply asks for what, and its times. Implement it for a platform of your own.
//! * [`Callback`]: one request, read once; its JSON is parsed at most once for all layers.
//! * [`Envelope`]: who a callback is: [`Id`], conversation, and when it was sent.
//! * [`Action`]: what the platform does on a reply.
//! * [`Refusal`]: why a layer answered instead of the handler, in the reply's extensions.
//! * [`Violations`]: where a document does not match its schema.
//! * [`ReceiveLayer`]: reads the body within a size and a time.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode, request};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_callback_contract::{
//!     Action, Callback, Contract, Envelope, Exchange, Id, ReceiveLayer, Refusal, Timing,
//! };
//!
//! /// A shop that reports its orders, and repeats each report until the reply is a 2xx.
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
//!     fn exchange(&self, _: &Callback) -> Exchange {
//!         Exchange::OneWay
//!     }
//!
//!     fn identify(&self, _: &request::Parts, callback: &Callback) -> Result<Envelope, Refusal> {
//!         let id = callback.field("order")?.and_then(|id| Id::from_json(self.name(), id));
//!         Ok(Envelope { id, ..Envelope::default() })
//!     }
//!
//!     fn action(&self, reply: &Response<Bytes>) -> Action {
//!         match reply.status().is_success() {
//!             true => Action::Accept,
//!             false => Action::Retry { after: None },
//!         }
//!     }
//!
//!     fn reply(&self, action: &Action) -> Response<Bytes> {
//!         let mut reply = Response::new(Bytes::new());
//!         if let Action::Retry { .. } | Action::Refuse { .. } = action {
//!             *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!         }
//!         reply
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let handler = service_fn(async |request: Request<Full<Bytes>>| {
//!     let callback: &Callback = request.extensions().get().expect("received");
//!     assert_eq!(callback.envelope().id, Id::new("shop.order", "17"));
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("thanks")))
//! });
//! let shop = ServiceBuilder::new().layer(ReceiveLayer::new(Orders)).service(handler);
//!
//! let order = Request::post("/orders").body(r#"{"order": 17}"#.into()).unwrap();
//! assert_eq!(shop.clone().oneshot(order).await.unwrap().status(), 200);
//!
//! let garbage = Request::post("/orders").body("order 17".into()).unwrap();
//! let refused = shop.oneshot(garbage).await.unwrap();
//! assert_eq!(refused.status(), 400);
//! assert_eq!(refused.extensions().get::<Refusal>().unwrap().reason().code(), "malformed");
//! # }
//! ```
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | the body is larger than the limit | 413, before it is buffered whole |
//! | it stalls | 408 at the deadline |
//! | it is not JSON in UTF-8, or nested more than 128 deep | 400 with the position |
//! | a key stands twice, or two spellings of one field differ | 400: two readers could see two ids |
//! | the request is not a POST | it passes through untouched |
//! | something between two layers changes the body | the next layer reads the new one |
//!
//! [tower-callback]: https://docs.rs/tower-callback

mod action;
mod body;
mod callback;
mod contract;
mod digest;
mod document;
mod envelope;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod handled;
mod hash;
mod json;
mod misfit;
mod read;
mod receive;
mod refusal;
#[cfg(feature = "axum")]
mod typed;
mod violation;

#[cfg(feature = "axum")]
pub use self::extract::Payload;
pub use self::{
    action::{Action, Content},
    callback::Callback,
    contract::{Contract, Exchange, Spelling, Timing, as_written},
    digest::digest,
    document::{Document, Fields, Items, ValueRef},
    envelope::{Envelope, Id, Timestamp},
    future::ResponseFuture,
    handled::Handled,
    hash::keyed_hash,
    misfit::Misfit,
    receive::{Limits, Receive, ReceiveLayer, is_callback, receive, refuse},
    refusal::{Reason, Refusal, retry_after},
    violation::{Violation, Violations},
};
