//! What the tests of several crates share: bodies, a handler that the test plays, a platform, checks of
//! readiness, a captured log, and two threads that meet.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "for tests, which may panic")]

mod body;
mod handler;
mod log;
mod platform;
mod ready;
mod threads;

pub use self::{
    body::{BoxError, TestBody},
    handler::{
        Handler, Handling, Play, Req, Res, Service, around, body_of, boxed, post, response, service,
    },
    log::{Events, capture_events},
    platform::Platform,
    ready::{
        Answer, NeverReady, calls_the_service_that_was_polled_ready, is_always_ready, is_service,
        keeps_no_place_while_it_waits, passes_errors_of_readiness_through,
    },
    threads::{on_two_threads, switch},
};
