//! The action layer inside dedup: dedup remembers and releases by what the table decides.

use std::{
    future::{Ready, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use http::Request;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_callback::{
    Action,
    action::{ActionLayer, Rule},
    dedup::{Attempt, DedupLayer, Outcome, Previous},
    wulai::{MessageDelivery, WulaiLayer},
};
use tower_callback_testkit::{BoxError, Req, Res, post, response, service};
use tower_callback_tests::DELIVERY;

#[tokio::test]
async fn dedup_remembers_and_releases_by_what_was_decided() {
    let table = ActionLayer::for_contract(MessageDelivery::new())
        .on(409, Action::Accept)
        .on(202, Action::Retry { after: None });
    let dedup = || DedupLayer::for_contract(MessageDelivery::new());
    for (status, second, runs) in [
        // An accept by the table is remembered, even for a failure or a 204,
        (409, Outcome::Replayed, 1),
        (204, Outcome::Replayed, 1),
        // and a retry runs again, even for a success.
        (500, Outcome::First, 2),
        (202, Outcome::First, 2),
    ] {
        let run = Arc::new(AtomicU32::new(0));
        let handler = {
            let run = Arc::clone(&run);
            move |_: Req| {
                run.fetch_add(1, Ordering::SeqCst);
                async move { Ok(response(status, "x")) }
            }
        };
        let layers = ServiceBuilder::new().layer(dedup()).layer(table.clone());
        let service = service(&layers, handler);
        service.clone().oneshot(post("/", DELIVERY)).await.expect("a response");
        let again = service.oneshot(post("/", DELIVERY)).await.expect("a response");
        assert_eq!(again.extensions().get(), Some(&second), "{status}");
        assert_eq!(run.load(Ordering::SeqCst), runs, "{status}");
    }
}

#[tokio::test]
async fn a_callback_whose_sink_failed_runs_again() {
    let rule = || {
        let full = async |_: Request<Bytes>| Err::<(), BoxError>("the disk is full".into());
        Rule::dead_letter(service_fn(full))
    };
    let by_hand = ServiceBuilder::new()
        .layer(DedupLayer::for_contract(MessageDelivery::new()))
        .layer(ActionLayer::for_contract(MessageDelivery::new()).on(422, rule()));
    let preset = WulaiLayer::delivery().action(|action| action.on(422, rule()));
    let (attempts, handler) = failing();
    for service in [service(&by_hand, handler.clone()), service(&preset, handler)] {
        for _ in 0..2 {
            let refused = service.clone().oneshot(post("/", DELIVERY)).await.expect("a response");
            assert_eq!(refused.status(), 503);
        }
        let seen = std::mem::take(&mut *attempts.lock().expect("no panic"));
        assert_eq!(seen, [(1, None), (2, Some(Previous::Failed))]);
    }
}

type Attempts = Arc<Mutex<Vec<(u32, Option<Previous>)>>>;

/// A handler that cannot handle anything, and the attempts that it saw.
fn failing() -> (Attempts, impl Fn(Req) -> Ready<Result<Res, BoxError>> + Clone + Send + Sync) {
    let attempts = Attempts::default();
    let seen = Arc::clone(&attempts);
    let handler = move |request: Req| {
        let attempt: &Attempt = request.extensions().get().expect("dedup stands outside");
        seen.lock().expect("no panic").push((attempt.number, attempt.previous));
        ready(Ok(response(422, "poison")))
    };
    (attempts, handler)
}
