//! The layers under bare hyper, without axum.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_callback::{Buffered, Callback, wulai::WulaiLayer};
use tower_callback_tests::{DELIVERY, DELIVERY_CAMEL, serve_by_hyper};

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_handled_once_under_bare_hyper() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let handler = service_fn(move |request: Request<Buffered<Incoming>>| {
        let runs = Arc::clone(&counted);
        async move {
            let callback: &Callback = request.extensions().get().expect("received");
            assert_eq!(callback.envelope().conversation.as_deref(), Some("oZ8_anna"));
            runs.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("success")))
        }
    });
    let service = WulaiLayer::delivery().layer(handler);

    let platform = serve_by_hyper(service).await;
    for (body, replayed) in [(DELIVERY, false), (DELIVERY_CAMEL, true)] {
        let reply = platform.post("/", body).await;
        assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"success"[..]));
        assert_eq!(reply.is_replayed(), replayed);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}
