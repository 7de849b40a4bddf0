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
//! * At the root: the vocabulary, with [`Contract`], to describe a platform of your own; then
//!   [`DedupLayer::for_contract`](dedup::DedupLayer::for_contract) is its layer.
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
//! # What happens when …
//!
//! The [`dedup`] and [`order`] docs say it for every case, the [`wulai`] docs for what is the platform's own.
//!
//! # Features
//!
//! * `wulai` (default): the platform Wulai 吾来.
//! * `koipy`: the platform koipy.
//! * `axum`: extractors for handlers, which are [`Envelope`], [`dedup::Attempt`], [`order::Position`]
//!   and `Payload`, the callback read into a type; [`Refusal`] as a reply, and whole paths under
//!   nested routers. Switch it on under axum.
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
