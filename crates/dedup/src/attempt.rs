/// Which run of the handler this is for its callback. In the request's extensions; for a callback
/// without an id, always the first.
///
/// With the feature `axum` it is an extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// It failed: by its reply, an error or a panic.
    Failed,
    /// It was given up half-way, as when a process dies: its effects may or may not be there.
    Indeterminate,
    /// It succeeded, but its reply is needed again and was too large to be remembered.
    Unrecorded,
}

impl Attempt {
    /// The first run.
    pub const FIRST: Self = Self { number: 1, previous: None };

    /// The run after this one, which ended so.
    #[must_use]
    pub fn next(self, previous: Previous) -> Self {
        Self { number: self.number.saturating_add(1), previous: Some(previous) }
    }
}

/// What dedup did with a callback. In the response's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler ran for it, for the first time or again after a failure, and answered.
    First,
    /// The handler ran for another copy at the time, and this one got the same reply.
    Joined,
    /// The handler had run for another copy before, and its reply was replayed.
    Replayed,
    /// Its id was known with another body: refused.
    Conflict,
    /// It had no id: the handler ran, and would run for a copy.
    Unidentified,
    /// It was refused for another reason, which stands beside this in the extensions: a handler's
    /// panic is one.
    Refused,
}

#[cfg(feature = "axum")]
mod extract {
    use axum::extract::FromRequestParts;
    use http::{StatusCode, request::Parts};

    use super::Attempt;

    /// Rejects with 500 where no dedup layer stands outside of the handler.
    impl<S: Sync> FromRequestParts<S> for Attempt {
        type Rejection = (StatusCode, &'static str);

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
            parts.extensions.get().copied().ok_or((
                StatusCode::INTERNAL_SERVER_ERROR,
                "no `Attempt`: the route has no dedup layer, or was not called by POST",
            ))
        }
    }
}
