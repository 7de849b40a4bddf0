//! Order inside dedup, as in the presets of the platforms.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_callback::{
    Buffered, Callback,
    dedup::Outcome,
    order::{Hold, Position},
    wulai::{AnyCallback, WulaiLayer},
};

type Req = Request<Full<Bytes>>;
/// A request as the handler sees it.
type Seen = Request<Buffered<Full<Bytes>>>;
type Res = Response<Buffered<Full<Bytes>>>;

const HOLD: Duration = Duration::from_millis(100);

/// What the handler saw, in that order.
type Handled = Arc<Mutex<Vec<(String, Position)>>>;

#[tokio::test(start_paused = true)]
async fn messages_in_disorder_are_handled_in_order() {
    let (service, handled) = receiver();
    let sent: Vec<_> = ["3", "1", "2"].iter().map(|id| send(&service, id)).collect();
    for sent in sent {
        assert_eq!(sent.await.expect("no panic").status(), 200);
    }
    assert_eq!(ids(&handled), ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn o14_with_dedup_outside_a_held_callback_stays_when_its_client_disconnects() {
    let (service, handled) = receiver();
    let disconnected = send(&service, "1");
    let second = send(&service, "2");
    sleep(HOLD / 2).await;
    disconnected.abort();
    assert_eq!(second.await.expect("no panic").status(), 200);
    assert_eq!(ids(&handled), ["1", "2"]);
    let retry = send(&service, "1").await.expect("no panic");
    assert_eq!(retry.extensions().get(), Some(&Outcome::Replayed));
}

#[tokio::test(start_paused = true)]
async fn o15_a_duplicate_of_a_held_callback_joins_it() {
    let (service, handled) = receiver();
    let first = send(&service, "1");
    sleep(HOLD / 2).await;
    let start = Instant::now();
    let duplicate = send(&service, "1").await.expect("no panic");
    assert_eq!(start.elapsed(), HOLD / 2);
    assert_eq!(duplicate.extensions().get(), Some(&Outcome::Joined));
    assert_eq!(first.await.expect("no panic").status(), 200);
    assert_eq!(ids(&handled), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn o17_a_route_and_an_error_are_not_held() {
    let (service, handled) = receiver();
    let start = Instant::now();
    let question =
        r#"{"user_id":"anna","msg_id":"1","msg_ts":"1700000000000","suggested_response":[]}"#;
    let report = r#"{"user_id":"anna","error_msg":"45015","source_msg_id":"1"}"#;
    for body in [question, report] {
        assert_eq!(post(&service, body).await.expect("no panic").status(), 200);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    let handled = handled.lock().expect("no panic");
    assert!(handled.iter().all(|(_, position)| matches!(position, Position::Unordered(_))));
}

#[tokio::test(start_paused = true)]
async fn o17_errors_do_not_wait_for_each_other() {
    let handler = service_fn(async |_: Seen| {
        sleep(HOLD).await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("success")))
    });
    let service = WulaiLayer::error().layer(handler);
    let start = Instant::now();
    let sent: Vec<_> = (0..100)
        .map(|number| {
            let report =
                format!(r#"{{"user_id":"anna","error_msg":"45015","source_msg_id":"{number}"}}"#);
            post(&service, &report)
        })
        .collect();
    for sent in sent {
        assert_eq!(sent.await.expect("no panic").status(), 200);
    }
    assert_eq!(start.elapsed(), HOLD);
}

#[tokio::test(start_paused = true)]
async fn o18_a_held_callback_is_not_acknowledged() {
    let (service, handled) = receiver();
    let sent = send(&service, "1");
    sleep(HOLD / 2).await;
    // A crash now would lose nothing: the platform has no response, and redelivers the callback.
    assert!(!sent.is_finished());
    assert_eq!(ids(&handled), [""; 0]);
    sleep(HOLD).await;
    assert!(sent.is_finished());
}

fn receiver() -> (
    impl Service<Req, Response = Res, Error = Infallible, Future: Send> + Clone + Send + 'static,
    Handled,
) {
    let seen = Handled::default();
    let noted = Arc::clone(&seen);
    let handler = service_fn(move |request: Seen| {
        let extensions = request.extensions();
        let callback: &Callback = extensions.get().expect("received");
        let id = callback.envelope().id.as_ref().expect("an id").as_str().to_owned();
        let position: Position = extensions.get().cloned().expect("a position");
        noted.lock().expect("no panic").push((id, position));
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("success"))) }
    });
    let layer = WulaiLayer::for_contract(AnyCallback::new());
    (layer.order(|order| order.hold(Hold::fixed(HOLD))).layer(handler), seen)
}

fn send<S>(service: &S, id: &str) -> JoinHandle<Res>
where
    S: Service<Req, Response = Res, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    post(service, &format!(r#"{{"user_id":"anna","msg_id":"{id}","msg_ts":"170000000000{id}"}}"#))
}

fn post<S>(service: &S, body: &str) -> JoinHandle<Res>
where
    S: Service<Req, Response = Res, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let request = Request::post("/").body(Full::from(body.to_owned())).expect("a request");
    let reply = service.clone().oneshot(request);
    tokio::spawn(async move {
        let Ok(reply) = reply.await;
        reply
    })
}

fn ids(handled: &Handled) -> Vec<String> {
    handled.lock().expect("no panic").iter().map(|(id, _)| id.clone()).collect()
}
