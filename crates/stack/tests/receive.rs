//! The layer from outside, row by row of the semantics it promises.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{Full, Limited, StreamBody};
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_callback_contract::{Callback, Id, Reason, Refusal};
use tower_callback_stack::{ReceiveLayer, Receiver};
use tower_callback_testkit::{
    BoxError, Platform, Play, Req, Res, Service, TestBody, around, body_of, post, response,
};

const ORDERS: Platform = Platform::ORDERS;

fn receive() -> ReceiveLayer<Platform> {
    ReceiveLayer::for_contract(ORDERS)
}

#[tokio::test(start_paused = true)]
async fn r01_a_body_over_the_limit_is_refused_before_it_is_read() {
    let (service, mut handler) = around(&receive().max_body_bytes(20));
    let fits = order(r#"{"id":"1234567890"}"#);
    assert_eq!(answered(&service, &mut handler, fits).await.status(), 200);

    // It says its length: nothing of it is read.
    let unread = TestBody::unreadable(21);
    // It says none: reading stops at the limit, though it would never end.
    let endless = TestBody::endless();
    // Somebody else's limit is a limit too.
    let limited = TestBody::new(Limited::new(Full::<Bytes>::from(r#"{"id":"12"}"#), 5));
    for body in [unread, endless, limited] {
        let request = Request::post("/").body(body).unwrap();
        let refused = service.clone().oneshot(request).await.unwrap();
        assert_eq!(refused.status(), 413);
        assert_eq!(reason(&refused), Reason::BodyTooLarge);
    }
}

#[tokio::test(start_paused = true)]
async fn r01_the_default_limit_is_a_mebibyte() {
    let (service, mut handler) = around(&receive());
    let of_length = |length: usize| {
        let frame = r#"{"id":""}"#;
        order(&frame.replace("\"\"", &format!("\"{}\"", "1".repeat(length - frame.len()))))
    };
    let fits = of_length(1024 * 1024);
    assert_eq!(answered(&service, &mut handler, fits).await.status(), 200);
    let refused = service.oneshot(of_length(1024 * 1024 + 1)).await.unwrap();
    assert_eq!(refused.status(), 413);
}

#[tokio::test(start_paused = true)]
async fn r02_a_body_that_stalls_is_refused_at_the_deadline() {
    let second = Duration::from_secs(1);
    for (layer, deadline) in [(receive(), 9 * second), (receive().read_deadline(second), second)] {
        let (service, _handler) = around(&layer);
        let stalled = Request::post("/").body(TestBody::stalled("{\"id\"")).unwrap();
        let start = Instant::now();
        let refused = service.oneshot(stalled).await.unwrap();
        assert_eq!(refused.status(), 408);
        assert_eq!(reason(&refused), Reason::BodyTimeout { deadline });
        assert!((deadline..deadline + second / 100).contains(&start.elapsed()));
    }
}

#[tokio::test(start_paused = true)]
async fn r02_a_body_that_comes_in_pieces_has_one_deadline_for_the_whole() {
    let second = Duration::from_secs(1);
    let in_pieces = || {
        let pieces = tokio_stream::iter([r#"{"id""#, r#":"17"}"#, " ", " "]);
        let frames = pieces.then(async |piece| {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, BoxError>(Frame::data(Bytes::from(piece)))
        });
        Request::post("/").body(TestBody::new(StreamBody::new(frames))).unwrap()
    };
    let (service, mut handler) = around(&receive().read_deadline(5 * second));
    let sent = tokio::spawn(service.oneshot(in_pieces()));
    let (request, respond) = handler.next_request().await.unwrap();
    let callback: &Callback = request.extensions().get().unwrap();
    assert_eq!(callback.body().bytes(), "{\"id\":\"17\"}  ");
    respond.send_response(Res::default());
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);

    let (service, _handler) = around(&receive().read_deadline(3 * second + second / 2));
    let start = Instant::now();
    let refused = service.oneshot(in_pieces()).await.unwrap();
    assert_eq!(refused.status(), 408);
    assert!(start.elapsed() < 4 * second);
}

/// Without a runtime there is none.
#[test]
fn what_is_there_of_a_body_needs_no_timer() {
    let layer = Receiver::for_contract(Arc::new(ORDERS));
    let mut reading = pin!(layer.receive(order(r#"{"id":"17"}"#)));
    let poll = reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(received)) = poll else { panic!("it is all there") };
    assert_eq!(received.callback.envelope().id, Id::new("shop.order", "17"));
}

#[tokio::test(start_paused = true)]
async fn r02_a_body_that_is_cut_is_refused() {
    let (service, _handler) = around(&receive());
    let frames = [
        Ok(Frame::data(Bytes::from_static(b"{\"id\":\"1\""))),
        Err(BoxError::from(io::Error::from(io::ErrorKind::ConnectionReset))),
    ];
    let cut = TestBody::new(StreamBody::new(tokio_stream::iter(frames)));
    let refused = service.oneshot(Request::post("/").body(cut).unwrap()).await.unwrap();
    assert_eq!((refused.status().as_u16(), reason(&refused)), (400, Reason::BodyIncomplete));
}

#[tokio::test(start_paused = true)]
async fn r03_what_the_contract_refuses_does_not_reach_the_handler() {
    let (service, _handler) = around(&receive());
    for (body, code) in [
        ("{\"id\":", "malformed"),
        ("\u{feff}{}", "malformed"),
        ("", "malformed"),
        ("[]", "malformed"),
        (r#"{"id":"1","id":"2"}"#, "ambiguous"),
    ] {
        let refused = service.clone().oneshot(order(body)).await.unwrap();
        assert_eq!((refused.status().as_u16(), reason(&refused).code()), (400, code), "{body}");
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let problem = body_of(refused.into_body()).await;
        let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap();
        assert!(problem["line"].is_u64() && problem["column"].is_u64(), "{problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn r05_what_is_not_posted_passes_through_untouched() {
    let (service, mut handler) = around(&receive().max_body_bytes(0));
    for method in ["GET", "HEAD", "OPTIONS", "PUT"] {
        let body = TestBody::new(Full::<Bytes>::from("not json"));
        let request = Request::builder().method(method).body(body).unwrap();
        let sent = tokio::spawn(service.clone().oneshot(request));
        let (request, respond) = handler.next_request().await.unwrap();
        assert!(request.extensions().is_empty());
        assert_eq!(body_of(request.into_body()).await, "not json");
        respond.send_response(Res::default());
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn r06_a_changed_body_is_read_anew() {
    for (changed, expected, id) in [
        (None, r#"{"id":"1"}"#, "1"),
        (Some(r#"{"id":"2"}"#), r#"{"id":"2"}"#, "2"),
        (Some(r#"{"id":"1" }"#), r#"{"id":"1" }"#, "1"),
    ] {
        let layers = ServiceBuilder::new()
            .layer(receive())
            .map_request(move |request: Request<_>| match changed {
                Some(body) => request.map(|_| TestBody::from(body)),
                None => request.map(TestBody::new),
            })
            .layer(receive());
        let (service, mut handler) = around(&layers);
        let sent = tokio::spawn(service.oneshot(order(r#"{"id":"1"}"#)));
        let (request, respond) = handler.next_request().await.unwrap();
        respond.send_response(Res::default());
        sent.await.unwrap().unwrap();

        let callback = request.extensions().get::<Callback>().unwrap().clone();
        let body = body_of(request.into_body()).await;
        assert_eq!(
            (&callback.body().bytes()[..], &body[..]),
            (expected.as_bytes(), expected.as_bytes())
        );
        assert_eq!(callback.envelope().id, Id::new("shop.order", id));
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_outermost_layer_bind_those_behind_it() {
    let layers = ServiceBuilder::new().layer(receive()).layer(receive().max_body_bytes(1));
    let (service, mut handler) = around(&layers);
    let request = order(r#"{"id":"1"}"#);
    assert_eq!(answered(&service, &mut handler, request).await.status(), 200);
}

// ===== what every layer does =====

#[tokio::test(start_paused = true)]
async fn passes_errors_through() {
    let (service, mut handler) = around(&receive());
    let sent = tokio::spawn(service.oneshot(order(r#"{"id":"1"}"#)));
    handler.next_request().await.unwrap().1.send_error("spilt");
    assert_eq!(sent.await.unwrap().unwrap_err().to_string(), "spilt");
}

#[test]
fn is_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    check(&receive());
    check(&receive().layer(()));
    check(&Refusal::new(Reason::Conflict));
}

async fn answered(service: &Service, handler: &mut Play, request: Req) -> Res {
    let sent = tokio::spawn(service.clone().oneshot(request));
    handler.next_request().await.unwrap().1.send_response(response(200, ""));
    sent.await.unwrap().unwrap()
}

fn order(body: &str) -> Req {
    post("/", body.to_owned())
}

fn reason(response: &Res) -> Reason {
    response.extensions().get::<Refusal>().expect("a refusal").reason().clone()
}
