//! Plans a storm before anything is sent: who says what, when, and when it arrives.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, Exp, LogNormal};
use serde::Serialize;

/// How much longer messages travel than the fastest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disorder {
    /// They all travel equally long, and arrive in order.
    #[default]
    None,
    /// Log-normal around 20 ms.
    Jitter,
    /// The same; besides, one in a hundred takes a second longer, and one in three hundred takes five.
    HeavyTail,
}

/// The settings of a storm, decided before it begins.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) messages: u64,
    pub(crate) users: u32,
    /// Messages in a second.
    pub(crate) rate: f64,
    /// How many messages a user gets in a row.
    pub(crate) burst: u32,
    /// The share of messages that are sent twice, whatever the response.
    pub(crate) duplicates: f64,
    pub(crate) disorder: Disorder,
    /// The share of messages whose body comes in two halves.
    pub(crate) slow: f64,
    pub(crate) seed: u64,
}

/// One message of the storm. Times are since its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) user: u32,
    pub(crate) at: Duration,
}

/// One delivery of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Send {
    pub(crate) at: Duration,
    pub(crate) message: usize,
    /// Sent whatever the response to the first delivery, and not redelivered.
    pub(crate) is_duplicate: bool,
    pub(crate) is_slow: bool,
}

/// At least, between two messages of a burst.
const IN_A_BURST: Duration = Duration::from_millis(20);
/// On average, beyond that.
const GAP: f64 = 0.3;
/// A duplicate arrives no later than this after the first delivery.
const DUPLICATE: Duration = Duration::from_secs(2);

impl Settings {
    /// Messages by number, and when each is sent, in that order.
    pub(crate) fn plan(&self) -> (Vec<Said>, Vec<Send>) {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let said = self.talk(&mut rng);
        let mut sends = Vec::new();
        for (message, said) in said.iter().enumerate() {
            let at = said.at + self.travel(&mut rng);
            let is_slow = rng.random_bool(self.slow);
            sends.push(Send { at, message, is_duplicate: false, is_slow });
            if rng.random_bool(self.duplicates) {
                let at = at + DUPLICATE.mul_f64(rng.random::<f64>().powi(3));
                sends.push(Send { at, message, is_duplicate: true, is_slow: false });
            }
        }
        sends.sort_by_key(|send| send.at);
        (said, sends)
    }

    fn talk(&self, rng: &mut StdRng) -> Vec<Said> {
        let pause = Exp::new(self.rate / f64::from(self.burst)).expect("the rate is above zero");
        let gap = Exp::new(1.0 / GAP).expect("a number");
        let mut start = Duration::ZERO;
        let mut said = Vec::new();
        while (said.len() as u64) < self.messages {
            start += Duration::from_secs_f64(pause.sample(rng));
            let user = rng.random_range(0..self.users);
            let mut at = start;
            let rest = self.messages - said.len() as u64;
            for _ in 0..rest.min(self.burst.into()) {
                said.push(Said { user, at });
                at += IN_A_BURST + Duration::from_secs_f64(gap.sample(rng));
            }
        }
        said.sort_by_key(|said| said.at);
        said
    }

    fn travel(&self, rng: &mut StdRng) -> Duration {
        let jitter = LogNormal::new(0.02_f64.ln(), 0.5).expect("numbers");
        let tail = match rng.random_range(0..300) {
            0 => 5,
            1..4 => 1,
            _ => 0,
        };
        match self.disorder {
            Disorder::None => Duration::ZERO,
            Disorder::Jitter => Duration::from_secs_f64(jitter.sample(rng)),
            Disorder::HeavyTail => {
                Duration::from_secs_f64(jitter.sample(rng)) + Duration::from_secs(tail)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn settings() -> Settings {
        Settings {
            messages: 1_000,
            users: 10,
            rate: 100.0,
            burst: 5,
            duplicates: 0.3,
            disorder: Disorder::HeavyTail,
            slow: 0.1,
            seed: 7,
        }
    }

    #[test]
    fn one_seed_is_one_storm() {
        assert_eq!(settings().plan(), settings().plan());
        assert_ne!(settings().plan(), Settings { seed: 8, ..settings() }.plan());
    }

    #[test]
    fn a_burst_is_a_row_of_messages_to_one_user() {
        // A minute between two bursts.
        let of = |burst| {
            let rate = f64::from(burst) / 60.0;
            Settings { messages: 23, burst, rate, users: 1_000_000, ..settings() }.plan().0
        };
        for (burst, users) in [(1, 23), (5, 5), (23, 1), (u32::MAX, 1)] {
            let said = of(burst);
            assert_eq!(said.len(), 23);
            let users_of: HashSet<u32> = said.iter().map(|said| said.user).collect();
            assert_eq!(users_of.len(), users, "in bursts of {burst}");
        }
    }

    #[test]
    fn a_plan_follows_its_settings() {
        let (said, sends) = settings().plan();
        assert_eq!(said.len(), 1_000);
        let duplicates = sends.iter().filter(|send| send.is_duplicate).count();
        let slow = sends.iter().filter(|send| send.is_slow).count();
        assert!((250..350).contains(&duplicates), "{duplicates} duplicates");
        assert!((70..130).contains(&slow), "{slow} slow bodies");
        assert!(said.iter().all(|said| said.user < 10));
        let length = said.last().unwrap().at.as_secs_f64();
        assert!((8.0..14.0).contains(&length), "{length} s");
        assert!(sends.is_sorted_by_key(|send| send.at));
        assert!(!sends.is_sorted_by_key(|send| send.message), "no disorder");
        assert!(sends.iter().all(|send| send.at >= said[send.message].at));
    }
}
