//! The layer from outside, row by row of the semantics it promises.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, ServiceExt};
use tower_callback_contract::{Exchange, Reason};
use tower_callback_dedup::{
    Attempt, DedupLayer, MemoryStore, OnConflict, OnMissingId, Outcome, Previous,
};
use tower_test::mock::pair;
use tracing::Instrument;

use support::{
    ORDERS, QUESTIONS, Receiver, Req, Res, body, order, outcome, post, reason, reply, settle,
};

mod support;

fn orders() -> DedupLayer<support::Shop> {
    DedupLayer::for_contract(ORDERS)
}

const SECOND: Attempt = Attempt { number: 2, previous: Some(Previous::Failed) };

#[tokio::test(start_paused = true)]
async fn d01_a_copy_after_success_is_replayed() {
    let mut receiver = Receiver::new(&orders());
    let mut first = reply(201, "made");
    for cup in ["1", "2"] {
        first.headers_mut().append("x-cup", HeaderValue::from_static(cup));
    }
    let (attempt, response) = receiver.handled(order("1"), first).await;
    assert_eq!((attempt, outcome(&response)), (Attempt::FIRST, Outcome::First));
    assert_eq!(response.headers().get("idempotency-replayed"), None);

    let copy = receiver.answered(order("1")).await;
    assert_eq!((copy.status().as_u16(), outcome(&copy)), (201, Outcome::Replayed));
    assert_eq!(copy.headers()["idempotency-replayed"], "true");
    assert_eq!(copy.headers().get_all("x-cup").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(body(copy).await, "made");
}

#[tokio::test(start_paused = true)]
async fn d02_a_copy_waits_for_the_first_and_gets_its_reply() {
    let mut receiver = Receiver::new(&orders());
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let copies = [receiver.send(order("1")), receiver.send(order("1"))];
    receiver.assert_idle().await;
    assert!(copies.iter().all(|copy| !copy.is_finished()));

    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&first.await.unwrap()), Outcome::First);
    for copy in copies {
        let copy = copy.await.unwrap();
        assert_eq!((copy.status().as_u16(), outcome(&copy)), (200, Outcome::Joined));
        assert_eq!(copy.headers()["idempotency-replayed"], "true");
        assert_eq!(body(copy).await, "made");
    }
}

#[tokio::test(start_paused = true)]
async fn d02_the_wait_ends_before_the_platform_hangs_up() {
    for (layer, bound) in [
        (orders(), Duration::from_secs(9)),
        (orders().wait(Duration::from_secs(2)), Duration::from_secs(2)),
    ] {
        let mut receiver = Receiver::new(&layer);
        let first = receiver.send(order("1"));
        let (_, respond) = receiver.run().await;
        let start = Instant::now();
        let copy = receiver.send(order("1")).await.unwrap();
        assert_eq!((copy.status().as_u16(), reason(&copy)), (503, Reason::StillRunning));
        assert_eq!(copy.headers()["retry-after"], "1");
        assert!((bound..bound + Duration::from_millis(5)).contains(&start.elapsed()));

        respond.send_response(reply(200, "made"));
        assert_eq!(first.await.unwrap().status(), 200);
        assert_eq!(outcome(&receiver.answered(order("1")).await), Outcome::Replayed);
    }
}

#[tokio::test(start_paused = true)]
async fn d02_the_wait_counts_from_the_arrival() {
    let layer = orders().wait(Duration::from_secs(2));
    let (chunks, stream) = http_body_util::channel::Channel::<Bytes>::new(1);
    let (mock, mut handler) = pair::<Request<support::AnyBody>, Response<support::AnyBody>>();
    let service = layer.layer(mock);
    let _first = tokio::spawn(service.clone().oneshot(order("1").map(support::AnyBody::new)));
    let _running = handler.next_request().await.unwrap();

    let start = Instant::now();
    let slow = order("1").map(|_| support::AnyBody::new(stream));
    let copy = tokio::spawn(service.clone().oneshot(slow));
    sleep(Duration::from_secs(1)).await;
    let mut chunks = chunks;
    chunks.send_data(Bytes::from(r#"{"id":"1","what":"tea"}"#)).await.unwrap();
    drop(chunks);
    assert_eq!(copy.await.unwrap().unwrap().status(), 503);
    assert!(start.elapsed() < Duration::from_millis(2_010));
}

#[tokio::test(start_paused = true)]
async fn d02_a_wait_without_end_is_no_overflow() {
    let mut receiver = Receiver::new(&orders().wait(Duration::MAX));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let copy = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(200, "made"));
    assert_eq!(
        (first.await.unwrap().status(), copy.await.unwrap().status()),
        (http::StatusCode::OK, http::StatusCode::OK)
    );
}

#[tokio::test(start_paused = true)]
async fn d03_a_failed_first_copy_fails_the_joined() {
    let mut receiver = Receiver::new(&orders());
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let copy = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(500, "spilt"));
    assert_eq!(first.await.unwrap().status(), 500);
    let copy = copy.await.unwrap();
    assert_eq!((copy.status().as_u16(), outcome(&copy)), (500, Outcome::Joined));
    assert_eq!(body(copy).await, "spilt");

    let (attempt, response) = receiver.handled(order("1"), reply(200, "made")).await;
    assert_eq!((attempt, response.status().as_u16()), (SECOND, 200));
}

#[tokio::test(start_paused = true)]
async fn d04_after_an_action_that_asks_for_a_retry_the_next_copy_runs_again() {
    let mut receiver = Receiver::new(&orders());
    let mut expected = Attempt::FIRST;
    for status in [500, 502, 503, 408, 425, 429] {
        let (attempt, response) = receiver.handled(order("1"), reply(status, "")).await;
        assert_eq!((attempt, response.status().as_u16()), (expected, status));
        expected = expected.next(Previous::Failed);
    }
    let (attempt, _) = receiver.handled(order("1"), reply(200, "made")).await;
    assert_eq!(attempt, Attempt { number: 7, previous: Some(Previous::Failed) });
    assert_eq!(outcome(&receiver.answered(order("1")).await), Outcome::Replayed);
}

#[tokio::test(start_paused = true)]
async fn d04_other_actions_are_remembered_unless_told_otherwise() {
    let mut receiver = Receiver::new(&orders());
    receiver.handled(order("1"), reply(403, "no")).await;
    assert_eq!(receiver.answered(order("1")).await.status(), 403);

    let mut receiver = Receiver::new(&orders().release_on(|_| true));
    receiver.handled(order("1"), reply(403, "no")).await;
    let (attempt, _) = receiver.handled(order("1"), reply(204, "")).await;
    assert_eq!(attempt, SECOND);
    // A 2xx never releases: the work is done.
    assert_eq!(receiver.answered(order("1")).await.status(), 204);
}

#[tokio::test(start_paused = true)]
async fn d05_a_panic_is_a_failure_for_everybody_and_gives_the_claim_back() {
    let (seen, handled) = tokio::sync::watch::channel(0);
    let (seen, handled) = (Arc::new(seen), handled);
    let counted = Arc::clone(&seen);
    let service = orders().layer(tower::service_fn(move |request: Req| {
        let seen = Arc::clone(&counted);
        async move {
            let attempt: Attempt = *request.extensions().get().unwrap();
            seen.send_modify(|runs| *runs += 1);
            settle().await;
            assert!(attempt.number > 1, "spilt");
            Ok::<_, std::convert::Infallible>(reply(200, "made"))
        }
    }));
    let (events, _guard) = support::capture_events();
    let span = tracing::info_span!("the_request");
    let first = tokio::spawn(service.clone().oneshot(order("1")).instrument(span));
    let copy = tokio::spawn(service.clone().oneshot(order("1")));
    for response in [first, copy] {
        let response = response.await.unwrap().unwrap();
        assert_eq!((response.status().as_u16(), reason(&response)), (500, Reason::HandlerFailed));
        assert!(!response.headers().contains_key("idempotency-replayed"));
    }
    let errors = events.lines("ERROR");
    assert!(errors.len() == 1 && errors[0].contains("the_request"), "{events:?}");

    assert_eq!(service.oneshot(order("1")).await.unwrap().status(), 200);
    assert_eq!(*handled.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn d06_a_hang_up_does_not_cut_the_handler() {
    let mut receiver = Receiver::new(&orders());
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let copy = receiver.send(order("1"));
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    settle().await;

    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&copy.await.unwrap()), Outcome::Joined);
    let later = receiver.answered(order("1")).await;
    assert_eq!((outcome(&later), body(later).await), (Outcome::Replayed, Bytes::from("made")));
}

#[tokio::test(start_paused = true)]
async fn d07_a_copy_that_hangs_up_leaves_no_trace() {
    let mut receiver = Receiver::new(&orders().max_waiters(1));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    // Only one may wait: each of these finds the place of the one before it free.
    for _ in 0..3 {
        let copy = receiver.send(order("1"));
        settle().await;
        assert!(!copy.is_finished());
        copy.abort();
        settle().await;
    }
    respond.send_response(reply(200, "made"));
    assert_eq!(first.await.unwrap().status(), 200);
    receiver.assert_idle().await;
}

#[tokio::test(start_paused = true)]
async fn d08_another_body_under_a_known_id_is_refused() {
    let mut receiver = Receiver::new(&orders());
    let tea = || post("/orders", r#"{"id":"1","what":"tea"}"#);
    let milk = || post("/orders", r#"{"id":"1","what":"milk"}"#);

    let first = receiver.send(tea());
    let (_, respond) = receiver.run().await;
    let running = receiver.answered(milk()).await;
    respond.send_response(reply(200, "made"));
    first.await.unwrap();
    let finished = receiver.answered(milk()).await;
    for refused in [running, finished] {
        assert_eq!((refused.status().as_u16(), reason(&refused)), (422, Reason::Conflict));
        assert_eq!(outcome(&refused), Outcome::Conflict);
    }
    // Said in another way, it is still the same.
    let copy = receiver.answered(post("/orders", r#"{ "what": "te\u0061", "id": 1 }"#)).await;
    assert_eq!(outcome(&copy), Outcome::Replayed);
}

#[tokio::test(start_paused = true)]
async fn d08_the_first_body_wins_or_each_is_new_or_a_field_is_left_out_as_told() {
    let tea = || post("/orders", r#"{"id":"1","what":"tea"}"#);
    let milk = || post("/orders", r#"{"id":"1","what":"milk"}"#);

    for layer in [orders().on_conflict(OnConflict::FirstWins), orders().volatile("/what")] {
        let mut receiver = Receiver::new(&layer);
        receiver.handled(tea(), reply(200, "tea")).await;
        assert_eq!(body(receiver.answered(milk()).await).await, "tea");
    }
    let mut receiver = Receiver::new(&orders().on_conflict(OnConflict::TreatAsNew));
    receiver.handled(tea(), reply(200, "tea")).await;
    receiver.handled(milk(), reply(200, "milk")).await;
    assert_eq!(body(receiver.answered(tea()).await).await, "tea");
    assert_eq!(body(receiver.answered(milk()).await).await, "milk");
}

#[tokio::test(start_paused = true)]
async fn d09_a_callback_without_an_id_passes_through_flagged_or_is_refused() {
    let bodies = [r#"{"what":"tea"}"#, r#"{"id":""}"#, r#"{"id":null}"#, r#"{"id":[1]}"#];
    let mut receiver = Receiver::new(&orders());
    for body in bodies.iter().chain(&bodies) {
        let sent = receiver.send(post("/orders", body));
        let (request, respond) = receiver.handler.next_request().await.unwrap();
        assert_eq!(request.extensions().get(), Some(&Attempt::FIRST));
        respond.send_response(reply(200, "made"));
        assert_eq!(outcome(&sent.await.unwrap()), Outcome::Unidentified);
    }
    // Like any other, it runs on when its client hangs up.
    let layer = orders();
    let mut receiver = Receiver::new(&layer);
    let hung_up = receiver.send(post("/orders", bodies[0]));
    let _running = receiver.run().await;
    hung_up.abort();
    settle().await;
    assert_eq!(layer.drain_handle().drain(Duration::from_secs(1)).await.abandoned, 1);
    let mut receiver = Receiver::new(&orders().on_missing_id(OnMissingId::Refuse));
    let refused = receiver.answered(post("/orders", bodies[0])).await;
    assert_eq!((refused.status().as_u16(), reason(&refused)), (400, Reason::Unidentified));
}

#[tokio::test(start_paused = true)]
async fn d10_a_number_is_an_id_and_an_overlong_text_is_none() {
    let mut receiver = Receiver::new(&orders());
    receiver.handled(post("/orders", r#"{"id":17}"#), reply(200, "made")).await;
    let copy = receiver.answered(post("/orders", r#"{"id":"17"}"#)).await;
    assert_eq!(outcome(&copy), Outcome::Replayed);

    let overlong = || post("/orders", &format!(r#"{{"id":"{}"}}"#, "1".repeat(257)));
    for _ in 0..2 {
        let sent = receiver.send(overlong());
        receiver.handler.next_request().await.unwrap().1.send_response(reply(200, "made"));
        assert_eq!(outcome(&sent.await.unwrap()), Outcome::Unidentified);
    }
}

#[tokio::test(start_paused = true)]
async fn d11_an_id_on_another_route_or_in_another_scope_is_another_one() {
    let body = r#"{"id":"1"}"#;
    let mut receiver = Receiver::new(&orders());
    for path in ["/orders", "/returns", "/orders/"] {
        let (attempt, _) = receiver.handled(post(path, body), reply(200, "made")).await;
        assert_eq!(attempt, Attempt::FIRST);
    }
    let layer = orders();
    let (mut one, mut other) = (Receiver::new(&layer), Receiver::new(&layer.clone().scope("b")));
    one.handled(order("1"), reply(200, "one")).await;
    other.handled(order("1"), reply(200, "other")).await;
    assert_eq!(support::body(one.answered(order("1")).await).await, "one");
    assert_eq!(support::body(other.answered(order("1")).await).await, "other");
}

#[tokio::test(start_paused = true)]
async fn d12_an_id_seen_after_the_window_is_new() {
    let mut receiver = Receiver::new(&orders());
    receiver.handled(order("1"), reply(200, "made")).await;
    advance(Duration::from_secs(3590)).await;
    assert_eq!(outcome(&receiver.answered(order("1")).await), Outcome::Replayed);
    advance(Duration::from_secs(11)).await;
    let (attempt, _) = receiver.handled(order("1"), reply(200, "made")).await;
    assert_eq!(attempt, Attempt::FIRST);
}

#[test]
fn d13_a_window_shorter_than_the_retry_horizon_warns_once() {
    let (events, _guard) = support::capture_events();
    let layer = orders().window(Duration::from_secs(3600));
    assert_eq!(events.lines("WARN").len(), 0);
    let layer = layer.window(Duration::from_secs(60));
    for _ in 0..3 {
        let _service = layer.layer(());
    }
    assert_eq!(events.lines("WARN").len(), 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn d14_of_a_reply_too_large_only_its_success_is_remembered() {
    let mut receiver = Receiver::new(&orders().record_limit(4));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let joined = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(200, "large"));
    assert_eq!(body(first.await.unwrap()).await, "large");
    let joined = joined.await.unwrap();
    assert_eq!((outcome(&joined), body(joined).await), (Outcome::Joined, Bytes::from("taken")));
    let copy = receiver.answered(order("1")).await;
    assert_eq!((outcome(&copy), body(copy).await), (Outcome::Replayed, Bytes::from("taken")));
}

#[tokio::test(start_paused = true)]
async fn d14_a_synchronous_callback_runs_again_for_a_reply_too_large_to_remember() {
    let mut receiver = Receiver::new(&DedupLayer::for_contract(QUESTIONS).record_limit(4));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let joined = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(200, "large"));
    assert_eq!(body(first.await.unwrap()).await, "large");
    let (attempt, respond) = receiver.run().await;
    assert_eq!(attempt, Attempt { number: 2, previous: Some(Previous::Unrecorded) });
    respond.send_response(reply(200, "larger"));
    assert_eq!(body(joined.await.unwrap()).await, "larger");
}

#[tokio::test(start_paused = true)]
async fn d14_a_large_failure_fails_the_joined_and_is_not_remembered() {
    let mut receiver = Receiver::new(&orders().record_limit(4));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let joined = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(500, "large"));
    assert_eq!(body(first.await.unwrap()).await, "large");
    assert_eq!(joined.await.unwrap().status(), 503);
    assert_eq!(receiver.handled(order("1"), reply(200, "")).await.0, SECOND);
}

#[tokio::test(start_paused = true)]
async fn d14_a_large_refusal_stays_a_refusal_for_the_copies() {
    for contract in [ORDERS, QUESTIONS] {
        let mut receiver = Receiver::new(&DedupLayer::for_contract(contract).record_limit(4));
        receiver.handled(order("1"), reply(422, "large")).await;
        let copy = receiver.answered(order("1")).await;
        assert_eq!((copy.status().as_u16(), body(copy).await), (403, Bytes::from("no")));
    }
}

#[tokio::test(start_paused = true)]
async fn d14_a_large_success_is_one_though_the_platform_takes_another_status() {
    let layer = DedupLayer::for_contract(tower_callback_wulai::MessageDelivery::new());
    let service = layer.record_limit(4).layer(tower::service_fn(async |_: Req| {
        Ok::<_, std::convert::Infallible>(reply(201, "large"))
    }));
    let message = || post("/", r#"{"msg_id":"1"}"#);
    assert_eq!(service.clone().oneshot(message()).await.unwrap().status(), 201);
    let copy = service.oneshot(message()).await.unwrap();
    assert_eq!((copy.status().as_u16(), body(copy).await), (200, Bytes::from("success")));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_breaks_off_is_a_failure() {
    let broken = tower::service_fn(async |_: Request<support::AnyBody>| {
        Ok::<_, std::convert::Infallible>(Response::new(support::AnyBody::new(support::BreaksOff)))
    });
    let service = orders().layer(broken);
    let request = order("1").map(support::AnyBody::new);
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);
}

#[tokio::test(start_paused = true)]
async fn d14_a_reply_of_unknown_length_is_streamed() {
    let (chunks, stream) = http_body_util::channel::Channel::<Bytes>::new(1);
    let stream = Arc::new(std::sync::Mutex::new(Some(stream)));
    let service = orders().layer(tower::service_fn(move |_: Request<support::AnyBody>| {
        let body = stream.lock().unwrap().take().expect("one run");
        async { Ok::<_, std::convert::Infallible>(Response::new(support::AnyBody::new(body))) }
    }));
    let request = || order("1").map(support::AnyBody::new);
    // It comes before the body is there: nothing was collected.
    let response = service.clone().oneshot(request()).await.unwrap();
    let mut chunks = chunks;
    chunks.send_data(Bytes::from("late")).await.unwrap();
    drop(chunks);
    assert_eq!(support::collect(response).await, "late");
    assert_eq!(support::collect(service.oneshot(request()).await.unwrap()).await, "taken");
}

#[tokio::test(start_paused = true)]
async fn d15_cookies_and_dates_are_not_replayed() {
    let mut receiver = Receiver::new(&orders());
    let mut first = reply(200, "made");
    for (name, value) in [("set-cookie", "a=b"), ("date", "now"), ("x-kept", "1")] {
        first.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let (_, response) = receiver.handled(order("1"), first).await;
    assert_eq!(response.headers()["set-cookie"], "a=b");
    let copy = receiver.answered(order("1")).await;
    let mut names: Vec<_> = copy.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["idempotency-replayed", "x-kept"]);
}

#[tokio::test(start_paused = true)]
async fn d16_of_ten_thousand_copies_one_runs_and_a_bounded_number_waits() {
    let mut receiver = Receiver::new(&orders());
    let copies: Vec<_> = (0..10_000).map(|_| receiver.send(order("1"))).collect();
    let (_, respond) = receiver.run().await;
    receiver.assert_idle().await;
    respond.send_response(reply(200, "made"));

    let (mut joined, mut crowded, mut address) = (0, 0, None);
    for copy in copies {
        let copy = copy.await.unwrap();
        match outcome(&copy) {
            Outcome::Joined => {
                joined += 1;
                let shared = body(copy).await.as_ptr();
                assert_eq!(*address.get_or_insert(shared), shared, "the body was copied");
            }
            Outcome::Refused => {
                crowded += 1;
                assert_eq!((copy.status().as_u16(), reason(&copy)), (503, Reason::Crowded));
                assert_eq!(copy.headers()["retry-after"], "1");
            }
            other => assert_eq!(other, Outcome::First),
        }
    }
    assert_eq!((joined, crowded), (1024, 10_000 - 1024 - 1));
}

#[tokio::test(start_paused = true)]
async fn callbacks_beyond_the_limit_are_refused_until_one_ends() {
    let mut receiver = Receiver::new(&orders().max_running(NonZeroUsize::MIN));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    // Not even a hang-up makes room: the handler still runs.
    first.abort();
    settle().await;
    let refused = receiver.answered(order("2")).await;
    assert_eq!((refused.status().as_u16(), reason(&refused)), (503, Reason::Overloaded));
    respond.send_response(reply(200, "made"));
    settle().await;
    receiver.handled(order("2"), reply(200, "made")).await;
}

#[tokio::test(start_paused = true)]
async fn d20_a_drain_refuses_new_callbacks_and_waits_for_running_ones() {
    let layer = orders();
    let mut receiver = Receiver::new(&layer);
    let (first, hung_up) = (receiver.send(order("1")), receiver.send(order("2")));
    let (_, respond_1) = receiver.run().await;
    let (_, respond_2) = receiver.run().await;
    hung_up.abort();
    let handle = layer.drain_handle();
    let drained = tokio::spawn(async move { handle.drain(Duration::from_secs(30)).await });
    settle().await;
    let refused = receiver.answered(order("3")).await;
    assert_eq!((refused.status().as_u16(), reason(&refused)), (503, Reason::Draining));
    assert_eq!(refused.headers()["retry-after"], "1");

    respond_1.send_response(reply(200, "made"));
    assert_eq!(first.await.unwrap().status(), 200);
    settle().await;
    assert!(!drained.is_finished());
    respond_2.send_response(reply(200, "made"));
    assert_eq!(drained.await.unwrap().abandoned, 0);
}

#[tokio::test(start_paused = true)]
async fn d20_a_drain_ends_with_the_grace_period_and_counts_the_abandoned() {
    let layer = orders();
    let mut receiver = Receiver::new(&layer);
    let _sent = [receiver.send(order("1")), receiver.send(order("2"))];
    let _running = (receiver.run().await, receiver.run().await);
    let (events, _guard) = support::capture_events();
    let start = Instant::now();
    let drained = layer.drain_handle().drain(Duration::from_secs(30)).await;
    assert_eq!((drained.abandoned, start.elapsed().as_secs()), (2, 30));
    assert_eq!(events.lines("WARN").len(), 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn two_layers_on_one_store_are_like_two_processes() {
    let store = Arc::new(support::Leased::default());
    let replica = || {
        let layer = DedupLayer::with_store(ORDERS, Arc::clone(&store));
        Receiver::new(&layer)
    };
    let (mut one, mut other) = (replica(), replica());
    let first = one.send(order("1"));
    let (_, respond) = one.run().await;
    let copy = other.send(order("1"));
    other.assert_idle().await;
    // Longer than the lease: it is renewed. Not by `advance`, which jumps over the renewals.
    sleep(Duration::from_secs(5)).await;
    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&first.await.unwrap()), Outcome::First);
    assert_eq!(outcome(&copy.await.unwrap()), Outcome::Replayed);
    assert!(store.renewals() >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_refuses_the_callback() {
    for fault in [support::Fault::Error, support::Fault::Hang] {
        let layer = DedupLayer::with_store(ORDERS, support::Broken(fault));
        let mut receiver = Receiver::new(&layer);
        let sent = [receiver.send(order("1")), receiver.send(order("1"))];
        for sent in sent {
            let refused = sent.await.unwrap();
            assert_eq!(
                (refused.status().as_u16(), reason(&refused)),
                (503, Reason::StoreUnavailable)
            );
            assert!(!refused.headers().contains_key("idempotency-replayed"));
        }
        receiver.assert_idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_at_the_end_does_not_hold_the_reply_back() {
    let layer = DedupLayer::with_store(ORDERS, support::Broken(support::Fault::HangAtEnd));
    let mut receiver = Receiver::new(&layer);
    let start = Instant::now();
    let (_, response) = receiver.handled(order("1"), reply(200, "made")).await;
    assert_eq!((response.status().as_u16(), body(response).await), (200, Bytes::from("made")));
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(layer.drain_handle().drain(Duration::from_secs(1)).await.abandoned, 0);
}

#[tokio::test(start_paused = true)]
async fn within_itself_the_outer_layer_decides() {
    let layer = orders();
    let (mock, handler) = pair();
    let twice = layer.layer(layer.clone().layer(mock));
    let mut handler = handler;
    let sent = tokio::spawn(twice.oneshot(order("1")));
    let (_, respond) = handler.next_request().await.unwrap();
    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&sent.await.unwrap().unwrap()), Outcome::First);
}

#[tokio::test(start_paused = true)]
async fn d20_a_body_that_ends_during_the_drain_starts_nothing() {
    let layer = orders();
    let (mock, mut handler) = pair::<Request<support::AnyBody>, Response<support::AnyBody>>();
    let (chunks, stream) = http_body_util::channel::Channel::<Bytes>::new(1);
    let slow = order("1").map(|_| support::AnyBody::new(stream));
    let sent = tokio::spawn(layer.layer(mock).oneshot(slow));
    settle().await;
    assert_eq!(layer.drain_handle().drain(Duration::from_secs(1)).await.abandoned, 0);
    let mut chunks = chunks;
    chunks.send_data(Bytes::from(r#"{"id":"1"}"#)).await.unwrap();
    drop(chunks);
    let refused = sent.await.unwrap().unwrap();
    assert_eq!(refused.status(), 503);
    assert!(!matches!(handler.poll_request(), std::task::Poll::Ready(Some(_))));
}

// ===== what every layer does =====

#[tokio::test(start_paused = true)]
async fn calls_the_service_that_was_polled_ready() {
    // `ConcurrencyLimit` panics when it is called without having been polled ready.
    let echo = tower::service_fn(async |_: Req| Ok::<_, std::convert::Infallible>(reply(200, "")));
    let limit = tower::limit::ConcurrencyLimitLayer::new(1);
    let service = orders().layer(limit.layer(echo));
    for request in [order("1"), order("2"), Request::new(Full::default())] {
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_copies_keep_no_place_in_the_inner_service() {
    let (mock, mut handler) = pair::<Req, Res>();
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(2);
    let service = orders().layer(limit.layer(mock));
    let send = |id| tokio::spawn(service.clone().oneshot(order(id)));
    let _first = send("1");
    let (_, _running) = handler.next_request().await.unwrap();
    let _copies: Vec<_> = (0..10).map(|_| send("1")).collect();
    settle().await;
    let other = send("2");
    handler.next_request().await.unwrap().1.send_response(reply(200, "made"));
    assert_eq!(other.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn services_of_one_layer_share_state() {
    let layer = orders();
    let (mut one, mut other) = (Receiver::new(&layer), Receiver::new(&layer.clone()));
    one.handled(order("1"), reply(200, "made")).await;
    assert_eq!(outcome(&other.answered(order("1")).await), Outcome::Replayed);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_response_future_while_the_body_arrives_claims_nothing() {
    let (mock, mut handler) = pair::<Request<support::AnyBody>, Response<support::AnyBody>>();
    let service = orders().layer(mock);
    let (_chunks, stream) = http_body_util::channel::Channel::<Bytes>::new(1);
    let slow = order("1").map(|_| support::AnyBody::new(stream));
    let hung_up = tokio::spawn(service.clone().oneshot(slow));
    settle().await;
    hung_up.abort();
    settle().await;
    let sent = tokio::spawn(service.oneshot(order("1").map(support::AnyBody::new)));
    let (request, respond) = handler.next_request().await.unwrap();
    assert_eq!(request.extensions().get(), Some(&Attempt::FIRST));
    respond.send_response(Response::new(support::AnyBody::from(Bytes::new())));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn passes_errors_through() {
    let receiver = Receiver::new(&orders());
    let mut handler = receiver.handler;
    let send = || tokio::spawn(receiver.service.clone().oneshot(order("1")));
    let first = send();
    let (_, respond) = handler.next_request().await.unwrap();
    let copy = send();
    settle().await;
    respond.send_error("spilt");
    assert_eq!(first.await.unwrap().unwrap_err().to_string(), "spilt");
    let copy = copy.await.unwrap().unwrap();
    assert_eq!(copy.status(), 500);

    let again = send();
    let (request, respond) = handler.next_request().await.unwrap();
    assert_eq!(request.extensions().get(), Some(&SECOND));
    respond.send_response(reply(200, "made"));
    assert_eq!(again.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn r05_what_is_not_posted_passes_through_untouched() {
    let mut receiver = Receiver::new(&orders());
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let request = Request::builder().method(method).body(Full::from(r#"{"id":"1"}"#)).unwrap();
        let sent = receiver.send(request);
        let (request, respond) = receiver.handler.next_request().await.unwrap();
        assert!(request.extensions().is_empty());
        respond.send_response(reply(200, ""));
        assert!(sent.await.unwrap().extensions().is_empty());
    }
}

#[test]
fn is_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    let layer = orders();
    check(&layer);
    check(&layer.layer(tower::service_fn(async |_: Req| Ok::<Res, ()>(reply(200, "")))));
    check(&layer.drain_handle());
    assert_eq!(ORDERS.exchange, Exchange::OneWay);
    let _: &MemoryStore = layer.store();
}
