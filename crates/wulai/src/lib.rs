//! Receive the callbacks of Wulai (吾来), in both of its published spellings.
//!
//! * [`MessageDelivery`], [`MessageRoute`], [`ErrorCallback`]: the contract of each callback, and
//!   [`AnyCallback`], of all three at once: how it is identified, and what each reply does.
//! * [`Delivery`], [`RouteRequest`], [`ErrorReport`]: what a callback says, typed. The rest of the
//!   models is in [`model`].
//! * [`RouteReply`]: the reply to a message route, which loses nothing of the platform's answers.
//! * [`WulaiSchemaLayer`]: holds callbacks and replies against the JSON Schemas in [`schema`].
//! * [`spelling`]: the names that stand in `snake_case` or in `camelCase`, and mean one field.
//!
//! ```
//! use tower_callback_contract::{Callback, Contract, Id, Refusal};
//! use tower_callback_wulai::{Delivery, MessageDelivery, MsgBody, spelling};
//!
//! # fn main() -> Result<(), Refusal> {
//! let body = r#"{
//!     "userId": "anna", "msg_id": "17", "msg_ts": "1700000000000",
//!     "msgBody": {"text": {"content": "您好"}}
//! }"#;
//! // A layer does this for you.
//! let callback = Callback::new(body.into(), spelling);
//! let (head, ()) = http::Request::new(()).into_parts();
//! let envelope = MessageDelivery::new().identify(&head, &callback)?;
//! assert_eq!(envelope.id, Id::new("wulai.delivery", "17"));
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
//! A message route is answered with the platform's own answers, edited:
//!
//! ```
//! use serde_json::json;
//! use tower_callback_contract::{Callback, Refusal};
//! use tower_callback_wulai::{RouteReply, Suggestion, spelling};
//!
//! # fn main() -> Result<(), Refusal> {
//! let question = json!({
//!     "user_id": "anna", "msg_id": "18", "msg_ts": "1700000000001", "nickname": "安娜",
//!     "msg_body": {"text": {"content": "多少钱?"}}, "is_dispatch": false,
//!     "suggested_response": [{"is_send": true, "score": 0.25, "response": []}],
//! });
//! let callback = Callback::new(question.to_string().into(), spelling);
//!
//! let mut reply = RouteReply::to(&callback)?;
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
//! | a field stands in two spellings with one value | it is one field; in a reply both are kept and edited |
//! | … with two values | 400 `ambiguous` |
//! | a copy comes in the other spelling | it has the same id, and says the same |
//! | the id is absent, empty or no text | the envelope has none; the typed model refuses an absent or ill-typed one |
//! | a required field is missing or ill-typed | the typed model refuses it: 400 `invalid`, naming the field |
//! | a text is too long | the typed model refuses it, and so does [`WulaiSchemaLayer`], which names all that is wrong |
//! | a handler's reply to a message route does not match its schema | with [`WulaiSchemaLayer::route_response`], the platform gets its own answers back |
//! | a kind of message, a type or a source is new | it is the `Other` of its enum |
//! | a field is new | it is kept in `other`, and in a [`RouteReply`] |
//! | a message comes in disorder | [`WulaiLayer`] holds it; `msg_ts` tells, then `msg_id` as a number |
//! | a question or an error comes | nothing orders it: it is handled at once |
//! | a reply has any status but 200 | the platform sends the callback again |
//! | the platform is asked to give up | it cannot: a refusal becomes a retry |

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
    schema::WulaiSchemaLayer,
    spelling::spelling,
    suggestion::Suggestion,
};
