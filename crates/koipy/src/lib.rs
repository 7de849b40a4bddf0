//! Receive the callbacks of koipy, a Telegram bot that tests proxy nodes.
//!
//! koipy calls a callback server in the middle of a user's task, and goes on as its response says:
//!
//! * [`OnMessage`], [`OnPreSend`], [`OnResult`]: the contract of each hook, that is, how a callback is
//!   identified and what each response does. [`KoipyLayer`] is all that a route needs.
//! * [`HookRequest`]: what koipy tells a hook, typed. The other models are in [`model`].
//! * [`Reply`]: go on, refuse, send a photo, a text or a file. [`ResultReply`] adds columns to
//!   a result, [`PreSendReply`] changes a task.
//! * [`SPELLING`]: the names that koipy writes with hyphens or with underscores for one field.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_contract::{Callback, Refusal};
//! use tower_callback_koipy::{HookRequest, KoipyLayer, Reply};
//! use tower_callback_stack::Buffered;
//!
//! fn on_message(callback: &Callback) -> Result<Reply, Refusal> {
//!     let message = HookRequest::try_from(callback)?.message;
//!     Ok(match message.sender_id() {
//!         Some(666) => Reply::refuse("你已被拉黑！"),
//!         _ => Reply::proceed(),
//!     })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let handler = service_fn(async |request: Request<Buffered<Full<Bytes>>>| {
//!     let callback: &Callback = request.extensions().get().expect("received");
//!     let reply = on_message(callback).expect("a payload of koipy's");
//!     Ok::<_, std::convert::Infallible>(Response::<Full<Bytes>>::from(reply))
//! });
//! let service = KoipyLayer::on_message().layer(handler);
//!
//! for (user, status) in [(1, 204), (666, 403)] {
//!     let message = format!(
//!         r#"{{"message": {{"id": 1{user}, "chat": {{"id": -5}}, "from-user": {{"id": {user}}}}}}}"#
//!     );
//!     let callback = Request::post("/onMessage").body(Full::from(message)).expect("valid");
//!     let response = service.clone().oneshot(callback).await.expect("infallible");
//!     assert_eq!(response.status(), status);
//! }
//! # }
//! ```
//!
//! Under axum, with the feature `axum`, the handler is
//! `async fn on_message(request: HookRequest) -> Reply`.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | the handler panics, or responds with 5xx, 408, 425 or 429 | the task goes on; it is refused if the contract [fails closed](KoipyContract::fail_closed) |
//! | too many callbacks run | the same |
//! | the payload cannot be read | the task goes on, as koipy ignores a 400; it is refused if the contract fails closed |
//! | the handler responds with 400 | koipy would ignore it: it becomes a 403 with its text |
//! | it refuses with a picture, without a text, or in another charset | the response gets the status in words, or the text in UTF-8 |
//! | it refuses with a problem document | its `detail` is the text |
//! | it responds with an empty 200 | 204: koipy would send an empty file |
//! | it responds with 201 and content | 200 |
//! | it responds with 200 and a picture that koipy does not know, or an attachment of some type | the content goes out as a file |
//! | it responds with 200 and JSON that is not an object, with HTML, or with a redirect | koipy would make nothing of it: 204 |
//! | a duplicate arrives | it gets the same response. Hooks are never held for the order |
//! | koipy asks about the same message with another payload | that is another question |
//! | neither message nor task identifies the callback | it passes through, and so does every duplicate |
//! | a field stands in two spellings with one value | it is one field; with two values, the callback is ambiguous |
//! | the request has no `Content-Type` | it is received all the same: nobody reads the header |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod content;
mod contract;
pub mod hook;
mod identity;
mod layer;
mod merge;
pub mod model;
mod reply;
mod secret;
mod spelling;
mod wire;

pub use self::{
    contract::{KoipyContract, OnMessage, OnPreSend, OnResult},
    layer::KoipyLayer,
    merge::{ColumnError, PreSendReply, ResultReply},
    model::HookRequest,
    reply::{NotAPhoto, Reply},
    secret::Secret,
    spelling::SPELLING,
};
