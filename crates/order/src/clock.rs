use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tower_callback_contract::Timestamp;

/// The time of day, by the clock that tests can pause.
pub(crate) struct Clock {
    started: (Instant, u64),
}

/// How far the platform's clock may be ahead of ours. A message whose time is wrong by less makes
/// others of its conversation late for as long.
const TOLERANCE: Duration = Duration::from_secs(60);

impl Clock {
    pub(crate) fn new() -> Self {
        Self { started: (Instant::now(), micros_since_epoch()) }
    }

    /// How long ago a message was sent; `None` for a time so far in the future that one of the
    /// clocks is wrong.
    pub(crate) fn age(&self, sent_at: Timestamp) -> Option<Duration> {
        let (clock, sent_at) = (self.micros(Instant::now()), sent_at.as_micros());
        let ahead = Duration::from_micros(sent_at.saturating_sub(clock));
        (ahead <= TOLERANCE).then(|| Duration::from_micros(clock.saturating_sub(sent_at)))
    }

    /// Microseconds since the Unix epoch: the later of the clock that tests can pause, which may
    /// run ahead, and the real one, which is right after the machine slept.
    fn micros(&self, now: Instant) -> u64 {
        let (instant, time) = self.started;
        let since = u64::try_from((now - instant).as_micros()).unwrap_or(u64::MAX);
        time.saturating_add(since).max(micros_since_epoch())
    }
}

fn micros_since_epoch() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since_epoch.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}
