use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

/// Runs in place, and on in a task of its own if it is dropped before its end: a client that
/// hangs up cannot cut it, and one that waits pays for no task.
pub(crate) struct Detached<T: 'static> {
    running: Option<Running<T>>,
}

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T: Send + 'static> Detached<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { running: Some(Box::pin(future)) }
    }
}

impl<T: 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken out meanwhile: what panicked must not be polled again by `drop`.
        let mut running = self.running.take().expect("not polled after its end");
        let polled = running.as_mut().poll(cx);
        if polled.is_pending() {
            self.running = Some(running);
        }
        polled
    }
}

impl<T: 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        // Without a runtime there is nowhere to run on, and dropping it gives its claim back.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { drop(running.await) });
        }
    }
}
