//! A storm in virtual time: a platform with its worst habits, and handlers that are slow, fail and panic.
//! Checks what happened to every single message.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::{Request, Response};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, service_fn};
use tower_callback::{
    Buffered, Callback, ReceiveLayer, Timestamp,
    order::Position,
    wulai::{MessageDelivery, WulaiLayer},
};
use tower_callback_sim::{Body, Disorder, Effect, Outcome, Report, Storm, platform};

/// With duplicates and redeliveries, a million requests; a tenth of that in debug builds.
const MESSAGES: u64 = if cfg!(debug_assertions) { 74_000 } else { 740_000 };

#[test]
fn behind_the_layers_nothing_is_lost_or_handled_twice_and_the_order_is_kept() {
    let handled = Handled::default();
    let report = storm(&WulaiLayer::delivery(), &handled, MESSAGES);
    println!("{report}");
    assert_whole(&report);
}

#[test]
fn the_same_handler_without_the_layers_fails_in_the_storm() {
    let handled = Handled::default();
    let report = storm(&ReceiveLayer::for_contract(MessageDelivery::new()), &handled, 10_000);
    println!("{report}");
    std::panic::catch_unwind(|| assert_whole(&report)).expect_err("it should not be clean");
    let effects = report.effects.expect("they were given");
    assert!(!effects.twice.is_empty() && !effects.out_of_order.is_empty());
}

/// Checks what the layers promise, for every message.
fn assert_whole(report: &Report) {
    let effects = report.effects.as_ref().expect("they were given");
    assert_eq!(report.accepted, report.sent, "not all were accepted");
    assert!(effects.lost.is_empty(), "lost: {:?}", effects.lost);
    assert!(effects.twice.is_empty(), "handled twice: {:?}", effects.twice);
    assert!(effects.out_of_order.is_empty(), "out of order: {:?}", effects.out_of_order);
    assert!(report.is_clean());
}

fn storm<L>(layer: &L, handled: &Handled, messages: u64) -> Report
where
    L: Layer<
            Handler,
            Service: Service<
                Request<Body>,
                Response = Response<Buffered<Body>>,
                Error = Infallible,
            >,
        >,
    L::Service: Clone + Send + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send,
{
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    keep_quiet();
    let report = runtime.block_on(async {
        let storm = Storm::new(platform::wulai::delivery())
            .messages(messages)
            .users(1_000)
            .rate(1_000.0)
            .duplicates(0.3)
            .disorder(Disorder::HeavyTail)
            .slow_bodies(0.01)
            .at_once(100_000);
        storm.run(layer.layer(handler(handled))).await
    });
    report.with_effects(&handled.0.lock().expect("no panic holds it"), &[])
}

/// Does not print the panics of the handlers, which are part of the test.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"a handler panics") {
                others(info);
            }
        }));
    });
}

type Handler =
    tower::util::BoxCloneSyncService<Request<Buffered<Body>>, Response<Body>, Infallible>;

/// What the handlers did.
#[derive(Clone, Default)]
struct Handled(Arc<Mutex<Vec<Effect>>>);

/// Of a thousand runs, ten fail, five panic, five take longer than the platform waits, and the others
/// take up to twenty milliseconds.
fn handler(handled: &Handled) -> Handler {
    let (handled, runs) = (handled.clone(), Arc::new(AtomicU64::new(0)));
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("now");
    let (epoch, begun) = (since_epoch, Instant::now());
    let clock = move || u64::try_from((epoch + begun.elapsed()).as_millis()).expect("now");
    Handler::new(service_fn(move |request: Request<Buffered<Body>>| {
        let (handled, run) = (handled.clone(), runs.fetch_add(1, Ordering::Relaxed));
        async move {
            let start = clock();
            let (habit, takes) = (run * 7_919 % 1_000, run % 20);
            let takes = if habit < 5 { 8_000 } else { takes };
            sleep(Duration::from_millis(takes)).await;
            assert!(!(5..10).contains(&habit), "a handler panics");
            let outcome = if (10..20).contains(&habit) { Outcome::Failed } else { Outcome::Ok };
            let callback: &Callback = request.extensions().get().expect("received");
            let position = request.extensions().get();
            let envelope = callback.envelope();
            let effect = Effect {
                callback: None,
                id: envelope.id.as_ref().map(|id| id.as_str().to_owned()),
                conversation: envelope.conversation.clone(),
                sent_at: envelope.sent_at.map(Timestamp::as_millis),
                start,
                end: clock(),
                outcome,
                late: matches!(position, Some(Position::Late { .. })),
            };
            handled.0.lock().expect("no panic holds it").push(effect);
            let mut response = Response::new(Body::from("success"));
            if outcome == Outcome::Failed {
                *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            }
            Ok(response)
        }
    }))
}
