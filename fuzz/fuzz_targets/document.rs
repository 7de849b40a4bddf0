//! Any body whatever is read as `serde_json` reads it, or refused.
//!
//! ```sh
//! cargo install cargo-fuzz
//! RUSTC_BOOTSTRAP=1 cargo fuzz run document \
//!     fuzz/corpus/document fuzz/seeds-document fuzz/seeds -- -max_total_time=60
//! ```
//!
//! `seeds-document` is what it found before. A test of the crate replays both without it.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/document/tests/support/property.rs"]
mod property;

fuzz_target!(|body: &[u8]| property::holds(body));
