//! The state of the order, without tasks or HTTP.

mod lane;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use tower_callback_contract::{Id, Timestamp};

use self::lane::Lane;
use crate::rank::Rank;

/// The order in which messages of each conversation are handled.
///
/// A pure state machine: it takes the time as a parameter, waits for nothing and wakes nobody.
/// `W` is the waiter to tell that a message may go. At most one message of a lane is under way.
#[derive(Debug)]
pub(crate) struct Lanes<W> {
    // Trees: a table stalls the call that makes it grow, and keeps its room when it is empty again.
    by_key: BTreeMap<u128, Lane>,
    /// The messages that wait, lane by lane. One tree for all: a tree of its own would have room
    /// for eleven messages in each lane, where mostly one waits.
    waiting: BTreeMap<(u128, Spot), Waiting<W>>,
    /// Their deadlines and arrivals. The head of a lane goes at the earliest deadline of the lane,
    /// so that no message waits beyond its own because of one before it.
    deadlines: BTreeSet<(u128, Option<Instant>, u64)>,
    /// Idle lanes, with the time after which their state no longer matters.
    idle: VecDeque<(Instant, u128)>,
    bytes: usize,
    arrivals: u64,
}

/// What bounds the lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many messages may wait in one lane.
    pub(crate) per_lane: usize,
    /// How many messages may wait in all lanes.
    pub(crate) overall: usize,
    /// How many bytes may wait in all lanes.
    pub(crate) bytes: usize,
    /// How long the messages behind a failed one wait for its redelivery.
    pub(crate) wait_for_retry: Duration,
    /// How long an idle lane is remembered.
    pub(crate) forget_after: Duration,
    /// How many idle lanes are remembered; beyond that, the oldest are forgotten before their time.
    pub(crate) idle: usize,
    /// Whether a message that comes too late for its place is refused.
    pub(crate) refuses_late: bool,
}

/// What waits now, in all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// How many messages.
    pub(crate) messages: usize,
    /// How many bytes.
    pub(crate) bytes: usize,
}

/// A message that arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Which lane it is for.
    pub(crate) lane: u128,
    /// What orders it. Without this it has no place in the order, and is not held.
    pub(crate) message: Option<Message>,
    /// Until when it may be held.
    pub(crate) deadline: Instant,
    /// How many bytes it takes while it waits.
    pub(crate) bytes: usize,
}

/// What orders a message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// When it was sent.
    pub(crate) sent_at: Timestamp,
    /// Its id, if it has one.
    pub(crate) id: Option<Id>,
}

/// What becomes of a message that arrives.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// Its place, or why it has none.
    pub(crate) place: Result<Place, Refused>,
    /// Whether it may go at once. Otherwise it waits.
    pub(crate) goes: bool,
    /// The shortest hold of the others with which this one would have come in time; `None` for a
    /// redelivery, and for a message without a place in the order.
    pub(crate) needed: Option<Duration>,
    /// The message that makes this one late: it was sent later, and was handled or is under way.
    pub(crate) late_after: Option<Rank>,
}

/// A message's place in its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    lane: u128,
    at: Spot,
}

/// Messages without a place in the order stand before the others, by their arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Unordered(u64),
    Ranked(Rank),
}

/// How a message's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was handled.
    Handled,
    /// It failed, and the platform redelivers it.
    Failed,
}

/// Why a message has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too many wait in its lane.
    LaneFull,
    /// Too many wait in all lanes together.
    Full,
    /// A message that was sent later was handled before, or is under way.
    Late,
}

#[derive(Debug)]
struct Waiting<W> {
    waiter: W,
    deadline: Instant,
    bytes: usize,
}

// ===== impl Lanes =====

impl<W> Lanes<W> {
    /// No lanes yet.
    pub(crate) fn new() -> Self {
        Self {
            by_key: BTreeMap::new(),
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            idle: VecDeque::new(),
            bytes: 0,
            arrivals: 0,
        }
    }

    /// What waits now.
    pub(crate) fn held(&self) -> Held {
        Held { messages: self.waiting.len(), bytes: self.bytes }
    }

    /// How many lanes have a state.
    pub(crate) fn lanes(&self) -> usize {
        self.by_key.len()
    }

    /// Takes a message in. If it does not go at once, its waiter waits, and [`next`](Self::next)
    /// says which one may go now.
    pub(crate) fn arrive(
        &mut self,
        now: Instant,
        limits: &Limits,
        arrival: Arrival,
        waiter: impl FnOnce() -> W,
    ) -> Arrived {
        self.forget(now, limits);
        let Arrival { lane: key, message, deadline, bytes } = arrival;
        self.arrivals += 1;
        let at = Spot::new(message, self.arrivals);
        let is_full = self.waiting.len() >= limits.overall || self.bytes + bytes > limits.bytes;
        let lane = self.by_key.entry(key).or_insert_with(|| Lane::new(now));
        let rank = at.rank();
        let late_after = rank.and_then(|rank| lane.newer_than(rank)).cloned();
        // A message that comes too late for its place, or has none, gains nothing by waiting.
        let is_held = deadline > now && rank.is_some() && late_after.is_none();
        let goes = !is_held && lane.is_idle() && lane.blocked_until(now, &at).is_none();
        // The redelivery that the others wait for always has room.
        let needs_room = !goes && !rank.is_some_and(|rank| lane.awaits(rank));
        let refuses_late = late_after.is_some() && limits.refuses_late;
        let full = match needs_room && !refuses_late {
            true if lane.waiting >= limits.per_lane => Some(Refused::LaneFull),
            true if is_full => Some(Refused::Full),
            _ => None,
        };
        if let Some(full) = full {
            if lane.is_new() {
                self.by_key.remove(&key);
            }
            return Arrived { place: Err(full), goes: false, needed: None, late_after };
        }
        let needed = rank.and_then(|rank| lane.see(now, rank));
        if refuses_late {
            return Arrived { place: Err(Refused::Late), goes: false, needed, late_after };
        }
        if goes {
            lane.start(at.clone());
        } else {
            let deadline = if is_held { deadline } else { now };
            lane.waiting += 1;
            self.bytes += bytes;
            self.deadlines.insert((key, Some(deadline), at.arrival()));
            let waiting = Waiting { waiter: waiter(), deadline, bytes };
            self.waiting.insert((key, at.clone()), waiting);
        }
        Arrived { place: Ok(Place { lane: key, at }), goes, needed, late_after }
    }

    /// Lets the next message of a lane go, if one may, and returns the waiter to tell.
    ///
    /// # Errors
    /// When to ask again; `None` if only a change of the lane can help.
    pub(crate) fn next(&mut self, now: Instant, key: u128) -> Result<W, Option<Instant>> {
        let at = self.due(now, key)?;
        let waiting = self.take(key, &at).ok_or(None)?;
        if let Some(lane) = self.by_key.get_mut(&key) {
            lane.start(at);
        }
        Ok(waiting.waiter)
    }

    /// The waiter of the first message that waits.
    pub(crate) fn head(&self, lane: u128) -> Option<&W> {
        self.first(lane).map(|(_, waiting)| &waiting.waiter)
    }

    /// Ends the run of a message that went. Its lane is free for the next.
    pub(crate) fn finish(&mut self, now: Instant, limits: &Limits, place: &Place, ended: Ended) {
        let limit = limits.wait_for_retry;
        let Some(lane) = self.by_key.get_mut(&place.lane) else { return };
        if lane.running.as_ref() != Some(&place.at) {
            return;
        }
        lane.running = None;
        match (place.at.rank().cloned(), ended) {
            (Some(rank), Ended::Handled) => lane.handled(rank),
            (Some(rank), Ended::Failed) if !limit.is_zero() => lane.miss(rank, after(now, limit)),
            _ => {}
        }
        self.list_if_idle(now, limits, place.lane);
    }

    /// Gives up the place of a message that waits.
    pub(crate) fn leave(&mut self, now: Instant, limits: &Limits, place: &Place) {
        if self.take(place.lane, &place.at).is_some() {
            self.list_if_idle(now, limits, place.lane);
        }
    }

    /// The head of a lane, if it may go.
    fn due(&self, now: Instant, key: u128) -> Result<Spot, Option<Instant>> {
        let lane = self.by_key.get(&key).filter(|lane| lane.running.is_none()).ok_or(None)?;
        let (head, _) = self.first(key).ok_or(None)?;
        // `None` sorts first, so this starts at the lane's earliest deadline.
        let due = self.deadlines.range((key, None, 0)..).next().and_then(|(_, due, _)| *due);
        match due.filter(|due| now < *due).or_else(|| lane.blocked_until(now, head)) {
            Some(later) => Err(Some(later)),
            None => Ok(head.clone()),
        }
    }

    fn first(&self, lane: u128) -> Option<(&Spot, &Waiting<W>)> {
        let ((key, head), waiting) = self.waiting.range((lane, Spot::Unordered(0))..).next()?;
        (*key == lane).then_some((head, waiting))
    }

    fn take(&mut self, lane: u128, at: &Spot) -> Option<Waiting<W>> {
        let waiting = self.waiting.remove(&(lane, at.clone()))?;
        self.deadlines.remove(&(lane, Some(waiting.deadline), at.arrival()));
        self.bytes -= waiting.bytes;
        if let Some(lane) = self.by_key.get_mut(&lane) {
            lane.waiting -= 1;
        }
        Some(waiting)
    }

    fn list_if_idle(&mut self, now: Instant, limits: &Limits, key: u128) {
        let Some(lane) = self.by_key.get_mut(&key).filter(|lane| lane.is_idle()) else { return };
        lane.expires = after(now, limits.forget_after).max(lane.missing_until().unwrap_or(now));
        if !std::mem::replace(&mut lane.is_listed, true) {
            self.idle.push_back((lane.expires, key));
        }
        self.forget(now, limits);
    }

    /// Forgets lanes whose state no longer matters, a few at a time, so that no call pays for many.
    fn forget(&mut self, now: Instant, limits: &Limits) {
        for _ in 0..4 {
            let is_full = self.idle.len() > limits.idle;
            let Some((listed, key)) = self.idle.front().copied() else { return };
            if listed > now && !is_full {
                return;
            }
            self.idle.pop_front();
            let Some(lane) = self.by_key.get_mut(&key) else { continue };
            // A message came meanwhile, or a redelivery is still waited for.
            let is_awaiting = lane.missing_until().is_some_and(|until| until > now);
            lane.is_listed = lane.is_idle() && (is_awaiting || lane.expires > listed.max(now));
            if lane.is_listed {
                self.idle.push_back((lane.expires, key));
            } else if lane.is_idle() {
                self.by_key.remove(&key);
            }
        }
    }
}

/// A user may set a duration that no clock reaches.
fn after(now: Instant, duration: Duration) -> Instant {
    now.checked_add(duration).unwrap_or_else(|| now + crate::hold::LONGEST)
}

// ===== impl Place =====

impl Place {
    /// The lane it is in.
    pub(crate) fn lane(&self) -> u128 {
        self.lane
    }
}

// ===== impl Spot =====

impl Spot {
    fn new(message: Option<Message>, arrival: u64) -> Self {
        match message {
            Some(Message { sent_at, id }) => Self::Ranked(Rank { sent_at, id, arrival }),
            None => Self::Unordered(arrival),
        }
    }

    fn arrival(&self) -> u64 {
        match self {
            Self::Unordered(arrival) => *arrival,
            Self::Ranked(rank) => rank.arrival,
        }
    }

    fn rank(&self) -> Option<&Rank> {
        match self {
            Self::Unordered(_) => None,
            Self::Ranked(rank) => Some(rank),
        }
    }
}
