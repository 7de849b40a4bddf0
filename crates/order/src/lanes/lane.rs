use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Spot;
use crate::rank::Rank;

/// What is known of one lane, besides who waits in it.
#[derive(Debug)]
pub(super) struct Lane {
    /// How many wait.
    pub(super) waiting: usize,
    /// Who is under way.
    pub(super) running: Option<Spot>,
    /// The newest message that was handled.
    newest: Option<Rank>,
    /// Those that were sent later than all that came before them, and when they came.
    latest: VecDeque<(Instant, Rank)>,
    /// A failed message whose retry is waited for, and until when.
    missing: Option<Box<(Rank, Instant)>>,
    /// When an idle lane's state no longer matters.
    pub(super) expires: Instant,
    /// Whether it stands in the list of idle lanes.
    pub(super) is_listed: bool,
}

/// How many arrivals of a lane are known. One that overtook more messages than that counts as
/// having come with the first of these.
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

    /// The newest message that was handled or is under way, if it comes after this one.
    pub(super) fn newer_than(&self, rank: &Rank) -> Option<&Rank> {
        let newest = self.newest.as_ref().max(self.running.as_ref().and_then(Spot::rank));
        newest.filter(|newest| rank < *newest && !rank.is_copy_of(newest))
    }

    /// Notes an arrival, and returns how long ago the first came that was sent after it and came
    /// before it. `None` for one that came before: it is sent again, which says nothing of how
    /// messages travel.
    pub(super) fn see(&mut self, now: Instant, rank: &Rank) -> Option<Duration> {
        if self.latest.iter().any(|(_, latest)| latest.is_copy_of(rank)) {
            return None;
        }
        let newer = self.latest.iter().find(|(_, latest)| latest > rank);
        let needed = newer.map_or(Duration::ZERO, |(came, _)| now.duration_since(*came));
        if newer.is_none() {
            if self.latest.len() == LATEST {
                self.latest.pop_front();
            }
            if self.latest.is_empty() {
                // Most conversations have one message at a time; a first push would take room for
                // four.
                self.latest.reserve_exact(1);
            }
            self.latest.push_back((now, rank.clone()));
        }
        Some(needed)
    }

    /// Notes that this one is under way.
    pub(super) fn start(&mut self, at: Spot) {
        if let Some(rank) = at.rank() {
            self.missing.take_if(|missing| rank >= &missing.0);
        }
        self.running = Some(at);
    }

    /// Notes that the one under way has been handled. One that came too late is not the newest.
    pub(super) fn handled(&mut self, rank: Rank) {
        if self.newest.as_ref().is_none_or(|newest| *newest < rank) {
            self.newest = Some(rank);
        }
    }

    /// Those behind this one are to wait for its retry. If one behind it was handled already, there
    /// is no order to be kept any more.
    pub(super) fn miss(&mut self, rank: Rank, until: Instant) {
        if self.newer_than(&rank).is_none() {
            self.missing = Some(Box::new((rank, until)));
        }
    }

    /// Whether this is the retry that is waited for.
    pub(super) fn awaits(&self, rank: &Rank) -> bool {
        self.missing.as_ref().is_some_and(|missing| missing.0.is_copy_of(rank))
    }

    /// Until when a retry is waited for.
    pub(super) fn missing_until(&self) -> Option<Instant> {
        self.missing.as_ref().map(|missing| missing.1)
    }

    /// Until when the head is to wait for the retry of one before it.
    pub(super) fn blocked_until(&self, now: Instant, head: &Spot) -> Option<Instant> {
        let (missing, until) = self.missing.as_deref()?;
        let head = head.rank()?;
        (now < *until && missing < head && !head.is_copy_of(missing)).then_some(*until)
    }
}
