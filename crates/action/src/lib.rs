//! Let a handler tell a chat platform in plain HTTP what to do, and read what a callback server says:
//! both sides of the wire.
//!
//! Platforms give statuses their own meaning: one refuses a user's task on 500, another redelivers
//! the callback until it gets a 200, a third ignores 400. [`ActionLayer`] stands around a handler and
//! decides what its response asks for. It takes the first of these:
//!
//! * an [`Action`] that the handler left in its response's extensions,
//! * the rule for a [typed error](ActionLayer::on_error) there,
//! * the [table's entry](ActionLayer::on) for the status,
//! * the contract. It words the [`Refusal`] of a response that is not a success, [rewrites a misleading
//!   response](OnMisleadingReply), and lets every other response pass unchanged.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_action::ActionLayer;
//! use tower_callback_contract::Action;
//! use tower_callback_stack::Buffered;
//! # use std::time::Duration;
//! # use tower_callback_contract::{Body, Contract, Envelope, Refusal, Timing};
//! # struct Orders;
//! # impl Contract for Orders {
//! #     fn name(&self) -> &'static str { "shop.order" }
//! #     fn timing(&self) -> Timing { Timing::new(Duration::from_secs(10), Duration::from_secs(3600)) }
//! #     fn identify(&self, _: &http::request::Parts, _: &Body) -> Result<Envelope, Refusal> {
//! #         Ok(Envelope::default())
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let handler = service_fn(async |request: Request<Buffered<Full<Bytes>>>| {
//!     let status = if request.uri() == "/again" { 409 } else { 500 };
//!     let response = Response::builder().status(status).body(Full::<Bytes>::default());
//!     Ok::<_, std::convert::Infallible>(response.expect("valid"))
//! });
//! // `Orders` is a contract, see tower-callback-contract. Here 409 means that the order is known: by
//! // default, the shop would send it again for ever.
//! let layer = ActionLayer::for_contract(Orders).on(409, Action::Accept);
//! let service = layer.layer(handler);
//!
//! for (uri, status, action) in
//!     [("/again", 200, Action::Accept), ("/", 500, Action::Retry { after: None })]
//! {
//!     let callback = Request::post(uri).body(Full::from("{}")).expect("valid");
//!     let response = service.clone().oneshot(callback).await.expect("infallible");
//!     assert_eq!(response.status(), status);
//!     assert_eq!(response.extensions().get(), Some(&action));
//! }
//! # }
//! ```
//!
//! On the side that sends callbacks, [`InterpretLayer`] reads the response of a callback server as the
//! action that it asks for.
//!
//! # Where it goes in the stack
//!
//! [`ActionLayer`] goes next to the handler, inside dedup and order: its responses read back as the
//! action that it decided, so that dedup and order remember or release by that action.
//! [`InterpretLayer`] goes around the HTTP client.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | a status has no entry | the contract's default for it; no failure becomes an accept unless you say so |
//! | it has several | the narrowest entry counts; of two as narrow, the one added last |
//! | the platform cannot do what was decided | it does the nearest that the contract documents, and a warning is logged |
//! | a response would not do what it seems to | the layer rewrites it, or does what [`OnMisleadingReply`] says |
//! | a response is rewritten | the handler's extensions stay, and its headers, except those about the body |
//! | a response is larger than [`max_reply_bytes`](ActionLayer::max_reply_bytes), or a stream that is still under way | the layer judges it by its head: the table counts, misleading responses are not found, and a response that passes has no action in its extensions |
//! | the handler panics, or breaks off its response | the table's entry for 500 counts; if there is none, the layer refuses the callback as a failure of the handler |
//! | the handler's service returns an error | it passes through: the table does not count, and nothing becomes a dead letter |
//! | a [dead-letter sink](Rule::dead_letter) fails, or takes longer than the contract's reply deadline | the layer refuses the callback with 503, so the platform still has it. With a contract that fails open, [the letter is lost](Rule::dead_letter) |
//! | handler and sink together take longer than the platform waits | inside dedup they run to their end, and the redelivery gets their response |
//! | the process dies between the sink and the response | the platform sends the callback again, and the sink sees it twice |
//! | a request is not a POST | it passes through untouched |
//! | a callback server is too slow, or its response too large | [`InterpretError`]: the sender decides |
//!
//! [`Action`]: tower_callback_contract::Action
//! [`Refusal`]: tower_callback_contract::Refusal

#![cfg_attr(docsrs, feature(doc_cfg))]

mod interpret;
mod layer;
mod rule;
mod statuses;
mod step;
mod table;
mod wire;

#[doc(hidden)]
pub use self::step::ActionStep;
pub use self::{
    interpret::{Interpret, InterpretError, InterpretFuture, InterpretLayer},
    layer::ActionLayer,
    rule::Rule,
    statuses::Statuses,
    table::OnMisleadingReply,
};
