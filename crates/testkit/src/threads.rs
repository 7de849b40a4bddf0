//! Two threads that meet between any two locks, for the tests of what threads share.

use std::{cell::Cell, hint::spin_loop, thread};

use tokio::runtime::Builder;

/// Runs this on two threads at once. Each has a runtime of its own, so that they share nothing
/// else.
pub fn on_two_threads(play: impl AsyncFn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = Builder::new_current_thread().enable_time().build();
                runtime.expect("a runtime").block_on(play());
            });
        }
    });
}

/// Gives the other thread time to go on, in most calls: by themselves, two threads would hardly
/// ever meet between two locks.
pub fn switch() {
    thread_local!(static RANDOM: Cell<u32> = const { Cell::new(1) });
    let mut random = RANDOM.get();
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    RANDOM.set(random);
    match random % 4 {
        0 | 1 => thread::yield_now(),
        2 => (0..50).for_each(|_| spin_loop()),
        _ => {}
    }
}
