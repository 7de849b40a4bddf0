use http::request::Parts;

/// The path that a callback was sent to. Nested axum routers see only its rest, and two of them
/// may see the same.
#[cfg(feature = "axum")]
pub(crate) fn path(head: &Parts) -> &str {
    let original = head.extensions.get::<axum::extract::OriginalUri>();
    original.map_or(&head.uri, |original| &original.0).path()
}

/// The path that a callback was sent to, as far as it is known here.
#[cfg(not(feature = "axum"))]
pub(crate) fn path(head: &Parts) -> &str {
    head.uri.path()
}
