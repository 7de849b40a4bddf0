use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::LazyLock,
};

/// A hash that no other process computes: for ids and conversations, which senders choose, and which
/// are then told apart by these 128 bits alone. Two keyed hashes side by side. For those who write
/// layers.
#[must_use]
pub fn keyed_hash(value: &(impl Hash + ?Sized)) -> u128 {
    static SEEDS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
    let [high, low] = SEEDS.each_ref().map(|seed| u128::from(seed.hash_one(value)));
    high << 64 | low
}
