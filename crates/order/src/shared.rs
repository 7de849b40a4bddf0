use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{sync::Notify, time::Instant};
use tower_callback_contract::Timestamp;

use crate::{
    estimate::Estimate,
    hold::Kind,
    lanes::{Arrival, Ended, Full, Go, Held, Lanes, Message, Place},
    layer::Settings,
    rank::Rank,
};

/// What the services of one layer share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// The time of day at some instant: from then on we go by the clock that tests can pause.
    started: (Instant, Timestamp),
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
    /// Those of them that were held.
    pub held: u64,
    /// Those of them that came too late for their place.
    pub late: u64,
}

/// One that waits for its turn.
#[derive(Default)]
pub(crate) struct Waiter {
    told: Notify,
    went: OnceLock<Went>,
}

/// What a message hears when it may go.
pub(crate) struct Went {
    /// The newer message that was handled before.
    pub(crate) late_after: Option<Rank>,
}

/// A message in its lane. Gives its place up when dropped.
pub(crate) struct Turn<'a> {
    shared: &'a Shared,
    place: Place,
    ended: Ended,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let estimate = match settings.hold.kind {
            Kind::Adaptive(target) => Some(Estimate::new(target, settings.hold.max)),
            Kind::None | Kind::Fixed(_) => None,
        };
        let (lanes, counts) = (Lanes::new(settings.limits), Counts::default());
        let state = Mutex::new(State { lanes, estimate, counts });
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = since_epoch.unwrap_or_default().as_millis();
        let wall = u64::try_from(millis).ok().and_then(Timestamp::from_millis);
        let started = (Instant::now(), wall.expect("the clock is not beyond the year 500 000"));
        Self { settings, started, state }
    }

    /// Takes a message in. It may have gone already; else it goes at its deadline at the latest, if
    /// its lane is free then.
    pub(crate) fn arrive(
        &self,
        lane: u128,
        message: Option<Message<'_>>,
        bytes: usize,
    ) -> Result<(Turn<'_>, Arc<Waiter>, Instant), Full> {
        let waiter = Arc::new(Waiter::default());
        let (now, mut state) = (Instant::now(), self.lock());
        let deadline = now + state.hold(&self.settings);
        let arrival = Arrival { lane, message, deadline, bytes, waiter: Arc::clone(&waiter) };
        let (place, needed) = state.lanes.arrive(now, arrival).map_err(|(full, _)| full)?;
        // Neither what was sent long ago nor what is sent again tells how messages travel.
        let is_typical = message.is_some_and(|message| self.age(message.sent_at) < OLDEST_TYPICAL);
        if let (true, Some(estimate)) = (is_typical, &mut state.estimate) {
            estimate.observe(needed);
        }
        state.counts.messages += u64::from(message.is_some());
        state.counts.held += u64::from(message.is_some() && deadline > now);
        state.release(now, lane);
        Ok((Turn { shared: self, place, ended: Ended::Failed }, waiter, deadline))
    }

    /// Lets the next message of a lane go. Else returns when to ask again, if time will tell.
    pub(crate) fn release(&self, lane: u128) -> Option<Instant> {
        self.lock().release(Instant::now(), lane)
    }

    /// How long ago something was sent; zero if it was not yet.
    fn age(&self, sent_at: Timestamp) -> Duration {
        Duration::from_micros(self.wall_clock().saturating_sub(sent_at.as_micros()))
    }

    /// Microseconds since the Unix epoch.
    fn wall_clock(&self) -> u64 {
        let (instant, time) = self.started;
        let since = u64::try_from(instant.elapsed().as_micros()).unwrap_or(u64::MAX);
        time.as_micros().saturating_add(since)
    }

    /// A time in the future can neither hold others back nor make them late.
    pub(crate) fn clamp(&self, sent_at: Timestamp) -> Timestamp {
        let now = Timestamp::from_millis(self.wall_clock() / 1_000).unwrap_or(sent_at);
        let is_ahead = sent_at.as_millis() > now.as_millis().saturating_add(TOLERANCE_MILLIS);
        if is_ahead { now } else { sent_at }
    }

    pub(crate) fn gauges(&self) -> Gauges {
        let state = self.lock();
        let Held { messages: held_now, .. } = state.lanes.held();
        let Counts { messages, held, late } = state.counts;
        let (hold, lanes) = (state.hold(&self.settings), state.lanes.lanes());
        Gauges { hold, held_now, lanes, messages, held, late }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far the platform's clock may be ahead of ours.
const TOLERANCE_MILLIS: u64 = 1_000;

/// What is older is not a message that travelled, but one that is sent again.
const OLDEST_TYPICAL: Duration = Duration::from_secs(60);

impl State {
    fn hold(&self, settings: &Settings) -> Duration {
        match settings.hold.kind {
            Kind::None => Duration::ZERO,
            Kind::Fixed(hold) => hold.min(settings.hold.max),
            Kind::Adaptive(_) => self.estimate.as_ref().map_or(Duration::ZERO, Estimate::hold),
        }
    }

    fn release(&mut self, now: Instant, lane: u128) -> Option<Instant> {
        let Go { waiter, late_after } = match self.lanes.next(now, lane) {
            Ok(go) => go,
            Err(again) => return again,
        };
        self.counts.late += u64::from(late_after.is_some());
        let _ = waiter.went.set(Went { late_after });
        waiter.told.notify_one();
        None
    }
}

impl Turn<'_> {
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
    /// Waits until something about the lane is to be looked at.
    pub(crate) async fn told(&self) {
        self.told.notified().await;
    }

    pub(crate) fn went(&self) -> Option<&Went> {
        self.went.get()
    }
}
