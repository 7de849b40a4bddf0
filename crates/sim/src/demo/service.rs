use std::{
    any::Any,
    future::Future,
    io,
    panic::{AssertUnwindSafe, resume_unwind},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};
use tower_callback_contract::{Callback, Id, ResponseFuture, Timestamp};
use tower_callback_dedup::Attempt;
use tower_callback_order::Position;

use super::{DemoLayer, EffectsFile, instruction::Instruction};
use crate::{Effect, Outcome};

/// Middleware around a handler that is tried out. Made by [`DemoLayer`].
#[derive(Clone, Debug)]
pub struct Demo<S> {
    inner: S,
    settings: DemoLayer,
}

/// A run that is under way. Dropped before its end, it was cut off, and has failed.
struct Run {
    effect: Option<Effect>,
    started: Instant,
    effects: EffectsFile,
}

impl<S> Demo<S> {
    pub(super) fn new(inner: S, settings: DemoLayer) -> Self {
        Self { inner, settings }
    }
}

impl<S, B, ResBody> Service<Request<B>> for Demo<S>
where
    S: Service<Request<B>, Response = Response<ResBody>, Error: Send, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Send + 'static,
    ResBody: From<Bytes> + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Request<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match request.extensions().get::<Callback>() {
            Some(callback) if !self.settings.does_nothing() => {
                let callback = callback.clone();
                ResponseFuture::layered(tried(self.clone(), callback, request))
            }
            _ => ResponseFuture::passed(self.inner.clone(), request),
        }
    }
}

async fn tried<S, B, ResBody>(
    service: Demo<S>,
    callback: Callback,
    request: Request<B>,
) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    let Demo { inner, settings: DemoLayer { text, effects } } = service;
    let asked = text.and_then(|text| Instruction::of(&callback, text));
    let is_first = request.extensions().get::<Attempt>().is_some_and(|it| it.number == 1);
    let is_late = matches!(request.extensions().get(), Some(Position::Late { .. }));
    let run = effects.map(|effects| Run::start(&callback, is_late, effects));
    let done = obey(asked, is_first, inner.oneshot(request));
    let done = AssertUnwindSafe(done).catch_unwind().await;
    let outcome = outcome(&done);
    let recorded = match run {
        Some(run) => run.end(outcome).await,
        None => Ok(()),
    };
    match done {
        Ok(Ok(_)) if recorded.is_err() => Ok(failure()),
        Ok(reply) => reply,
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs the handler, or does what was asked for in its place.
async fn obey<ResBody: From<Bytes>, E>(
    asked: Option<Instruction>,
    is_first: bool,
    handler: impl Future<Output = Result<Response<ResBody>, E>>,
) -> Result<Response<ResBody>, E> {
    match asked {
        Some(Instruction::Slow(delay)) => sleep(delay).await,
        Some(Instruction::FailOnce) if is_first => return Ok(failure()),
        Some(Instruction::PanicOnce) if is_first => panic!("a message asked for it"),
        _ => {}
    }
    handler.await
}

fn outcome<B, E>(done: &Result<Result<Response<B>, E>, Box<dyn Any + Send>>) -> Outcome {
    match done {
        Ok(Ok(reply)) => match reply.status().as_u16() {
            ..400 => Outcome::Ok,
            400..500 => Outcome::Refused,
            500.. => Outcome::Failed,
        },
        _ => Outcome::Failed,
    }
}

fn failure<B: From<Bytes>>() -> Response<B> {
    let mut reply = Response::new(Bytes::new().into());
    *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    reply
}

// ===== impl Run =====

impl Run {
    fn start(callback: &Callback, late: bool, effects: EffectsFile) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let start = millis(since_epoch.unwrap_or_default());
        let envelope = callback.envelope();
        let id = envelope.id.as_ref();
        let effect = Effect {
            callback: id.map(|id| id.scope().to_owned()),
            id: id.map(Id::as_str).map(str::to_owned),
            conversation: envelope.conversation.clone(),
            sent_at: envelope.sent_at.map(Timestamp::as_millis),
            start,
            end: start,
            outcome: Outcome::Failed,
            late,
        };
        Self { effect: Some(effect), started: Instant::now(), effects }
    }

    async fn end(mut self, outcome: Outcome) -> io::Result<()> {
        match self.ended(outcome) {
            Some(effect) => self.effects.record(&effect).await,
            None => Ok(()),
        }
    }

    /// What is to be recorded, once.
    fn ended(&mut self, outcome: Outcome) -> Option<Effect> {
        let effect = self.effect.take()?;
        Some(Effect { end: effect.start + millis(self.started.elapsed()), outcome, ..effect })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(effect) = self.ended(Outcome::Failed) {
            self.effects.record_later(&effect);
        }
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
