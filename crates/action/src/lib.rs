//! Say in plain HTTP what a chat platform is to do, and hear it, on both sides of the wire.
//!
//! Platforms give statuses their own meaning: one refuses a user's task on 500, another repeats
//! the callback until a 200, a third ignores 400. [`ActionLayer`] stands around a handler and
//! decides what its reply asks for, in this order:
//!
//! * an [`Action`] that the handler left in its reply's extensions,
//! * a [typed error](ActionLayer::on_error) there,
//! * the [table's entry](ActionLayer::on) for the status,
//! * the contract: a [`Refusal`] beside what is no success is refused its way, a reply that would not do
//!   what it seems to is [mended](OnMistake), and any other goes as it is.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_action::ActionLayer;
//! use tower_callback_contract::Action;
//! use tower_callback_wulai::MessageDelivery;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let handler = service_fn(async |request: Request<Full<Bytes>>| {
//!     let status = if request.uri() == "/again" { 409 } else { 500 };
//!     let reply = Response::builder().status(status).body(Full::<Bytes>::default());
//!     Ok::<_, std::convert::Infallible>(reply.expect("a valid response"))
//! });
//! // It was done before: Wulai would repeat it for ever.
//! let layer = ActionLayer::for_contract(MessageDelivery::new()).on(409, Action::Accept);
//! let service = layer.layer(handler);
//!
//! for (uri, status, action) in
//!     [("/again", 200, Action::Accept), ("/", 500, Action::Retry { after: None })]
//! {
//!     let callback = Request::post(uri).body("{}".into()).expect("valid");
//!     let reply = service.clone().oneshot(callback).await.expect("infallible");
//!     assert_eq!(reply.status(), status);
//!     assert_eq!(reply.extensions().get(), Some(&action));
//! }
//! # }
//! ```
//!
//! On the side that sends callbacks, [`InterpretLayer`] turns the reply of a callback server into
//! the action it asks for. [`content`] reads what a reply holds, for those who write contracts.
//!
//! # Where it goes in the stack
//!
//! [`ActionLayer`] goes next to the handler, inside of dedup and order: what it sends reads back as
//! the action it decided, so that they release or remember by it. [`InterpretLayer`] goes around
//! the HTTP client.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | a status has no entry | the contract's default for it; no failure becomes an accept unless you say so |
//! | it has several | the narrowest counts, then the one added last |
//! | the platform cannot do what was decided | what comes next to it, as the contract documents, with a warning |
//! | a reply would not do what it seems to | it is mended, or [as you say](OnMistake) |
//! | a reply is rewritten | the handler's headers stay, but those about its body; so do its extensions |
//! | a reply is larger than the [limit](ActionLayer::limit), or of a length not known beforehand | it is judged by its head: the table counts, mistakes are not looked for, and no action is left in its extensions if it goes as it is |
//! | the handler breaks off its reply | it is refused as a failure of the handler |
//! | the handler panics, or breaks off its reply | the table is asked about a 500 |
//! | the handler's service returns an error | it passes through: the table is not asked, and nothing becomes a dead letter |
//! | a [dead-letter sink](Rule::dead_letter) fails, or takes longer than the contract's patience | the callback is refused with 503: the platform has it still. With a contract that fails open, [the letter is lost](Rule::dead_letter) |
//! | handler and sink together take longer than the platform waits | inside of dedup they run to their end, and the next copy gets their reply |
//! | the process dies between the sink and the reply | the platform sends the callback again, and the sink sees it twice |
//! | a request is no POST | it passes through untouched |
//! | a callback server is too slow, or says too much | [`InterpretError`], and the sender decides |
//!
//! [`Action`]: tower_callback_contract::Action
//! [`Refusal`]: tower_callback_contract::Refusal

pub mod content;
mod interpret;
mod layer;
mod rule;
mod service;
mod statuses;
mod table;
mod wire;

pub use self::{
    interpret::{Interpret, InterpretError, InterpretFuture, InterpretLayer},
    layer::ActionLayer,
    rule::Rule,
    service::Acted,
    statuses::Statuses,
    table::OnMistake,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
