use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;
use tower_callback_contract::{Action, Contract, Pointer, Scope};

/// What to do with a callback whose id is known with another body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// Refuse it with 422.
    #[default]
    Refuse,
    /// Take it for a duplicate of the first delivery, whatever it says: bodies are not compared.
    FirstWins,
    /// Take it for another callback.
    TreatAsNew,
}

/// What to do with a callback that has no usable id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMissingId {
    /// Pass it to the handler, and each of its redeliveries too.
    #[default]
    PassThrough,
    /// Refuse it with 400.
    Refuse,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) window: Duration,
    pub(crate) max_wait: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) max_running: usize,
    pub(crate) max_record_bytes: usize,
    pub(crate) on_conflict: OnConflict,
    pub(crate) on_missing_id: OnMissingId,
    pub(crate) ignored: Arc<[Pointer]>,
    pub(crate) scope: Scope,
    pub(crate) releases: Arc<dyn Fn(&Action) -> bool + Send + Sync>,
}

impl Settings {
    /// When a callback of this age stops waiting.
    pub(crate) fn give_up(&self, age: Duration) -> Instant {
        // A clock cannot say much more.
        const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Instant::now() + self.max_wait.saturating_sub(age).min(LONGEST)
    }

    pub(crate) fn of(contract: &impl Contract) -> Self {
        let timing = contract.timing();
        let ignored = contract
            .ignored()
            .iter()
            .map(|pointer| Pointer::parse(pointer).expect("a contract names JSON pointers"));
        Self {
            window: timing.retry_horizon,
            max_wait: timing.reply_deadline(),
            max_waiters: 1024,
            max_running: 16_384,
            max_record_bytes: 64 * 1024,
            on_conflict: OnConflict::default(),
            on_missing_id: OnMissingId::default(),
            ignored: ignored.collect(),
            scope: Scope::default(),
            releases: Arc::new(|action| matches!(action, Action::Retry { .. })),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("window", &self.window)
            .field("max_wait", &self.max_wait)
            .field("max_waiters", &self.max_waiters)
            .field("max_running", &self.max_running)
            .field("max_record_bytes", &self.max_record_bytes)
            .field("on_conflict", &self.on_conflict)
            .field("on_missing_id", &self.on_missing_id)
            .finish_non_exhaustive()
    }
}
