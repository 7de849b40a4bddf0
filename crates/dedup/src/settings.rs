use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;
use tower_callback_contract::{Action, Timing};

use crate::fingerprint::Pointer;

/// What to do with a callback whose id is known with another body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// Refuse it with 422.
    #[default]
    Refuse,
    /// Take it for a copy of the first, whatever it says. Bodies are not compared then.
    FirstWins,
    /// Take it for another callback.
    TreatAsNew,
}

/// What to do with a callback that has no usable id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMissingId {
    /// Pass it to the handler, and every copy of it too.
    #[default]
    PassThrough,
    /// Refuse it with 400.
    Refuse,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) window: Duration,
    pub(crate) wait: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) max_running: usize,
    pub(crate) record_limit: usize,
    pub(crate) on_conflict: OnConflict,
    pub(crate) on_missing_id: OnMissingId,
    pub(crate) volatile: Arc<[Pointer]>,
    pub(crate) scope: Arc<str>,
    pub(crate) releases: Arc<dyn Fn(&Action) -> bool + Send + Sync>,
}

impl Settings {
    /// When a callback of this age has waited enough.
    pub(crate) fn give_up(&self, age: Duration) -> Instant {
        // As good as never, and not beyond what a clock can say.
        const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Instant::now() + self.wait.saturating_sub(age).min(LONGEST)
    }

    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            window: timing.retry_horizon,
            wait: timing.patience(),
            max_waiters: 1024,
            max_running: 16_384,
            record_limit: 64 * 1024,
            on_conflict: OnConflict::default(),
            on_missing_id: OnMissingId::default(),
            volatile: Arc::default(),
            scope: Arc::default(),
            releases: Arc::new(|action| matches!(action, Action::Retry { .. })),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("window", &self.window)
            .field("wait", &self.wait)
            .field("max_waiters", &self.max_waiters)
            .field("max_running", &self.max_running)
            .field("record_limit", &self.record_limit)
            .field("on_conflict", &self.on_conflict)
            .field("on_missing_id", &self.on_missing_id)
            .finish_non_exhaustive()
    }
}
