use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tower_callback_contract::{Id, Timestamp};

use crate::{
    OrderStats,
    clock::Clock,
    estimate::Estimate,
    hold::Kind,
    lanes::{Arrival, Arrived, Ended, Held, Lanes, Message, Refused},
    settings::Settings,
    turn::{Turn, Waiter},
};

/// What a layer and its clones share, whatever their settings.
pub(crate) struct State {
    clock: Clock,
    traffic: Mutex<Traffic>,
}

pub(crate) struct Traffic {
    pub(crate) lanes: Lanes<Arc<Waiter>>,
    /// Made when the first message comes: by then the layer is set up.
    estimate: Option<Estimate>,
    counts: Counts,
}

/// When a message was sent.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    /// How long ago.
    pub(crate) age: Duration,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    messages: u64,
    held: u64,
    late: u64,
    beyond: u64,
}

/// An older message did not travel for so long: it is a redelivery.
const OLDEST_TYPICAL: Duration = Duration::from_secs(60);

impl State {
    pub(crate) fn new() -> Self {
        let (lanes, counts) = (Lanes::new(), Counts::default());
        let traffic = Mutex::new(Traffic { lanes, estimate: None, counts });
        Self { clock: Clock::new(), traffic }
    }

    /// Takes a message in. It may have gone already; otherwise it goes when its deadline is over
    /// and its lane is free.
    pub(crate) fn arrive<'a>(
        &'a self,
        settings: &'a Settings,
        lane: u128,
        sent: Option<Sent>,
        id: Option<&Id>,
        bytes: usize,
        age: Duration,
    ) -> Result<Turn<'a>, Refused> {
        let came = Instant::now();
        // A composed id is made of payload, and may be of any length.
        let id = id.filter(|id| id.as_str().len() <= Id::MAX_LEN);
        let message = sent.map(|sent| Message { sent_at: sent.at, id: id.cloned() });
        let mut waiter = None;

        let mut traffic = self.lock();
        let full_hold = came + traffic.hold(settings);
        // The handler takes time too.
        let deadline = full_hold.min(came + (settings.reply_deadline / 2).saturating_sub(age));
        let arrival = Arrival { lane, message, deadline, bytes };
        let waits = || Arc::clone(waiter.insert(Arc::default()));
        let arrived = traffic.lanes.arrive(came, &settings.limits, arrival, waits);
        if let Some(sent) = sent {
            traffic.note(settings, &arrived, came, sent.age);
        }
        if !arrived.goes {
            traffic.release(came, lane);
        }
        drop(traffic);
        let Arrived { place, late_after, .. } = arrived;
        Ok(Turn {
            waiter,
            came,
            sent_at: sent.map(|sent| sent.at),
            deadline: if late_after.is_some() { came } else { deadline },
            late_after,
            full_hold,
            give_up: came + settings.reply_deadline.saturating_sub(age),
            state: self,
            settings,
            place: place?,
            ended: Ended::Failed,
        })
    }

    /// Lets the next message of a lane go, or returns when to ask again. `None` if asking again
    /// would not help.
    pub(crate) fn release(&self, lane: u128) -> Option<Instant> {
        self.lock().release(Instant::now(), lane)
    }

    /// How long ago a message was sent; `None` for a time in the future.
    pub(crate) fn age(&self, sent_at: Timestamp) -> Option<Duration> {
        self.clock.age(sent_at)
    }

    pub(crate) fn stats(&self, settings: &Settings) -> OrderStats {
        let traffic = self.lock();
        let Held { messages: held_now, .. } = traffic.lanes.held();
        let Counts { messages, held, late, beyond } = traffic.counts;
        let hold = traffic.hold(settings).min(settings.reply_deadline / 2);
        let lanes = traffic.lanes.lanes();
        OrderStats { hold, held_now, lanes, messages, held, late, beyond_max_hold: beyond }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Traffic> {
        #[cfg(test)]
        tower_callback_testkit::switch();
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    fn hold(&self, settings: &Settings) -> Duration {
        let adaptive = || self.estimate.as_ref().map_or(Duration::ZERO, Estimate::hold);
        settings.fixed_hold().unwrap_or_else(adaptive)
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
        self.counts.beyond += u64::from(needed > settings.max_hold());
        if let (true, Kind::Adaptive(target)) = (age < OLDEST_TYPICAL, settings.hold.kind) {
            let estimate = || Estimate::new(now, target, settings.max_hold());
            self.estimate.get_or_insert_with(estimate).observe(now, needed, is_late);
        }
    }

    pub(crate) fn release(&mut self, now: Instant, lane: u128) -> Option<Instant> {
        match self.lanes.next(now, lane) {
            Ok(waiter) => {
                waiter.tell();
                None
            }
            Err(again) => again,
        }
    }
}
