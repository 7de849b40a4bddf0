//! The layer for handlers under test, alone and behind the callback layers.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{convert::Infallible, future::pending, path::PathBuf, time::Duration};

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::time::{Instant, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_callback_koipy::KoipyLayer;
use tower_callback_sim::{
    Body, Effect, Event, Outcome,
    demo::{DemoLayer, EffectsFile},
    platform::{koipy, wulai},
};
use tower_callback_stack::{Buffered, ReceiveLayer};
use tower_callback_wulai::{MessageDelivery, WulaiLayer};

type Answer = Response<Full<bytes::Bytes>>;
/// A request as a handler behind the layers sees it.
type Seen = Request<Buffered<Body>>;

const TEXT: &str = "/msg_body/text/content";

#[tokio::test]
async fn it_fails_and_panics_once_and_records_it() {
    for text in ["#sim fail once", "#sim panic once"] {
        let file = TempFile::new(text);
        let demo = DemoLayer::new().obey(TEXT).record(file.open());
        let receiver = WulaiLayer::delivery().layer(demo.layer(service_fn(succeed)));
        for status in [500, 200, 200] {
            assert_eq!(send(&receiver, text).await.status(), status, "{text}");
        }
        let effects = file.open().effects().await.unwrap();
        let expected = [Outcome::Failed, Outcome::Ok];
        assert!(effects.iter().map(|it| it.outcome).eq(expected), "{text}: {effects:?}");
        let Effect { callback, id, conversation, sent_at, .. } = &effects[0];
        let said = (callback.as_deref(), id.as_deref(), conversation.as_deref(), *sent_at);
        assert_eq!(said, (Some("wulai.delivery"), Some("17"), Some("anna"), Some(SENT_AT)));
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_slow_when_asked_to_but_not_for_ever() {
    let demo = DemoLayer::new().obey(TEXT);
    for (text, seconds) in [("#sim slow 2s", 2), ("#sim slow 9000s", 10), ("您好", 0)] {
        let start = Instant::now();
        assert_eq!(ask(&demo, succeed, text).await.status(), 200);
        assert_eq!(start.elapsed().as_secs(), seconds, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_does_nothing_unless_configured() {
    let receiver = WulaiLayer::delivery().layer(DemoLayer::new().layer(service_fn(succeed)));
    let start = Instant::now();
    for (number, text) in [(1, "#sim slow 2s"), (2, "#sim fail once"), (3, "#sim panic once")] {
        let request = wulai::delivery().request(&event(number, text), Body::from);
        assert_eq!(receiver.clone().oneshot(request).await.unwrap().status(), 200, "{text}");
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn the_status_says_how_a_run_ended() {
    let file = TempFile::new("ended");
    let demo = DemoLayer::new().record(file.open());
    let ends = [
        (200, Outcome::Ok),
        (204, Outcome::Ok),
        (302, Outcome::Ok),
        (400, Outcome::Refused),
        (499, Outcome::Refused),
        (500, Outcome::Failed),
        (503, Outcome::Failed),
    ];
    for (status, _) in ends {
        let says = move |_| async move { Ok(respond(status)) };
        assert_eq!(ask(&demo, says, "您好").await.status(), status);
    }
    let outcomes = file.open().effects().await.unwrap().into_iter().map(|it| it.outcome);
    assert!(outcomes.eq(ends.map(|(_, outcome)| outcome)));
}

#[tokio::test]
async fn a_run_that_is_cut_off_has_failed() {
    let file = TempFile::new("cut");
    let demo = DemoLayer::new().record(file.open());
    let asked = ask(&demo, |_| pending(), "您好");
    timeout(Duration::from_millis(20), asked).await.unwrap_err();
    let effects = file.some_effects().await;
    assert_eq!((effects.len(), effects[0].outcome), (1, Outcome::Failed));
}

/// A message that was handled for the platform is in the file.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_run_that_cannot_be_recorded_has_failed() {
    let demo = DemoLayer::new().record(EffectsFile::open("/dev/full").unwrap());
    for _ in 0..2 {
        assert_eq!(ask(&demo, succeed, "您好").await.status(), 500);
    }
}

#[tokio::test]
async fn a_hook_that_fails_or_panics_lets_the_test_go_on() {
    let file = TempFile::new("hook");
    let demo = DemoLayer::new().obey("/message/text").record(file.open());
    let receiver = KoipyLayer::on_message().layer(demo.layer(service_fn(succeed)));
    for (number, text) in [(1, "#sim fail once"), (2, "#sim panic once")] {
        let request = koipy::on_message().request(&event(number, text), Body::from);
        assert_eq!(receiver.clone().oneshot(request).await.unwrap().status(), 204, "{text}");
    }
    let outcomes = file.open().effects().await.unwrap().into_iter().map(|it| it.outcome);
    assert!(outcomes.eq([Outcome::Failed; 2]));
}

const SENT_AT: u64 = 1_700_000_000_000;

fn event(number: u64, text: &str) -> Event {
    Event { number, user: "anna".to_owned(), sent_at: SENT_AT, text: text.to_owned() }
}

async fn send<S, B>(receiver: &S, text: &str) -> Response<B>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
{
    let request = wulai::delivery().request(&event(17, text), Body::from);
    receiver.clone().oneshot(request).await.unwrap()
}

/// The response of a handler behind this layer and a layer that receives the callback.
async fn ask<H, F>(demo: &DemoLayer, handler: H, text: &str) -> Response<impl std::fmt::Debug>
where
    H: Fn(Seen) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Answer, Infallible>> + Send + 'static,
{
    let received = ReceiveLayer::for_contract(MessageDelivery::new());
    send(&received.layer(demo.layer(service_fn(handler))), text).await
}

async fn succeed(_: Seen) -> Result<Answer, Infallible> {
    Ok(respond(200))
}

fn respond(status: u16) -> Answer {
    let mut response = Answer::default();
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A file that is removed after the test.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        let name = format!("demo-{}-{}.jsonl", std::process::id(), name.replace(['#', ' '], "-"));
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> EffectsFile {
        EffectsFile::open(&self.0).unwrap()
    }

    /// The runs in the file, as soon as there is one.
    async fn some_effects(&self) -> Vec<Effect> {
        let file = self.open();
        let some = async {
            loop {
                match file.effects().await.unwrap() {
                    none if none.is_empty() => tokio::task::yield_now().await,
                    some => return some,
                }
            }
        };
        timeout(Duration::from_secs(10), some).await.expect("a line")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
