//! The layers under bare hyper, without axum.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};
use tower_callback::{Callback, wulai::WulaiLayer};
use tower_callback_tests::{DELIVERY, DELIVERY_CAMEL, Platform};

/// hyper's body, and one that can be made of bytes: all that the layers ask of a body.
struct AnyBody(Either<Incoming, Full<Bytes>>);

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_handled_once_under_bare_hyper() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let handler = service_fn(move |request: Request<AnyBody>| {
        let runs = Arc::clone(&counted);
        async move {
            let callback: &Callback = request.extensions().get().expect("received");
            assert_eq!(callback.envelope().conversation.as_deref(), Some("oZ8_anna"));
            runs.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("success")))
        }
    });
    let service = WulaiLayer::delivery()
        .layer(handler)
        .map_request(|request: Request<Incoming>| request.map(|body| AnyBody(Either::Left(body))));

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let platform = Platform::new(listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let connection = auto::Builder::new(TokioExecutor::new());
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    for (body, replayed) in [(DELIVERY, false), (DELIVERY_CAMEL, true)] {
        let reply = platform.post("/", body).await;
        assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"success"[..]));
        assert_eq!(reply.is_replayed(), replayed);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

impl From<Bytes> for AnyBody {
    fn from(bytes: Bytes) -> Self {
        Self(Either::Right(Full::from(bytes)))
    }
}

impl Body for AnyBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
