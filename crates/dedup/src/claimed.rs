use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{runtime::Handle, time::sleep};

use crate::{Key, Ownership, Previous, Record, Store, Token};

/// A claim on a key. Given back when dropped, as a run that nobody knows the end of.
pub(crate) struct Claimed<S: Store> {
    store: Arc<S>,
    key: Key,
    token: Token,
    window: Duration,
    open: bool,
}

impl<S: Store> Claimed<S> {
    pub(crate) fn new(store: Arc<S>, key: Key, token: Token, window: Duration) -> Self {
        Self { store, key, token, window, open: true }
    }

    /// Renews the claim for as long as the work takes.
    pub(crate) async fn kept_alive<T>(&self, work: impl Future<Output = T>) -> T {
        match self.store.lease() {
            None => work.await,
            Some(lease) => tokio::select! {
                biased;
                done = work => done,
                never = self.renew_every(lease / 3) => match never {},
            },
        }
    }

    async fn renew_every(&self, period: Duration) -> Infallible {
        loop {
            sleep(period).await;
            match self.store.renew(&self.key, self.token).await {
                Ok(Ownership::Ours) => {}
                Ok(Ownership::Lost) => {
                    tracing::warn!("claim lost while the handler runs: it may run elsewhere too");
                    return pending().await;
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "store failed at renew"
                    );
                }
            }
        }
    }

    pub(crate) async fn complete(mut self, record: Record) {
        let done = self.store.complete(&self.key, self.token, record, self.window).await;
        self.close(done, "complete");
    }

    pub(crate) async fn release(mut self, previous: Previous) {
        let done = self.store.release(&self.key, self.token, previous, self.window).await;
        self.close(done, "release");
    }

    /// A claim that the store did not let us end runs out by its lease.
    fn close(&mut self, done: Result<Ownership, S::Error>, what: &'static str) {
        self.open = false;
        match done {
            Ok(Ownership::Ours) => {}
            Ok(Ownership::Lost) => tracing::warn!(what, "claim was lost: nothing recorded"),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, what, "store failed");
            }
        }
    }
}

impl<S: Store> Drop for Claimed<S> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let (token, window) = (self.token, self.window);
        let mut release = Box::pin(async move {
            let _ = store.release(&key, token, Previous::Indeterminate, window).await;
        });
        // A store in memory is done at once, also where no runtime is left to run anything.
        if release.as_mut().now_or_never().is_none() {
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(release);
            }
        }
    }
}
