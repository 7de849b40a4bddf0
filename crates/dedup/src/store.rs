use std::{
    error::Error,
    future::Future,
    hash::BuildHasher,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{Attempt, Fingerprint, Key, Previous, Reply};

/// Where finished ids are remembered, and claimed while they run.
///
/// The layer itself brings together the copies that reach one process; a store brings together
/// processes. Every change is fenced: only the holder of a claim, known by its [`Token`], can
/// renew, complete or release it, so that an owner who was replaced while it was frozen changes
/// nothing when it wakes up.
///
/// A call may be repeated after its answer was lost: `claim` with the token that holds the key
/// grants again, the others answer [`Ownership::Lost`] at worst.
pub trait Store: Send + Sync + 'static {
    /// Why the store could not answer.
    type Error: Error + Send + Sync + 'static;

    /// How long a claim lasts without being renewed, or `None` (the default) if it lasts as long
    /// as this process. The layer renews at a third of it.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// Claims a key for a run of the handler, unless it is finished or held.
    fn claim(
        &self,
        key: &Key,
        token: Token,
    ) -> impl Future<Output = Result<Claim, Self::Error>> + Send;

    /// Makes a claim last another lease from now.
    fn renew(
        &self,
        key: &Key,
        token: Token,
    ) -> impl Future<Output = Result<Ownership, Self::Error>> + Send;

    /// Ends a claim: the key is finished, and remembered for `window`.
    fn complete(
        &self,
        key: &Key,
        token: Token,
        record: Record,
        window: Duration,
    ) -> impl Future<Output = Result<Ownership, Self::Error>> + Send;

    /// Ends a claim: the next copy runs again, and hears within `window` how this run ended.
    fn release(
        &self,
        key: &Key,
        token: Token,
        previous: Previous,
        window: Duration,
    ) -> impl Future<Output = Result<Ownership, Self::Error>> + Send;
}

/// What became of a wish to claim a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Claim {
    /// The key is ours: run the handler.
    Granted(Attempt),
    /// Somebody else runs it.
    Held,
    /// It is finished.
    Done(Record),
}

/// Whether a claim was still ours when we wanted to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ownership {
    /// It was, and the change was made.
    Ours,
    /// It was not, and nothing was changed.
    Lost,
}

/// Names one claim among all that were ever made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(u128);

/// What is remembered of a finished callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its body, if bodies are compared.
    pub fingerprint: Option<Fingerprint>,
    /// The handler's reply, or `None` if it was too large to be remembered.
    pub reply: Option<Arc<Reply>>,
}

impl Token {
    /// A token that no other claim has, in this process or another.
    #[must_use]
    pub fn unique() -> Self {
        static PROCESS: LazyLock<u64> =
            LazyLock::new(|| std::hash::RandomState::new().hash_one(std::process::id()));
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(u128::from(*PROCESS) << 64 | u128::from(count))
    }

    /// The token as a number, for a store that has to write it down.
    #[must_use]
    pub fn get(self) -> u128 {
        self.0
    }
}

/// For layers that share one store.
impl<S: Store> Store for Arc<S> {
    type Error = S::Error;

    fn lease(&self) -> Option<Duration> {
        (**self).lease()
    }

    async fn claim(&self, key: &Key, token: Token) -> Result<Claim, Self::Error> {
        (**self).claim(key, token).await
    }

    async fn renew(&self, key: &Key, token: Token) -> Result<Ownership, Self::Error> {
        (**self).renew(key, token).await
    }

    async fn complete(
        &self,
        key: &Key,
        token: Token,
        record: Record,
        window: Duration,
    ) -> Result<Ownership, Self::Error> {
        (**self).complete(key, token, record, window).await
    }

    async fn release(
        &self,
        key: &Key,
        token: Token,
        previous: Previous,
        window: Duration,
    ) -> Result<Ownership, Self::Error> {
        (**self).release(key, token, previous, window).await
    }
}
