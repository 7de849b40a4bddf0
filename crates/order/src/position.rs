use std::time::Duration;

use tower_callback_contract::Id;

/// Where a message came in the order of its conversation. In the request's extensions.
///
/// With the feature `axum` it is an extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// After all messages that were sent before it and had come, as far as the layer
    /// [remembers](crate::OrderLayer::forget_after) the conversation.
    InOrder {
        /// How long it was held.
        held: Duration,
    },
    /// The same, but before its hold was over: the platform would have disconnected.
    Hurried {
        /// How long it was held.
        held: Duration,
    },
    /// After a message that was sent later. It goes at once all the same.
    Late {
        /// How much later that message was sent.
        by: Duration,
        /// The id of that message, if it has one.
        after: Option<Id>,
    },
    /// It has no place in the order, so the layer did not hold it.
    Unordered(Unordered),
}

/// Why a message has no place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unordered {
    /// It does not say when it was sent, or the contract cannot read what it says.
    NoTime,
    /// It says that it was sent more than a minute from now, so one of the clocks is wrong.
    Future,
    /// It does not say which conversation it belongs to.
    NoConversation,
    /// The platform waits for the response itself: a hold would delay what its user sees.
    Synchronous,
}

#[cfg(feature = "axum")]
mod extract {
    use axum_core::extract::FromRequestParts;
    use http::{StatusCode, request::Parts};
    use tower_callback_contract::extension;

    use super::Position;

    /// Rejects with 500 where no order layer stands around the handler.
    impl<S: Sync> FromRequestParts<S> for Position {
        type Rejection = (StatusCode, &'static str);

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
            let missing = "no `Position`: the route has no order layer, or was not called by POST";
            extension(parts, missing).cloned()
        }
    }
}
