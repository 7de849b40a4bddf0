use std::{
    convert::Infallible, error::Error, future::pending, pin::pin, sync::Arc, time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};
use tower_callback_contract::Reason;

use crate::{Claim, Key, Ownership, Previous, Record, Store, Token};

/// A claim on a key. Given back when dropped, as a run that nobody knows the end of.
pub(crate) struct Claimed<S: Store> {
    store: Arc<S>,
    key: Key,
    token: Token,
    window: Duration,
    open: bool,
}

/// How a claim ends.
pub(crate) enum End {
    Completed(Record),
    Released(Previous),
}

/// How long the store may take for an answer.
const DEADLINE: Duration = Duration::from_millis(500);
/// How long we wait before we ask again for a key that another process holds.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl<S: Store> Claimed<S> {
    /// A guard for a claim that is about to be made.
    pub(crate) fn new(store: Arc<S>, key: Key, window: Duration) -> Self {
        Self { store, key, token: Token::unique(), window, open: true }
    }

    /// Claims the key, and waits for whoever holds it elsewhere: `Held` only at `give_up`. A claim
    /// whose answer was lost may have been made, so the guard is to be dropped then.
    pub(crate) async fn claim(&mut self, give_up: Instant) -> Result<Claim, Reason> {
        let mut pause = FIRST_PAUSE;
        loop {
            let claim = ask("claim", self.store.claim(&self.key, self.token)).await;
            let claim = claim.ok_or(Reason::StoreUnavailable)?;
            self.open = matches!(claim, Claim::Granted(_));
            if claim != Claim::Held || Instant::now() + pause > give_up {
                return Ok(claim);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            self.open = true;
        }
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
            let renewed = ask("renew", self.store.renew(&self.key, self.token)).await;
            if renewed == Some(Ownership::Lost) {
                tracing::warn!("claim lost while the handler runs: it may run elsewhere too");
                return pending().await;
            }
        }
    }

    pub(crate) async fn end(mut self, end: End) {
        let Self { store, key, token, window, .. } = &self;
        let done = match end {
            End::Completed(record) => {
                ask("complete", store.complete(key, *token, record, *window)).await
            }
            End::Released(previous) => {
                ask("release", store.release(key, *token, previous, *window)).await
            }
        };
        self.close(done);
    }

    /// A claim that the store did not let us end runs out by its lease.
    fn close(&mut self, done: Option<Ownership>) {
        self.open = false;
        if done == Some(Ownership::Lost) {
            tracing::warn!("claim lost: the end of its run was not recorded");
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
            ask("release", store.release(&key, token, Previous::Indeterminate, window)).await
        });
        // A store in memory is done at once, also where no runtime is left to run anything.
        if release.as_mut().now_or_never().is_none() {
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(release);
            }
        }
    }
}

/// What the store answers in time. Says so if it does not.
async fn ask<T, E: Error + 'static>(
    what: &'static str,
    call: impl Future<Output = Result<T, E>>,
) -> Option<T> {
    let mut call = pin!(call);
    // A store in memory is done at once, and needs no timer.
    let answer = match call.as_mut().now_or_never() {
        Some(answer) => Ok(answer),
        // Boxed, as most stores need no room for it.
        None => Box::pin(timeout(DEADLINE, call)).await,
    };
    match answer {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::error!(what, error = &error as &dyn Error, "store failed");
            None
        }
        Err(_) => {
            tracing::error!(what, deadline = ?DEADLINE, "store too slow");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attempt, MemoryStore};

    /// Without a runtime: that is when a run is dropped.
    #[test]
    fn a_claim_that_is_dropped_is_given_back_as_indeterminate() {
        let (store, hour) = (Arc::new(MemoryStore::new()), Duration::from_secs(3600));
        let claimed = || Claimed::new(Arc::clone(&store), Key::new(&["1"]), hour);
        let never = Instant::now() + hour;
        let mut first = claimed();
        let granted = first.claim(never).now_or_never().unwrap();
        assert_eq!(granted, Ok(Claim::Granted(Attempt::FIRST)));
        drop(first);
        let mut second = claimed();
        let again = Attempt { number: 2, previous: Some(Previous::Indeterminate) };
        let granted = second.claim(never).now_or_never().unwrap();
        assert_eq!(granted, Ok(Claim::Granted(again)));
    }
}
