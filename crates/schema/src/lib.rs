//! Validate callbacks, and the responses to them, against a JSON Schema.
//!
//! * [`Schema`]: a JSON Schema of your own, or one that comes with a platform's crate. It is compiled
//!   once; a mistake in it is an error at that moment.
//! * [`SchemaLayer`]: validates the [requests](SchemaLayer::request) of a handler or its
//!   [responses](SchemaLayer::response). It enforces the schema, [reports](SchemaLayer::report) what
//!   does not match, or reports on a [sample](SchemaLayer::sample).
//! * [`Violations`]: where a document does not match, without its values.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use serde_json::{Value, json};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_schema::{Schema, SchemaLayer};
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
//! # async fn main() -> Result<(), tower::BoxError> {
//! let schema = Schema::new(&json!({
//!     "type": "object",
//!     "properties": {"order": {"type": "integer"}},
//!     "required": ["order"],
//! }))?;
//! let handler = service_fn(async |_: Request<Buffered<Full<Bytes>>>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("thanks")))
//! });
//! // `Orders` is a contract, see tower-callback-contract.
//! let shop = SchemaLayer::request(Orders, schema).layer(handler);
//!
//! let order = Request::post("/orders").body(Full::from(r#"{"order": "17"}"#))?;
//! let refused = shop.oneshot(order).await?;
//! assert_eq!(refused.status(), 400);
//! let problem = refused.into_body().collect().await?.to_bytes();
//! let problem: Value = serde_json::from_slice(&problem)?;
//! assert_eq!(problem["violations"], json!([{
//!     "pointer": "/order", "keyword": "type", "message": "the value is not of type \"integer\"",
//! }]));
//! # Ok(())
//! # }
//! ```
//!
//! # Where it goes in the stack
//!
//! A layer for requests goes outside dedup, so that an invalid request claims no id. A layer for
//! responses goes inside dedup, so that duplicates get the response that was sent in place of an
//! invalid one.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | a callback does not match | 400 with every violation: where, which keyword, what it asks for |
//! | … and the layer reports or samples | the handler runs and finds the [`Violations`] in the request's extensions; an event is logged |
//! | a callback is not JSON, or is ambiguous | 400 with that reason. A layer that reports adds a violation with the keyword `malformed` or `ambiguous` instead, unless the contract refuses the callback because it finds no id |
//! | a field is unknown | nothing, unless the schema forbids it |
//! | a response does not match, or is not JSON | the contract's [fallback](tower_callback_contract::Contract::fallback) goes out, otherwise a 500, with the [`Refusal`](tower_callback_contract::Refusal) in its extensions |
//! | … and the layer reports or samples | the response goes out unchanged, with the [`Violations`] in its extensions |
//! | a response is empty, or makes the platform retry or give up | it is not validated: the platform does not read it |
//! | the handler breaks off its response | 500, even from a layer that reports: there is nothing to send, and the callback was not handled |
//! | a response is too large, or streams | see [`max_reply_bytes`](SchemaLayer::max_reply_bytes) |
//! | a document has a hundred thousand violations | 32 are listed; at 256 counting ends, and so does the search |
//! | the schema is wrong | [`SchemaError`], with the place in the schema |
//! | a request is not a POST | it passes through untouched |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod bounded;
mod budget;
mod layer;
mod report;
mod schema;
mod step;
mod unique;
mod validation;

#[doc(hidden)]
pub use self::step::SchemaStep;
pub use tower_callback_contract::{Violation, Violations};

pub use self::{
    layer::SchemaLayer,
    schema::{Schema, SchemaError},
};
