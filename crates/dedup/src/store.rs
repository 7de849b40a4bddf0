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

/// Remembers finished ids, and holds the claims on those that run.
///
/// The layer itself joins the duplicates that reach one process; a store joins processes. Every
/// change is fenced: only the holder of a claim, known by its [`Token`], can renew, complete or
/// release it. An owner that froze and was replaced changes nothing when it wakes up.
///
/// A caller may repeat a call whose result was lost: `claim` grants the key again to the token that
/// holds it, and the other calls return [`Ownership::Lost`] at worst.
pub trait Store: Send + Sync + 'static {
    /// Why a call failed.
    type Error: Error + Send + Sync + 'static;

    /// How long a claim lasts unless it is renewed, or `None` (the default) if it lasts as long as
    /// this process. The layer renews a claim each time a third of this has passed.
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

    /// Ends a claim: the key is finished, and the store remembers the record for `window`.
    fn complete(
        &self,
        key: &Key,
        token: Token,
        record: Record,
        window: Duration,
    ) -> impl Future<Output = Result<Ownership, Self::Error>> + Send;

    /// Ends a claim: the next delivery runs again, and learns within `window` how this run ended.
    fn release(
        &self,
        key: &Key,
        token: Token,
        previous: Previous,
        window: Duration,
    ) -> impl Future<Output = Result<Ownership, Self::Error>> + Send;
}

/// What came of claiming a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Claim {
    /// The claim is made: run the handler.
    Granted(Attempt),
    /// Another token holds the key.
    Held,
    /// It is finished.
    Done(Record),
}

/// Whether a token still held the claim that it wanted to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ownership {
    /// It did, and the store made the change.
    Ours,
    /// It did not, and the store changed nothing.
    Lost,
}

/// Names one claim among all that were ever made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(u128);

/// What a store remembers of a finished callback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Its body's fingerprint, if the layer compares bodies.
    pub fingerprint: Option<Fingerprint>,
    /// The handler's response, or `None` if it was too large to remember.
    pub reply: Option<Arc<Reply>>,
}

impl Record {
    /// What is remembered of a callback with this body and response.
    #[must_use]
    pub fn new(fingerprint: Option<Fingerprint>, reply: Option<Arc<Reply>>) -> Self {
        Self { fingerprint, reply }
    }
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
