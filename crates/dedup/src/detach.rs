use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

/// Runs in place, and goes on in a task of its own if it is dropped before its end: a disconnect
/// cannot cut it, and a client that stays pays for no task.
pub(crate) struct Detached<T: 'static> {
    running: Option<Running<T>>,
    /// Where it goes on: `drop` may happen outside any runtime.
    runtime: Option<Handle>,
}

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T: Send + 'static> Detached<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { running: Some(Box::pin(future)), runtime: None }
    }
}

impl<T: 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken out while it is polled, so that `drop` does not poll what has panicked.
        let mut running = self.running.take().expect("not polled after its end");
        let polled = running.as_mut().poll(cx);
        if polled.is_pending() {
            self.running = Some(running);
            self.runtime = self.runtime.take().or_else(|| Handle::try_current().ok());
        }
        polled
    }
}

impl<T: 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        // Without a runtime it cannot go on anywhere; dropping it gives its claim back.
        if let Some(runtime) = self.runtime.take() {
            runtime.spawn(async move { drop(running.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn it_runs_on_though_it_is_dropped_outside_of_its_runtime() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (go_on, told) = oneshot::channel::<()>();
        let (end, ended) = std::sync::mpsc::channel();
        let mut running = Detached::new(async move {
            told.await.unwrap();
            end.send(()).unwrap();
        });
        runtime.block_on(async {
            assert!(futures_util::poll!(&mut running).is_pending());
        });
        drop(running);
        go_on.send(()).unwrap();
        ended.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    }
}
