//! Checks what every layer and preset promises about readiness.

use std::{
    future::{pending, poll_fn},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::{Layer, Service as _, ServiceExt, limit::ConcurrencyLimitLayer};
use tower_test::mock::SendResponse;

use crate::{BoxError, Handler, Req, Res, TestBody, around, boxed, handler::Handling, response};

/// Compiles for a service that can be used everywhere: in axum, in a `ServiceBuilder`, on many threads.
pub fn is_service<S, B>(_: &S)
where
    S: tower::Service<Req, Response = Response<B>, Future: Send + 'static>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
}

/// The layer is ready at once. It calls the handler when the handler is ready.
pub async fn is_always_ready<L, S, B>(layer: &L, callback: Req)
where
    L: Layer<Handler, Service = S>,
    S: tower::Service<Req, Response = Response<B>, Error = BoxError, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (mut service, mut play) = around(layer);
    play.allow(0);
    let ready = poll_fn(|cx| Poll::Ready(service.poll_ready(cx))).await;
    assert!(matches!(ready, Poll::Ready(Ok(()))), "it is always ready");
    let called = tokio::spawn(service.call(callback));
    let settled = tokio::time::sleep(std::time::Duration::from_secs(2));
    settled.await;
    assert!(play.poll_request().is_pending(), "the handler was called before it was ready");
    play.allow(1);
    let (_, respond) = play.next_request().await.unwrap();
    SendResponse::send_response(respond, response(200, "success"));
    assert_eq!(called.await.unwrap().unwrap().status(), 200);
}

/// `ConcurrencyLimit` panics when it is called before that clone was polled ready.
pub async fn calls_the_service_that_was_polled_ready<L, S, B>(
    layer: &L,
    callbacks: impl IntoIterator<Item = Req>,
) where
    L: Layer<tower::limit::ConcurrencyLimit<Handling<Answer>>, Service = S>,
    S: tower::Service<Req, Response = Response<B>, Error = BoxError, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let limited = ConcurrencyLimitLayer::new(1).layer(Handling(answer as Answer));
    let mut service = boxed(layer.layer(limited));
    for callback in callbacks {
        let response = service.ready().await.unwrap().call(callback).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

/// A callback whose body still arrives keeps no place behind a concurrency limit.
pub async fn keeps_no_place_while_it_waits<L, S, B>(layer: &L, callback: Req)
where
    L: Layer<tower::limit::ConcurrencyLimit<Handling<Answer>>, Service = S>,
    S: tower::Service<Req, Response = Response<B>, Error = BoxError, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let limited = ConcurrencyLimitLayer::new(1).layer(Handling(answer as Answer));
    let service = boxed(layer.layer(limited));
    let stalled = Request::post("/").body(TestBody::stalled("{")).unwrap();
    let waits = tokio::spawn(service.clone().oneshot(stalled));
    tokio::task::yield_now().await;
    assert_eq!(service.oneshot(callback).await.unwrap().status(), 200);
    assert!(!waits.is_finished(), "it still waits");
    waits.abort();
}

/// If the inner service fails before it is called, the callback fails with that error.
pub async fn passes_errors_of_readiness_through<L, S, B>(layer: &L, callback: Req)
where
    L: Layer<NeverReady, Service = S>,
    S: tower::Service<Req, Response = Response<B>, Error = BoxError, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let error = boxed(layer.layer(NeverReady)).oneshot(callback).await.unwrap_err();
    assert_eq!(error.to_string(), "never ready");
}

/// A handler, as a function type that can be named.
pub type Answer = fn(Req) -> std::future::Ready<Result<Res, BoxError>>;

fn answer(_: Req) -> std::future::Ready<Result<Res, BoxError>> {
    std::future::ready(Ok(response(200, "success")))
}

/// A service that fails when it is polled ready.
#[derive(Clone, Copy, Debug)]
pub struct NeverReady;

impl<B> tower::Service<Request<B>> for NeverReady {
    type Response = Res;
    type Error = BoxError;
    type Future = std::future::Pending<Result<Res, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err("never ready".into()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        pending()
    }
}
