use std::time::Duration;

/// How long a message is held, so that one that was sent before it can go first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hold {
    pub(crate) kind: Kind,
    pub(crate) max: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    None,
    Fixed(Duration),
    /// The share of messages to handle in order.
    Adaptive(f64),
}

/// Longer than anybody waits. Sums with longer durations could overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Hold {
    /// The longest [adaptive](Self::adaptive) hold, unless [`max`](Self::max) sets it: 1 s.
    pub const DEFAULT_MAX: Duration = Duration::from_secs(1);

    /// No hold: messages go as they come, one at a time in each conversation.
    #[must_use]
    pub const fn none() -> Self {
        Self { kind: Kind::None, max: Duration::ZERO }
    }

    /// The same hold for every message.
    #[must_use]
    pub fn fixed(hold: Duration) -> Self {
        let hold = hold.min(LONGEST);
        Self { kind: Kind::Fixed(hold), max: hold }
    }

    /// As long as recent traffic needed it to handle this share of messages in order, but no longer
    /// than [`max`](Self::max). Traffic that comes in order is not held at all.
    ///
    /// It is a share of all messages, and one hold for all: where one conversation in a thousand is
    /// in disorder, the others are held too.
    ///
    /// # Panics
    /// If the share is not above 0 and below 1.
    #[must_use]
    pub fn adaptive(target: f64) -> Self {
        assert!(target > 0.0 && target < 1.0, "{target} is no share that can be reached");
        Self { kind: Kind::Adaptive(target), max: Self::DEFAULT_MAX }
    }

    /// Bounds an [adaptive](Self::adaptive) hold. Default: 1 s. At most 15 s.
    #[must_use]
    pub const fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }
}

impl Default for Hold {
    /// An adaptive hold that handles 999 of 1000 messages in order.
    fn default() -> Self {
        Self::adaptive(0.999)
    }
}
