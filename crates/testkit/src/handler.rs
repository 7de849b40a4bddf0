use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, util::BoxCloneSyncService};
use tower_test::mock::{Handle, Mock, pair};

use crate::{BoxError, TestBody};

/// A request, as a test sends it and sees it in the handler.
pub type Req = Request<TestBody>;
/// A response, as a test sends it from the handler and gets it.
pub type Res = Response<TestBody>;
/// A service under test.
pub type Service = BoxCloneSyncService<Req, Res, BoxError>;
/// The test's end of a [`Handler`].
pub type Play = Handle<Req, Res>;

/// A handler that the test plays. It takes any body that the layers around it pass on, and panics if it
/// is called before it was polled ready.
#[derive(Clone, Debug)]
pub struct Handler(Mock<Req, Res>);

impl<B> tower::Service<Request<B>> for Handler
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Res;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Res, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        tower::Service::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(tower::Service::call(&mut self.0, request.map(TestBody::new)))
    }
}

/// A handler that the test plays, inside a layer.
pub fn around<L, S, B>(layer: &L) -> (Service, Play)
where
    L: Layer<Handler, Service = S>,
    S: tower::Service<Req, Response = Response<B>, Error = BoxError, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (mock, play) = pair();
    (boxed(layer.layer(Handler(mock))), play)
}

/// A layer around a handler of your own.
pub fn service<L, S, B, F, Fut>(layer: &L, handle: F) -> Service
where
    L: Layer<Handling<F>, Service = S>,
    S: tower::Service<Req, Response = Response<B>, Error = BoxError, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    F: Fn(Req) -> Fut,
{
    boxed(layer.layer(Handling(handle)))
}

/// A function as a handler. It takes any body that the layers around it pass on.
#[derive(Clone, Debug)]
pub struct Handling<F>(pub F);

impl<F, Fut, B> tower::Service<Request<B>> for Handling<F>
where
    F: Fn(Req) -> Fut,
    Fut: Future<Output = Result<Res, BoxError>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Res;
    type Error = BoxError;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Fut {
        (self.0)(request.map(TestBody::new))
    }
}

/// The service, with one type of body for all responses.
pub fn boxed<S, B>(service: S) -> Service
where
    S: tower::Service<Req, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service = service.map_err(Into::into);
    Service::new(service.map_response(|response: Response<B>| response.map(TestBody::new)))
}

/// A callback.
pub fn post(path: &str, body: impl Into<TestBody>) -> Req {
    Request::post(path).body(body.into()).unwrap()
}

/// A response of a handler.
pub fn response(status: u16, body: impl Into<TestBody>) -> Res {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// The whole body.
pub async fn body_of<B>(body: B) -> Bytes
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    body.collect().await.map_err(Into::into).unwrap().to_bytes()
}
