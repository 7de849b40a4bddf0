use std::{
    collections::hash_map::Entry,
    convert::Infallible,
    fmt,
    hash::BuildHasherDefault,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::time::Instant;

use crate::{
    Attempt, Claim, Fingerprint, Key, Ownership, Previous, Record, Reply, Store, Token,
    shards::{AlreadyHashed, Shards},
};

/// [`Store`] in the memory of this process.
///
/// It remembers finished ids within a budget of bytes. When that is used up, it forgets the ids
/// that it has not seen for the longest time, before their window ends. [`stats`](Self::stats)
/// counts them, and says how far back the memory reaches. The store keeps the ids that run apart,
/// and never forgets one.
///
/// A restart forgets everything.
pub struct MemoryStore {
    // Finished ids only: a bounded cache may evict, and an id that runs must never be forgotten.
    known: Cache<u128, Known, BuildHasherDefault<AlreadyHashed>>,
    held: Shards<Holder>,
    evicted: Arc<Evicted>,
    start: Instant,
    budget: u64,
}

/// How a [`MemoryStore`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// About how many ids the store remembers.
    pub ids: u64,
    /// About how many bytes they take of the budget.
    pub bytes: u64,
    /// The callbacks that run now.
    pub running: usize,
    /// The ids that the store forgot before their window ended, because the budget was used up.
    pub evicted_early: u64,
    /// How far back the memory reaches: ids last seen before that are forgotten. `None` if the
    /// store has forgotten none early, so that its memory reaches back the whole window.
    pub reaches_back: Option<Duration>,
}

/// An entry of the cache. Times are milliseconds since the store's start, to keep it small.
#[derive(Clone)]
struct Known {
    since: u64,
    until: u64,
    state: State,
}

#[derive(Clone)]
enum State {
    Done(Option<Fingerprint>, Option<Arc<Reply>>),
    Released(Attempt),
}

struct Holder {
    token: Token,
    attempt: Attempt,
}

#[derive(Default)]
struct Evicted {
    early: AtomicU64,
    /// When the latest of the entries that were evicted early came in.
    since: AtomicU64,
}

/// What an entry takes in the cache besides its response, measured by `benches/memory.rs`.
const ENTRY_BYTES: usize = 400;

// ===== impl MemoryStore =====

impl MemoryStore {
    /// The default budget: 64 MiB, more than 100 000 acknowledged ids.
    pub const DEFAULT_BUDGET: u64 = 64 * 1024 * 1024;

    /// A store with the default budget.
    #[must_use]
    pub fn new() -> Self {
        Self::with_budget(Self::DEFAULT_BUDGET)
    }

    /// The smallest budget: 1 MiB.
    pub const LEAST_BUDGET: u64 = 1024 * 1024;

    /// A store that takes about this many bytes: 400 for an id, and the size of its response.
    ///
    /// # Panics
    /// If the budget is less than [`LEAST_BUDGET`](Self::LEAST_BUDGET): such a store would forget
    /// an id before the platform redelivers it.
    #[must_use]
    pub fn with_budget(bytes: u64) -> Self {
        assert!(bytes >= Self::LEAST_BUDGET, "a budget of {bytes} bytes is too small");
        let start = Instant::now();
        let evicted = Arc::new(Evicted::default());
        let counted = Arc::clone(&evicted);
        let known = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, known: &Known| u32::try_from(known.weight()).unwrap_or(u32::MAX))
            // The default policy admits by frequency: once full, it would refuse new ids.
            .eviction_policy(EvictionPolicy::lru())
            // No time to live: tests cannot pause the cache's clock, and after an idle time one
            // request would pay for a whole sweep. We compare `until` ourselves.
            .eviction_listener(move |_, known, cause| {
                if cause.was_evicted() && known.until > millis_since(start) {
                    counted.early.fetch_add(1, Ordering::Relaxed);
                    counted.since.fetch_max(known.since, Ordering::Relaxed);
                }
            })
            .build_with_hasher(BuildHasherDefault::default());
        Self { known, held: Shards::new(), evicted, start, budget: bytes }
    }

    /// How the store does.
    #[must_use]
    pub fn stats(&self) -> MemoryStats {
        self.known.run_pending_tasks();
        let evicted_early = self.evicted.early.load(Ordering::Relaxed);
        let oldest = self.evicted.since.load(Ordering::Relaxed);
        let age = || Duration::from_millis(self.now().saturating_sub(oldest));
        MemoryStats {
            ids: self.known.entry_count(),
            bytes: self.known.weighted_size(),
            running: self.held.len(),
            evicted_early,
            reaches_back: (evicted_early > 0).then(age),
        }
    }

    fn now(&self) -> u64 {
        millis_since(self.start)
    }

    fn try_claim(&self, key: &Key, token: Token) -> Claim {
        let hash = key.keyed_hash();
        // Looked up under the lock: a completed run writes its record before it gives up its hold.
        let mut held = self.held.lock(hash);
        match held.entry(hash) {
            Entry::Occupied(holder) if holder.get().token == token => {
                Claim::Granted(holder.get().attempt)
            }
            Entry::Occupied(_) => Claim::Held,
            Entry::Vacant(vacant) => {
                let known = self.known.get(&hash).filter(|known| known.until > self.now());
                let attempt = match known.map(|known| known.state) {
                    Some(State::Done(fingerprint, reply)) => {
                        return Claim::Done(Record { fingerprint, reply });
                    }
                    Some(State::Released(attempt)) => attempt,
                    None => Attempt::FIRST,
                };
                vacant.insert(Holder { token, attempt });
                Claim::Granted(attempt)
            }
        }
    }

    /// The run that holds this key by this token.
    fn holder(&self, key: &Key, token: Token) -> Option<Attempt> {
        let held = self.held.lock(key.keyed_hash());
        let holder = held.get(&key.keyed_hash()).filter(|holder| holder.token == token);
        holder.map(|holder| holder.attempt)
    }

    fn settle(
        &self,
        key: &Key,
        token: Token,
        window: Duration,
        state: impl FnOnce(Attempt) -> State,
    ) -> Ownership {
        let Some(attempt) = self.holder(key, token) else {
            return Ownership::Lost;
        };
        let hash = key.keyed_hash();
        let since = self.now();
        let until = since.saturating_add(u64::try_from(window.as_millis()).unwrap_or(u64::MAX));
        let mut known = Known { since, until, state: state(attempt) };
        if known.weight() as u64 > self.budget {
            // The cache would not take it, and the id would be forgotten at once.
            known.state = State::Released(attempt.next(Previous::Unrecorded));
        }
        self.known.insert(hash, known);
        self.held.lock(hash).remove(&hash);
        Ownership::Ours
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    async fn claim(&self, key: &Key, token: Token) -> Result<Claim, Infallible> {
        Ok(self.try_claim(key, token))
    }

    async fn renew(&self, key: &Key, token: Token) -> Result<Ownership, Infallible> {
        Ok(self.holder(key, token).map_or(Ownership::Lost, |_| Ownership::Ours))
    }

    async fn complete(
        &self,
        key: &Key,
        token: Token,
        record: Record,
        window: Duration,
    ) -> Result<Ownership, Infallible> {
        let Record { fingerprint, reply } = record;
        Ok(self.settle(key, token, window, |_| State::Done(fingerprint, reply)))
    }

    async fn release(
        &self,
        key: &Key,
        token: Token,
        previous: Previous,
        window: Duration,
    ) -> Result<Ownership, Infallible> {
        Ok(self.settle(key, token, window, |run| State::Released(run.next(previous))))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("ids", &self.known.entry_count())
            .field("running", &self.held.len())
            .finish_non_exhaustive()
    }
}

// ===== impl Known =====

impl Known {
    fn weight(&self) -> usize {
        ENTRY_BYTES
            + match &self.state {
                State::Done(_, Some(reply)) => reply.weight(),
                State::Done(_, None) | State::Released(_) => 0,
            }
    }
}

fn millis_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
