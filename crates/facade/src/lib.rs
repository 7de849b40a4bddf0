//! Tower layers for apps that receive chat-platform callbacks.
//!
//! Platforms send every callback at least once and in no order, and hang up when the answer is slow.
//! A layer around the handler you already have makes it run once, and in order:
//!
//! ```
//! # #[cfg(all(feature = "wulai", feature = "axum"))]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use axum::{Router, body::Body, http::Request, routing::post};
//! use serde_json::json;
//! use tower::ServiceExt;
//! use tower_callback::{
//!     Payload,
//!     dedup::Attempt,
//!     order::Position,
//!     wulai::{Delivery, WulaiLayer},
//! };
//!
//! async fn deliver(
//!     attempt: Attempt,
//!     position: Position,
//!     Payload(message): Payload<Delivery>,
//! ) -> &'static str {
//!     assert_eq!(attempt.number, 1);
//!     println!("to {}, {position:?}: {:?}", message.user_id, message.msg_body.text());
//!     "success"
//! }
//!
//! let app: Router =
//!     Router::new().route("/callback/message", post(deliver).layer(WulaiLayer::delivery()));
//!
//! let message = json!({
//!     "user_id": "anna", "msg_id": "17", "msg_ts": "1700000000000",
//!     "msg_body": {"text": {"content": "您好"}},
//! });
//! for replayed in [None, Some("true")] {
//!     let callback = Request::post("/callback/message")
//!         .header("content-type", "application/json")
//!         .body(Body::from(message.to_string()))
//!         .unwrap();
//!     let reply = app.clone().oneshot(callback).await.unwrap();
//!     assert_eq!(reply.status(), 200);
//!     let header = reply.headers().get("idempotency-replayed");
//!     assert_eq!(header.map(|value| value.to_str().unwrap()), replayed);
//! }
//! # }
//! # #[cfg(not(all(feature = "wulai", feature = "axum")))]
//! # fn main() {}
//! ```
//!
//! * [`wulai`]: all that Wulai's three callbacks need, and each piece on its own.
//! * `koipy`, with the feature of that name: the same for koipy's three hooks.
//! * [`dedup`]: the layer that runs a handler once per id, for any platform.
//! * [`order`]: the layer that handles messages in the order they were sent. It stands inside of
//!   dedup.
//! * [`schema`]: the layer that holds callbacks and replies against a JSON Schema.
//! * [`action`]: the layer that says in plain HTTP what a platform is to do, and its counterpart
//!   around an HTTP client.
//! * At the root: the vocabulary, with [`Contract`], to describe
//!   [a platform of your own](#a-platform-of-your-own).
//! * [`contract`]: what one needs besides to write a layer.
//!
//! # Where the layers go
//!
//! ```text
//! request ──▶ receive ──▶ schema ──▶ dedup ──▶ order ──▶ your handler
//!             cap, deadline,         │         one at a time in each conversation
//!             one parse              once per id; a hang-up cannot cut it
//! ```
//!
//! Layers of authentication and limits of rate go outside, so that a forger cannot use up ids.
//! Layers that stand inside of dedup run once per id, as the handler does.
//!
//! Give several layers as a tuple: `post(handler).layer((A, B))` makes `A` the outermost, as
//! a `ServiceBuilder` does. Of `post(handler).layer(A).layer(B)` that is `B`.
//!
//! An [`ActionLayer`](action::ActionLayer) goes next to the handler, inside of a preset:
//!
//! ```
//! # #[cfg(all(feature = "wulai", feature = "axum"))] {
//! # use axum::{Router, http::StatusCode, routing::post};
//! # async fn deliver() -> StatusCode { StatusCode::NOT_FOUND }
//! use tower_callback::{Action, action::ActionLayer};
//! use tower_callback::wulai::{MessageDelivery, WulaiLayer};
//!
//! // The user is gone: a repetition would help nobody.
//! let act = ActionLayer::for_contract(MessageDelivery::new()).on(404, Action::Accept);
//! let app: Router = Router::new()
//!     .route("/callback/message", post(deliver).layer((WulaiLayer::delivery(), act)));
//! # drop(app);
//! # }
//! ```
//!
//! Dedup remembers a callback or lets it run again by the reply that it sees, which therefore has to
//! be the one that the platform gets. Around the preset, the layer would accept a 404 that dedup has
//! taken for a failure, and a replayed copy would come without the [`Action`] or the typed error
//! that the handler left in its reply's extensions. `KoipyLayer` has an action layer inside already.
//!
//! # A platform of your own
//!
//! A [`Contract`] says who a callback is, and what the platform does on a reply. All layers take it:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use std::{
//!     sync::{Arc, atomic::{AtomicU32, Ordering}},
//!     time::Duration,
//! };
//!
//! use axum::{
//!     Router,
//!     body::{Body, Bytes},
//!     http::{Request, Response, StatusCode, request::Parts},
//!     routing::post,
//! };
//! use tower::ServiceExt;
//! use tower_callback::{
//!     Action, Callback, Contract, Envelope, Exchange, Id, Payload, Refusal, Timestamp, Timing,
//!     action::ActionLayer, dedup::DedupLayer, order::OrderLayer,
//! };
//!
//! /// A chat platform that sends each message again until the reply is a 200.
//! struct Pigeon;
//!
//! impl Contract for Pigeon {
//!     fn name(&self) -> &'static str {
//!         "pigeon.message"
//!     }
//!
//!     fn timing(&self) -> Timing {
//!         // It hangs up after 10 s, and gives up after an hour.
//!         Timing::new(Duration::from_secs(10), Duration::from_secs(3600))
//!     }
//!
//!     fn exchange(&self, _: &Callback) -> Exchange {
//!         Exchange::OneWay
//!     }
//!
//!     fn identify(&self, _: &Parts, callback: &Callback) -> Result<Envelope, Refusal> {
//!         let chat = callback.field("chat")?.and_then(|chat| chat.as_str());
//!         Ok(Envelope {
//!             id: callback.field("id")?.and_then(|id| Id::from_json(self.name(), id)),
//!             conversation: chat.map(str::to_owned),
//!             sent_at: callback.field("time")?.and_then(Timestamp::from_json),
//!         })
//!     }
//!
//!     fn action(&self, reply: &Response<Bytes>) -> Action {
//!         match reply.status() {
//!             StatusCode::OK => Action::Accept,
//!             _ => Action::Retry { after: None },
//!         }
//!     }
//!
//!     fn reply(&self, action: &Action) -> Response<Bytes> {
//!         let mut reply = Response::new(Bytes::new());
//!         if !matches!(action, Action::Accept | Action::Use(_)) {
//!             *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!         }
//!         reply
//!     }
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Message {
//!     chat: String,
//!     text: String,
//! }
//!
//! static RUNS: AtomicU32 = AtomicU32::new(0);
//!
//! async fn deliver(Payload(message): Payload<Message>) -> Result<String, StatusCode> {
//!     RUNS.fetch_add(1, Ordering::SeqCst);
//!     match &*message.chat {
//!         "anna" => Ok(format!("anna reads {}", message.text)),
//!         _ => Err(StatusCode::NOT_FOUND),
//!     }
//! }
//!
//! let pigeon = Arc::new(Pigeon);
//! let layers = (
//!     DedupLayer::for_contract(pigeon.clone()),
//!     OrderLayer::for_contract(pigeon.clone()),
//!     ActionLayer::for_contract(pigeon).on(404, Action::Accept),
//! );
//! let app: Router = Router::new().route("/pigeon", post(deliver).layer(layers));
//!
//! // Nobody is there to read it. It is accepted, and a copy does not ask again.
//! let message = r#"{"id": 17, "chat": "nobody", "time": 1700000000, "text": "hello"}"#;
//! for _ in 0..2 {
//!     let callback = Request::post("/pigeon").body(Body::from(message)).unwrap();
//!     assert_eq!(app.clone().oneshot(callback).await.unwrap().status(), StatusCode::OK);
//! }
//! assert_eq!(RUNS.load(Ordering::SeqCst), 1);
//!
//! let wrong = Request::post("/pigeon").body(Body::from(r#"{"chat": "anna"}"#)).unwrap();
//! let refused = app.oneshot(wrong).await.unwrap();
//! assert_eq!(refused.extensions().get::<Refusal>().unwrap().reason().code(), "invalid");
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # What happens when …
//!
//! The [`dedup`] and [`order`] docs say it for every case, the [`wulai`] docs for what is the platform's own.
//!
//! # Features
//!
//! * `wulai` (default): the platform Wulai 吾来.
//! * `koipy`: the platform koipy.
//! * `axum`: extractors for handlers, which are [`Envelope`], [`dedup::Attempt`], [`order::Position`]
//!   and, as the last argument, `Payload`, the callback read into a type; [`Refusal`] as a reply, and
//!   whole paths under nested routers. Switch it on under axum.
//! * `schemars`: `schema::Schema::of`, for types that derive their schema.

pub use tower_callback_action as action;
pub use tower_callback_contract as contract;
#[cfg(feature = "axum")]
pub use tower_callback_contract::Payload;
pub use tower_callback_contract::{
    Action, Callback, Content, Contract, Envelope, Exchange, Id, Reason, Receive, ReceiveLayer,
    Refusal, Spelling, Timestamp, Timing, as_written,
};
pub use tower_callback_dedup as dedup;
#[cfg(feature = "koipy")]
pub use tower_callback_koipy as koipy;
pub use tower_callback_order as order;
pub use tower_callback_schema as schema;
#[cfg(feature = "wulai")]
pub use tower_callback_wulai as wulai;

/// The README's example is compiled with the docs.
#[cfg(all(doctest, feature = "wulai", feature = "axum"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
