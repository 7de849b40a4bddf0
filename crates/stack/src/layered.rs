use std::{
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower::{BoxError, ServiceExt};
use tower_callback_contract::Contract;
use tower_service::Service;

use crate::{
    Buffered, Next, Received, Receiver, ResponseBody, ResponseFuture, Step,
    receive::may_be_callback, response::refuse,
};

/// Middleware that receives a callback, takes it through the steps of its layer or layers, and calls
/// the handler. The service of every layer of tower-callback.
///
/// It is always ready: a callback may wait in it, and must not keep a place in the inner service
/// meanwhile. The inner service is polled ready when the callback is ready for it, on the very clone
/// that is then called. A request that is no POST passes through untouched.
///
/// Any [`Body`] may come in and go out; the inner service gets [`Buffered`] of what came, and its
/// responses come out as [`Buffered`] too.
pub struct Layered<S, C, P> {
    inner: S,
    receiver: Arc<Receiver<C>>,
    steps: P,
}

/// The handler, at the end of the way.
struct Handler<S, B> {
    service: S,
    body: PhantomData<fn() -> B>,
}

// ===== impl Layered =====

impl<S, C, P> Layered<S, C, P> {
    /// The service of a layer with these steps.
    #[doc(hidden)]
    pub fn new(inner: S, receiver: Receiver<C>, steps: P) -> Self {
        Self { inner, receiver: Arc::new(receiver), steps }
    }
}

impl<S, C, P, B, R> Service<Request<B>> for Layered<S, C, P>
where
    S: Service<Request<Buffered<B>>, Response = Response<R>, Error: Send + 'static, Future: Send>,
    S: Clone + Send + 'static,
    C: Contract,
    P: Step<R, S::Error>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    R: ResponseBody,
{
    type Response = Response<Buffered<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = self.inner.clone();
        if !may_be_callback(&request) {
            return ResponseFuture::passed(inner, request.map(Buffered::Passed));
        }
        let (receiver, steps) = (Arc::clone(&self.receiver), self.steps.clone());
        ResponseFuture::layered(receive_and_run(receiver, steps, inner, request))
    }
}

// By hand: a derive would ask for `C: Clone`.
impl<S: Clone, C, P: Clone> Clone for Layered<S, C, P> {
    fn clone(&self) -> Self {
        let (receiver, steps) = (Arc::clone(&self.receiver), self.steps.clone());
        Self { inner: self.inner.clone(), receiver, steps }
    }
}

impl<S, C: Contract, P> fmt::Debug for Layered<S, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}

/// One block and no `async fn`, whose arguments would be there twice: a callback may wait in it long.
fn receive_and_run<S, C, P, B, R>(
    shared: Arc<Receiver<C>>,
    steps: P,
    service: S,
    request: Request<B>,
) -> impl Future<Output = Result<Response<Buffered<R>>, S::Error>> + Send
where
    S: Service<Request<Buffered<B>>, Response = Response<R>, Error: Send + 'static, Future: Send>,
    S: Send + 'static,
    C: Contract,
    P: Step<R, S::Error>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    R: ResponseBody,
{
    let contract = Arc::clone(&shared.contract);
    // Boxed, so that what waits long after it was read does not keep the room for reading.
    let reading = Box::pin(async move { shared.receive(request).await });
    async move {
        let received = match reading.await {
            Ok(received) => received,
            Err(refusal) => return Ok(refuse(&*contract, refusal)),
        };
        let run = steps.run(received, Handler { service, body: PhantomData });
        run.await
    }
}

// ===== impl Handler =====

impl<S, B, R> Next<R, S::Error> for Handler<S, B>
where
    S: Service<Request<Buffered<B>>, Response = Response<R>, Future: Send> + Send + 'static,
    B: Send + 'static,
    R: 'static,
{
    async fn run(self, received: Received) -> Result<Response<Buffered<R>>, S::Error> {
        let response = self.service.oneshot(received.into_request()).await?;
        Ok(response.map(Buffered::Passed))
    }
}
