use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Ends the work of a dedup layer gracefully. Made by
/// [`DedupLayer::drain_handle`](crate::DedupLayer::drain_handle).
#[derive(Clone, Debug)]
pub struct DrainHandle {
    tracker: TaskTracker,
}

/// What a drain left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// The callbacks that still ran, or waited for one that did, when the grace period was over.
    /// Their handlers end with the process; none of them was acknowledged, so the platform sends
    /// them again.
    pub abandoned: usize,
}

impl DrainHandle {
    pub(crate) fn new(tracker: TaskTracker) -> Self {
        Self { tracker }
    }

    /// Refuses new callbacks with 503 from now on, and waits until those that run have ended, but
    /// no longer than `grace`. Their replies may still be on the way then: close the connections
    /// gracefully too.
    pub async fn drain(&self, grace: Duration) -> Drained {
        self.tracker.close();
        let ended = timeout(grace, self.tracker.wait()).await;
        let abandoned = if ended.is_ok() { 0 } else { self.tracker.len() };
        if abandoned > 0 {
            tracing::warn!(abandoned, "callbacks still run after the grace period");
        }
        Drained { abandoned }
    }
}
