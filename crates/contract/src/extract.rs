use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};

use crate::{Callback, Envelope};

/// Rejects with 500 where no layer received the callback.
impl<S: Sync> FromRequestParts<S> for Callback {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        extension(parts, MISSING).cloned()
    }
}

/// Rejects with 500 where no layer received the callback.
impl<S: Sync> FromRequestParts<S> for Envelope {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        extension(parts, MISSING).map(|callback: &Callback| callback.envelope().clone())
    }
}

const MISSING: &str =
    "no callback: the route has no layer that receives callbacks, or was not called by POST";

/// What a layer left in a request's extensions. For extractors.
///
/// # Errors
/// 500 with this text, where it is not there.
#[doc(hidden)]
pub fn extension<'a, T: Send + Sync + 'static>(
    parts: &'a Parts,
    missing: &'static str,
) -> Result<&'a T, (StatusCode, &'static str)> {
    parts.extensions.get().ok_or((StatusCode::INTERNAL_SERVER_ERROR, missing))
}
