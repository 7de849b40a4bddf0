//! The page, from the folder `page/`.

use axum::{
    Router,
    http::{HeaderName, header},
    routing::{MethodRouter, get},
};

/// Allows only our own script and style, and pictures from everywhere, as the bot shows them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src https: http:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-cache"),
];

pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = file("text/html; charset=utf-8", include_str!("page/index.html"));
    let style = file("text/css; charset=utf-8", include_str!("page/chat.css"));
    let script = file("text/javascript; charset=utf-8", include_str!("page/chat.js"));
    Router::new().route("/", page).route("/chat.css", style).route("/chat.js", script)
}

fn file<S>(media_type: &'static str, text: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    get(async move || (HEADERS, [(header::CONTENT_TYPE, media_type)], text))
}
