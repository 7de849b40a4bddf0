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

/// A claim on a key. Dropping it gives the claim back, as a run whose end nobody knows.
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

/// How long the store may take for a call.
const DEADLINE: Duration = Duration::from_millis(500);
/// How long a delivery waits before it asks again for a key that another process holds.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl<S: Store> Claimed<S> {
    /// A guard, to be made before the claim.
    pub(crate) fn new(store: Arc<S>, key: Key, window: Duration) -> Self {
        Self { store, key, token: Token::unique(), window, open: true }
    }

    /// Claims the key, and waits while another process holds it: `Held` only at `give_up`. On an
    /// error the claim may have been made all the same, so the guard has to be dropped.
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

    /// If the store did not end the claim, its lease does.
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
        // A store in memory is done at once, and needs no runtime.
        if release.as_mut().now_or_never().is_none() {
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(release);
            }
        }
    }
}

/// What the store returns in time. Logs an error if it returns nothing.
async fn ask<T, E: Error + 'static>(
    what: &'static str,
    call: impl Future<Output = Result<T, E>>,
) -> Option<T> {
    let mut call = pin!(call);
    // A store in memory is done at once, and needs no timer.
    let answer = match call.as_mut().now_or_never() {
        Some(answer) => Ok(answer),
        // Boxed, so that other stores do not keep the room for it.
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
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use tower_callback_testkit::{on_two_threads, switch};

    use super::*;
    use crate::{Attempt, MemoryStore};

    /// No runtime is left when a run is dropped at the very end.
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

    #[test]
    fn of_two_threads_one_holds_a_key_at_a_time_and_no_claim_is_lost() {
        let (store, hour) = (Arc::new(MemoryStore::new()), Duration::from_secs(3600));
        // Whether a thread holds the key, and how often one has held it.
        let keys: Vec<_> =
            (0..2_000).map(|_| (AtomicBool::new(false), AtomicU32::new(0))).collect();
        on_two_threads(async || {
            for (number, (is_held, runs)) in keys.iter().enumerate() {
                let key = Key::new(&[&number.to_string()]);
                loop {
                    let mut claimed = Claimed::new(Arc::clone(&store), key.clone(), hour);
                    let claim = claimed.claim(Instant::now()).await;
                    match claim.expect("a store in memory") {
                        Claim::Granted(attempt) => {
                            assert!(!is_held.swap(true, Ordering::SeqCst), "two hold it");
                            let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
                            assert_eq!(attempt.number, run, "a run was lost");
                            switch();
                            is_held.store(false, Ordering::SeqCst);
                            // The first two are dropped.
                            if run >= 3 {
                                let record = Record { fingerprint: None, reply: None };
                                claimed.end(End::Completed(record)).await;
                            }
                        }
                        Claim::Held => {}
                        Claim::Done(_) => break,
                    }
                }
            }
        });
        assert!(keys.iter().all(|(_, runs)| runs.load(Ordering::SeqCst) == 3));
    }
}
