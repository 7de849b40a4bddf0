use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use tower_callback_contract::Timestamp;

use super::Spot;
use crate::rank::Rank;

/// What is known of one lane, besides who waits in it.
#[derive(Debug)]
pub(super) struct Lane {
    /// How many wait.
    pub(super) waiting: usize,
    /// Who is under way, by arrival.
    pub(super) running: Option<u64>,
    /// The newest message that was handled.
    newest: Option<Rank>,
    /// Those that were sent later than all that came before them, and when they came.
    latest: VecDeque<(Instant, Timestamp)>,
    /// A failed message whose retry is waited for, and until when.
    missing: Option<Box<(Rank, Instant)>>,
    /// When an idle lane's state no longer matters.
    pub(super) expires: Instant,
    /// Whether it stands in the list of idle lanes.
    pub(super) is_listed: bool,
}

/// How many arrivals of a lane are known. One that overtook more messages than that counts as
/// having come with the first of these.
const LATEST: usize = 16;

impl Lane {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            waiting: 0,
            running: None,
            newest: None,
            latest: VecDeque::new(),
            missing: None,
            expires: now,
            is_listed: false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting == 0
    }

    /// The newest message that was handled, if it comes after this one and is no copy of it.
    pub(super) fn newer_than(&self, rank: &Rank) -> Option<&Rank> {
        self.newest.as_ref().filter(|newest| rank < *newest && !rank.is_copy_of(newest))
    }

    /// Notes an arrival. The first that was sent after it and came before it came so long ago.
    pub(super) fn see(&mut self, now: Instant, sent_at: Timestamp) -> Duration {
        let newer = self.latest.iter().find(|(_, latest)| *latest > sent_at);
        let needed = newer.map_or(Duration::ZERO, |(came, _)| now.duration_since(*came));
        if newer.is_none() {
            if self.latest.len() == LATEST {
                self.latest.pop_front();
            }
            self.latest.push_back((now, sent_at));
        }
        needed
    }

    /// Notes that this one is under way.
    pub(super) fn start(&mut self, at: &Spot) {
        self.running = Some(at.arrival());
        let Spot::Ranked(rank) = at else { return };
        if self.newer_than(rank).is_none() {
            self.newest = Some(rank.clone());
        }
        self.missing.take_if(|missing| rank >= &missing.0 || rank.is_copy_of(&missing.0));
    }

    /// Those behind this one are to wait for its retry.
    pub(super) fn miss(&mut self, rank: Rank, until: Instant) {
        self.missing = Some(Box::new((rank, until)));
    }

    /// Until when the head is to wait for the retry of one before it.
    pub(super) fn blocked_until(&self, now: Instant, head: &Spot) -> Option<Instant> {
        let ((missing, until), Spot::Ranked(head)) = (self.missing.as_deref()?, head) else {
            return None;
        };
        (now < *until && missing < head && !head.is_copy_of(missing)).then_some(*until)
    }
}
