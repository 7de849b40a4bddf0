//! A callback that does not fit its model.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use tower_callback::Refusal;

/// Answers with a problem document. It names the field, never its value.
pub(crate) struct Refused(Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.to_problem().map(Body::from)
    }
}
