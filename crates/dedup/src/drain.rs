use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Ends the work of a dedup layer gracefully. Made by
/// [`DedupLayer::drain_handle`](crate::DedupLayer::drain_handle).
///
/// Every layer has its own: drain them together, and close the server then.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
/// use tower_callback_dedup::DrainHandle;
/// use tower_callback_wulai::WulaiLayer;
///
/// async fn drained(delivery: DrainHandle, route: DrainHandle) {
///     // First wait for `tokio::signal::ctrl_c()`.
///     let grace = Duration::from_secs(10);
///     let (delivery, route) = tokio::join!(delivery.drain(grace), route.drain(grace));
///     println!("{} callbacks abandoned", delivery.abandoned + route.abandoned);
/// }
///
/// let (delivery, route) = (WulaiLayer::delivery(), WulaiLayer::route());
/// let shutdown = drained(delivery.drain_handle(), route.drain_handle());
/// // axum::serve(listener, app).with_graceful_shutdown(shutdown).await
/// # shutdown.await;
/// # }
/// ```
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
