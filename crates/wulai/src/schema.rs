//! The JSON Schemas of what Wulai sends, and of what it reads.
//!
//! They are files of draft 2020-12 in the folder `schemas` of this crate; each can be used on its own,
//! and the constants are their texts. They accept both spellings, `null` means absent, lengths count
//! characters, and unknown fields are fine. The [models](crate::model) accept the same documents.
//!
//! A schema cannot compare two spellings of one field. The reader of callbacks does, and refuses two
//! different values.

use std::sync::LazyLock;

use tower_callback_schema::{Schema, SchemaLayer};

use crate::{ErrorCallback, MessageDelivery, MessageRoute};

/// The schema of a message delivery 消息投递.
pub const DELIVERY: &str = include_str!("../schemas/delivery.schema.json");
/// The schema of a message route 消息路由, the request.
pub const ROUTE: &str = include_str!("../schemas/route.schema.json");
/// The schema of the response to a message route.
pub const ROUTE_RESPONSE: &str = include_str!("../schemas/route_response.schema.json");
/// The schema of an error callback 错误回调.
pub const ERROR: &str = include_str!("../schemas/error.schema.json");

/// The [`Layer`](SchemaLayer) that validates the requests of message delivery 消息投递.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_callback_wulai::{WulaiDedupLayer, schema};
///
/// let layers = ServiceBuilder::new()
///     .layer(schema::route_layer())
///     .layer(WulaiDedupLayer::new())
///     .layer(schema::route_response_layer().report());
/// # drop(layers);
/// ```
pub fn delivery_layer() -> SchemaLayer<MessageDelivery> {
    SchemaLayer::request(MessageDelivery::new(), delivery())
}

/// The [`Layer`](SchemaLayer) that validates the requests of message route 消息路由.
pub fn route_layer() -> SchemaLayer<MessageRoute> {
    SchemaLayer::request(MessageRoute::new(), route())
}

/// The [`Layer`](SchemaLayer) that validates the responses to message route 消息路由. In place of one that
/// does not match, it sends the request's own suggestions back unchanged, so that the bot still answers.
/// An empty response, which changes nothing, is fine; one with another status than 200 is not read.
pub fn route_response_layer() -> SchemaLayer<MessageRoute> {
    SchemaLayer::response(MessageRoute::new(), route_response())
}

/// The [`Layer`](SchemaLayer) that validates the requests of the error callback 错误回调.
pub fn error_layer() -> SchemaLayer<ErrorCallback> {
    SchemaLayer::request(ErrorCallback::new(), error())
}

/// The compiled [`DELIVERY`], for a layer with a contract of your own times.
///
/// ```
/// use std::time::Duration;
/// use tower_callback_contract::Timing;
/// use tower_callback_schema::SchemaLayer;
/// use tower_callback_wulai::{MessageDelivery, schema};
///
/// let timing = Timing::new(Duration::from_secs(10), Duration::from_secs(3600));
/// let layer = SchemaLayer::request(MessageDelivery::with_timing(timing), schema::delivery());
/// # drop(layer);
/// ```
#[must_use]
pub fn delivery() -> Schema {
    static COMPILED: LazyLock<Schema> = LazyLock::new(|| compiled(DELIVERY));
    COMPILED.clone()
}

/// The compiled [`ROUTE`].
#[must_use]
pub fn route() -> Schema {
    static COMPILED: LazyLock<Schema> = LazyLock::new(|| compiled(ROUTE));
    COMPILED.clone()
}

/// The compiled [`ROUTE_RESPONSE`].
#[must_use]
pub fn route_response() -> Schema {
    static COMPILED: LazyLock<Schema> = LazyLock::new(|| compiled(ROUTE_RESPONSE));
    COMPILED.clone()
}

/// The compiled [`ERROR`].
#[must_use]
pub fn error() -> Schema {
    static COMPILED: LazyLock<Schema> = LazyLock::new(|| compiled(ERROR));
    COMPILED.clone()
}

/// The schema of the callbacks of a contract, by its name.
pub(crate) fn of_requests(contract: &str) -> Option<Schema> {
    match contract {
        "wulai.delivery" => Some(delivery()),
        "wulai.route" => Some(route()),
        "wulai.error" => Some(error()),
        _ => None,
    }
}

/// The schema of the responses to them, if the platform reads them.
pub(crate) fn of_responses(contract: &str) -> Option<Schema> {
    (contract == "wulai.route").then(route_response)
}

fn compiled(text: &str) -> Schema {
    Schema::from_text(text).expect("tests compile each of the files")
}
