use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;
use tower::{Service, ServiceExt};
use tower_callback_contract::Action;

use super::{Verdict, expected::Expected};
use crate::{Body, Event, Platform, cause};

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
    patience: Duration,
    user: String,
}

/// Why there is no reply.
pub(super) enum NoReply {
    /// The receiver took longer than this.
    Late(Duration),
    /// The connection was refused, or broke off.
    Broken(String),
}

const REPLY: usize = 1024 * 1024;

// ===== impl Receiver =====

impl Receiver {
    pub(super) fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
        S: Clone + Send + 'static,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let service = std::sync::Mutex::new(service);
        Self(Arc::new(move |request| {
            let service = service.lock().expect("nothing panics while it is locked").clone();
            Box::pin(async move {
                let reply = service.oneshot(request).await;
                let reply = reply.map_err(|error| cause::in_words(&*error.into()))?;
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
    pub(super) fn new(receiver: Receiver, patience: Duration) -> Self {
        Self { receiver, patience, user: format!("check-{}", number()) }
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
    ) -> Result<Response<Bytes>, NoReply> {
        self.post(platform.request(event, Body::from)).await
    }

    pub(super) async fn post(&self, request: Request<Body>) -> Result<Response<Bytes>, NoReply> {
        let reply = timeout(self.patience, (self.receiver.0)(request)).await;
        reply.map_err(|_| NoReply::Late(self.patience))?.map_err(NoReply::Broken)
    }

    /// Sends a callback, and hangs up unless there is a reply by then.
    pub(super) async fn hang_up(
        &self,
        request: Request<Body>,
        after: Duration,
    ) -> Result<Option<Response<Bytes>>, NoReply> {
        match timeout(after, (self.receiver.0)(request)).await {
            Ok(reply) => reply.map(Some).map_err(NoReply::Broken),
            Err(_) => Ok(None),
        }
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

    /// The same for a kind of callback that not every receiver needs.
    pub(super) async fn accepted_if_taken(
        &self,
        platform: &Platform,
        event: &Event,
    ) -> Result<Response<Bytes>, Verdict> {
        let reply = self.send(platform, event).await?;
        if reply.status() == StatusCode::NOT_FOUND {
            return Err(nothing_for(platform));
        }
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
    if !is_accepted(platform, reply) {
        return Err(fail(format!("not accepted: {}", reply.status())));
    }
    Ok(())
}

/// The platform is done with it, and will not repeat it.
pub(super) fn is_accepted(platform: &Platform, reply: &Response<Bytes>) -> bool {
    matches!(platform.action(reply), Action::Accept | Action::Use(_))
}

/// A receiver needs no more kinds of callback than it has work for.
pub(super) fn nothing_for(platform: &Platform) -> Verdict {
    let Platform { name, path, .. } = platform;
    Verdict::NotApplicable(format!("there is nothing for {name}, which usually goes to {path}"))
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

// ===== impl NoReply =====

impl From<NoReply> for Verdict {
    fn from(none: NoReply) -> Self {
        match none {
            NoReply::Late(patience) => fail(format!("no reply within {patience:?}")),
            NoReply::Broken(error) => fail(format!("no reply: {error}")),
        }
    }
}
