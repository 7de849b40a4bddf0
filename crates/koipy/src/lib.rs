//! Answer the callbacks of koipy, a Telegram bot that tests proxy nodes.
//!
//! koipy calls a callback server in the middle of a user's task, and goes on by its reply:
//!
//! * [`OnMessage`], [`OnPreSend`], [`OnResult`]: the contract of each hook: how a callback is
//!   identified, and what each reply does. [`KoipyLayer`] is all that a route needs.
//! * [`HookRequest`]: what a hook is told, typed. The rest of the models is in [`model`].
//! * [`Reply`]: go on, refuse, send a photo, a text or a file. [`ResultReply`] adds columns to
//!   a result, [`PreSendReply`] changes a task.
//! * [`spelling`]: the names that stand with hyphens or with underscores, and mean one field.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_contract::{Callback, Refusal};
//! use tower_callback_koipy::{HookRequest, KoipyLayer, Reply};
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
//! let handler = service_fn(async |request: Request<Full<Bytes>>| {
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
//!     let callback = Request::post("/onMessage").body(message.into()).expect("valid");
//!     let reply = service.clone().oneshot(callback).await.expect("infallible");
//!     assert_eq!(reply.status(), status);
//! }
//! # }
//! ```
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | the handler panics, or answers 5xx, 408, 425 or 429 | the task goes on; or is refused, [failing closed](KoipyContract::fail_closed) |
//! | the payload cannot be read, or too many run | the same |
//! | the handler answers 400 | koipy would ignore it: it becomes a 403 with its text |
//! | it refuses with a picture, without a text or in another charset | the status in words, or the text in UTF-8 |
//! | it refuses with a problem document | its `detail` is the text |
//! | it answers 200 and nothing | 204: koipy would send an empty file |
//! | it answers 201 with content | 200 |
//! | it answers 200 with a picture that koipy does not know, or with an attachment of some type | the content is sent as a file |
//! | it answers 200 with JSON that is no object, with HTML, or with a redirect | koipy would make nothing of it: 204 |
//! | a copy comes | it gets the same reply. Hooks are never held for order |
//! | the same message is asked about with another payload | it is another question |
//! | neither message nor task says which it is | it passes through, and so does a copy |
//! | a field stands in two spellings with one value | it is one field; with two values, the callback is ambiguous |
//! | the request has no `Content-Type` | nothing: it is not looked at |

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
    spelling::spelling,
};
