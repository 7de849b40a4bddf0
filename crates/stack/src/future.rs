use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project::pin_project;
use tower::util::Oneshot;
use tower_service::Service;

use crate::Buffered;

/// Response future of [`Layered`](crate::Layered): a request that is no callback goes through as it is.
#[pin_project]
pub struct ResponseFuture<S: Service<Request<Buffered<B>>>, B, R> {
    #[pin]
    state: State<S, B, R>,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[expect(clippy::large_enum_variant, reason = "what passes through is not boxed")]
#[pin_project(project = StateProj)]
enum State<S: Service<Request<Buffered<B>>>, B, R> {
    Passed(#[pin] Oneshot<S, Request<Buffered<B>>>),
    // Boxed: it names an `async fn`, and what it does costs more than one allocation anyway.
    Layered(BoxFuture<Result<Response<Buffered<R>>, S::Error>>),
}

impl<S: Service<Request<Buffered<B>>>, B, R> ResponseFuture<S, B, R> {
    /// Calls the service, once it is ready, with an untouched request.
    pub(crate) fn passed(service: S, request: Request<Buffered<B>>) -> Self {
        Self { state: State::Passed(Oneshot::new(service, request)) }
    }

    /// Does what a layer does with a callback.
    pub(crate) fn layered<F>(future: F) -> Self
    where
        F: Future<Output = Result<Response<Buffered<R>>, S::Error>> + Send + 'static,
    {
        Self { state: State::Layered(Box::pin(future)) }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<Buffered<B>>, Response = Response<R>>,
{
    type Output = Result<Response<Buffered<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Passed(future) => {
                let response = ready!(future.poll(cx));
                Poll::Ready(response.map(|response| response.map(Buffered::Passed)))
            }
            StateProj::Layered(future) => future.as_mut().poll(cx),
        }
    }
}

impl<S: Service<Request<Buffered<B>>>, B, R> fmt::Debug for ResponseFuture<S, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
