use std::time::Duration;

use tower_callback_contract::Id;

/// Where a message came in the order of its conversation. In the request's extensions.
///
/// With the feature `axum` it is an extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// After all that were sent before it and had come, as far as its conversation is
    /// [remembered](crate::OrderLayer::memory).
    InOrder {
        /// How long it was held.
        held: Duration,
    },
    /// As above, but before its hold was over: its platform would not have waited for it.
    Hurried {
        /// How long it was held.
        held: Duration,
    },
    /// After one that was sent later. Handled at once all the same.
    Late {
        /// How much later that one was sent.
        by: Duration,
        /// Its id, if it has one.
        after: Option<Id>,
    },
    /// Nothing orders it, so it was not held.
    Unordered(Unordered),
}

/// Why nothing orders a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unordered {
    /// It does not say when it was sent, or not so that it can be read.
    NoTime,
    /// It says that it was sent more than a minute from now, so either clock is wrong.
    Future,
    /// It does not say which conversation it belongs to.
    NoConversation,
    /// The platform waits for the reply itself: holding it would hold the user's answer.
    Synchronous,
}

#[cfg(feature = "axum")]
mod extract {
    use axum_core::extract::FromRequestParts;
    use http::{StatusCode, request::Parts};

    use super::Position;

    /// Rejects with 500 where no order layer stands outside of the handler.
    impl<S: Sync> FromRequestParts<S> for Position {
        type Rejection = (StatusCode, &'static str);

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
            parts.extensions.get().cloned().ok_or((
                StatusCode::INTERNAL_SERVER_ERROR,
                "no `Position`: the route has no order layer, or was not called by POST",
            ))
        }
    }
}
