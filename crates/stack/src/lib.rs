//! How a callback travels through the layers of [tower-callback].
//!
//! Between two of our layers a callback is its request's head and a [`Callback`]: not a request that is
//! made again and received again. Each layer is a *step*; [`Layered`] is the one [`tower::Service`] of
//! the workspace. It receives the callback, runs its steps one inside the other, makes the request
//! again, calls the handler, and hands the response back.
//!
//! * [`ReceiveLayer`]: receives the callback and does nothing else: set limits here.
//! * [`Layered`]: the service of every layer, alone or in a preset.
//! * [`Buffered`]: the bodies that it passes on.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_contract::{Callback, Id, Refusal};
//! use tower_callback_stack::{Buffered, ReceiveLayer};
//! # use std::time::Duration;
//! # use tower_callback_contract::{Body, Contract, Envelope, Timing};
//! # struct Orders;
//! # impl Contract for Orders {
//! #     fn name(&self) -> &'static str { "shop.order" }
//! #     fn timing(&self) -> Timing { Timing::new(Duration::from_secs(10), Duration::from_secs(3600)) }
//! #     fn identify(&self, _: &http::request::Parts, body: &Body) -> Result<Envelope, Refusal> {
//! #         Ok(Envelope::new(body.field("order")?.and_then(|id| Id::from_json("shop.order", id))))
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // `Orders` is a contract, see tower-callback-contract.
//! let handler = service_fn(async |request: Request<Buffered<Full<Bytes>>>| {
//!     let callback: &Callback = request.extensions().get().expect("received");
//!     assert_eq!(callback.envelope().id, Id::new("shop.order", "17"));
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("thanks")))
//! });
//! let shop = ReceiveLayer::for_contract(Orders).layer(handler);
//!
//! let order = Request::post("/orders").body(Full::from(r#"{"order": 17}"#)).unwrap();
//! assert_eq!(shop.clone().oneshot(order).await.unwrap().status(), 200);
//!
//! let garbage = Request::post("/orders").body(Full::from("order 17")).unwrap();
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
//! | it is not JSON in UTF-8, or nested more than 127 deep | 400 with the position |
//! | what identifies the callback stands twice, or in two spellings with different values | 400: two readers could see two ids |
//! | the request is not a POST | it passes through untouched |
//! | a layer between two of ours changes the body | the inner one reads the new body |
//! | a layer of somebody else's stands around, between or inside | it may: bodies are any [`http_body::Body`] |
//!
//! [tower-callback]: https://docs.rs/tower-callback
//! [`Callback`]: tower_callback_contract::Callback

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod layered;
mod read;
mod receive;
mod response;
mod step;

#[cfg(feature = "axum")]
pub use self::extract::Payload;
#[cfg(feature = "axum")]
#[doc(hidden)]
pub use self::extract::extract;
pub use self::{
    body::{Begun, Buffered},
    future::ResponseFuture,
    layered::Layered,
    receive::ReceiveLayer,
};
#[doc(hidden)]
pub use self::{
    receive::{Received, Receiver},
    response::{BufferedResponse, ResponseBody, collect, effect, refuse, size_hint, whole},
    step::{Next, Step},
};
