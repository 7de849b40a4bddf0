use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tower_callback_contract::Timestamp;

use crate::{
    Position,
    lanes::{Ended, Place},
    rank::Rank,
    settings::Settings,
    state::State,
};

/// A message that waits for its turn.
#[derive(Default)]
pub(crate) struct Waiter {
    told: Notify,
    may_go: AtomicBool,
}

/// A message that was taken in. Dropping it gives its place up.
pub(crate) struct Turn<'a> {
    /// `None` if it goes at once.
    pub(crate) waiter: Option<Arc<Waiter>>,
    pub(crate) late_after: Option<Rank>,
    pub(crate) came: Instant,
    pub(crate) sent_at: Option<Timestamp>,
    /// Until when it is held at most.
    pub(crate) deadline: Instant,
    /// Until when it would be held if there were no reply deadline.
    pub(crate) full_hold: Instant,
    /// Until when it waits for its turn.
    pub(crate) give_up: Instant,
    pub(crate) state: &'a State,
    pub(crate) settings: &'a Settings,
    pub(crate) place: Place,
    pub(crate) ended: Ended,
}

impl Turn<'_> {
    /// Waits for its turn, with one timer and one wake-up. Whether the turn came in time.
    pub(crate) async fn wait(&self) -> bool {
        let Some(waiter) = &self.waiter else { return true };
        let give_up = self.give_up;
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
                ask = self.state.release(self.place.lane());
            }
        }
        true
    }

    /// Where it came, once it may go; `None` for a message without a place in the order.
    pub(crate) fn position(&self) -> Option<Position> {
        let sent_at = self.sent_at?;
        // A message that does not wait was held for no time at all, whatever this takes.
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

    /// Notes how its run ended; it fails unless told otherwise.
    pub(crate) fn ended(&mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let (now, limits, mut state) = (Instant::now(), &self.settings.limits, self.state.lock());
        // It either waits or is under way: only one of these finds it.
        state.lanes.leave(now, limits, &self.place);
        state.lanes.finish(now, limits, &self.place, self.ended);
        let lane = self.place.lane();
        if state.release(now, lane).is_some() {
            // The head's own timer may have fired already, so it has to ask again.
            if let Some(head) = state.lanes.head(lane) {
                head.told.notify_one();
            }
        }
    }
}

impl Waiter {
    pub(crate) fn may_go(&self) -> bool {
        let may_go = self.may_go.load(Ordering::Acquire);
        #[cfg(test)]
        tower_callback_testkit::switch();
        may_go
    }

    pub(crate) fn tell(&self) {
        self.may_go.store(true, Ordering::Release);
        self.told.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU64, time::Duration};

    use futures_util::{FutureExt, future::join_all};
    use tokio::task::yield_now;
    use tower_callback_contract::Timing;
    use tower_callback_testkit::{on_two_threads, switch};

    use super::*;
    use crate::{Hold, state::Sent};

    /// One conversation, of which each thread has some messages at once.
    struct Conversation {
        state: State,
        settings: Settings,
        sent: AtomicU64,
        is_one_under_way: AtomicBool,
        /// Nothing is late where nothing is handled, so that more is held.
        all_fail: bool,
    }

    impl Conversation {
        fn new(hold: Duration, wait_for_retry: Duration) -> Self {
            let soon = Duration::from_secs(10);
            let mut settings = Settings::new(Timing::new(soon, soon));
            (settings.hold, settings.limits.wait_for_retry) = (Hold::fixed(hold), wait_for_retry);
            Self {
                state: State::new(),
                settings,
                sent: AtomicU64::new(1),
                is_one_under_way: AtomicBool::new(false),
                all_fail: wait_for_retry.is_zero(),
            }
        }

        /// One message. Every other one is given up if it has to wait; some fail.
        async fn deliver(&self) {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            // Of each 64, the last that comes was sent first.
            let at = Timestamp::from_millis(number ^ 63).expect("a time");
            let sent = Some(Sent { at, age: Duration::ZERO });
            let arrived = self.state.arrive(&self.settings, 1, sent, None, 1, Duration::ZERO);
            let mut turn = arrived.expect("there is room");
            if !self.may_go(&turn, number % 2 == 0).await {
                return;
            }
            assert!(!self.is_one_under_way.swap(true, Ordering::SeqCst), "two at once");
            switch();
            yield_now().await;
            self.is_one_under_way.store(false, Ordering::SeqCst);
            if !self.all_fail && number % 15 != 1 {
                turn.ended(Ended::Handled);
            }
        }

        async fn may_go(&self, turn: &Turn<'_>, gives_up: bool) -> bool {
            if gives_up {
                return turn.wait().now_or_never().unwrap_or(false);
            }
            let waits = || turn.waiter.as_ref().is_some_and(|waiter| !waiter.may_go());
            // Timers go by whole milliseconds; this asks like one that fires in between.
            while self.all_fail && waits() {
                self.state.release(turn.place.lane());
                yield_now().await;
            }
            assert!(turn.wait().await, "nobody told it");
            true
        }
    }

    #[test]
    fn of_two_threads_one_message_is_under_way_at_a_time_and_none_is_lost() {
        for (hold, wait_for_retry, at_once, each) in
            [(0, 1_000, 4, 500), (20, 0, 1, 10_000), (1_000, 1_000, 4, 100)]
        {
            let [hold, wait_for_retry] = [hold, wait_for_retry].map(Duration::from_micros);
            let conversation = Conversation::new(hold, wait_for_retry);
            let deliver = async || {
                for _ in 0..each {
                    conversation.deliver().await;
                }
            };
            on_two_threads(async || {
                join_all((0..at_once).map(|_| deliver())).await;
            });
            let stats = conversation.state.stats(&conversation.settings);
            assert_eq!((stats.messages, stats.held_now), (2 * at_once * each, 0));
        }
    }
}
