use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Spot;
use crate::rank::Rank;

/// The state of one lane, without the messages that wait in it.
#[derive(Debug)]
pub(super) struct Lane {
    /// How many messages wait.
    pub(super) waiting: usize,
    /// The message under way.
    pub(super) running: Option<Spot>,
    /// The newest message that was handled.
    newest: Option<Rank>,
    /// Messages that were sent later than all that came before them, and when they came.
    latest: VecDeque<(Instant, Rank)>,
    /// A failed message, and until when the others wait for its redelivery.
    missing: Option<Box<(Rank, Instant)>>,
    /// When an idle lane's state no longer matters.
    pub(super) expires: Instant,
    /// Whether it stands in the list of idle lanes.
    pub(super) is_listed: bool,
}

/// How many arrivals of a lane are remembered. A message that more than these overtook counts as if
/// the first of these had been the first to overtake it.
const LATEST: usize = 8;

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

    /// Whether nothing has come to it yet.
    pub(super) fn is_new(&self) -> bool {
        self.is_idle() && !self.is_listed && self.latest.is_empty() && self.newest.is_none()
    }

    /// The newest message that was handled or is under way, if it was sent after this one.
    pub(super) fn newer_than(&self, rank: &Rank) -> Option<&Rank> {
        let newest = self.newest.as_ref().max(self.running.as_ref().and_then(Spot::rank));
        newest.filter(|newest| rank < *newest && !rank.is_same_as(newest))
    }

    /// Notes an arrival, and returns how long ago the first message came that was sent after this
    /// one. `None` for a redelivery, which says nothing of how messages travel.
    pub(super) fn see(&mut self, now: Instant, rank: &Rank) -> Option<Duration> {
        if self.latest.iter().any(|(_, latest)| latest.is_same_as(rank)) {
            return None;
        }
        let newer = self.latest.iter().find(|(_, latest)| latest > rank);
        let needed = newer.map_or(Duration::ZERO, |(came, _)| now.duration_since(*came));
        if newer.is_none() {
            if self.latest.len() == LATEST {
                self.latest.pop_front();
            }
            if self.latest.is_empty() {
                // Most conversations have one message at a time, and a first push would take room
                // for four.
                self.latest.reserve_exact(1);
            }
            self.latest.push_back((now, rank.clone()));
        }
        Some(needed)
    }

    /// Notes that this message is under way.
    pub(super) fn start(&mut self, at: Spot) {
        if let Some(rank) = at.rank() {
            self.missing.take_if(|missing| rank >= &missing.0);
        }
        self.running = Some(at);
    }

    /// Notes that a message has been handled. One that came too late is not the newest.
    pub(super) fn handled(&mut self, rank: Rank) {
        if self.newest.as_ref().is_none_or(|newest| *newest < rank) {
            self.newest = Some(rank);
        }
    }

    /// Makes the messages behind this one wait for its redelivery. If one of them was handled
    /// already, there is no order left to keep.
    pub(super) fn miss(&mut self, rank: Rank, until: Instant) {
        if self.newer_than(&rank).is_none() {
            self.missing = Some(Box::new((rank, until)));
        }
    }

    /// Whether the others wait for this redelivery.
    pub(super) fn awaits(&self, rank: &Rank) -> bool {
        self.missing.as_ref().is_some_and(|missing| missing.0.is_same_as(rank))
    }

    /// Until when the others wait for a redelivery.
    pub(super) fn missing_until(&self) -> Option<Instant> {
        self.missing.as_ref().map(|missing| missing.1)
    }

    /// Until when the head has to wait for the redelivery of a message before it.
    pub(super) fn blocked_until(&self, now: Instant, head: &Spot) -> Option<Instant> {
        let (missing, until) = self.missing.as_deref()?;
        let head = head.rank()?;
        (now < *until && missing < head && !head.is_same_as(missing)).then_some(*until)
    }
}
