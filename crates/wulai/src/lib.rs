//! Receive the callbacks of Wulai (吾来), in both of its published spellings.
//!
//! * [`MessageDelivery`], [`MessageRoute`], [`ErrorCallback`]: the contract of each callback, that is,
//!   how it is identified and what each response does. [`AnyCallback`] is that of all three at once.
//! * [`WulaiLayer`]: all that a route needs. [`WulaiDedupLayer`] and [`WulaiOrderLayer`] are its parts.
//! * [`Delivery`], [`RouteRequest`], [`ErrorReport`]: what a callback says, typed. With the feature
//!   `axum` they are extractors. The other models are in [`model`].
//! * [`RouteReply`]: the response to a message route, which loses nothing of the platform's answers.
//! * [`schema`]: JSON Schemas, and the layers that validate callbacks and responses against them.
//! * [`SPELLING`]: the names that Wulai writes in `snake_case` or in `camelCase` for one field.
//!
//! ```
//! use tower_callback_contract::{Callback, Id, Refusal};
//! use tower_callback_wulai::{Delivery, MessageDelivery, MsgBody};
//!
//! # fn main() -> Result<(), Refusal> {
//! let body = r#"{
//!     "userId": "anna", "msg_id": "17", "msg_ts": "1700000000000",
//!     "msgBody": {"text": {"content": "您好"}}
//! }"#;
//! // A layer does this for you.
//! let (head, ()) = http::Request::post("/callback/message").body(()).expect("valid").into_parts();
//! let callback = Callback::receive(&MessageDelivery::new(), &head, body)?;
//! assert_eq!(callback.envelope().id, Id::new("wulai.delivery", "17"));
//!
//! let delivery = Delivery::try_from(&callback)?;
//! match delivery.msg_body {
//!     MsgBody::Text { text, .. } => assert_eq!(text.content, "您好"),
//!     MsgBody::Image { image, .. } => println!("see {}", image.resource_url),
//!     _ => println!("see it elsewhere"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The response to a message route is the platform's own answers, edited:
//!
//! ```
//! use serde_json::json;
//! use tower_callback_contract::{Body, Refusal};
//! use tower_callback_wulai::{RouteReply, Suggestion, SPELLING};
//!
//! # fn main() -> Result<(), Refusal> {
//! let question = json!({
//!     "user_id": "anna", "msg_id": "18", "msg_ts": "1700000000001", "nickname": "安娜",
//!     "msg_body": {"text": {"content": "多少钱?"}}, "is_dispatch": false,
//!     "suggested_response": [{"is_send": true, "score": 0.25, "response": []}],
//! });
//! let body = Body::new(question.to_string(), SPELLING);
//!
//! // In a handler: `RouteReply::to(&callback)`.
//! let mut reply = RouteReply::try_from(&body)?;
//! for suggestion in reply.suggestions_mut() {
//!     if suggestion.score().is_some_and(|score| score < 0.5) {
//!         suggestion.suppress();
//!     }
//! }
//! reply.add(Suggestion::text("我去问问"));
//! reply.hand_over();
//!
//! let reply: serde_json::Value = serde_json::from_slice(&reply.to_bytes()).unwrap();
//! assert_eq!(reply["suggested_response"][0]["is_send"], false);
//! assert_eq!(reply["suggested_response"][1]["is_send"], true);
//! assert_eq!(reply["is_dispatch"], true);
//! # Ok(())
//! # }
//! ```
//!
//! # What happens when …
//!
//! | | |
//! |---|---|
//! | a field stands in two spellings with one value | it is one field; a [`RouteReply`] keeps and edits both |
//! | … with two values | 400 `ambiguous` |
//! | a duplicate arrives in the other spelling | it has the same id, and says the same |
//! | the id is absent, empty or ill-typed | the envelope has no id; the typed model refuses an absent or ill-typed one |
//! | a required field is missing or ill-typed | the typed model refuses it: 400 `invalid`, naming the field |
//! | a text is too long | the typed model refuses it, and so does the [`schema`], which lists every violation |
//! | a handler's response to a message route does not match its schema | with [`schema::route_response_layer`], the platform gets its own answers back |
//! | a kind of message, a type or a source is new | it is the `Other` of its enum |
//! | a field is new | it is kept in `other`, and in a [`RouteReply`] |
//! | messages arrive out of order | [`WulaiLayer`] puts them in the order of their `msg_ts`, then of their `msg_id` as a number |
//! | a question or an error arrives | it is handled at once: neither has a place in the order |
//! | a handler responds with a 201 or a 204 | [`WulaiLayer`] sends it as a 200, the only status that Wulai takes |
//! | a response has any other status than 200 | the platform sends the callback again |
//! | a handler wants the platform to give up | it cannot: a refusal becomes a retry |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod contract;
mod fields;
mod kind;
mod layer;
pub mod model;
mod route_reply;
pub mod schema;
mod spelling;
mod suggestion;

pub use self::{
    contract::{AnyCallback, ErrorCallback, MessageDelivery, MessageRoute, WulaiContract},
    layer::{WulaiDedupLayer, WulaiLayer, WulaiOrderLayer},
    model::{Delivery, ErrorReport, MsgBody, RouteRequest},
    route_reply::RouteReply,
    spelling::SPELLING,
    suggestion::Suggestion,
};
