use std::time::Duration;

/// How an order layer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderStats {
    /// The hold in force.
    pub hold: Duration,
    /// The messages that wait now.
    pub held_now: usize,
    /// The conversations whose state the layer keeps now.
    pub lanes: usize,
    /// All messages that had a place in the order.
    pub messages: u64,
    /// How many of them waited: for messages that might still come, or for one under way.
    pub held: u64,
    /// How many of them came too late for their place.
    pub late: u64,
    /// Messages so late that even the longest hold would not have kept them in order.
    pub beyond_max_hold: u64,
}

impl OrderStats {
    /// The share of messages that waited.
    #[must_use]
    pub fn share_held(&self) -> f64 {
        share(self.held, self.messages)
    }

    /// The share of messages that came too late for their place.
    #[must_use]
    pub fn share_late(&self) -> f64 {
        share(self.late, self.messages)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is read to a few digits")]
fn share(some: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { some as f64 / all as f64 }
}
