//! The JSON Schemas of what Wulai sends, and of what it reads.
//!
//! They are files of draft 2020-12 in the folder `schemas` of this crate, each on its own, for
//! whoever wants them elsewhere; the constants are their texts. Both spellings are taken, `null` is
//! absent, lengths count characters, and fields that are not listed are fine. The [models](crate::model)
//! accept the same documents.
//!
//! What no schema can say, the reader of callbacks does: it refuses two spellings of one field with
//! different values.

use std::sync::LazyLock;

use tower_callback_schema::{Schema, SchemaLayer};

use crate::{ErrorCallback, MessageDelivery, MessageRoute};

/// The schema of a message delivery 消息投递.
pub const DELIVERY: &str = include_str!("../schemas/delivery.schema.json");
/// The schema of a message route 消息路由, the request.
pub const ROUTE: &str = include_str!("../schemas/route.schema.json");
/// The schema of the reply to a message route.
pub const ROUTE_RESPONSE: &str = include_str!("../schemas/route_response.schema.json");
/// The schema of an error callback 错误回调.
pub const ERROR: &str = include_str!("../schemas/error.schema.json");

/// [Layers](SchemaLayer) that hold Wulai's callbacks, and replies to them, against their schemas.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_callback_wulai::{WulaiDedupLayer, WulaiSchemaLayer};
///
/// let layers = ServiceBuilder::new()
///     .layer(WulaiSchemaLayer::route())
///     .layer(WulaiDedupLayer::new())
///     .layer(WulaiSchemaLayer::route_response().report());
/// # drop(layers);
/// ```
#[derive(Debug)]
pub enum WulaiSchemaLayer {}

impl WulaiSchemaLayer {
    /// For the requests of message delivery 消息投递.
    pub fn delivery() -> SchemaLayer<MessageDelivery> {
        SchemaLayer::request(MessageDelivery::new(), delivery())
    }

    /// For the requests of message route 消息路由.
    pub fn route() -> SchemaLayer<MessageRoute> {
        SchemaLayer::request(MessageRoute::new(), route())
    }

    /// For the replies to message route 消息路由. In the place of one that does not match, the
    /// request's own suggestions are sent back unchanged, so that the bot still answers. An empty
    /// reply, which changes nothing, is fine, and one of another status than 200 is not read.
    pub fn route_response() -> SchemaLayer<MessageRoute> {
        SchemaLayer::response(MessageRoute::new(), route_response())
    }

    /// For the requests of the error callback 错误回调.
    pub fn error() -> SchemaLayer<ErrorCallback> {
        SchemaLayer::request(ErrorCallback::new(), error())
    }
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

/// The schema of the replies to them, where the platform reads one.
pub(crate) fn of_responses(contract: &str) -> Option<Schema> {
    (contract == "wulai.route").then(route_response)
}

fn compiled(text: &str) -> Schema {
    Schema::from_text(text).expect("tests compile each of the files")
}
