use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project::pin_project;
use tower::util::Oneshot;
use tower_service::Service;

/// Response future of the layers: a request that is no callback goes through as it is.
#[pin_project]
pub struct ResponseFuture<S: Service<Req>, Req> {
    #[pin]
    state: State<S, Req>,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[pin_project(project = StateProj)]
enum State<S: Service<Req>, Req> {
    Passed(#[pin] Oneshot<S, Req>),
    // Boxed: it names an `async fn`, and what it does costs more than one allocation anyway.
    Layered(BoxFuture<Result<S::Response, S::Error>>),
}

impl<S: Service<Req>, Req> ResponseFuture<S, Req> {
    /// Calls the service, once it is ready, with an untouched request.
    pub fn passed(service: S, request: Req) -> Self {
        Self { state: State::Passed(Oneshot::new(service, request)) }
    }

    /// Does what a layer does with a callback.
    pub fn layered<F>(future: F) -> Self
    where
        F: Future<Output = Result<S::Response, S::Error>> + Send + 'static,
    {
        Self { state: State::Layered(Box::pin(future)) }
    }
}

impl<S: Service<Req>, Req> Future for ResponseFuture<S, Req> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Passed(future) => future.poll(cx),
            StateProj::Layered(future) => future.as_mut().poll(cx),
        }
    }
}

impl<S: Service<Req>, Req> fmt::Debug for ResponseFuture<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
