use std::{
    fmt::Display,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;
use tower::{Service, ServiceExt};
use tower_callback_contract::Action;

use super::Verdict;
use crate::{Body, Effect, Event, Outcome, Platform};

/// One case that runs: what it still expects of the handlers, or that it is over.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Result<Expected, Verdict>> + Send + 'a>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Replied = Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send>>;

/// Who is tried.
#[derive(Clone)]
pub(super) struct Receiver(Arc<dyn Fn(Request<Body>) -> Replied + Send + Sync>);

/// What a case has at hand.
pub(super) struct Trial {
    receiver: Receiver,
    user: String,
}

/// What the handlers are to have done.
#[derive(Default)]
pub(super) struct Expected {
    /// That they did this once.
    once: Vec<String>,
    /// That they did these in this order.
    in_order: Vec<String>,
    /// That they failed at this before.
    failed_first: Option<String>,
}

/// How long a reply may take, where a case says nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

const REPLY: usize = 1024 * 1024;

// ===== impl Receiver =====

impl Receiver {
    pub(super) fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error: Display, Future: Send>,
        S: Clone + Send + 'static,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let service = std::sync::Mutex::new(service);
        Self(Arc::new(move |request| {
            let service = service.lock().expect("nothing panics while it is locked").clone();
            Box::pin(async move {
                let reply = service.oneshot(request).await.map_err(|error| error.to_string())?;
                let (head, body) = reply.into_parts();
                let body = Limited::new(body, REPLY).collect().await;
                let body = body.map_err(|_| "the reply broke off".to_owned())?.to_bytes();
                Ok(Response::from_parts(head, body))
            })
        }))
    }
}

// ===== impl Trial =====

impl Trial {
    pub(super) fn new(receiver: Receiver) -> Self {
        Self { receiver, user: format!("check-{}", number()) }
    }

    /// Something that happened just now.
    pub(super) fn event(&self, text: &str) -> Event {
        let (user, text) = (self.user.clone(), text.to_owned());
        Event { number: number(), user, sent_at: now_millis(), text }
    }

    /// Sends a callback and reads the reply.
    pub(super) async fn send(
        &self,
        platform: &Platform,
        event: &Event,
    ) -> Result<Response<Bytes>, Verdict> {
        self.post(platform.request(event, Body::from)).await
    }

    pub(super) async fn post(&self, request: Request<Body>) -> Result<Response<Bytes>, Verdict> {
        let reply = timeout(PATIENCE, (self.receiver.0)(request)).await;
        let reply = reply.map_err(|_| fail("no reply within 30 s"))?;
        reply.map_err(|error| fail(format!("no reply: {error}")))
    }

    /// Sends a callback and hangs up if the reply takes longer.
    pub(super) async fn hang_up(&self, request: Request<Body>, after: Duration) -> bool {
        timeout(after, (self.receiver.0)(request)).await.is_err()
    }

    /// Sends a callback that is to be accepted.
    pub(super) async fn accepted(
        &self,
        platform: &Platform,
        event: &Event,
    ) -> Result<Response<Bytes>, Verdict> {
        let reply = self.send(platform, event).await?;
        must_accept(platform, &reply)?;
        Ok(reply)
    }

    /// Sends copies all at once; all are to be accepted.
    pub(super) async fn copies(
        &self,
        platform: &Platform,
        event: &Event,
        copies: usize,
    ) -> Result<(), Verdict> {
        let sent = (0..copies).map(|_| self.accepted(platform, event));
        join_all(sent).await.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }
}

/// The platform is to be done with it, and happy.
pub(super) fn must_accept(platform: &Platform, reply: &Response<Bytes>) -> Result<(), Verdict> {
    if let Some(breach) = platform.breach(reply) {
        return Err(fail(breach));
    }
    match platform.action(reply) {
        Action::Accept | Action::Use(_) => Ok(()),
        _ => Err(fail(format!("not accepted: {}", reply.status()))),
    }
}

/// A clear refusal: not an accept, and no failure of the server's own.
pub(super) fn must_refuse(reply: &Response<Bytes>) -> Result<(), Verdict> {
    let status = reply.status();
    if status.is_client_error() { Ok(()) } else { Err(fail(format!("{status} instead of a 4xx"))) }
}

pub(super) fn fail(why: impl Into<String>) -> Verdict {
    Verdict::Fail(why.into())
}

/// No two are equal, nor those of two runs.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    now_millis() % 100_000_000_000 * 100_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 100_000
}

pub(super) fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_millis().try_into().unwrap_or(u64::MAX)
}

// ===== impl Expected =====

impl Expected {
    /// Nothing that only the handlers know.
    pub(super) fn nothing() -> Self {
        Self::default()
    }

    pub(super) fn once(platform: &Platform, event: &Event) -> Self {
        Self { once: vec![id(platform, event)], ..Self::default() }
    }

    pub(super) fn once_after_a_failure(platform: &Platform, event: &Event) -> Self {
        let id = id(platform, event);
        Self { once: vec![id.clone()], failed_first: Some(id), ..Self::default() }
    }

    pub(super) fn in_order(platform: &Platform, events: &[Event]) -> Self {
        let ids: Vec<_> = events.iter().map(|event| id(platform, event)).collect();
        Self { once: ids.clone(), in_order: ids, ..Self::default() }
    }

    pub(super) fn hold_against(self, effects: Option<Vec<Effect>>) -> Result<Self, Verdict> {
        if self.once.is_empty() {
            return Ok(self);
        }
        let Some(mut effects) = effects else {
            let why = "what the handlers did is not known: see --effects";
            return Err(Verdict::NotApplicable(why.to_owned()));
        };
        effects.sort_by_key(|effect| effect.start);
        if let Some(id) = &self.failed_first {
            let failed = |effect: &Effect| effect.outcome == Outcome::Failed && effect.is_of(id);
            if !effects.iter().any(failed) {
                let why = "the handler does not fail when asked to (`#sim fail once`)";
                return Err(Verdict::NotApplicable(why.to_owned()));
            }
        }
        effects.retain(|effect| effect.outcome == Outcome::Ok);
        for id in &self.once {
            let runs = effects.iter().filter(|effect| effect.is_of(id)).count();
            if runs != 1 {
                return Err(fail(format!("the handler did it {runs} times")));
            }
        }
        let order: Vec<_> = effects
            .iter()
            .filter_map(|effect| self.in_order.iter().find(|id| effect.is_of(id)))
            .collect();
        if !order.iter().copied().eq(&self.in_order) {
            return Err(fail("handled in another order than sent"));
        }
        Ok(self)
    }
}

impl Effect {
    fn is_of(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }
}

fn id(platform: &Platform, event: &Event) -> String {
    platform.envelope(event).id.map_or_else(String::new, |id| id.as_str().to_owned())
}
