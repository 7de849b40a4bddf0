//! x

mod attempt;
mod claimed;
mod detach;
mod drain;
mod fingerprint;
mod flights;
mod key;
mod layer;
mod memory;
mod reply;
mod route;
mod run;
mod service;
mod settings;
mod store;

pub use self::{
    attempt::{Attempt, Outcome, Previous},
    drain::{DrainHandle, Drained},
    fingerprint::Fingerprint,
    key::Key,
    layer::DedupLayer,
    memory::{MemoryStats, MemoryStore},
    reply::Reply,
    service::Dedup,
    settings::{OnConflict, OnMissingId},
    store::{Claim, Ownership, Record, Store, Token},
};
