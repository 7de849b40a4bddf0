//! The sending layer from outside: over a mock of a client, and over hyper's.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod support;

use std::{convert::Infallible, future::pending, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, time::Instant};
use tower::{Layer, ServiceExt, limit::ConcurrencyLimitLayer, service_fn};
use tower_callback_action::{ActionLayer, InterpretError, InterpretLayer};
use tower_callback_contract::{Action, Contract};
use tower_callback_stack::Buffered;
use tower_callback_testkit::{BoxError, Req, Res, TestBody, response as reply};
use tower_test::mock::pair;

use support::{Hook, callback};

fn hook() -> InterpretLayer<Hook> {
    InterpretLayer::for_contract(Hook)
}

async fn heard(
    layer: &InterpretLayer<Hook>,
    reply: Res,
) -> Result<Response<Action>, InterpretError<BoxError>> {
    let (mock, mut server) = pair::<Req, Res>();
    let asking = tokio::spawn(layer.layer(mock).oneshot(callback()));
    server.next_request().await.unwrap().1.send_response(reply);
    asking.await.unwrap()
}

#[tokio::test]
async fn a_response_becomes_the_action_that_the_contract_reads_in_it() {
    for (status, body) in [(200, ""), (200, "{}"), (204, ""), (302, ""), (400, "x"), (403, "no")] {
        let whole = Response::builder().status(status).body(Bytes::from(body)).unwrap();
        let answer = heard(&hook(), reply(status, body)).await.unwrap();
        assert_eq!(*answer.body(), Hook.action(&whole), "{status}");
        assert_eq!(answer.status(), status);
    }
    // In whatever pieces its body arrives.
    let bit_by_bit = reply(403, TestBody::stream("no"));
    let refused = heard(&hook(), bit_by_bit).await.unwrap().into_body();
    assert_eq!(refused, Action::Refuse { text: "no".to_owned() });
}

#[tokio::test]
async fn a_response_over_the_limit_is_not_read() {
    let layer = hook().max_reply_bytes(3);
    assert!(heard(&layer, reply(200, "odd")).await.is_ok());
    // One says how long it is, the other does not.
    for body in [TestBody::from("four"), TestBody::stream("four")] {
        let refused = heard(&layer, reply(200, body)).await.unwrap_err();
        assert!(matches!(refused, InterpretError::TooLarge(3)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_is_an_error() {
    let cut = heard(&hook(), reply(200, TestBody::broken(2))).await.unwrap_err();
    assert!(matches!(cut, InterpretError::Cut(_)), "{cut:?}");
    assert_eq!(cut.to_string(), "the response ended early");
}

#[tokio::test(start_paused = true)]
async fn the_timeout_covers_the_whole_exchange() {
    let start = Instant::now();
    let client = service_fn(async |_: Req| pending::<Result<Res, BoxError>>().await);
    let late = hook().layer(client).oneshot(callback()).await.unwrap_err();
    assert!(matches!(late, InterpretError::TimedOut(_)), "{late:?}");
    assert_eq!(start.elapsed().as_secs(), 5);

    // A client that never gets ready times out too.
    let (mock, mut server) = pair::<Req, Res>();
    server.allow(0);
    let second = Duration::from_secs(1);
    let start = Instant::now();
    let late = hook().timeout(second).layer(mock).oneshot(callback()).await.unwrap_err();
    assert_eq!(late.to_string(), "the callback got no response within 1s");
    assert_eq!(start.elapsed(), second);
}

#[tokio::test]
async fn what_the_client_says_is_kept() {
    let (mock, mut server) = pair::<Req, Res>();
    let asking = tokio::spawn(hook().layer(mock).oneshot(callback()));
    server.next_request().await.unwrap().1.send_error("refused");
    let InterpretError::Client(error) = asking.await.unwrap().unwrap_err() else { panic!() };
    assert_eq!(error.to_string(), "refused");
}

#[tokio::test]
async fn calls_the_service_that_was_polled_ready() {
    let client = service_fn(async |_: Req| Ok::<_, BoxError>(reply(204, "")));
    let service = hook().layer(ConcurrencyLimitLayer::new(1).layer(client));
    for _ in 0..2 {
        let answer = service.clone().oneshot(callback()).await.unwrap();
        assert_eq!(*answer.body(), Action::Accept);
    }
}

#[test]
fn is_send_and_sync() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}
    check(&hook());
    check(&hook().layer(()));
}

/// Both layers of this crate, with a socket between them.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_side_says_the_other_hears() {
    let said = [
        Action::Accept,
        Action::Refuse { text: "不行".to_owned() },
        Action::Use(tower_callback_contract::Content::Merge("{\"a\":1}".into())),
    ];
    for action in said {
        let url = serve(action.clone()).await;
        let client: Client<HttpConnector, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build_http();
        let request = Request::post(url).body(support::BODY.into()).unwrap();
        let answer = hook().layer(client).oneshot(request).await.unwrap();
        assert_eq!(*answer.body(), action);
    }
}

/// A server that answers one connection with this action.
async fn serve(action: Action) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let handler = service_fn(move |_: Request<Buffered<Incoming>>| {
        let mut reply = Response::new(Full::<Bytes>::default());
        reply.extensions_mut().insert(action.clone());
        async { Ok::<_, Infallible>(reply) }
    });
    let service = TowerToHyperService::new(ActionLayer::for_contract(Hook).layer(handler));
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server.serve_connection(TokioIo::new(connection), service).await;
    });
    url
}
