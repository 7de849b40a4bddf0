use std::{
    any::Any,
    fmt,
    future::Future,
    io,
    panic::{AssertUnwindSafe, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};
use tower_callback_contract::{Callback, Id, Timestamp};
use tower_callback_dedup::Attempt;
use tower_callback_order::Position;
use tower_callback_stack::Buffered;

use super::{DemoLayer, EffectsFile, instruction::Instruction};
use crate::{Effect, Outcome};

/// Middleware around a handler under test. Made by [`DemoLayer`].
#[derive(Clone, Debug)]
pub struct Demo<S> {
    inner: S,
    settings: DemoLayer,
}

/// A run that is under way. If it is dropped before its end, it was cut off, and has failed.
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

impl<S, B, R> Service<Request<B>> for Demo<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send + 'static, Future: Send>,
    S: Clone + Send + 'static,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<Buffered<R>>;
    type Error = S::Error;
    type Future = DemoFuture<R, S::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { inner, settings } = self.clone();
        let callback = request.extensions().get::<Callback>().cloned();
        match callback.filter(|_| !settings.does_nothing()) {
            Some(callback) => DemoFuture(Box::pin(tried(inner, settings, callback, request))),
            None => DemoFuture(Box::pin(async move {
                let response = inner.oneshot(request).await?;
                Ok(response.map(Buffered::Passed))
            })),
        }
    }
}

/// Response future of [`Demo`].
pub struct DemoFuture<R, E>(Pin<Box<dyn Future<Output = Answered<R, E>> + Send>>);

type Answered<R, E> = Result<Response<Buffered<R>>, E>;

impl<R, E> Future for DemoFuture<R, E> {
    type Output = Answered<R, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<R, E> fmt::Debug for DemoFuture<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoFuture").finish_non_exhaustive()
    }
}

async fn tried<S, B, R>(
    inner: S,
    settings: DemoLayer,
    callback: Callback,
    request: Request<B>,
) -> Answered<R, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let DemoLayer { text, effects } = settings;
    let asked = text.and_then(|text| Instruction::of(callback.body(), text));
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
        Ok(response) => response,
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs the handler, or does what the message asks for instead.
async fn obey<R, E>(
    asked: Option<Instruction>,
    is_first: bool,
    handler: impl Future<Output = Result<Response<R>, E>>,
) -> Answered<R, E> {
    match asked {
        Some(Instruction::Slow(delay)) => sleep(delay).await,
        Some(Instruction::FailOnce) if is_first => return Ok(failure()),
        Some(Instruction::PanicOnce) if is_first => panic!("a message asked for it"),
        _ => {}
    }
    Ok(handler.await?.map(Buffered::Passed))
}

fn outcome<B, E>(done: &Result<Result<Response<B>, E>, Box<dyn Any + Send>>) -> Outcome {
    match done {
        Ok(Ok(response)) => match response.status().as_u16() {
            ..400 => Outcome::Ok,
            400..500 => Outcome::Refused,
            500.. => Outcome::Failed,
        },
        _ => Outcome::Failed,
    }
}

fn failure<R>() -> Response<Buffered<R>> {
    let mut response = Response::new(Buffered::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
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

    /// What to record of the run, once.
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
