//! Makes handlers slow or fail, and records what they do, to try the layers out.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::time::sleep;
use tower_callback::{Callback, dedup::Attempt};
use tower_callback_sim::demo::{DemoLayer, EffectsFile};
use tracing::{debug, field, info};

/// Set from `--delay`, `--fail-every`, `--effects` and `--sim`.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    pub(crate) demo: DemoLayer,
    /// The file that everybody can read at `/effects`.
    pub(crate) shown: Option<EffectsFile>,
    pub(crate) delay: Duration,
    pub(crate) fail_every: Option<NonZeroU64>,
    pub(crate) runs: AtomicU64,
}

/// Stands around each handler, inside the layers: it sees what runs, not what arrives.
pub(crate) async fn trial(
    State(trials): State<Arc<Trials>>,
    callback: Callback,
    request: Request,
    next: Next,
) -> Response {
    let number = trials.runs.fetch_add(1, Ordering::Relaxed) + 1;
    let attempt = request.extensions().get::<Attempt>().map(|it| it.number);
    debug!(run = number, attempt, "running");
    if !trials.delay.is_zero() {
        sleep(trials.delay).await;
    }
    let response = if trials.fail_every.is_some_and(|every| number % every.get() == 0) {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    } else {
        next.run(request).await
    };
    let id = callback.envelope().id.as_ref().map(field::debug);
    info!(run = number, id, attempt, status = response.status().as_u16(), "handled");
    response
}

/// What `callback-sim` asks for, with `--sim`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(trials: &Trials) -> Router<S> {
    let Some(file) = trials.shown.clone() else { return Router::new() };
    let read = async move || file.lines().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    Router::new().route("/effects", get(read))
}
