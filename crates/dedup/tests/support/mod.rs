//! A receiver whose handler the test plays, and stores that share and fail.
#![expect(unreachable_pub, clippy::unwrap_used, reason = "a module of a test")]

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tower::ServiceExt;
use tower_callback_contract::{Contract, Reason, Refusal};
use tower_callback_dedup::{
    Attempt, Claim, DedupLayer, Key, Outcome, Ownership, Previous, Record, Store, Token,
};
use tower_callback_testkit::{Play, Req, Res, Service, around, body_of, post};
use tower_test::mock::SendResponse;

/// A receiver whose handler the test plays.
pub struct Receiver {
    pub service: Service,
    pub handler: Play,
}

impl Receiver {
    pub fn new<C: Contract, S: Store>(layer: &DedupLayer<C, S>) -> Self {
        let (service, handler) = around(layer);
        Self { service, handler }
    }

    /// Sends a callback from a task of its own: aborting it is a disconnect.
    pub fn send(&self, request: Req) -> JoinHandle<Res> {
        let sent = self.service.clone().oneshot(request);
        tokio::spawn(async move { ended(sent).await.expect("a response") })
    }

    /// Sends a callback, and has the handler respond.
    pub async fn handled(&mut self, request: Req, response: Res) -> (Attempt, Res) {
        let sent = self.send(request);
        let (attempt, respond) = self.run().await;
        respond.send_response(response);
        (attempt, sent.await.expect("no panic"))
    }

    /// The handler's next run.
    pub async fn run(&mut self) -> (Attempt, SendResponse<Res>) {
        let (request, respond) = ended(self.handler.next_request()).await.expect("a run");
        (*request.extensions().get().expect("an attempt"), respond)
    }

    /// Sends a callback that the handler must not see.
    pub async fn answered(&mut self, request: Req) -> Res {
        let sent = self.send(request);
        let response = sent.await.expect("no panic");
        self.assert_idle().await;
        response
    }

    /// Asserts that no run waits for the handler.
    pub async fn assert_idle(&mut self) {
        settle().await;
        let run = self.handler.poll_request();
        assert!(!matches!(run, Poll::Ready(Some(_))), "the handler ran");
    }
}

/// Fails a test that would wait for ever. Takes no time: the clock is paused.
pub async fn ended<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(24 * 60 * 60), future).await.expect("it never ends")
}

/// Lets every task go on until it waits. Takes no time: the clock is paused.
pub async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

pub fn order(id: &str) -> Req {
    order_to("/orders", id)
}

pub fn order_to(path: &str, id: &str) -> Req {
    post(path, format!(r#"{{"id":"{id}","what":"tea"}}"#))
}

pub fn outcome(response: &Res) -> Outcome {
    *response.extensions().get().expect("an outcome")
}

pub fn reason(response: &Res) -> Reason {
    response.extensions().get::<Refusal>().expect("a refusal").reason().clone()
}

pub async fn body(response: Res) -> Bytes {
    body_of(response.into_body()).await
}

/// A shared store whose claims run out after a second.
#[derive(Default)]
pub struct Leased {
    keys: Mutex<HashMap<String, Slot>>,
    renewals: AtomicUsize,
}

enum Slot {
    Held(Token, Instant),
    Done(Record),
    Free(Attempt),
}

impl Leased {
    const LEASE: Duration = Duration::from_secs(1);

    pub fn renewals(&self) -> usize {
        self.renewals.load(Ordering::Relaxed)
    }

    fn change(&self, key: &Key, token: Token, slot: Slot) -> Ownership {
        let mut keys = self.keys.lock().unwrap();
        match keys.get(key.as_str()) {
            Some(Slot::Held(holder, _)) if *holder == token => {
                keys.insert(key.as_str().to_owned(), slot);
                Ownership::Ours
            }
            _ => Ownership::Lost,
        }
    }
}

impl Store for Leased {
    type Error = Infallible;

    fn lease(&self) -> Option<Duration> {
        Some(Leased::LEASE)
    }

    async fn claim(&self, key: &Key, token: Token) -> Result<Claim, Infallible> {
        let now = Instant::now();
        let mut keys = self.keys.lock().unwrap();
        let attempt = match keys.get(key.as_str()) {
            Some(Slot::Done(record)) => return Ok(Claim::Done(record.clone())),
            Some(Slot::Held(_, until)) if *until > now => return Ok(Claim::Held),
            Some(Slot::Held(..)) => Attempt::FIRST.next(Previous::Indeterminate),
            Some(Slot::Free(attempt)) => *attempt,
            None => Attempt::FIRST,
        };
        keys.insert(key.as_str().to_owned(), Slot::Held(token, now + Leased::LEASE));
        Ok(Claim::Granted(attempt))
    }

    async fn renew(&self, key: &Key, token: Token) -> Result<Ownership, Infallible> {
        self.renewals.fetch_add(1, Ordering::Relaxed);
        Ok(self.change(key, token, Slot::Held(token, Instant::now() + Leased::LEASE)))
    }

    async fn complete(
        &self,
        key: &Key,
        token: Token,
        record: Record,
        _: Duration,
    ) -> Result<Ownership, Infallible> {
        Ok(self.change(key, token, Slot::Done(record)))
    }

    async fn release(
        &self,
        key: &Key,
        token: Token,
        previous: Previous,
        _: Duration,
    ) -> Result<Ownership, Infallible> {
        Ok(self.change(key, token, Slot::Free(Attempt::FIRST.next(previous))))
    }
}

/// A store that never answers a claim well.
pub struct Broken(pub Fault);

#[derive(Clone, Copy)]
pub enum Fault {
    Error,
    Hang,
    /// It grants the claim, and says nothing more.
    HangAtEnd,
}

impl Store for Broken {
    type Error = std::io::Error;

    async fn claim(&self, _: &Key, _: Token) -> Result<Claim, Self::Error> {
        match self.0 {
            Fault::Error => Err(std::io::Error::other("down")),
            Fault::Hang => std::future::pending().await,
            Fault::HangAtEnd => Ok(Claim::Granted(Attempt::FIRST)),
        }
    }

    async fn renew(&self, _: &Key, _: Token) -> Result<Ownership, Self::Error> {
        unreachable!("nothing was claimed")
    }

    async fn complete(
        &self,
        _: &Key,
        _: Token,
        _: Record,
        _: Duration,
    ) -> Result<Ownership, Self::Error> {
        std::future::pending().await
    }

    async fn release(
        &self,
        _: &Key,
        _: Token,
        _: Previous,
        _: Duration,
    ) -> Result<Ownership, Self::Error> {
        Ok(Ownership::Lost)
    }
}
