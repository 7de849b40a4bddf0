//! Tower layers for apps that receive the callbacks of chat platforms.
//!
//! Platforms deliver every callback at least once and in no order, and disconnect when the response is
//! slow. A layer around the handler you already have makes it run once per callback, and in order:
//!
//! ```
//! # #[cfg(all(feature = "wulai", feature = "axum"))]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use axum::{Router, body::Body, http::Request, routing::post};
//! use serde_json::json;
//! use tower::ServiceExt;
//! use tower_callback::{
//!     dedup::Attempt,
//!     order::Position,
//!     wulai::{Delivery, WulaiLayer},
//! };
//!
//! async fn deliver(attempt: Attempt, position: Position, message: Delivery) -> &'static str {
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
//!     let response = app.clone().oneshot(callback).await.unwrap();
//!     assert_eq!(response.status(), 200);
//!     let header = response.headers().get("idempotency-replayed");
//!     assert_eq!(header.map(|value| value.to_str().unwrap()), replayed);
//! }
//! # }
//! # #[cfg(not(all(feature = "wulai", feature = "axum")))]
//! # fn main() {}
//! ```
//!
//! * [`wulai`]: presets with all layers for Wulai's three callbacks, and each layer on its own.
//! * `koipy`, with the feature of that name: the same for koipy's three hooks.
//! * [`dedup`]: the layer that runs a handler once per id, for any platform.
//! * [`order`]: the layer that handles messages in the order they were sent.
//! * [`schema`]: the layer that validates callbacks and responses against a JSON Schema.
//! * [`action`]: the layer that turns plain HTTP into what a platform does, and its counterpart around
//!   an HTTP client.
//! * At the root: the vocabulary, with [`Contract`], which describes
//!   [a platform of your own](#a-platform-of-your-own). [`contract`] defines its words.
//! * [`stack`]: how a callback travels through the layers.
//!
//! # Where the layers go
//!
//! ```text
//! request ──▶ receive ──▶ schema ──▶ dedup ──▶ order ──▶ action ──▶ your handler
//!             size and    400 lists  one run   one at    plain HTTP becomes what
//!             time limit, what is    per id    a time    the platform understands
//!             one parse   wrong      └ a disconnect cannot cut the work from here on
//! ```
//!
//! Put authentication and rate limits outside, so that a forger cannot use up ids. What stands inside
//! dedup runs once per id, as the handler does; put a timeout for your handler there.
//!
//! Give several layers as a tuple: in `post(handler).layer((A, B))`, `A` is the outermost, as in a
//! `ServiceBuilder`. In separate calls, the last one is the outermost. Write separate calls as
//! `post(handler).route_layer(B).route_layer(A)`: with `.layer(B).layer(A)`, axum 0.8 cannot infer the
//! error type between the two.
//!
//! A preset decides last what the handler's response asks for. Change that through its `action`:
//!
//! ```
//! # #[cfg(all(feature = "wulai", feature = "axum"))] {
//! # use axum::{Router, http::StatusCode, routing::post};
//! # async fn deliver() -> StatusCode { StatusCode::NOT_FOUND }
//! use tower_callback::{Action, wulai::WulaiLayer};
//!
//! // The user is gone, so a redelivery would not help.
//! let layer = WulaiLayer::delivery().action(|action| action.on(404, Action::Accept));
//! let app: Router = Router::new().route("/callback/message", post(deliver).layer(layer));
//! # drop(app);
//! # }
//! ```
//!
//! If you stack the layers yourself, put an [`ActionLayer`](action::ActionLayer) next to the handler,
//! inside dedup. Dedup remembers or releases an id by the response that it sees, so that must be the
//! response that the platform gets. Outside dedup, the layer would accept a 404 that dedup has taken for
//! a failure.
//!
//! # With tower-http
//!
//! Our layers take any [`http_body::Body`] and pass on [`Buffered`], which is again one. So they fit
//! around, between and inside the layers of tower-http and tower:
//!
//! ```
//! # #[cfg(all(feature = "wulai", feature = "axum"))] {
//! # use std::time::Duration;
//! # use axum::{Router, body::Body, extract::Request, http::StatusCode, response::Response, routing::post};
//! # use axum::middleware::{Next, from_fn};
//! # async fn deliver(_: Delivery) -> &'static str { "success" }
//! use tower::util::MapRequestLayer;
//! use tower_callback::{Buffered, wulai::{Delivery, WulaiLayer}};
//! use tower_http::{timeout::TimeoutLayer, trace::TraceLayer};
//!
//! let timeout =
//!     TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(4));
//! // Trace sees every delivery. The timeout is for the handler alone.
//! let layers = (TraceLayer::new_for_http(), WulaiLayer::delivery(), timeout);
//! let app: Router = Router::new().route("/callback/message", post(deliver).layer(layers));
//!
//! // `from_fn` takes axum's own body only. Inside our layers, it stands in a call of its own …
//! async fn check(request: Request, next: Next) -> Response {
//!     next.run(request).await
//! }
//! let checked = post(deliver).route_layer(from_fn(check)).route_layer(WulaiLayer::delivery());
//! // … or behind a layer that maps the body.
//! let to_axum = MapRequestLayer::new(|request: axum::http::Request<Buffered<Body>>| {
//!     request.map(Body::new)
//! });
//! let mapped = post(deliver).layer((WulaiLayer::delivery(), to_axum, from_fn(check)));
//! let app = app.route("/callback/checked", checked).route("/callback/mapped", mapped);
//! # drop(app);
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | trace, timeouts, limits, compression, CORS, request ids, headers, validate-request, catch-panic, map-response-body; tower's concurrency limits; axum's `DefaultBodyLimit` | fit anywhere: in tuples, in a `ServiceBuilder`, around a route or a router |
//! | decompression of requests | goes outside our layers, which read plain JSON |
//! | buffer, load shed, tower's own timeout | return errors of their own: put a `HandleErrorLayer` anywhere outside them |
//! | `from_fn`, `map_request` and others that take `axum::extract::Request` | fit outside our layers; inside, they stand in a `.route_layer(..)` or `Router::layer(..)` call of their own, or behind a `MapRequestLayer` |
//!
//! # A platform of your own
//!
//! A [`Contract`] says who a callback is, and what the platform does on each response. By default, a 2xx
//! accepts a callback, and the platform redelivers it after any other response. So most contracts are a
//! name, the times of the platform, and the identity of a callback. All layers take a contract:
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
//!     http::{Request, StatusCode, request::Parts},
//!     routing::post,
//! };
//! use tower::ServiceExt;
//! use tower_callback::{
//!     Action, Body, Contract, Envelope, Id, Payload, Refusal, Timestamp, Timing,
//!     action::ActionLayer, dedup::DedupLayer, order::OrderLayer,
//! };
//!
//! /// A chat platform that redelivers each message until the response is a 2xx.
//! struct Pigeon;
//!
//! impl Contract for Pigeon {
//!     fn name(&self) -> &'static str {
//!         "pigeon.message"
//!     }
//!
//!     fn timing(&self) -> Timing {
//!         // It disconnects after 10 s, and gives up after an hour.
//!         Timing::new(Duration::from_secs(10), Duration::from_secs(3600))
//!     }
//!
//!     fn identify(&self, _: &Parts, body: &Body) -> Result<Envelope, Refusal> {
//!         let id = body.field("id")?.and_then(|id| Id::from_json(self.name(), id));
//!         let chat = body.field("chat")?.and_then(|chat| chat.as_str()).map(str::to_owned);
//!         let time = body.field("time")?.and_then(Timestamp::from_json);
//!         Ok(Envelope::new(id).conversation(chat).sent_at(time))
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
//! // Nobody is there to read it. It is accepted, and the duplicate does not run the handler again.
//! let message = r#"{"id": 17, "chat": "nobody", "time": 1700000000, "text": "hello"}"#;
//! for _ in 0..2 {
//!     let callback = Request::post("/pigeon").body(message.to_owned()).unwrap();
//!     assert_eq!(app.clone().oneshot(callback).await.unwrap().status(), StatusCode::OK);
//! }
//! assert_eq!(RUNS.load(Ordering::SeqCst), 1);
//!
//! let wrong = Request::post("/pigeon").body(r#"{"chat": "anna"}"#.to_owned()).unwrap();
//! let refused = app.oneshot(wrong).await.unwrap();
//! assert_eq!(refused.extensions().get::<Refusal>().unwrap().reason().code(), "invalid");
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # What happens when …
//!
//! The docs of [`dedup`], [`order`], [`schema`] and [`action`] have a table for each layer, those of
//! [`stack`] for what all layers share, and those of [`wulai`] and `koipy` for their platforms.
//!
//! # Features
//!
//! * `wulai` (default): the platform Wulai 吾来.
//! * `koipy`: the platform koipy.
//! * `axum`: for handlers under axum. It makes extractors of [`Callback`], [`Envelope`],
//!   [`dedup::Attempt`], [`order::Position`], the models of the platforms, and `Payload`, which reads
//!   a callback into a type of yours; models and `Payload` go last. It makes a [`Refusal`] a response,
//!   and reads whole paths under nested routers.
//! * `schemars`: `schema::Schema::of`, for types that derive their schema.
//!
//! [`http_body::Body`]: https://docs.rs/http-body/1/http_body/trait.Body.html

#![cfg_attr(docsrs, feature(doc_cfg))]

pub use tower_callback_action as action;
pub use tower_callback_contract as contract;
pub use tower_callback_contract::{
    Action, Body, Callback, Content, Contract, Envelope, Exchange, Id, Reason, Refusal, Scope,
    Spelling, Timestamp, Timing,
};
pub use tower_callback_dedup as dedup;
#[cfg(feature = "koipy")]
pub use tower_callback_koipy as koipy;
pub use tower_callback_order as order;
pub use tower_callback_schema as schema;
pub use tower_callback_stack as stack;
#[cfg(feature = "axum")]
pub use tower_callback_stack::Payload;
pub use tower_callback_stack::{Buffered, ReceiveLayer};
#[cfg(feature = "wulai")]
pub use tower_callback_wulai as wulai;

/// Compiles and runs the README's examples with the docs.
#[cfg(all(doctest, feature = "wulai", feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
