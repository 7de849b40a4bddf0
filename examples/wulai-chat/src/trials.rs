//! What one tries the layers out with: handlers that are slow, fail, and leave a record.

use std::{
    num::NonZeroU64,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{
    Extension,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, sleep};
use tower_callback::{Callback, Id, Timestamp, dedup::Attempt};
use tracing::{debug, field, info};

use crate::effects::{Effect, Effects, NotWritten, Outcome};

/// Set from `--delay`, `--fail-every` and `--effects`.
#[derive(Default)]
pub(crate) struct Trials {
    pub(crate) delay: Duration,
    pub(crate) fail_every: Option<NonZeroU64>,
    pub(crate) effects: Option<Effects>,
    pub(crate) runs: AtomicU64,
}

/// Stands around each handler, inside of the layer: it sees what runs, not what arrives.
pub(crate) async fn trial(
    State(trials): State<Arc<Trials>>,
    Extension(callback): Extension<Callback>,
    request: Request,
    next: Next,
) -> Response {
    let number = trials.runs.fetch_add(1, Ordering::Relaxed) + 1;
    let attempt = request.extensions().get::<Attempt>().map(|it| it.number);
    debug!(run = number, attempt, "running");
    let (start, started) = (since_epoch(), Instant::now());
    if !trials.delay.is_zero() {
        sleep(trials.delay).await;
    }
    let response = if trials.is_to_fail(number) {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    } else {
        next.run(request).await
    };
    let run = start..start + started.elapsed();
    let outcome = Outcome::of(response.status());
    let id = callback.envelope().id.as_ref().map(field::debug);
    info!(run = number, id, attempt, ?outcome, "handled");
    match trials.record(&callback, run, outcome).await {
        Ok(()) => response,
        Err(NotWritten) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Trials {
    fn is_to_fail(&self, number: u64) -> bool {
        self.fail_every.is_some_and(|every| number % every.get() == 0)
    }

    async fn record(
        &self,
        callback: &Callback,
        run: Range<Duration>,
        outcome: Outcome,
    ) -> Result<(), NotWritten> {
        let Some(effects) = &self.effects else {
            return Ok(());
        };
        let envelope = callback.envelope();
        let effect = Effect {
            callback: envelope.id.as_ref().map(Id::scope),
            id: envelope.id.as_ref().map(Id::as_str),
            conversation: envelope.conversation.as_deref(),
            sent_at: envelope.sent_at.map(Timestamp::as_millis),
            start: run.start.as_millis(),
            end: run.end.as_millis(),
            outcome,
        };
        effects.record(&effect).await
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
