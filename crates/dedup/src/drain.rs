use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Ends the work of a dedup layer gracefully. Made by
/// [`DedupLayer::drain_handle`](crate::DedupLayer::drain_handle).
///
/// Each layer has its own, which its clones share. Drain all of them together, then close the
/// server.
///
/// ```
/// use std::time::Duration;
/// use tower_callback_dedup::{DedupLayer, DrainHandle};
/// # use tower_callback_contract::{Body, Contract, Envelope, Id, Refusal, Timing};
/// # struct Shop(&'static str);
/// # impl Contract for Shop {
/// #     fn name(&self) -> &'static str { self.0 }
/// #     fn timing(&self) -> Timing { Timing::new(Duration::from_secs(10), Duration::from_secs(3600)) }
/// #     fn identify(&self, _: &http::request::Parts, body: &Body) -> Result<Envelope, Refusal> {
/// #         Ok(Envelope::new(body.field("order")?.and_then(|id| Id::from_json(self.0, id))))
/// #     }
/// # }
/// # const ORDERS: Shop = Shop("shop.order");
/// # const RETURNS: Shop = Shop("shop.return");
///
/// async fn drained(orders: DrainHandle, returns: DrainHandle) {
///     // First wait for `tokio::signal::ctrl_c()`.
///     let grace = Duration::from_secs(10);
///     let (orders, returns) = tokio::join!(orders.drain(grace), returns.drain(grace));
///     println!("{} callbacks abandoned", orders.abandoned + returns.abandoned);
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // `ORDERS` and `RETURNS` are contracts, see tower-callback-contract.
/// let (orders, returns) = (DedupLayer::for_contract(ORDERS), DedupLayer::for_contract(RETURNS));
/// let shutdown = drained(orders.drain_handle(), returns.drain_handle());
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
    /// The callbacks that still ran when the grace period ended, or waited for one that did. Their
    /// handlers end with the process. None of them was acknowledged, so the platform redelivers
    /// them.
    pub abandoned: usize,
}

impl DrainHandle {
    pub(crate) fn new(tracker: TaskTracker) -> Self {
        Self { tracker }
    }

    /// Refuses new callbacks with 503 from now on, and waits until those that run have ended, but
    /// no longer than `grace`. Their responses may still be on the way after that: close the
    /// connections gracefully too.
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
