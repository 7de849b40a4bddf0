/// Counts the runs of the handler for one callback. In the request's extensions; a callback without
/// an id always has the first.
///
/// With the feature `axum` it is an extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// How the run before this one ended, if there was one.
    pub previous: Option<Previous>,
}

/// How an earlier run for the same callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Previous {
    /// It failed: by its response, an error or a panic.
    Failed,
    /// It ended half-way, as when its process died: its effects may or may not be there.
    Indeterminate,
    /// It succeeded, but its response was too large to remember, and the platform needs it again.
    Unrecorded,
}

impl Attempt {
    /// The first run.
    pub const FIRST: Self = Self { number: 1, previous: None };

    /// The run of this number, counted from 1, after one that ended in this way. For stores.
    #[must_use]
    pub const fn new(number: u32, previous: Option<Previous>) -> Self {
        Self { number, previous }
    }

    /// The run after this one, if this one ended in this way.
    #[must_use]
    pub fn next(self, previous: Previous) -> Self {
        Self { number: self.number.saturating_add(1), previous: Some(previous) }
    }
}

/// What dedup did with a callback. In the response's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler ran for it, for the first time or again after a failure, and responded.
    First,
    /// The handler ran for another delivery at the time, and this one got the same response.
    Joined,
    /// The handler had run for another delivery before, and this one got that response again.
    Replayed,
    /// Its id was known with another body, so dedup refused it.
    Conflict,
    /// It had no id: the handler ran, and will run for each redelivery.
    Unidentified,
    /// Dedup refused it for another reason, such as a handler's panic. The
    /// [`Refusal`](tower_callback_contract::Refusal) stands beside this in the extensions.
    Refused,
}

#[cfg(feature = "axum")]
mod extract {
    use axum_core::extract::FromRequestParts;
    use http::{StatusCode, request::Parts};
    use tower_callback_contract::extension;

    use super::Attempt;

    /// Rejects with 500 where no dedup layer stands around the handler.
    impl<S: Sync> FromRequestParts<S> for Attempt {
        type Rejection = (StatusCode, &'static str);

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
            let missing = "no `Attempt`: the route has no dedup layer, or was not called by POST";
            extension(parts, missing).copied()
        }
    }
}
