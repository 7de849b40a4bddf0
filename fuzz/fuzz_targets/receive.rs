//! Every body gets a response: it is received, identified and validated, then accepted or refused, and the
//! models agree.
//!
//! ```sh
//! cargo install cargo-fuzz
//! RUSTC_BOOTSTRAP=1 cargo fuzz run receive fuzz/corpus fuzz/seeds -- -max_total_time=60
//! ```
//!
//! A test of the workspace, `every_seed_of_the_fuzzer_gets_a_response`, replays the seeds without it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = tower_callback_tests::answer(body);
});
