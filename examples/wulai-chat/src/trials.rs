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
    Extension, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::time::{Instant, sleep};
use tower_callback::{Callback, Id, Timestamp, dedup::Attempt, order::Position};
use tracing::{debug, field, info};

use crate::effects::{Effect, Effects, NotWritten, Outcome};

/// Set from `--delay`, `--fail-every`, `--effects` and `--sim`.
#[derive(Default)]
pub(crate) struct Trials {
    pub(crate) delay: Duration,
    pub(crate) fail_every: Option<NonZeroU64>,
    pub(crate) effects: Option<Effects>,
    /// Whether messages may say what their handler is to do: `#sim slow 2s`, `#sim fail once`.
    pub(crate) obeys: bool,
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
    let is_late = matches!(request.extensions().get(), Some(Position::Late { .. }));
    let order = if trials.obeys { Instruction::of(&callback) } else { Instruction::None };
    debug!(run = number, attempt, "running");
    let (start, started) = (since_epoch(), Instant::now());
    let delay = if let Instruction::Slow(delay) = order { delay } else { trials.delay };
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let fails = order == Instruction::FailOnce && attempt == Some(1);
    let response = if fails || trials.is_to_fail(number) {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    } else {
        next.run(request).await
    };
    let run = start..start + started.elapsed();
    let outcome = Outcome::of(response.status());
    let id = callback.envelope().id.as_ref().map(field::debug);
    info!(run = number, id, attempt, ?outcome, "handled");
    match trials.record(&callback, run, outcome, is_late).await {
        Ok(()) => response,
        Err(NotWritten) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What `callback-sim` asks for, if it is to.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(trials: &Arc<Trials>) -> Router<S> {
    let trials = Arc::clone(trials);
    let read = get(async move || match &trials.effects {
        Some(effects) if trials.obeys => {
            effects.read().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
        }
        _ => Err(StatusCode::NOT_FOUND),
    });
    Router::new().route("/effects", read)
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
        late: bool,
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
            late,
        };
        effects.record(&effect).await
    }
}

/// What a message tells its handler to do, for `callback-sim check`.
#[derive(Debug, PartialEq)]
enum Instruction {
    None,
    Slow(Duration),
    FailOnce,
}

/// Nobody is to hold a handler for ever.
const SLOWEST: Duration = Duration::from_secs(10);

impl Instruction {
    fn of(callback: &Callback) -> Self {
        let text = callback.json().ok().and_then(|body| body.pointer("/msg_body/text/content"));
        match text.and_then(|text| text.as_str()?.strip_prefix("#sim ")) {
            Some("fail once") => Self::FailOnce,
            Some(text) => match text.strip_prefix("slow ").map(humantime::parse_duration) {
                Some(Ok(delay)) => Self::Slow(delay.min(SLOWEST)),
                _ => Self::None,
            },
            None => Self::None,
        }
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
