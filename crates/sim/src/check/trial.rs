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

/// A case that runs. It ends with what it expects of the handlers, or with a verdict.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Result<Expected, Verdict>> + Send + 'a>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Responded = Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send>>;

/// The receiver under test.
#[derive(Clone)]
pub(super) struct Receiver(Arc<dyn Fn(Request<Body>) -> Responded + Send + Sync>);

/// What a case works with.
pub(super) struct Trial {
    receiver: Receiver,
    response_timeout: Duration,
    user: String,
}

/// Why there is no response.
pub(super) enum NoResponse {
    /// The receiver took longer than this.
    TooSlow(Duration),
    /// The connection was refused, or broke off.
    Broken(String),
}

const RESPONSE: usize = 1024 * 1024;

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
                let response = service.oneshot(request).await;
                let response = response.map_err(|error| cause::in_words(&*error.into()))?;
                let (head, body) = response.into_parts();
                let body = Limited::new(body, RESPONSE).collect().await;
                let body = body.map_err(|_| "the response broke off".to_owned())?.to_bytes();
                Ok(Response::from_parts(head, body))
            })
        }))
    }
}

// ===== impl Trial =====

impl Trial {
    pub(super) fn new(receiver: Receiver, response_timeout: Duration) -> Self {
        Self { receiver, response_timeout, user: format!("check-{}", number()) }
    }

    /// An event that happens now.
    pub(super) fn event(&self, text: &str) -> Event {
        let (user, text) = (self.user.clone(), text.to_owned());
        Event { number: number(), user, sent_at: now_millis(), text }
    }

    /// Sends a callback and reads the response.
    pub(super) async fn send(
        &self,
        platform: &Platform,
        event: &Event,
    ) -> Result<Response<Bytes>, NoResponse> {
        self.post(platform.request(event, Body::from)).await
    }

    pub(super) async fn post(&self, request: Request<Body>) -> Result<Response<Bytes>, NoResponse> {
        let response = timeout(self.response_timeout, (self.receiver.0)(request)).await;
        response
            .map_err(|_| NoResponse::TooSlow(self.response_timeout))?
            .map_err(NoResponse::Broken)
    }

    /// Sends a callback, and disconnects if there is no response by then.
    pub(super) async fn disconnect(
        &self,
        request: Request<Body>,
        after: Duration,
    ) -> Result<Option<Response<Bytes>>, NoResponse> {
        match timeout(after, (self.receiver.0)(request)).await {
            Ok(response) => response.map(Some).map_err(NoResponse::Broken),
            Err(_) => Ok(None),
        }
    }

    /// Sends a callback that must be accepted.
    pub(super) async fn accepted(
        &self,
        platform: &Platform,
        event: &Event,
    ) -> Result<Response<Bytes>, Verdict> {
        let response = self.send(platform, event).await?;
        must_accept(platform, &response)?;
        Ok(response)
    }

    /// The same for a kind of callback that not every receiver needs.
    pub(super) async fn accepted_if_taken(
        &self,
        platform: &Platform,
        event: &Event,
    ) -> Result<Response<Bytes>, Verdict> {
        let response = self.send(platform, event).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(nothing_for(platform));
        }
        must_accept(platform, &response)?;
        Ok(response)
    }

    /// Sends a callback several times at once; all must be accepted.
    pub(super) async fn together(
        &self,
        platform: &Platform,
        event: &Event,
        times: usize,
    ) -> Result<(), Verdict> {
        let sent = (0..times).map(|_| self.accepted(platform, event));
        join_all(sent).await.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }
}

/// The response must be an accept, and do what it appears to do.
pub(super) fn must_accept(platform: &Platform, response: &Response<Bytes>) -> Result<(), Verdict> {
    if let Some(breach) = platform.breach(response) {
        return Err(fail(breach));
    }
    if !is_accepted(platform, response) {
        return Err(fail(format!("not accepted: {}", response.status())));
    }
    Ok(())
}

/// Whether the platform is done with the callback, and will not redeliver it.
pub(super) fn is_accepted(platform: &Platform, response: &Response<Bytes>) -> bool {
    matches!(platform.action(response), Action::Accept | Action::Use(_))
}

/// A receiver need not take every kind of callback.
pub(super) fn nothing_for(platform: &Platform) -> Verdict {
    let Platform { name, path, .. } = platform;
    Verdict::NotApplicable(format!("nothing handles {name}, whose usual path is {path}"))
}

/// The response must be a refusal: neither an accept, nor a failure of the server.
pub(super) fn must_refuse(response: &Response<Bytes>) -> Result<(), Verdict> {
    let status = response.status();
    if status.is_client_error() { Ok(()) } else { Err(fail(format!("{status} instead of a 4xx"))) }
}

pub(super) fn fail(why: impl Into<String>) -> Verdict {
    Verdict::Fail(why.into())
}

/// A number that no other event has, in this run or another.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    now_millis() % 100_000_000_000 * 100_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 100_000
}

pub(super) fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_millis().try_into().unwrap_or(u64::MAX)
}

// ===== impl NoResponse =====

impl From<NoResponse> for Verdict {
    fn from(why: NoResponse) -> Self {
        match why {
            NoResponse::TooSlow(timeout) => fail(format!("no response within {timeout:?}")),
            NoResponse::Broken(error) => fail(format!("no response: {error}")),
        }
    }
}
