use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A table of keys, split so that two threads seldom meet.
pub(crate) struct Shards<V> {
    shards: Box<[Mutex<Shard<V>>]>,
}

type Shard<V> = HashMap<u128, V, BuildHasherDefault<AlreadyHashed>>;

/// Takes the hash of a [`Key`](crate::Key) as it is: a key is hashed once.
#[derive(Clone, Copy, Default)]
pub(crate) struct AlreadyHashed(u64);

const SHARDS: usize = 64;

// ===== impl Shards =====

impl<V> Shards<V> {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn lock(&self, hash: u128) -> MutexGuard<'_, Shard<V>> {
        #[cfg(test)]
        tower_callback_testkit::switch();
        // The high half: a map within a shard goes by the low one.
        #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
        let shard = (hash >> 64) as usize % SHARDS;
        // No panic can leave a map half-changed: nothing that could panic stands within a change.
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        let shard_len =
            |shard: &Mutex<Shard<V>>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(shard_len).sum()
    }
}

// ===== impl AlreadyHashed =====

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only the u128 of a key is hashed");
    }

    #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
