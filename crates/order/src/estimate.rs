use std::time::Duration;

/// The holds that would have been needed of late, as a decaying histogram: constant in memory
/// and time.
///
/// The hold that a message would have needed of others is zero if none that was sent after it came
/// before it, or else the time since the first of these came.
#[derive(Clone, Debug)]
pub struct Estimate {
    target: f64,
    max: Duration,
    /// Weights of needed holds: none, then in steps of an eighth of an octave from a millisecond.
    buckets: [f64; BUCKETS],
    /// Weight of those beyond `max`, which no hold helps.
    beyond: f64,
    /// What a weight becomes when one more message comes.
    decay: f64,
}

const STEPS_PER_OCTAVE: f64 = 8.0;
/// Up to 16 s.
const BUCKETS: usize = 1 + 14 * 8;

impl Estimate {
    /// An estimate of the hold that gets this share of messages handled in order.
    #[must_use]
    pub fn new(target: f64, max: Duration) -> Self {
        // Long enough that a single message is felt until the share is reached without it.
        let half_life = 0.5 / (1.0 - target);
        let decay = 0.5_f64.powf(1.0 / half_life);
        Self { target, max, buckets: [0.0; BUCKETS], beyond: 0.0, decay }
    }

    /// Takes in what a message would have needed.
    pub fn observe(&mut self, needed: Duration) {
        for bucket in &mut self.buckets {
            *bucket *= self.decay;
        }
        self.beyond *= self.decay;
        if needed > self.max {
            self.beyond += 1.0;
        } else {
            self.buckets[bucket_of(needed)] += 1.0;
        }
    }

    /// The shortest hold that would have reached the target, or the best one below `max`.
    #[must_use]
    pub fn hold(&self) -> Duration {
        let within: f64 = self.buckets.iter().sum();
        let late = (within + self.beyond) * (1.0 - self.target);
        // What comes too late for any hold is not paid for by the others.
        let mut late =
            if late > self.beyond { late - self.beyond } else { within * (1.0 - self.target) };
        for (index, weight) in self.buckets.iter().enumerate().rev() {
            late -= weight;
            if late < 0.0 {
                return longest_of(index).min(self.max);
            }
        }
        Duration::ZERO
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
        let mut estimate = Estimate::new(0.999, millis(1_000));
        assert_eq!(estimate.hold(), Duration::ZERO);
        for _ in 0..10_000 {
            estimate.observe(Duration::ZERO);
        }
        assert_eq!(estimate.hold(), Duration::ZERO);
    }

    #[test]
    fn the_hold_covers_what_is_needed_and_settles_again() {
        let mut estimate = Estimate::new(0.999, millis(1_000));
        for round in 0..2_000 {
            estimate.observe(if round % 5 == 0 { millis(80) } else { Duration::ZERO });
        }
        assert!((millis(80)..millis(90)).contains(&estimate.hold()), "{:?}", estimate.hold());
        for _ in 0..5_000 {
            estimate.observe(Duration::ZERO);
        }
        assert_eq!(estimate.hold(), Duration::ZERO);
    }

    #[test]
    fn what_no_hold_helps_does_not_lengthen_it() {
        let mut estimate = Estimate::new(0.99, millis(1_000));
        for round in 0..2_000 {
            estimate.observe(if round % 5 == 0 { millis(5_000) } else { Duration::ZERO });
        }
        assert_eq!(estimate.hold(), Duration::ZERO);
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
