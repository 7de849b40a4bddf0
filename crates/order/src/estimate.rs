use std::time::Duration;

use tokio::time::Instant;

/// Estimates the hold that handles a share of messages in order, in constant memory and time.
///
/// A message needs a hold of the others if one that was sent after it came before it: as long as
/// the time since the first of these came. A decaying histogram of the holds that recent messages
/// needed gives the hold that was enough for all but an allowed share.
///
/// Such an extreme quantile of few messages is unreliable, so the allowance is not simply `1 -
/// target`. It shrinks a little with each late message and grows a little with each other one, and
/// is stable only where the target is met: adaptive conformal inference (Gibbs and Candès, 2021).
#[derive(Clone, Debug)]
pub(crate) struct Estimate {
    max: Duration,
    /// The share of messages that may be late.
    tolerance: f64,
    /// The share of late messages that the hold aims at now. Below zero, no hold that was needed so
    /// far is enough.
    allowance: f64,
    /// Weights of needed holds: zero, then in steps of an eighth of an octave from a millisecond.
    buckets: [f64; BUCKETS],
    total: f64,
    /// The weight of the next message. It grows, so that the others need not shrink.
    weight: f64,
    last: Instant,
    growth: f64,
    hold: Duration,
}

const STEPS_PER_OCTAVE: f64 = 8.0;
/// Up to 15 s.
const BUCKETS: usize = 1 + 14 * 8;

// Chosen by `benches/quality.rs`: a longer memory holds for longer after a storm of disorder, a
// shorter one swings.
const MEMORY: f64 = 0.25;
const STEP: f64 = 0.1;
/// After this time, a message weighs a third of one that comes now.
const LONG_AGO: Duration = Duration::from_secs(600);
/// The estimate aims a little higher than it is asked to.
const MARGIN: f64 = 0.95;
const ALLOWANCES: (f64, f64) = (-2.0, 2.0);
/// By which factor a hold exceeds the longest that recent messages needed, if that was not enough.
const RESERVE: f64 = 1.5;

impl Estimate {
    /// An estimate of the hold that handles this share of messages in order.
    pub(crate) fn new(now: Instant, target: f64, max: Duration) -> Self {
        let tolerance = 1.0 - target;
        let arrivals = (MEMORY / tolerance).max(32.0);
        Self {
            max,
            tolerance,
            allowance: tolerance,
            buckets: [0.0; BUCKETS],
            total: 0.0,
            last: now,
            weight: 1.0,
            growth: arrivals.recip().exp(),
            hold: Duration::ZERO,
        }
    }

    /// The hold for the next message.
    pub(crate) fn hold(&self) -> Duration {
        self.hold
    }

    /// Takes in the hold that a message needed, and whether it came too late for its place.
    pub(crate) fn observe(&mut self, now: Instant, needed: Duration, was_late: bool) {
        // The others do not pay for a message that no hold can help.
        if needed > self.max {
            return;
        }
        // In little traffic, the holds of an hour ago say nothing of now.
        let since = now.duration_since(self.last);
        if since > LONG_AGO / 600 {
            self.weight *= since.div_duration_f64(LONG_AGO).min(100.0).exp();
            self.last = now;
        }
        let missed = if was_late { 1.0 } else { 0.0 };
        let step = STEP * self.tolerance * (MARGIN * self.tolerance - missed);
        let (least, most) = ALLOWANCES;
        self.allowance =
            (self.allowance + step).clamp(least * self.tolerance, most * self.tolerance);
        self.buckets[bucket_of(needed)] += self.weight;
        self.total += self.weight;
        self.weight *= self.growth;
        if self.weight > 1e100 {
            self.rescale();
        }
        self.hold = self.wanted().min(self.max);
    }

    /// The shortest hold that was enough for all but the allowed share.
    fn wanted(&self) -> Duration {
        // Less than a thousandth of a message is left of those that came long ago.
        let (mut late, reserve) = if self.allowance > 0.0 {
            (self.total * self.allowance, 1.0)
        } else {
            (self.weight / 1e3, RESERVE)
        };
        if self.total - self.buckets[0] <= late {
            return Duration::ZERO;
        }
        for (index, weight) in self.buckets.iter().enumerate().rev() {
            late -= weight;
            if late < 0.0 {
                return longest_of(index).mul_f64(reserve);
            }
        }
        Duration::ZERO
    }

    fn rescale(&mut self) {
        for bucket in &mut self.buckets {
            *bucket /= self.weight;
        }
        self.total = self.buckets.iter().sum();
        self.weight = 1.0;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small positive number"
)]
fn bucket_of(needed: Duration) -> usize {
    if needed.is_zero() {
        return 0;
    }
    let octaves = (needed.as_secs_f64() * 1e3).max(1.0).log2();
    (1 + (octaves * STEPS_PER_OCTAVE).ceil() as usize).min(BUCKETS - 1)
}

/// The longest hold that falls into a bucket.
fn longest_of(bucket: usize) -> Duration {
    let Some(step) = bucket.checked_sub(1) else { return Duration::ZERO };
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let octaves = step as f64 / STEPS_PER_OCTAVE;
    Duration::from_secs_f64(octaves.exp2() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn o04_traffic_in_order_is_not_held() {
        let mut estimate = Estimate::new(Instant::now(), 0.999, millis(1_000));
        assert_eq!(estimate.hold(), Duration::ZERO);
        for _ in 0..100_000 {
            estimate.observe(Instant::now(), Duration::ZERO, false);
            assert_eq!(estimate.hold(), Duration::ZERO);
        }
    }

    #[test]
    fn the_hold_covers_what_is_needed_and_settles_again() {
        let mut estimate = Estimate::new(Instant::now(), 0.999, millis(1_000));
        for round in 0..2_000 {
            estimate.observe(
                Instant::now(),
                if round % 5 == 0 { millis(80) } else { Duration::ZERO },
                round == 0,
            );
        }
        assert!((millis(80)..millis(90)).contains(&estimate.hold()), "{:?}", estimate.hold());
        for _ in 0..2_000 {
            estimate.observe(Instant::now(), Duration::ZERO, false);
        }
        assert_eq!(estimate.hold(), Duration::ZERO);
    }

    #[test]
    fn what_no_hold_helps_does_not_lengthen_it() {
        let mut estimate = Estimate::new(Instant::now(), 0.99, millis(1_000));
        for round in 0..2_000 {
            let is_late = round % 5 == 0;
            estimate.observe(
                Instant::now(),
                if is_late { millis(5_000) } else { Duration::ZERO },
                is_late,
            );
        }
        assert_eq!(estimate.hold(), Duration::ZERO);
    }

    #[test]
    fn a_hold_that_does_not_suffice_grows_beyond_what_was_seen_but_not_beyond_the_longest() {
        let mut estimate = Estimate::new(Instant::now(), 0.99, millis(100));
        let mut longest = Duration::ZERO;
        for needed in 1..100 {
            estimate.observe(Instant::now(), millis(needed), millis(needed) > estimate.hold());
            longest = longest.max(estimate.hold());
        }
        assert!(longest > millis(99) && longest <= millis(100), "{longest:?}");
    }

    #[test]
    fn weights_stay_within_bounds() {
        let mut estimate = Estimate::new(Instant::now(), 0.5, millis(1_000));
        for round in 0..100_000 {
            estimate.observe(Instant::now(), millis(round % 2 * 50), false);
            assert!(estimate.total.is_finite() && estimate.weight < 1e101);
        }
        assert!(estimate.hold() <= millis(60), "{:?}", estimate.hold());
    }

    #[test]
    fn every_hold_is_covered_by_its_bucket() {
        for needed in (1..1_000_000).step_by(37).map(Duration::from_micros) {
            let longest = longest_of(bucket_of(needed));
            assert!(
                longest >= needed && longest <= needed.mul_f64(1.1).max(millis(1)),
                "{needed:?}"
            );
        }
    }
}
