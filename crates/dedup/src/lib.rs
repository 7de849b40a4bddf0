//! x

mod attempt;
mod detach;
mod drain;
mod fingerprint;
mod flights;
mod key;
mod layer;
mod memory;
mod reply;
mod run;
mod service;
mod store;

pub use self::{
    attempt::{Attempt, Outcome, Previous},
    drain::{DrainHandle, Drained},
    fingerprint::Fingerprint,
    key::Key,
    layer::{DedupLayer, OnConflict, OnMissingId},
    memory::{MemoryStats, MemoryStore},
    reply::Reply,
    service::Dedup,
    store::{Claim, Ownership, Record, Store, Token},
};
