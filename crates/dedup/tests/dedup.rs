//! The layer from outside, row by row of the semantics it promises.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request};
use http_body_util::{BodyExt, channel::Channel};
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, ServiceExt};
use tower_callback_contract::{Action, Body, Contract, Envelope, Reason, Refusal, Timing};
use tower_callback_dedup::{
    Attempt, DedupLayer, MemoryStore, OnConflict, OnMissingId, Outcome, Previous,
};
use tower_callback_testkit::{
    self as testkit, Platform, Req, TestBody, around, capture_events, post, response as reply,
    service,
};
use tracing::Instrument;

use support::{Receiver, body, ended, order, order_to, outcome, reason, settle};

mod support;

const ORDERS: Platform = Platform::ORDERS;
const QUESTIONS: Platform = Platform::QUESTIONS;

fn orders() -> DedupLayer<Platform> {
    DedupLayer::for_contract(ORDERS)
}

const SECOND: Attempt = Attempt::new(2, Some(Previous::Failed));

#[tokio::test(start_paused = true)]
async fn d01_a_duplicate_after_success_is_replayed() {
    let mut receiver = Receiver::new(&orders());
    let mut first = reply(201, "made");
    for cup in ["1", "2"] {
        first.headers_mut().append("x-cup", HeaderValue::from_static(cup));
    }
    let (attempt, response) = receiver.handled(order("1"), first).await;
    assert_eq!((attempt, outcome(&response)), (Attempt::FIRST, Outcome::First));
    assert_eq!(response.headers().get("idempotency-replayed"), None);

    let duplicate = receiver.answered(order("1")).await;
    assert_eq!((duplicate.status().as_u16(), outcome(&duplicate)), (201, Outcome::Replayed));
    assert_eq!(duplicate.headers()["idempotency-replayed"], "true");
    assert_eq!(duplicate.headers().get_all("x-cup").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(body(duplicate).await, "made");
}

#[tokio::test(start_paused = true)]
async fn d02_a_duplicate_waits_for_the_first_and_gets_its_response() {
    let mut receiver = Receiver::new(&orders());
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let duplicates = [receiver.send(order("1")), receiver.send(order("1"))];
    receiver.assert_idle().await;
    assert!(duplicates.iter().all(|duplicate| !duplicate.is_finished()));

    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&first.await.unwrap()), Outcome::First);
    for duplicate in duplicates {
        let duplicate = duplicate.await.unwrap();
        assert_eq!((duplicate.status().as_u16(), outcome(&duplicate)), (200, Outcome::Joined));
        assert_eq!(duplicate.headers()["idempotency-replayed"], "true");
        assert_eq!(body(duplicate).await, "made");
    }
}

#[tokio::test(start_paused = true)]
async fn d02_the_wait_ends_before_the_platform_disconnects() {
    for (layer, bound) in [
        (orders(), Duration::from_secs(9)),
        (orders().max_wait(Duration::from_secs(2)), Duration::from_secs(2)),
    ] {
        let mut receiver = Receiver::new(&layer);
        let first = receiver.send(order("1"));
        let (_, respond) = receiver.run().await;
        let start = Instant::now();
        let duplicate = receiver.send(order("1")).await.unwrap();
        assert_eq!((duplicate.status().as_u16(), reason(&duplicate)), (503, Reason::InProgress));
        assert_eq!(duplicate.headers()["retry-after"], "1");
        assert!((bound..bound + Duration::from_millis(5)).contains(&start.elapsed()));

        respond.send_response(reply(200, "made"));
        assert_eq!(first.await.unwrap().status(), 200);
        assert_eq!(outcome(&receiver.answered(order("1")).await), Outcome::Replayed);
    }
}

#[tokio::test(start_paused = true)]
async fn d02_the_wait_counts_from_the_arrival() {
    let mut receiver = Receiver::new(&orders().max_wait(Duration::from_secs(2)));
    let (mut chunks, stream) = Channel::<Bytes>::new(1);
    let _first = receiver.send(order("1"));
    let _running = receiver.run().await;

    let start = Instant::now();
    let duplicate = receiver.send(order("1").map(|_| TestBody::new(stream)));
    sleep(Duration::from_secs(1)).await;
    chunks.send_data(Bytes::from(r#"{"id":"1","what":"tea"}"#)).await.unwrap();
    drop(chunks);
    assert_eq!(duplicate.await.unwrap().status(), 503);
    assert!(start.elapsed() < Duration::from_millis(2_010));
}

#[tokio::test(start_paused = true)]
async fn d02_a_wait_without_end_is_no_overflow() {
    let mut receiver = Receiver::new(&orders().max_wait(Duration::MAX));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let duplicate = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(200, "made"));
    assert_eq!(
        (first.await.unwrap().status(), duplicate.await.unwrap().status()),
        (http::StatusCode::OK, http::StatusCode::OK)
    );
}

#[tokio::test(start_paused = true)]
async fn d03_a_failed_first_delivery_fails_the_joined() {
    let mut receiver = Receiver::new(&orders());
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let duplicate = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(500, "spilt"));
    assert_eq!(first.await.unwrap().status(), 500);
    let duplicate = duplicate.await.unwrap();
    assert_eq!((duplicate.status().as_u16(), outcome(&duplicate)), (500, Outcome::Joined));
    assert_eq!(body(duplicate).await, "spilt");

    let (attempt, response) = receiver.handled(order("1"), reply(200, "made")).await;
    assert_eq!((attempt, response.status().as_u16()), (SECOND, 200));
}

#[tokio::test(start_paused = true)]
async fn d04_after_an_action_that_asks_for_a_retry_the_next_delivery_runs_again() {
    let mut receiver = Receiver::new(&orders());
    let mut expected = Attempt::FIRST;
    for status in [500, 502, 503, 408, 425, 429] {
        let (attempt, response) = receiver.handled(order("1"), reply(status, "")).await;
        assert_eq!((attempt, response.status().as_u16()), (expected, status));
        expected = expected.next(Previous::Failed);
    }
    let (attempt, _) = receiver.handled(order("1"), reply(200, "made")).await;
    assert_eq!(attempt, Attempt::new(7, Some(Previous::Failed)));
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
    let seen = Arc::new(seen);
    let service = service(&orders(), move |request: Req| {
        let seen = Arc::clone(&seen);
        async move {
            let attempt: Attempt = *request.extensions().get().unwrap();
            seen.send_modify(|runs| *runs += 1);
            settle().await;
            assert!(attempt.number > 1, "spilt");
            Ok(reply(200, "made"))
        }
    });
    let (events, _guard) = capture_events();
    let span = tracing::info_span!("the_request");
    let first = tokio::spawn(service.clone().oneshot(order("1")).instrument(span));
    let duplicate = tokio::spawn(service.clone().oneshot(order("1")));
    for response in [first, duplicate] {
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
async fn d06_a_disconnect_does_not_cut_the_handler() {
    let mut receiver = Receiver::new(&orders());
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let duplicate = receiver.send(order("1"));
    settle().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    settle().await;

    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&duplicate.await.unwrap()), Outcome::Joined);
    let later = receiver.answered(order("1")).await;
    assert_eq!((outcome(&later), body(later).await), (Outcome::Replayed, Bytes::from("made")));
}

#[tokio::test(start_paused = true)]
async fn d07_a_duplicate_that_disconnects_leaves_no_trace() {
    let mut receiver = Receiver::new(&orders().max_waiters(1));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    // Only one may wait: each of these finds the place of the one before it free.
    for _ in 0..3 {
        let duplicate = receiver.send(order("1"));
        settle().await;
        assert!(!duplicate.is_finished());
        duplicate.abort();
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
    let duplicate = receiver.answered(post("/orders", r#"{ "what": "te\u0061", "id": 1 }"#)).await;
    assert_eq!(outcome(&duplicate), Outcome::Replayed);
}

#[tokio::test(start_paused = true)]
async fn d08_the_first_body_wins_or_each_is_new_or_a_field_is_left_out_as_told() {
    let tea = || post("/orders", r#"{"id":"1","what":"tea"}"#);
    let milk = || post("/orders", r#"{"id":"1","what":"milk"}"#);

    for layer in [orders().on_conflict(OnConflict::FirstWins), orders().ignore_field("/what")] {
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
    for body in bodies.into_iter().chain(bodies) {
        let sent = receiver.send(post("/orders", body));
        let (request, respond) = ended(receiver.handler.next_request()).await.unwrap();
        assert_eq!(request.extensions().get(), Some(&Attempt::FIRST));
        respond.send_response(reply(200, "made"));
        assert_eq!(outcome(&sent.await.unwrap()), Outcome::Unidentified);
    }
    // Like any other, it runs on when its client disconnects.
    let layer = orders();
    let mut receiver = Receiver::new(&layer);
    let disconnected = receiver.send(post("/orders", bodies[0]));
    let _running = receiver.run().await;
    disconnected.abort();
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
    let duplicate = receiver.answered(post("/orders", r#"{"id":"17"}"#)).await;
    assert_eq!(outcome(&duplicate), Outcome::Replayed);

    let overlong = || post("/orders", format!(r#"{{"id":"{}"}}"#, "1".repeat(257)));
    for _ in 0..2 {
        let sent = receiver.send(overlong());
        ended(receiver.handler.next_request()).await.unwrap().1.send_response(reply(200, "made"));
        assert_eq!(outcome(&sent.await.unwrap()), Outcome::Unidentified);
    }
}

#[tokio::test(start_paused = true)]
async fn d11_an_id_on_another_route_or_of_another_kind_is_another_one() {
    let body = r#"{"id":"1"}"#;
    let mut receiver = Receiver::new(&orders());
    for path in ["/orders", "/returns", "/orders/"] {
        let (attempt, _) = receiver.handled(post(path, body), reply(200, "made")).await;
        assert_eq!(attempt, Attempt::FIRST);
    }
    let store = Arc::new(MemoryStore::new());
    let of_kind = |contract| {
        let layer = DedupLayer::for_contract(contract).with_store(Arc::clone(&store));
        Receiver::new(&layer)
    };
    let (mut one, mut other) = (of_kind(ORDERS), of_kind(QUESTIONS));
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
    let (events, _guard) = capture_events();
    let layer = orders().window(Duration::from_secs(3600));
    assert_eq!(events.lines("WARN").len(), 0);
    let layer = layer.window(Duration::from_secs(60));
    for _ in 0..3 {
        let _service = layer.layer(());
    }
    assert_eq!(events.lines("WARN").len(), 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn d14_of_a_response_too_large_only_its_success_is_remembered() {
    let mut receiver = Receiver::new(&orders().max_record_bytes(4));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let joined = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(200, "large"));
    assert_eq!(body(first.await.unwrap()).await, "large");
    let joined = joined.await.unwrap();
    assert_eq!((outcome(&joined), body(joined).await), (Outcome::Joined, Bytes::from("taken")));
    let duplicate = receiver.answered(order("1")).await;
    assert_eq!(
        (outcome(&duplicate), body(duplicate).await),
        (Outcome::Replayed, Bytes::from("taken"))
    );
}

#[tokio::test(start_paused = true)]
async fn d14_a_synchronous_callback_runs_again_for_a_response_too_large_to_remember() {
    let mut receiver = Receiver::new(&DedupLayer::for_contract(QUESTIONS).max_record_bytes(4));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let joined = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(200, "large"));
    assert_eq!(body(first.await.unwrap()).await, "large");
    let (attempt, respond) = receiver.run().await;
    assert_eq!(attempt, Attempt::new(2, Some(Previous::Unrecorded)));
    respond.send_response(reply(200, "larger"));
    assert_eq!(body(joined.await.unwrap()).await, "larger");
}

#[tokio::test(start_paused = true)]
async fn d14_a_large_failure_fails_the_joined_and_is_not_remembered() {
    let mut receiver = Receiver::new(&orders().max_record_bytes(4));
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
async fn d14_a_large_refusal_stays_a_refusal_for_the_duplicates() {
    for contract in [ORDERS, QUESTIONS] {
        let mut receiver = Receiver::new(&DedupLayer::for_contract(contract).max_record_bytes(4));
        receiver.handled(order("1"), reply(422, "large")).await;
        let duplicate = receiver.answered(order("1")).await;
        assert_eq!((duplicate.status().as_u16(), body(duplicate).await), (403, Bytes::from("no")));
    }
}

#[tokio::test(start_paused = true)]
async fn d14_a_large_success_is_one_though_the_platform_takes_another_status() {
    let mut receiver = Receiver::new(&DedupLayer::for_contract(Only200).max_record_bytes(4));
    let (_, response) = receiver.handled(order("1"), reply(201, "large")).await;
    assert_eq!(response.status(), 201);
    let duplicate = receiver.answered(order("1")).await;
    assert_eq!((duplicate.status().as_u16(), body(duplicate).await), (200, "success".into()));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_breaks_off_is_a_failure() {
    let mut receiver = Receiver::new(&orders());
    let broken = Response::new(TestBody::broken(1));
    let (_, response) = receiver.handled(order("1"), broken).await;
    assert_eq!((response.status().as_u16(), reason(&response)), (500, Reason::HandlerFailed));
    assert_eq!(receiver.handled(order("1"), reply(200, "made")).await.0, SECOND);
}

#[tokio::test(start_paused = true)]
async fn d14_a_response_of_unknown_length_is_streamed() {
    let mut receiver = Receiver::new(&orders());
    let (mut chunks, stream) = Channel::<Bytes>::new(1);
    // It comes before the body is there: nothing was collected.
    let streamed = Response::new(TestBody::new(stream));
    let (_, response) = receiver.handled(order("1"), streamed).await;
    chunks.send_data(Bytes::from("late")).await.unwrap();
    drop(chunks);
    assert_eq!(body(response).await, "late");
    assert_eq!(body(receiver.answered(order("1")).await).await, "taken");
}

#[tokio::test(start_paused = true)]
async fn d14_a_response_keeps_its_trailers() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("17"));
    let (mut chunks, stream) = Channel::<Bytes>::new(2);
    chunks.send_data(Bytes::from("made")).await.unwrap();
    chunks.send_trailers(trailers.clone()).await.unwrap();
    drop(chunks);
    let mut receiver = Receiver::new(&orders());
    let made = Response::new(TestBody::new(stream));
    let (_, response) = receiver.handled(order("1"), made).await;
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
    assert_eq!(collected.to_bytes(), "made");
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
    let duplicate = receiver.answered(order("1")).await;
    let mut names: Vec<_> = duplicate.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["idempotency-replayed", "x-kept"]);
}

#[tokio::test(start_paused = true)]
async fn d16_of_ten_thousand_deliveries_one_runs_and_a_bounded_number_waits() {
    let mut receiver = Receiver::new(&orders());
    let duplicates: Vec<_> = (0..10_000).map(|_| receiver.send(order("1"))).collect();
    let (_, respond) = receiver.run().await;
    receiver.assert_idle().await;
    respond.send_response(reply(200, "made"));

    let (mut joined, mut crowded, mut address) = (0, 0, None);
    for duplicate in duplicates {
        let duplicate = duplicate.await.unwrap();
        match outcome(&duplicate) {
            Outcome::Joined => {
                joined += 1;
                let shared = body(duplicate).await.as_ptr();
                assert_eq!(*address.get_or_insert(shared), shared, "the body was copied");
            }
            Outcome::Refused => {
                crowded += 1;
                assert_eq!(
                    (duplicate.status().as_u16(), reason(&duplicate)),
                    (503, Reason::QueueFull)
                );
                assert_eq!(duplicate.headers()["retry-after"], "1");
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
    // Not even a disconnect makes room: the handler still runs.
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
    let (first, disconnected) = (receiver.send(order("1")), receiver.send(order("2")));
    let (_, respond_1) = receiver.run().await;
    let (_, respond_2) = receiver.run().await;
    disconnected.abort();
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
    let (events, _guard) = capture_events();
    let start = Instant::now();
    let drained = layer.drain_handle().drain(Duration::from_secs(30)).await;
    assert_eq!((drained.abandoned, start.elapsed().as_secs()), (2, 30));
    assert_eq!(events.lines("WARN").len(), 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn two_layers_on_one_store_are_like_two_processes() {
    let store = Arc::new(support::Leased::default());
    let replica = || {
        let layer = orders().with_store(Arc::clone(&store));
        Receiver::new(&layer)
    };
    let (mut one, mut other) = (replica(), replica());
    let first = one.send(order("1"));
    let (_, respond) = one.run().await;
    let duplicate = other.send(order("1"));
    other.assert_idle().await;
    // Longer than the lease: it is renewed. Not by `advance`, which jumps over the renewals.
    sleep(Duration::from_secs(5)).await;
    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&first.await.unwrap()), Outcome::First);
    assert_eq!(outcome(&duplicate.await.unwrap()), Outcome::Replayed);
    assert!(store.renewals() >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_refuses_the_callback() {
    for fault in [support::Fault::Error, support::Fault::Hang] {
        let layer = orders().with_store(support::Broken(fault));
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
async fn a_store_that_hangs_at_the_end_does_not_hold_the_response_back() {
    let layer = orders().with_store(support::Broken(support::Fault::HangAtEnd));
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
    let (twice, mut handler) = around(&(layer.clone(), layer));
    let sent = tokio::spawn(twice.oneshot(order("1")));
    let (_, respond) = ended(handler.next_request()).await.unwrap();
    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&sent.await.unwrap().unwrap()), Outcome::First);
}

#[tokio::test(start_paused = true)]
async fn r06_within_a_layer_that_knows_no_id_the_inner_one_decides() {
    struct Anonymous;
    impl Contract for Anonymous {
        fn name(&self) -> &'static str {
            "anonymous"
        }
        fn timing(&self) -> Timing {
            Contract::timing(&ORDERS)
        }
        fn identify(&self, _: &request::Parts, _: &Body) -> Result<Envelope, Refusal> {
            Ok(Envelope::new(None))
        }
    }
    let layers = (DedupLayer::for_contract(Anonymous), orders());
    let (receiver, mut handler) = around(&layers);
    let first = tokio::spawn(receiver.clone().oneshot(order("1")));
    let (_, respond) = ended(handler.next_request()).await.unwrap();
    respond.send_response(reply(200, "made"));
    first.await.unwrap().unwrap();
    let again = ended(receiver.oneshot(order("1"))).await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
}

#[tokio::test(start_paused = true)]
async fn d20_a_body_that_ends_during_the_drain_starts_nothing() {
    let layer = orders();
    let mut receiver = Receiver::new(&layer);
    let (mut chunks, stream) = Channel::<Bytes>::new(1);
    let sent = receiver.send(order("1").map(|_| TestBody::new(stream)));
    settle().await;
    assert_eq!(layer.drain_handle().drain(Duration::from_secs(1)).await.abandoned, 0);
    chunks.send_data(Bytes::from(r#"{"id":"1"}"#)).await.unwrap();
    drop(chunks);
    assert_eq!(sent.await.unwrap().status(), 503);
    receiver.assert_idle().await;
}

// ===== identity =====

#[tokio::test(start_paused = true)]
async fn k01_on_two_routes_of_one_layer_equal_ids_do_not_meet() {
    let layer = orders();
    let (mut a, mut b) = (Receiver::new(&layer), Receiver::new(&layer));
    let sent = [a.send(order_to("/a", "1")), b.send(order_to("/b", "1"))];
    // Both run at once: neither waits for the other.
    for (receiver, made) in [(&mut a, "a"), (&mut b, "b")] {
        let (attempt, respond) = receiver.run().await;
        assert_eq!(attempt, Attempt::FIRST);
        respond.send_response(reply(200, made));
    }
    for sent in sent {
        assert_eq!(outcome(&sent.await.unwrap()), Outcome::First);
    }
    // Which of the services a delivery comes through makes no difference.
    assert_eq!(body(a.answered(order_to("/b", "1")).await).await, "b");
    assert_eq!(body(b.answered(order_to("/a", "1")).await).await, "a");
}

#[tokio::test(start_paused = true)]
async fn k01_scope_by_decides_which_equal_ids_meet() {
    let by_bot = |head: &request::Parts, _: &Envelope| head.uri.query().unwrap_or("").to_owned();
    let mut receiver = Receiver::new(&orders().scope_by(by_bot));
    for (path, made) in [("/a?bot=1", "one"), ("/a?bot=2", "two")] {
        let (attempt, _) = receiver.handled(order_to(path, "1"), reply(200, made)).await;
        assert_eq!(attempt, Attempt::FIRST);
    }
    // The path is no part of it any more: a fallback URL counts as the same route.
    for (path, made) in [("/b?bot=1", "one"), ("/b?bot=2", "two")] {
        assert_eq!(body(receiver.answered(order_to(path, "1")).await).await, made);
    }
}

#[tokio::test(start_paused = true)]
async fn k03_a_field_that_the_contract_ignores_makes_no_difference() {
    let mut receiver = Receiver::new(&DedupLayer::for_contract(Coded));
    let first = post("/orders", r#"{"id":"1","retries":0}"#);
    receiver.handled(first, reply(200, "success")).await;
    let again = receiver.answered(post("/orders", r#"{"id":"1","retries":1}"#)).await;
    assert_eq!(outcome(&again), Outcome::Replayed);
    let other = receiver.answered(post("/orders", r#"{"id":"1","retries":1,"what":"tea"}"#)).await;
    assert_eq!(outcome(&other), Outcome::Conflict);
}

#[tokio::test(start_paused = true)]
async fn k05_a_retry_said_in_a_200_is_a_retry() {
    let mut receiver = Receiver::new(&DedupLayer::for_contract(Coded));
    let first = receiver.send(order("1"));
    let (_, respond) = receiver.run().await;
    let joined = receiver.send(order("1"));
    settle().await;
    respond.send_response(reply(200, "fail"));
    for sent in [first, joined] {
        let failed = sent.await.unwrap();
        assert_eq!((failed.status().as_u16(), body(failed).await), (200, "fail".into()));
    }
    let (attempt, _) = receiver.handled(order("1"), reply(200, "success")).await;
    assert_eq!(attempt, SECOND);
    let duplicate = receiver.answered(order("1")).await;
    assert_eq!((outcome(&duplicate), body(duplicate).await), (Outcome::Replayed, "success".into()));
}

#[tokio::test(start_paused = true)]
async fn k05_a_204_to_a_platform_that_takes_only_a_200_is_the_accept_it_was_meant_as() {
    let layer = DedupLayer::for_contract(Only200);
    for layer in [layer.clone(), layer.scope_by(|_, _| "eager".to_owned()).release_on(|_| true)] {
        let mut receiver = Receiver::new(&layer);
        receiver.handled(order("1"), reply(204, "")).await;
        let duplicate = receiver.answered(order("1")).await;
        assert_eq!((duplicate.status().as_u16(), outcome(&duplicate)), (204, Outcome::Replayed));
    }
}

// ===== what every layer does =====

#[tokio::test(start_paused = true)]
async fn calls_the_service_that_was_polled_ready() {
    let callbacks = [order("1"), order("2"), Request::new(TestBody::default())];
    testkit::calls_the_service_that_was_polled_ready(&orders(), callbacks).await;
}

#[tokio::test(start_paused = true)]
async fn is_always_ready() {
    testkit::is_always_ready(&orders(), order("1")).await;
}

#[tokio::test(start_paused = true)]
async fn keeps_no_place_while_it_waits() {
    testkit::keeps_no_place_while_it_waits(&orders(), order("1")).await;
}

#[tokio::test(start_paused = true)]
async fn passes_errors_of_readiness_through() {
    testkit::passes_errors_of_readiness_through(&orders(), order("1")).await;
}

#[tokio::test(start_paused = true)]
async fn waiting_duplicates_keep_no_place_in_the_inner_service() {
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(2);
    let (service, mut handler) = around(&(orders(), limit));
    let send = |id| tokio::spawn(service.clone().oneshot(order(id)));
    let _first = send("1");
    let (_, _running) = ended(handler.next_request()).await.unwrap();
    let _duplicates: Vec<_> = (0..10).map(|_| send("1")).collect();
    settle().await;
    let other = send("2");
    ended(handler.next_request()).await.unwrap().1.send_response(reply(200, "made"));
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
async fn a_setter_on_a_clone_makes_no_new_state() {
    let layer = orders();
    let set_up = layer.clone().max_waiters(7).max_wait(Duration::from_secs(1)).ignore_field("/at");
    let (mut one, mut other) = (Receiver::new(&layer), Receiver::new(&set_up));
    let first = one.send(order("1"));
    let (_, respond) = one.run().await;
    let joined = other.send(order("1"));
    other.assert_idle().await;
    respond.send_response(reply(200, "made"));
    assert_eq!(outcome(&first.await.unwrap()), Outcome::First);
    assert_eq!(outcome(&joined.await.unwrap()), Outcome::Joined);
    assert_eq!(outcome(&other.answered(order("1")).await), Outcome::Replayed);
    layer.drain_handle().drain(Duration::ZERO).await;
    assert_eq!(reason(&other.answered(order("2")).await), Reason::Draining);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_response_future_while_the_body_arrives_claims_nothing() {
    let mut receiver = Receiver::new(&orders());
    let disconnected = receiver.send(order("1").map(|_| TestBody::stalled("{")));
    settle().await;
    disconnected.abort();
    settle().await;
    let (attempt, response) = receiver.handled(order("1"), reply(200, "")).await;
    assert_eq!((attempt, response.status().as_u16()), (Attempt::FIRST, 200));
}

#[tokio::test(start_paused = true)]
async fn passes_errors_through() {
    let receiver = Receiver::new(&orders());
    let mut handler = receiver.handler;
    let send = || tokio::spawn(receiver.service.clone().oneshot(order("1")));
    let first = send();
    let (_, respond) = ended(handler.next_request()).await.unwrap();
    let duplicate = send();
    settle().await;
    respond.send_error("spilt");
    assert_eq!(first.await.unwrap().unwrap_err().to_string(), "spilt");
    let duplicate = duplicate.await.unwrap().unwrap();
    assert_eq!(duplicate.status(), 500);

    let again = send();
    let (request, respond) = ended(handler.next_request()).await.unwrap();
    assert_eq!(request.extensions().get(), Some(&SECOND));
    respond.send_response(reply(200, "made"));
    assert_eq!(again.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn r05_what_is_not_posted_passes_through_untouched() {
    let mut receiver = Receiver::new(&orders());
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let mut request = order("1");
        *request.method_mut() = method.parse().unwrap();
        let sent = receiver.send(request);
        let (request, respond) = ended(receiver.handler.next_request()).await.unwrap();
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
    testkit::is_service(&layer.layer(testkit::Handling(async |_: Req| Ok(reply(200, "")))));
    check(&layer.drain_handle());
    let _: &MemoryStore = layer.store();
}

/// Takes nothing but a 200.
struct Only200;

impl Contract for Only200 {
    fn name(&self) -> &'static str {
        "only-200"
    }

    fn timing(&self) -> Timing {
        Contract::timing(&ORDERS)
    }

    fn identify(&self, head: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        ORDERS.identify(head, body)
    }

    fn action(&self, response: &Response<Bytes>) -> Action {
        match response.status().as_u16() {
            200 => Action::Accept,
            _ => Action::Retry { after: None },
        }
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        let mut response = Response::new("success".into());
        if *action != Action::Accept {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    }
}

/// Reads in the body of a 200 whether it is to send the callback again.
struct Coded;

impl Contract for Coded {
    fn name(&self) -> &'static str {
        "coded"
    }

    fn timing(&self) -> Timing {
        Contract::timing(&ORDERS)
    }

    fn identify(&self, head: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        ORDERS.identify(head, body)
    }

    fn action(&self, response: &Response<Bytes>) -> Action {
        match &response.body()[..] {
            b"success" => Action::Accept,
            _ => Action::Retry { after: None },
        }
    }

    fn ignored(&self) -> &[&str] {
        &["/retries"]
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        Response::new(if *action == Action::Accept { "success" } else { "fail" }.into())
    }
}
