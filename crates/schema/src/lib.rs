//! Hold callbacks, and the replies to them, against a JSON Schema.
//!
//! * [`Schema`]: a JSON Schema of your own, or one that comes with a platform's crate; compiled
//!   once, and a wrong one is an error then.
//! * [`SchemaLayer`]: around a handler, for its [requests](SchemaLayer::request) or its
//!   [replies](SchemaLayer::response). It enforces the schema, [reports](SchemaLayer::report) what
//!   does not match, or does so for a [sample](SchemaLayer::sample).
//! * [`Violations`]: where a document does not match, without its values.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use serde_json::{Value, json};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_callback_contract::Refusal;
//! use tower_callback_schema::{Schema, SchemaLayer};
//! # struct Orders;
//! # impl tower_callback_contract::Contract for Orders {
//! #     fn name(&self) -> &'static str { "shop.order" }
//! #     fn timing(&self) -> tower_callback_contract::Timing {
//! #         let second = std::time::Duration::from_secs(1);
//! #         tower_callback_contract::Timing::new(second, second)
//! #     }
//! #     fn exchange(&self, _: &tower_callback_contract::Callback) -> tower_callback_contract::Exchange {
//! #         tower_callback_contract::Exchange::OneWay
//! #     }
//! #     fn identify(
//! #         &self, _: &http::request::Parts, _: &tower_callback_contract::Callback,
//! #     ) -> Result<tower_callback_contract::Envelope, Refusal> {
//! #         Ok(tower_callback_contract::Envelope::default())
//! #     }
//! #     fn action(&self, _: &Response<Bytes>) -> tower_callback_contract::Action {
//! #         tower_callback_contract::Action::Accept
//! #     }
//! #     fn reply(&self, _: &tower_callback_contract::Action) -> Response<Bytes> { Response::default() }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schema = Schema::new(&json!({
//!     "type": "object",
//!     "properties": {"order": {"type": "integer"}},
//!     "required": ["order"],
//! }))?;
//! let handler = service_fn(async |_: Request<Full<Bytes>>| {
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("thanks")))
//! });
//! // `Orders` is a contract, see tower-callback-contract.
//! let shop = SchemaLayer::request(Orders, schema).layer(handler);
//!
//! let order = Request::post("/orders").body(r#"{"order": "17"}"#.into())?;
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
//! A layer for requests goes outside of dedup, so that what does not match claims no id; one for
//! replies inside of it, so that copies get what was sent in the place of a wrong reply.
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | a callback does not match | 400 with every violation: where, which keyword, what it asks for |
//! | … and the schema is reported or sampled | the handler runs, and finds the [`Violations`] in the request's extensions; there is an event |
//! | it is not JSON, or ambiguous | 400 that says so; where the schema is reported, a violation with the keyword `malformed` or `ambiguous`, unless its contract refuses it because it finds no id |
//! | a field is unknown | nothing, unless the schema says otherwise |
//! | a reply does not match, or is not JSON | the contract's [fallback](tower_callback_contract::Contract::fallback), else 500, with the [`Refusal`](tower_callback_contract::Refusal) in its extensions |
//! | … and the schema is reported or sampled | it goes out as it is, with the [`Violations`] in its extensions |
//! | a reply is empty, or makes the platform retry or give up | it is not looked at: the platform does not read it |
//! | the handler breaks off its reply | 500, also where the schema is reported: there is nothing to send, and the callback was not handled |
//! | a reply is too large, or streams | see [`limit`](SchemaLayer::limit) |
//! | a document is wrong in a hundred thousand places | 32 are listed, counting ends at 256, and so does the looking |
//! | the schema is wrong | [`SchemaError`], with the place in the schema |
//! | a request is no POST | it passes through untouched |

mod bounded;
mod equal;
mod layer;
mod report;
mod schema;
mod service;
mod validation;

pub use tower_callback_contract::{Violation, Violations};

pub use self::{
    layer::SchemaLayer,
    schema::{Schema, SchemaError},
    service::Validated,
};
