//! The state of the order, without time, tasks or HTTP.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use tower_callback_contract::Timestamp;

pub use crate::rank::Rank;

/// The order in which messages of each conversation are handled.
///
/// A pure state machine: it takes the time as a parameter, waits for nothing and wakes nobody.
/// `W` is whom to tell that a message may go. In each lane at most one message is under way.
#[derive(Debug)]
pub struct Lanes<W> {
    /// A tree: a table would stall whoever makes it grow, and keep its room when it empties.
    by_key: BTreeMap<u128, Lane<W>>,
    /// Lanes by the time after which their state no longer matters, if nothing comes meanwhile.
    idle: VecDeque<(Instant, u128)>,
    limits: Limits,
    held: Held,
    arrivals: u64,
}

/// What bounds the lanes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many messages may wait in one lane.
    pub per_lane: usize,
    /// How many messages may wait in all lanes.
    pub overall: usize,
    /// How many bytes may wait in all lanes.
    pub bytes: usize,
    /// How long after a failed message those behind it wait for its retry; zero, if they do not.
    pub strict: Duration,
    /// How long an idle lane remembers what was handled last.
    pub memory: Duration,
}

/// What waits now, in all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many messages.
    pub messages: usize,
    /// How many bytes.
    pub bytes: usize,
}

/// A message that arrives.
#[derive(Debug)]
pub struct Arrival<'a, W> {
    /// Which lane it is for.
    pub lane: u128,
    /// What orders it, or `None` if nothing does: then it is not held.
    pub message: Option<Message<'a>>,
    /// Until when it may be held.
    pub deadline: Instant,
    /// What it takes while it waits.
    pub bytes: usize,
    /// Whom to tell that it may go.
    pub waiter: W,
}

/// What orders a message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Its id.
    pub id: &'a str,
}

/// A message's place in its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    lane: u128,
    at: Spot,
}

/// Those that nothing orders stand before the others, by their arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Unordered(u64),
    Ranked(Rank),
}

/// A message that may go now.
#[derive(Debug)]
pub struct Go<W> {
    /// Whom to tell.
    pub waiter: W,
    /// Whether a newer message of its lane was handled before: that one.
    pub late_after: Option<Rank>,
}

/// How a message's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was handled.
    Handled,
    /// It failed, and the platform sends it again.
    Failed,
}

/// A message for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// In its own lane.
    Lane,
    /// In all lanes together.
    Overall,
}

#[derive(Debug)]
struct Lane<W> {
    waiting: BTreeMap<Spot, Waiting<W>>,
    /// The head goes at the first of these, whosever it is: nobody waits beyond its own deadline
    /// because of who stands before it.
    deadlines: BTreeSet<(Instant, Spot)>,
    running: Option<Spot>,
    /// The newest message that was handled.
    newest: Option<Rank>,
    /// Those that were sent later than all that came before them, and when they came.
    latest: VecDeque<(Instant, Timestamp)>,
    /// A failed message whose retry is waited for, and until when.
    missing: Option<(Rank, Instant)>,
    /// When an idle lane's state no longer matters.
    expires: Instant,
    /// Whether it stands in the list of idle lanes.
    is_listed: bool,
}

#[derive(Debug)]
struct Waiting<W> {
    waiter: W,
    deadline: Instant,
    bytes: usize,
}

/// How many arrivals of a lane are known. One that overtook more messages than that counts as
/// having come with the first of these.
const LATEST: usize = 16;

// ===== impl Lanes =====

impl<W> Lanes<W> {
    /// Lanes within these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (by_key, idle, held) = (BTreeMap::new(), VecDeque::new(), Held::default());
        Self { by_key, idle, limits, held, arrivals: 0 }
    }

    /// What waits now.
    #[must_use]
    pub fn held(&self) -> Held {
        self.held
    }

    /// How many lanes have a state.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.by_key.len()
    }

    /// Takes a message in, and tells the hold that others would have had to have for it to keep its
    /// place. [`next`](Self::next) tells who may go then.
    ///
    /// # Errors
    /// Gives the waiter back if there is no room.
    pub fn arrive(
        &mut self,
        now: Instant,
        arrival: Arrival<'_, W>,
    ) -> Result<(Place, Duration), (Full, W)> {
        self.forget(now);
        let Arrival { lane: key, message, deadline, bytes, waiter } = arrival;
        let (limits, held) = (self.limits, &mut self.held);
        let lane = self.by_key.entry(key).or_insert_with(|| Lane::new(now));
        // One that may go at once takes no room.
        if lane.running.is_some() || !lane.waiting.is_empty() {
            if lane.waiting.len() >= limits.per_lane {
                return Err((Full::Lane, waiter));
            }
            if held.messages >= limits.overall || held.bytes + bytes > limits.bytes {
                return Err((Full::Overall, waiter));
            }
        }
        self.arrivals += 1;
        let at = message.map_or(Spot::Unordered(self.arrivals), |message| {
            Spot::Ranked(Rank::new(message.sent_at, message.id, self.arrivals))
        });
        let needed = match &at {
            Spot::Ranked(rank) => lane.see(now, rank.sent_at),
            Spot::Unordered(_) => Duration::ZERO,
        };
        // Who comes too late for its place, or has none, gains nothing by waiting.
        let deadline = if lane.has_place_for(&at) { deadline } else { now };
        lane.deadlines.insert((deadline, at.clone()));
        lane.waiting.insert(at.clone(), Waiting { waiter, deadline, bytes });
        *held = Held { messages: held.messages + 1, bytes: held.bytes + bytes };
        Ok((Place { lane: key, at }, needed))
    }

    /// Lets the next message of a lane go, if one may.
    ///
    /// # Errors
    /// When to ask again; `None` if a change of the lane will be the occasion.
    pub fn next(&mut self, now: Instant, lane: u128) -> Result<Go<W>, Option<Instant>> {
        let lane = self.by_key.get_mut(&lane).ok_or(None)?;
        let at = lane.due(now)?.clone();
        let Some(Waiting { waiter, bytes, .. }) = lane.take(&at) else { return Err(None) };
        let late_after = lane.start(at);
        self.held = Held { messages: self.held.messages - 1, bytes: self.held.bytes - bytes };
        Ok(Go { waiter, late_after })
    }

    /// Whom to tell of the message that stands first among those that wait.
    #[must_use]
    pub fn head(&self, lane: u128) -> Option<&W> {
        self.by_key.get(&lane)?.waiting.values().next().map(|waiting| &waiting.waiter)
    }

    /// Ends the run of a message that went. Its lane is free for the next.
    pub fn finish(&mut self, now: Instant, place: &Place, ended: Ended) {
        let strict = self.limits.strict;
        let Some(lane) = self.by_key.get_mut(&place.lane) else { return };
        if lane.running.as_ref() != Some(&place.at) {
            return;
        }
        lane.running = None;
        if let (Ended::Failed, false, Spot::Ranked(rank)) = (ended, strict.is_zero(), &place.at) {
            lane.missing = Some((rank.clone(), now + strict));
        }
        self.list_if_idle(now, place.lane);
    }

    /// Gives up the place of a message that waits.
    pub fn leave(&mut self, now: Instant, place: &Place) {
        let Some(lane) = self.by_key.get_mut(&place.lane) else { return };
        let Some(Waiting { bytes, .. }) = lane.take(&place.at) else { return };
        self.held = Held { messages: self.held.messages - 1, bytes: self.held.bytes - bytes };
        self.list_if_idle(now, place.lane);
    }

    fn list_if_idle(&mut self, now: Instant, key: u128) {
        let Some(lane) = self.by_key.get_mut(&key).filter(|lane| lane.is_idle()) else { return };
        lane.expires = now + self.limits.memory;
        if !std::mem::replace(&mut lane.is_listed, true) {
            self.idle.push_back((lane.expires, key));
        }
    }

    /// Forgets lanes whose state no longer matters, a few at a time, so that nobody pays for many.
    fn forget(&mut self, now: Instant) {
        for _ in 0..4 {
            let Some((expires, key)) = self.idle.front().copied() else { return };
            if expires > now {
                return;
            }
            self.idle.pop_front();
            let Some(lane) = self.by_key.get_mut(&key) else { continue };
            lane.is_listed = lane.is_idle() && lane.expires > now;
            if lane.is_listed {
                self.idle.push_back((lane.expires, key));
            } else if lane.is_idle() {
                self.by_key.remove(&key);
            }
        }
    }
}

// ===== impl Place =====

impl Place {
    /// The lane it is in.
    #[must_use]
    pub fn lane(&self) -> u128 {
        self.lane
    }
}

// ===== impl Lane =====

impl<W> Lane<W> {
    fn new(now: Instant) -> Self {
        Self {
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            running: None,
            newest: None,
            latest: VecDeque::new(),
            missing: None,
            expires: now,
            is_listed: false,
        }
    }

    fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// The newest message, if it is another one and stands behind this one.
    fn newer_than(&self, rank: &Rank) -> Option<&Rank> {
        self.newest.as_ref().filter(|newest| rank < *newest && !rank.is_copy_of(newest))
    }

    /// Notes an arrival. The first that was sent after it and came before it came so long ago.
    fn see(&mut self, now: Instant, sent_at: Timestamp) -> Duration {
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

    fn has_place_for(&self, at: &Spot) -> bool {
        matches!(at, Spot::Ranked(rank) if self.newer_than(rank).is_none())
    }

    /// The head, if it may go.
    fn due(&self, now: Instant) -> Result<&Spot, Option<Instant>> {
        let (Some(head), Some((due, _)), None) =
            (self.waiting.keys().next(), self.deadlines.first(), &self.running)
        else {
            return Err(None);
        };
        if now < *due {
            return Err(Some(*due));
        }
        match (&self.missing, head) {
            (Some((missing, until)), Spot::Ranked(head))
                if now < *until && missing < head && !head.is_copy_of(missing) =>
            {
                Err(Some(*until))
            }
            _ => Ok(head),
        }
    }

    fn take(&mut self, at: &Spot) -> Option<Waiting<W>> {
        let waiting = self.waiting.remove(at)?;
        self.deadlines.remove(&(waiting.deadline, at.clone()));
        Some(waiting)
    }

    /// Notes that this one is under way, and returns the newer one that it comes too late for.
    fn start(&mut self, at: Spot) -> Option<Rank> {
        let Spot::Ranked(rank) = &at else {
            self.running = Some(at);
            return None;
        };
        let late_after = self.newer_than(rank).cloned();
        if late_after.is_none() {
            self.newest = Some(rank.clone());
        }
        self.missing.take_if(|(missing, _)| rank >= missing || rank.is_copy_of(missing));
        self.running = Some(at);
        late_after
    }
}
