use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tower_callback_contract::{Id, Timestamp};

use crate::{
    Position,
    estimate::Estimate,
    hold::Kind,
    lanes::{Arrival, Arrived, Ended, Held, Lanes, Message, Place, Rank, Refused},
    layer::Settings,
};

/// What the services of one layer share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// The time of day at some instant: from then on we go by the clock that tests can pause.
    started: (Instant, u64),
    state: Mutex<State>,
}

struct State {
    lanes: Lanes<Arc<Waiter>>,
    estimate: Option<Estimate>,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    messages: u64,
    held: u64,
    late: u64,
    beyond: u64,
}

/// How an order layer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gauges {
    /// The hold in force.
    pub hold: Duration,
    /// The messages that wait now.
    pub held_now: usize,
    /// The conversations that have a state now.
    pub lanes: usize,
    /// All messages that had a place in an order.
    pub messages: u64,
    /// Those of them that waited: for others that might come, or for one that was under way.
    pub held: u64,
    /// Those of them that came too late for their place.
    pub late: u64,
    /// Those of them that no hold up to the longest could have kept in their place.
    pub beyond: u64,
}

/// One that waits for its turn.
#[derive(Default)]
struct Waiter {
    told: Notify,
    may_go: AtomicBool,
}

/// A message that was taken in. Gives its place up when dropped.
pub(crate) struct Turn<'a> {
    /// `None` if it goes at once.
    waiter: Option<Arc<Waiter>>,
    late_after: Option<Rank>,
    pub(crate) came: Instant,
    sent_at: Option<Timestamp>,
    /// Until when it is held at most.
    deadline: Instant,
    /// Until when it would be held if its platform had the time.
    full_hold: Instant,
    shared: &'a Shared,
    place: Place,
    ended: Ended,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let estimate = match settings.hold.kind {
            Kind::Adaptive(target) => {
                Some(Estimate::new(Instant::now(), target, settings.hold.max))
            }
            Kind::None | Kind::Fixed(_) => None,
        };
        let (lanes, counts) = (Lanes::new(settings.limits), Counts::default());
        let state = Mutex::new(State { lanes, estimate, counts });
        let started = (Instant::now(), micros_since_epoch());
        Self { settings, started, state }
    }

    /// Takes a message in. It may have gone already; else it goes at its deadline at the latest, if
    /// its lane is free then.
    pub(crate) fn arrive(
        &self,
        lane: u128,
        sent: Option<(Timestamp, Duration)>,
        id: Option<&Id>,
        bytes: usize,
        age: Duration,
    ) -> Result<Turn<'_>, Refused> {
        let came = Instant::now();
        // One that is made of payload may be of any length.
        let id = id.filter(|id| id.as_str().len() <= Id::MAX_LEN);
        let message = sent.map(|(sent_at, _)| Message { sent_at, id: id.cloned() });
        let mut waiter = None;

        let mut state = self.lock();
        let full_hold = came + state.hold(&self.settings);
        // The handler takes time too.
        let deadline = full_hold.min(came + (self.settings.patience / 2).saturating_sub(age));
        let arrival = Arrival { lane, message, deadline, bytes };
        let waits = || Arc::clone(waiter.insert(Arc::default()));
        let arrived = state.lanes.arrive(came, arrival, waits);
        if let Some((_, since)) = sent {
            state.note(&self.settings, &arrived, came, since);
        }
        if !arrived.goes {
            state.release(came, lane);
        }
        drop(state);
        let Arrived { place, late_after, .. } = arrived;
        let (shared, place, ended) = (self, place?, Ended::Failed);
        let sent_at = sent.map(|(sent_at, _)| sent_at);
        let deadline = if late_after.is_some() { came } else { deadline };
        Ok(Turn { waiter, late_after, came, sent_at, deadline, full_hold, shared, place, ended })
    }

    /// Lets the next message of a lane go. Else returns when to ask again, if time will tell.
    pub(crate) fn release(&self, lane: u128) -> Option<Instant> {
        self.lock().release(Instant::now(), lane)
    }

    /// How long ago a message was sent; `None` if it says that this is so far in the future that
    /// either clock is wrong.
    pub(crate) fn age(&self, sent_at: Timestamp) -> Option<Duration> {
        let (clock, sent_at) = (self.clock(Instant::now()), sent_at.as_micros());
        let ahead = Duration::from_micros(sent_at.saturating_sub(clock));
        (ahead <= TOLERANCE).then(|| Duration::from_micros(clock.saturating_sub(sent_at)))
    }

    /// Microseconds since the Unix epoch: by the clock that tests can pause, which runs ahead of the
    /// real one, or by that, where the machine slept or its time was set.
    fn clock(&self, now: Instant) -> u64 {
        let (instant, time) = self.started;
        let since = u64::try_from((now - instant).as_micros()).unwrap_or(u64::MAX);
        time.saturating_add(since).max(micros_since_epoch())
    }

    pub(crate) fn gauges(&self) -> Gauges {
        let state = self.lock();
        let Held { messages: held_now, .. } = state.lanes.held();
        let Counts { messages, held, late, beyond } = state.counts;
        let hold = state.hold(&self.settings).min(self.settings.patience / 2);
        let lanes = state.lanes.lanes();
        Gauges { hold, held_now, lanes, messages, held, late, beyond }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros_since_epoch() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since_epoch.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

/// How far the platform's clock may be ahead of ours. Within it, one message with a wrong time makes
/// others of its conversation late for as long.
const TOLERANCE: Duration = Duration::from_secs(60);

/// What is older is not a message that travelled, but one that is sent again.
const OLDEST_TYPICAL: Duration = Duration::from_secs(60);

impl State {
    fn hold(&self, settings: &Settings) -> Duration {
        match settings.hold.kind {
            Kind::None => Duration::ZERO,
            Kind::Fixed(hold) => hold,
            Kind::Adaptive(_) => self.estimate.as_ref().map_or(Duration::ZERO, Estimate::hold),
        }
    }

    fn note(&mut self, settings: &Settings, arrived: &Arrived, now: Instant, age: Duration) {
        let Arrived { place, goes, needed, late_after } = arrived;
        if matches!(place, Err(Refused::LaneFull | Refused::Full)) {
            return;
        }
        let is_late = late_after.is_some();
        self.counts.messages += 1;
        self.counts.held += u64::from(place.is_ok() && !goes);
        self.counts.late += u64::from(is_late);
        let Some(needed) = *needed else { return };
        self.counts.beyond += u64::from(needed > settings.hold.max);
        if let (true, Some(estimate)) = (age < OLDEST_TYPICAL, &mut self.estimate) {
            estimate.observe(now, needed, is_late);
        }
    }

    fn release(&mut self, now: Instant, lane: u128) -> Option<Instant> {
        let waiter = match self.lanes.next(now, lane) {
            Ok(waiter) => waiter,
            Err(again) => return again,
        };
        waiter.may_go.store(true, Ordering::Release);
        waiter.told.notify_one();
        None
    }
}

impl Turn<'_> {
    /// Waits for its turn, by one timer and one wake-up. Whether it came in time.
    pub(crate) async fn wait(&self, give_up: Instant) -> bool {
        let Some(waiter) = &self.waiter else { return true };
        let mut ask = Some(self.deadline);
        while !waiter.may_go() {
            let timer = ask.unwrap_or(give_up).min(give_up);
            tokio::select! {
                biased;
                () = waiter.told.notified() => {}
                () = sleep_until(timer) => {
                    if timer == give_up {
                        return false;
                    }
                }
            }
            if !waiter.may_go() {
                ask = self.shared.release(self.place.lane());
            }
        }
        true
    }

    /// Where it came, once it may go; `None` for one that nothing orders.
    pub(crate) fn position(&self) -> Option<Position> {
        let sent_at = self.sent_at?;
        // One that does not wait is not held, not even while this is computed.
        let now = if self.waiter.is_some() { Instant::now() } else { self.came };
        let held = now - self.came;
        Some(match &self.late_after {
            Some(newer) => {
                Position::Late { by: newer.sent_after(sent_at), after: newer.id().cloned() }
            }
            None if self.deadline < self.full_hold && now < self.full_hold => {
                Position::Hurried { held }
            }
            None => Position::InOrder { held },
        })
    }

    /// Says how its run ended, before it is dropped.
    pub(crate) fn ended(&mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let (now, mut state) = (Instant::now(), self.shared.lock());
        // Only one of them finds it.
        state.lanes.leave(now, &self.place);
        state.lanes.finish(now, &self.place, self.ended);
        let lane = self.place.lane();
        if state.release(now, lane).is_some() {
            // Its own timer may be over already.
            if let Some(head) = state.lanes.head(lane) {
                head.told.notify_one();
            }
        }
    }
}

impl Waiter {
    fn may_go(&self) -> bool {
        self.may_go.load(Ordering::Acquire)
    }
}

impl Gauges {
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
