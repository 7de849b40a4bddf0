use std::time::Duration;

use tower_callback_contract::{Scope, Timing};

use crate::{
    Hold,
    hold::{Kind, LONGEST},
    lanes::Limits,
};

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) hold: Hold,
    pub(crate) limits: Limits,
    pub(crate) queue_unordered: bool,
    pub(crate) reply_deadline: Duration,
    pub(crate) scope: Scope,
}

impl Settings {
    pub(crate) fn new(timing: Timing) -> Self {
        let limits = Limits {
            per_lane: 64,
            overall: 16_384,
            bytes: 64 * 1024 * 1024,
            wait_for_retry: Duration::ZERO,
            forget_after: Duration::from_secs(600),
            idle: 65_536,
            refuses_late: false,
        };
        Self {
            hold: Hold::default(),
            limits,
            queue_unordered: false,
            reply_deadline: timing.reply_deadline().min(LONGEST),
            scope: Scope::default(),
        }
    }

    /// The longest hold, which leaves time for the handler.
    pub(crate) fn max_hold(&self) -> Duration {
        self.hold.max.min(self.reply_deadline / 2)
    }

    /// The hold, if it does not depend on the traffic.
    pub(crate) fn fixed_hold(&self) -> Option<Duration> {
        match self.hold.kind {
            Kind::None => Some(Duration::ZERO),
            Kind::Fixed(hold) => Some(hold),
            Kind::Adaptive(_) => None,
        }
    }
}
