use std::{collections::hash_map::Entry, fmt, sync::Arc};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use tower_callback_contract::Refusal;

use crate::{Fingerprint, Key, Reply, fingerprint::differ, shards::Shards};

/// The callbacks that run in this process, and who waits for them.
pub(crate) struct Flights {
    table: Shards<InFlight>,
}

struct InFlight {
    fingerprint: Option<Fingerprint>,
    /// Made when the first follower comes: most callbacks have none.
    followers: Option<watch::Sender<Option<Landed>>>,
}

/// How a flight ended.
#[derive(Clone, Debug)]
pub(crate) enum Landed {
    /// With a response for every delivery.
    Reply(Arc<Reply>),
    /// With a response too large to share: a duplicate gets the platform's plain accept.
    Accepted,
    /// Without the handler's response.
    Refused(Refusal),
}

/// What a delivery is to the others of its key.
#[derive(Debug)]
pub(crate) enum Join {
    /// The first: it runs.
    Lead(Flight),
    /// It waits for the first.
    Follow(Follower),
    /// It is another callback with the same id.
    Conflict,
    /// Too many wait already.
    Crowded,
}

/// The lead's place in the table. Dropping it gives the place up, and the followers start anew.
pub(crate) struct Flight {
    place: Option<(Arc<Flights>, u128)>,
}

#[derive(Debug)]
pub(crate) struct Follower {
    landed: watch::Receiver<Option<Landed>>,
}

/// What a follower waited for.
#[derive(Debug)]
pub(crate) enum Followed {
    Landed(Landed),
    /// The lead gave up without a result.
    Abandoned,
    TimedOut,
}

// ===== impl Flights =====

impl Flights {
    pub(crate) fn new() -> Self {
        Self { table: Shards::new() }
    }

    pub(crate) fn join(
        self: &Arc<Self>,
        key: &Key,
        fingerprint: Option<Fingerprint>,
        max_followers: usize,
    ) -> Join {
        let hash = key.keyed_hash();
        match self.table.lock(hash).entry(hash) {
            Entry::Vacant(place) => {
                place.insert(InFlight { fingerprint, followers: None });
                Join::Lead(Flight { place: Some((Arc::clone(self), hash)) })
            }
            Entry::Occupied(flight) if differ(flight.get().fingerprint, fingerprint) => {
                Join::Conflict
            }
            Entry::Occupied(mut flight) => {
                let followers = &mut flight.get_mut().followers;
                let followers = followers.get_or_insert_with(|| watch::Sender::new(None));
                if followers.receiver_count() < max_followers {
                    Join::Follow(Follower { landed: followers.subscribe() })
                } else {
                    Join::Crowded
                }
            }
        }
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flights({})", self.table.len())
    }
}

// ===== impl Flight =====

impl Flight {
    /// Leaves the table, and tells the followers how it ended.
    pub(crate) fn land(mut self, landed: Landed) {
        if let Some(followers) = self.leave() {
            followers.send_replace(Some(landed));
        }
    }

    fn leave(&mut self) -> Option<watch::Sender<Option<Landed>>> {
        let (flights, hash) = self.place.take()?;
        let flight = flights.table.lock(hash).remove(&hash);
        flight?.followers
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flight")
    }
}

// ===== impl Follower =====

impl Follower {
    pub(crate) async fn landed(mut self, deadline: Instant) -> Followed {
        match timeout_at(deadline, self.landed.wait_for(Option::is_some)).await {
            Ok(Ok(landed)) => landed.clone().map_or(Followed::Abandoned, Followed::Landed),
            Ok(Err(_)) => Followed::Abandoned,
            Err(_) => Followed::TimedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use super::*;
    use tower_callback_testkit::{on_two_threads, switch};

    #[tokio::test(start_paused = true)]
    async fn the_followers_of_a_flight_that_is_given_up_start_anew_and_one_leads() {
        let (flights, key) = (Arc::new(Flights::new()), Key::new(&["1"]));
        let Join::Lead(flight) = flights.join(&key, None, 2) else { panic!("the first leads") };
        let [Join::Follow(one), Join::Follow(other), Join::Crowded] =
            std::array::from_fn(|_| flights.join(&key, None, 2))
        else {
            panic!("two may follow")
        };
        drop(flight);
        let never = Instant::now() + Duration::from_secs(60);
        assert!(matches!(one.landed(never).await, Followed::Abandoned));
        assert!(matches!(other.landed(never).await, Followed::Abandoned));
        let Join::Lead(_flight) = flights.join(&key, None, 2) else { panic!("one leads") };
        assert!(matches!(flights.join(&key, None, 2), Join::Follow(_)));
    }

    #[test]
    fn of_two_threads_one_leads_at_a_time_and_no_follower_is_lost() {
        for lands in [true, false] {
            let (flights, key) = (Arc::new(Flights::new()), Key::new(&["1"]));
            let leads = AtomicBool::new(false);
            let soon = Instant::now() + Duration::from_secs(60);
            let join = async || match flights.join(&key, None, 1) {
                Join::Lead(flight) => {
                    assert!(!leads.swap(true, Ordering::SeqCst), "two lead at once");
                    switch();
                    leads.store(false, Ordering::SeqCst);
                    if lands { flight.land(Landed::Accepted) } else { drop(flight) }
                }
                // It hears what became of the very flight that it joined.
                Join::Follow(follower) => match follower.landed(soon).await {
                    Followed::Landed(_) => assert!(lands, "it was given up"),
                    Followed::Abandoned => assert!(!lands, "it landed"),
                    Followed::TimedOut => panic!("nobody told the follower"),
                },
                other => panic!("{other:?}"),
            };
            on_two_threads(async || {
                for _ in 0..10_000 {
                    join().await;
                }
            });
            assert_eq!(flights.table.len(), 0);
        }
    }

    #[test]
    fn a_flight_leaves_no_trace() {
        let (flights, key) = (Arc::new(Flights::new()), Key::new(&["1"]));
        let Join::Lead(flight) = flights.join(&key, None, 2) else { panic!("the first leads") };
        flight.land(Landed::Accepted);
        assert_eq!(flights.table.len(), 0);
    }
}
