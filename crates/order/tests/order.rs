//! The layer from outside, row by row of the semantics it promises.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

use std::{
    sync::OnceLock,
    task::Poll,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Response, request};
use http_body_util::channel::Channel;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tower::{Layer, ServiceExt};
use tower_callback_contract::{
    Action, Body, Callback, Contract, Envelope, Id, Reason, Refusal, Timestamp, Timing,
};
use tower_callback_order::{Hold, OnLate, OrderLayer, Position, Unordered};
use tower_callback_testkit::{
    self as testkit, BoxError, Platform, Play, Req, Res, Service, TestBody, around, body_of, post,
    response,
};
use tower_test::mock::SendResponse;

const CHAT: Platform = Platform::CHAT;
const MS: Duration = Duration::from_millis(1);

fn adaptive() -> OrderLayer<Platform> {
    OrderLayer::for_contract(CHAT)
}

fn held(hold: u32) -> OrderLayer<Platform> {
    adaptive().hold(Hold::fixed(MS * hold))
}

#[tokio::test(start_paused = true)]
async fn o01_messages_are_handled_in_the_order_they_were_sent_one_at_a_time() {
    let mut receiver = Receiver::new(&held(100));
    let sent = [3, 1, 2].map(|at| receiver.send("anna", at));
    let mut order = Vec::new();
    for _ in 0..3 {
        let run = receiver.run().await;
        receiver.assert_idle().await;
        assert!(matches!(run.position, Position::InOrder { .. }));
        order.push(run.at);
        run.respond.send_response(reply(200));
    }
    assert_eq!(order, [1, 2, 3]);
    for sent in sent {
        assert_eq!(sent.await.unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn o02_conversations_do_not_wait_for_each_other() {
    let mut receiver = Receiver::new(&adaptive().hold(Hold::none()));
    let _anna = receiver.send("anna", 1);
    let _running = receiver.run().await;
    let ben = receiver.send("ben", 1);
    receiver.run().await.respond.send_response(reply(200));
    assert_eq!(ben.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn o03_nobody_is_held_longer_than_the_hold_whoever_comes_before() {
    let mut receiver = Receiver::new(&held(100));
    let start = Instant::now();
    let _later = receiver.send("anna", 2);
    sleep(MS * 90).await;
    let _earlier = receiver.send("anna", 1);
    let run = receiver.run().await;
    assert_eq!((run.at, start.elapsed().as_millis()), (1, 100));
    run.respond.send_response(reply(200));
    let run = receiver.run().await;
    assert_eq!((run.at, start.elapsed().as_millis()), (2, 100));
    assert_eq!(run.position, Position::InOrder { held: MS * 100 });
}

#[tokio::test(start_paused = true)]
async fn o04_traffic_in_order_is_not_held() {
    let layer = adaptive();
    let mut receiver = Receiver::new(&layer);
    for at in 0..50 {
        let start = Instant::now();
        let sent = receiver.send("anna", at);
        let run = receiver.run().await;
        assert_eq!(run.position, Position::InOrder { held: Duration::ZERO });
        run.respond.send_response(reply(200));
        sent.await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
    assert_eq!(layer.stats().hold, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_adaptive_hold_grows_with_what_was_needed_and_then_keeps_the_order() {
    let layer = adaptive();
    let mut receiver = Receiver::new(&layer);
    let mut late = Vec::new();
    for round in 0..20 {
        let start = round * 1_000;
        let newer = receiver.send("anna", start + 2);
        sleep(MS * 50).await;
        let older = receiver.send("anna", start + 1);
        for _ in 0..2 {
            let run = receiver.run().await;
            late.push(matches!(run.position, Position::Late { .. }));
            run.respond.send_response(reply(200));
        }
        newer.await.unwrap();
        older.await.unwrap();
        sleep(MS * 950).await;
    }
    assert_eq!(late.iter().filter(|late| **late).count(), 1, "{late:?}");
    let stats = layer.stats();
    assert!((MS * 50..60 * MS).contains(&stats.hold), "{stats:?}");
    assert_eq!((stats.messages, stats.late, stats.held_now), (40, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn o05_a_message_that_comes_too_late_is_handled_at_once_and_flagged() {
    let mut receiver = Receiver::new(&held(100));
    let newer = receiver.send("anna", 500);
    receiver.run().await.respond.send_response(reply(200));
    newer.await.unwrap();
    let start = Instant::now();
    let late = receiver.send("anna", 200);
    let run = receiver.run().await;
    assert_eq!(run.position, Position::Late { by: MS * 300, after: chat_id(500) });
    assert_eq!(start.elapsed(), Duration::ZERO);
    // Still one at a time.
    let _other = receiver.send("anna", 100);
    receiver.assert_idle().await;
    run.respond.send_response(reply(200));
    assert_eq!(late.await.unwrap().status(), 200);
    assert_eq!(receiver.run().await.position, Position::Late { by: MS * 400, after: chat_id(500) });
}

#[tokio::test(start_paused = true)]
async fn o05_late_messages_are_refused_if_so_told() {
    let mut receiver = Receiver::new(&held(0).on_late(OnLate::Refuse));
    for (at, status) in [(500, 200), (200, 409), (600, 200)] {
        let sent = receiver.send("anna", at);
        if status == 200 {
            receiver.run().await.respond.send_response(reply(200));
        }
        let response = sent.await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(reason(&response), (status == 409).then_some(Reason::Late));
    }
}

#[tokio::test(start_paused = true)]
async fn o06_what_nothing_orders_is_handled_at_once_and_flagged() {
    let mut receiver = Receiver::new(&held(100));
    let bodies = [
        (r#"{"who":"anna","id":"1"}"#, Unordered::NoTime),
        (r#"{"who":"anna","id":"1","at":"soon"}"#, Unordered::NoTime),
        (r#"{"who":"anna","id":"1","at":-1}"#, Unordered::NoTime),
        (r#"{"id":"1","at":1}"#, Unordered::NoConversation),
    ];
    for (body, why) in bodies {
        let start = Instant::now();
        let sent = receiver.post(body);
        let run = receiver.run().await;
        assert_eq!((run.position, start.elapsed()), (Position::Unordered(why), Duration::ZERO));
        run.respond.send_response(reply(200));
        sent.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn o07_seconds_and_microseconds_are_told_by_their_magnitude() {
    let mut receiver = Receiver::new(&held(100));
    let second = base() / 1_000 + 1;
    let times = [second * 1_000_000 + 500_000, second, second * 1_000 + 200];
    let _sent = times.map(|at| receiver.post(format!(r#"{{"who":"anna","id":"1","at":{at}}}"#)));
    for expected in [second * 1_000, second * 1_000 + 200, second * 1_000 + 500] {
        let run = receiver.run().await;
        assert_eq!(run.at + base(), expected);
        run.respond.send_response(reply(200));
    }
}

#[tokio::test(start_paused = true)]
async fn o08_a_time_in_the_future_neither_holds_others_back_nor_makes_them_late() {
    let layer = adaptive();
    let mut receiver = Receiver::new(&layer);
    for round in 0..100 {
        let far = receiver.send("anna", 1_000_000_000 + round);
        let run = receiver.run().await;
        assert_eq!(run.position, Position::Unordered(Unordered::Future));
        run.respond.send_response(reply(200));
        far.await.unwrap();
        let genuine = receiver.send("anna", 9_000 + round * 40);
        let run = receiver.run().await;
        assert_eq!(run.position, Position::InOrder { held: Duration::ZERO });
        run.respond.send_response(reply(200));
        genuine.await.unwrap();
        sleep(MS * 40).await;
    }
    assert_eq!(layer.stats().hold, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn o08_a_platform_whose_clock_is_ahead_of_ours_is_kept_in_order() {
    for ahead in [2_000, 50_000] {
        let mut receiver = Receiver::new(&held(100));
        let _sent = [3, 1, 2].map(|at| receiver.send("anna", 10_000 + ahead + at));
        for expected in [1, 2, 3] {
            let run = receiver.run().await;
            assert_eq!(run.at, 10_000 + ahead + expected);
            assert!(matches!(run.position, Position::InOrder { .. }));
            run.respond.send_response(reply(200));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn o09_equal_times_go_by_their_ids() {
    let mut receiver = Receiver::new(&held(100));
    let at = base();
    let ids = ["10", "9", "b", "a"];
    let _sent = ids.map(|id| receiver.post(format!(r#"{{"who":"anna","id":"{id}","at":{at}}}"#)));
    let mut order = Vec::new();
    for _ in ids {
        let run = receiver.run().await;
        order.push(run.id);
        run.respond.send_response(reply(200));
    }
    assert_eq!(order, ["9", "10", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn o10_a_hold_that_would_exceed_the_platforms_deadline_is_cut_and_says_so() {
    let mut receiver = Receiver::new(&held(60_000));
    let start = Instant::now();
    let _sent = receiver.send("anna", 1);
    let run = receiver.run().await;
    assert_eq!(run.position, Position::Hurried { held: MS * 4_500 });
    assert_eq!(start.elapsed(), MS * 4_500);
}

#[tokio::test(start_paused = true)]
async fn o10_what_came_slowly_is_held_for_less() {
    let mut receiver = Receiver::new(&held(1_000));
    let start = Instant::now();
    let (mut chunks, slow) = Channel::<Bytes>::new(1);
    let _sent = receiver.deliver(post("/", "").map(|_| TestBody::new(slow)));
    sleep(MS * 4_000).await;
    chunks.send_data(message("anna", 1).into()).await.unwrap();
    drop(chunks);
    let run = receiver.run().await;
    assert_eq!(start.elapsed(), MS * 4_500);
    assert_eq!(run.position, Position::Hurried { held: MS * 500 });
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_does_not_come_in_time_is_refused() {
    let mut receiver = Receiver::new(&held(0));
    let _first = receiver.send("anna", 1);
    let run = receiver.run().await;
    let start = Instant::now();
    let refused = receiver.send("anna", 2).await.unwrap();
    assert_eq!((refused.status().as_u16(), reason(&refused)), (503, Some(Reason::InProgress)));
    assert_eq!(start.elapsed(), MS * 9_000);
    run.respond.send_response(reply(200));
    receiver.assert_idle().await;
}

#[tokio::test(start_paused = true)]
async fn o11_a_conversation_that_floods_is_refused_alone() {
    let mut receiver = Receiver::new(&held(100).max_per_lane(2));
    let sent: Vec<_> = (0..4).map(|at| receiver.send("anna", at)).collect();
    let ben = receiver.send("ben", 1);
    for _ in 0..3 {
        receiver.run().await.respond.send_response(reply(200));
    }
    let mut statuses = Vec::new();
    for sent in sent {
        statuses.push(sent.await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 503, 503]);
    assert_eq!(ben.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn o12_too_many_messages_or_bytes_in_all_are_refused() {
    // A body takes less than 50 bytes, with its document about twice that.
    for layer in [held(100).max_held(2), held(100).max_held_bytes(250)] {
        let mut receiver = Receiver::new(&layer);
        // The first of a conversation takes a place, but needs none.
        let sent: Vec<_> = (0..4).map(|at| receiver.send("anna", at)).collect();
        for _ in 0..2 {
            receiver.run().await.respond.send_response(reply(200));
        }
        let mut refused = 0;
        for sent in sent {
            let response = sent.await.unwrap();
            refused += usize::from(reason(&response) == Some(Reason::Overloaded));
        }
        assert_eq!(refused, 2);
        assert_eq!(layer.stats().held_now, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn o12_the_first_of_its_conversation_needs_room_too_if_it_is_held() {
    let mut receiver = Receiver::new(&held(100).max_held(2));
    let sent: Vec<_> = ["anna", "ben", "carl"].map(|who| receiver.send(who, 1)).into();
    for _ in 0..2 {
        receiver.run().await.respond.send_response(reply(200));
    }
    let mut statuses = Vec::new();
    for sent in sent {
        statuses.push(sent.await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 503]);
}

#[tokio::test(start_paused = true)]
async fn o13_after_a_failure_the_next_one_goes() {
    let mut receiver = Receiver::new(&held(100));
    let (first, second) = (receiver.send("anna", 1), receiver.send("anna", 2));
    receiver.run().await.respond.send_response(reply(500));
    let run = receiver.run().await;
    assert_eq!(run.at, 2);
    run.respond.send_response(reply(200));
    assert_eq!(
        (first.await.unwrap().status().as_u16(), second.await.unwrap().status().as_u16()),
        (500, 200)
    );
}

#[tokio::test(start_paused = true)]
async fn o13_those_behind_a_failure_wait_for_its_retry_up_to_a_limit_if_so_told() {
    for retried in [true, false] {
        let mut receiver = Receiver::new(&held(0).wait_for_retry(MS * 1_000));
        let _first = receiver.send("anna", 1);
        let run = receiver.run().await;
        let _second = receiver.send("anna", 2);
        run.respond.send_response(reply(500));
        let start = Instant::now();
        receiver.assert_idle().await;
        if retried {
            let _retry = receiver.send("anna", 1);
            let run = receiver.run().await;
            assert_eq!(run.at, 1);
            assert!(matches!(run.position, Position::InOrder { .. }));
            run.respond.send_response(reply(200));
        }
        let run = receiver.run().await;
        assert_eq!((run.at, start.elapsed() >= MS * 999), (2, !retried));
    }
}

#[tokio::test(start_paused = true)]
async fn o13_the_retry_that_is_waited_for_has_room() {
    let mut receiver =
        Receiver::new(&held(0).wait_for_retry(MS * 1_000).max_per_lane(1).max_held(1));
    let _first = receiver.send("anna", 1);
    let run = receiver.run().await;
    let _second = receiver.send("anna", 2);
    receiver.assert_idle().await;
    run.respond.send_response(reply(500));
    let retry = receiver.send("anna", 1);
    receiver.run().await.respond.send_response(reply(200));
    assert_eq!(retry.await.unwrap().status(), 200);
    assert_eq!(receiver.run().await.at, 2);
}

#[tokio::test(start_paused = true)]
async fn o13_nobody_waits_for_the_retry_of_one_that_came_too_late_or_was_a_success() {
    for (status, late) in [(500, true), (409, true), (204, false)] {
        let layer = held(0).wait_for_retry(MS * 1_000);
        let layer = if status == 409 { layer.on_late(OnLate::Refuse) } else { layer };
        let mut receiver = Receiver::new(&layer);
        let newer = receiver.send("anna", 5);
        receiver.run().await.respond.send_response(reply(200));
        newer.await.unwrap();
        let one = receiver.send("anna", if late { 2 } else { 6 });
        if status != 409 {
            receiver.run().await.respond.send_response(reply(status));
        }
        assert_eq!(one.await.unwrap().status(), status);
        let start = Instant::now();
        let _next = receiver.send("anna", 7);
        assert_eq!(receiver.run().await.at, 7);
        assert_eq!(start.elapsed(), Duration::ZERO, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn o13_nothing_is_late_after_one_that_failed() {
    let mut receiver = Receiver::new(&held(0));
    let newer = receiver.send("anna", 2);
    receiver.run().await.respond.send_response(reply(500));
    newer.await.unwrap();
    let _older = receiver.send("anna", 1);
    assert_eq!(receiver.run().await.position, Position::InOrder { held: Duration::ZERO });
}

#[tokio::test(start_paused = true)]
async fn o14_a_held_callback_whose_client_disconnects_gives_its_place_up_at_once() {
    let layer = held(100);
    let mut receiver = Receiver::new(&layer);
    let first = receiver.send("anna", 1);
    let second = receiver.send("anna", 2);
    sleep(MS * 10).await;
    assert_eq!(layer.stats().held_now, 2);
    first.abort();
    sleep(MS).await;
    assert_eq!(layer.stats().held_now, 1);
    let run = receiver.run().await;
    assert_eq!(run.at, 2);
    run.respond.send_response(reply(200));
    assert_eq!(second.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_client_disconnects_frees_its_lane() {
    let mut receiver = Receiver::new(&held(0));
    let first = receiver.send("anna", 1);
    let _running = receiver.run().await;
    let _second = receiver.send("anna", 2);
    receiver.assert_idle().await;
    first.abort();
    assert_eq!(receiver.run().await.at, 2);
}

#[tokio::test(start_paused = true)]
async fn o16_idle_conversations_cost_nothing_in_the_end() {
    let layer = held(0);
    let mut receiver = Receiver::new(&layer);
    for who in 0..100 {
        let sent = receiver.send(&who.to_string(), 1);
        receiver.run().await.respond.send_response(reply(200));
        sent.await.unwrap();
    }
    assert_eq!(layer.stats().lanes, 100);
    sleep(Duration::from_secs(601)).await;
    // Each arrival forgets a few.
    for _ in 0..30 {
        let sent = receiver.send("anna", 1);
        receiver.run().await.respond.send_response(reply(200));
        sent.await.unwrap();
    }
    assert_eq!(layer.stats().lanes, 1);
}

#[tokio::test(start_paused = true)]
async fn o17_synchronous_callbacks_are_not_held() {
    let mut receiver = Receiver::new(&held(100));
    let start = Instant::now();
    let body = format!(r#"{{"who":"anna","id":"1","at":{},"question":true}}"#, base());
    let _sent = [receiver.post(body.clone()), receiver.post(body.clone())];
    for _ in 0..2 {
        let run = receiver.run().await;
        assert_eq!(run.position, Position::Unordered(Unordered::Synchronous));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn o17_synchronous_callbacks_go_one_at_a_time_if_so_told() {
    let mut receiver = Receiver::new(&held(100).queue_unordered());
    let start = Instant::now();
    let question = format!(r#"{{"question":1,"who":"anna","id":"1","at":{}}}"#, base());
    let _first = receiver.post(question.clone());
    let _second = receiver.post(question.clone());
    let run = receiver.run().await;
    assert_eq!(run.position, Position::Unordered(Unordered::Synchronous));
    receiver.assert_idle().await;
    run.respond.send_response(reply(200));
    receiver.run().await;
    assert!(start.elapsed() < MS * 10);
}

#[tokio::test(start_paused = true)]
async fn a_late_message_does_not_wait_until_what_is_held_goes() {
    let mut receiver = Receiver::new(&held(100));
    let newer = receiver.send("anna", 5);
    receiver.run().await.respond.send_response(reply(200));
    newer.await.unwrap();
    let start = Instant::now();
    let _held = receiver.send("anna", 6);
    sleep(MS * 10).await;
    let _late = receiver.send("anna", 1);
    assert_eq!((receiver.run().await.at, start.elapsed().as_millis()), (1, 10));
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_time_are_learnt_from_by_their_ids() {
    let layer = adaptive();
    let mut receiver = Receiver::new(&layer);
    let mut late = 0;
    for round in 0..20 {
        let at = base() + round * 100;
        let body = |id: u8| format!(r#"{{"who":"anna","id":"{round}{id}","at":{at}}}"#);
        let _second = receiver.post(body(2));
        sleep(MS * 50).await;
        let _first = receiver.post(body(1));
        for _ in 0..2 {
            let run = receiver.run().await;
            late += u32::from(matches!(run.position, Position::Late { .. }));
            run.respond.send_response(reply(200));
        }
        sleep(MS * 50).await;
    }
    assert_eq!(late, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_because_it_failed_does_not_lengthen_the_hold() {
    let layer = adaptive();
    let mut receiver = Receiver::new(&layer);
    let first = receiver.send("anna", 1);
    receiver.run().await.respond.send_response(reply(500));
    first.await.unwrap();
    let second = receiver.send("anna", 2);
    receiver.run().await.respond.send_response(reply(200));
    second.await.unwrap();
    sleep(MS * 500).await;
    let _retry = receiver.send("anna", 1);
    assert!(matches!(receiver.run().await.position, Position::Late { .. }));
    assert_eq!(layer.stats().hold, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn in_little_traffic_the_hold_is_forgotten_with_time() {
    let layer = adaptive();
    let mut receiver = Receiver::new(&layer);
    for at in [2, 1] {
        let sent = receiver.send("anna", at);
        receiver.run().await.respond.send_response(reply(200));
        sent.await.unwrap();
        sleep(MS * 100).await;
    }
    assert!(layer.stats().hold > MS * 90);
    for minute in 1..90 {
        sleep(Duration::from_secs(60)).await;
        let sent = receiver.send("anna", minute * 60_000);
        receiver.run().await.respond.send_response(reply(200));
        sent.await.unwrap();
    }
    assert_eq!(layer.stats().hold, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn durations_may_be_as_long_as_one_likes() {
    let layer = held(0).forget_after(Duration::MAX).wait_for_retry(Duration::MAX);
    let mut receiver = Receiver::new(&layer);
    let sent = receiver.send("anna", 1);
    receiver.run().await.respond.send_response(reply(500));
    sent.await.unwrap();
    let layer = adaptive().hold(Hold::fixed(Duration::MAX));
    let mut receiver = Receiver::new(&layer);
    let _sent = receiver.send("anna", 1);
    assert!(matches!(receiver.run().await.position, Position::Hurried { .. }));
    assert_eq!(layer.stats().hold, MS * 4_500);
}

#[tokio::test(start_paused = true)]
async fn stats_tell_of_holds_that_would_have_been_too_long() {
    let layer = adaptive().hold(Hold::adaptive(0.9).max(MS * 50));
    let mut receiver = Receiver::new(&layer);
    for at in [2, 1] {
        let sent = receiver.send("anna", at);
        receiver.run().await.respond.send_response(reply(200));
        sent.await.unwrap();
        sleep(MS * 100).await;
    }
    let stats = layer.stats();
    assert_eq!((stats.beyond_max_hold, stats.late, stats.hold), (1, 1, Duration::ZERO));
    assert!((stats.share_late() - 0.5).abs() < 1e-9 && stats.share_held() < 1e-9, "{stats:?}");
}

// ===== identity =====

#[tokio::test(start_paused = true)]
async fn k01_on_two_routes_of_one_layer_equal_conversations_do_not_meet() {
    let layer = held(0);
    let (mut a, mut b) = (Receiver::new(&layer), Receiver::new(&layer));
    let _newer = a.deliver(post("/a", message("anna", 2)));
    let newer = a.run().await;
    // It neither waits for the other, nor comes too late after it.
    let older = b.deliver(post("/b", message("anna", 1)));
    let run = b.run().await;
    assert_eq!(run.position, Position::InOrder { held: Duration::ZERO });
    run.respond.send_response(reply(200));
    assert_eq!(older.await.unwrap().status(), 200);
    // On the same route it does wait, whichever service it comes through.
    let _next = b.deliver(post("/a", message("anna", 3)));
    b.assert_idle().await;
    newer.respond.send_response(reply(200));
    assert_eq!(b.run().await.at, 3);
}

#[tokio::test(start_paused = true)]
async fn k01_scope_by_decides_which_equal_conversations_meet() {
    let by_bot = |head: &request::Parts, _: &Envelope| head.uri.query().unwrap_or("").to_owned();
    let mut receiver = Receiver::new(&held(0).scope_by(by_bot));
    let _one = receiver.deliver(post("/a?bot=1", message("anna", 2)));
    let one = receiver.run().await;
    let _other = receiver.deliver(post("/a?bot=2", message("anna", 1)));
    let other = receiver.run().await;
    assert_eq!((one.at, other.at), (2, 1));
    // The path is no part of it any more: a fallback URL counts as the same route.
    let _next = receiver.deliver(post("/b?bot=1", message("anna", 3)));
    receiver.assert_idle().await;
    other.respond.send_response(reply(200));
    receiver.assert_idle().await;
    one.respond.send_response(reply(200));
    assert_eq!(receiver.run().await.at, 3);
}

#[tokio::test(start_paused = true)]
async fn k05_a_retry_said_in_a_200_is_a_retry() {
    for (verdict, waits) in [("fail", true), ("success", false)] {
        let layer = OrderLayer::for_contract(Coded).hold(Hold::none());
        let mut receiver = Receiver::new(&layer.wait_for_retry(MS * 1_000));
        let first = receiver.send("anna", 1);
        receiver.run().await.respond.send_response(response(200, verdict));
        let said = first.await.unwrap();
        assert_eq!(
            (said.status().as_u16(), body_of(said.into_body()).await),
            (200, verdict.into())
        );
        let start = Instant::now();
        let _second = receiver.send("anna", 2);
        if waits {
            receiver.assert_idle().await;
            let _retry = receiver.send("anna", 1);
            let retry = receiver.run().await;
            assert_eq!(retry.at, 1);
            retry.respond.send_response(response(200, "success"));
        }
        assert_eq!(receiver.run().await.at, 2);
        assert!(start.elapsed() < MS * 2, "{verdict}");
    }
}

// ===== what every layer does =====

#[tokio::test(start_paused = true)]
async fn calls_the_service_that_was_polled_ready() {
    let callbacks = ["POST", "GET", "POST"].map(|method| {
        let mut request = post("/", r#"{"who":"anna","id":"1","at":1}"#);
        *request.method_mut() = method.parse().unwrap();
        request
    });
    testkit::calls_the_service_that_was_polled_ready(&held(0), callbacks).await;
}

#[tokio::test(start_paused = true)]
async fn is_always_ready() {
    testkit::is_always_ready(&held(0), post("/", message("anna", 1))).await;
}

#[tokio::test(start_paused = true)]
async fn keeps_no_place_while_it_waits() {
    testkit::keeps_no_place_while_it_waits(&held(0), post("/", message("anna", 1))).await;
}

#[tokio::test(start_paused = true)]
async fn a_held_message_keeps_no_place_in_the_inner_service() {
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(1);
    let mut receiver = Receiver::new(&(held(1_000), limit));
    let held = receiver.send("anna", 1);
    sleep(MS).await;
    let question = receiver.post(r#"{"who":"ben","id":"1","question":true}"#);
    receiver.run().await.respond.send_response(reply(200));
    assert_eq!(question.await.unwrap().status(), 200);
    assert!(!held.is_finished());
}

#[tokio::test(start_paused = true)]
async fn passes_errors_of_readiness_through() {
    let callback = post("/", message("anna", 1));
    testkit::passes_errors_of_readiness_through(&held(0), callback).await;
}

#[tokio::test(start_paused = true)]
async fn r05_what_is_not_posted_passes_through_untouched() {
    let mut receiver = Receiver::new(&held(100));
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let mut request = post("/", message("anna", 1));
        *request.method_mut() = method.parse().unwrap();
        let sent = receiver.deliver(request);
        let (request, respond) = ended(receiver.handler.next_request()).await.unwrap();
        assert!(request.extensions().is_empty());
        assert_eq!(body_of(request.into_body()).await, message("anna", 1));
        respond.send_response(reply(200));
        assert!(sent.await.unwrap().extensions().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_layer_passes_through_within_another() {
    let layer = held(100);
    let mut receiver = Receiver::new(&(layer.clone(), layer));
    let start = Instant::now();
    let sent = receiver.send("anna", 1);
    receiver.run().await.respond.send_response(reply(200));
    assert_eq!((sent.await.unwrap().status().as_u16(), start.elapsed()), (200, MS * 100));
}

#[tokio::test(start_paused = true)]
async fn services_of_one_layer_share_state() {
    let layer = held(0);
    let (mut one, mut other) = (Receiver::new(&layer), Receiver::new(&layer.clone()));
    let _first = one.send("anna", 1);
    let run = one.run().await;
    let _second = other.send("anna", 2);
    other.assert_idle().await;
    run.respond.send_response(reply(200));
    assert_eq!(other.run().await.at, 2);
}

#[tokio::test(start_paused = true)]
async fn a_setter_on_a_clone_makes_no_new_state() {
    let layer = held(0);
    let set_up =
        layer.clone().max_per_lane(7).hold(Hold::none()).wait_for_retry(MS).queue_unordered();
    let (mut one, mut other) = (Receiver::new(&layer), Receiver::new(&set_up));
    let _first = one.send("anna", 2);
    let run = one.run().await;
    let _second = other.send("anna", 3);
    other.assert_idle().await;
    assert_eq!((layer.stats().held_now, set_up.stats().held_now), (1, 1));
    run.respond.send_response(reply(200));
    let run = other.run().await;
    assert_eq!(run.at, 3);
    run.respond.send_response(reply(200));
    // What one has handled makes another's message late.
    let _late = other.send("anna", 1);
    assert_eq!(other.run().await.position, Position::Late { by: MS * 2, after: chat_id(3) });
}

#[tokio::test(start_paused = true)]
async fn passes_errors_through_and_frees_the_lane() {
    let mut receiver = Receiver::new(&held(0));
    let service = receiver.service.clone();
    let first = tokio::spawn(service.oneshot(post("/", message("anna", 1))));
    receiver.run().await.respond.send_error("spilt");
    assert_eq!(first.await.unwrap().unwrap_err().to_string(), "spilt");
    let _second = receiver.send("anna", 1);
    receiver.run().await;
}

#[test]
fn is_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
    check(&held(0));
    testkit::is_service(&held(0).layer(testkit::Handling(async |_: Req| Ok(reply(200)))));
}

/// A receiver whose handler the test plays.
struct Receiver {
    service: Service,
    handler: Play,
}

struct Run {
    at: u64,
    id: String,
    position: Position,
    respond: SendResponse<Res>,
}

impl Receiver {
    fn new<L, S, B>(layer: &L) -> Self
    where
        L: Layer<testkit::Handler, Service = S>,
        S: tower::Service<Req, Response = Response<B>, Error = BoxError, Future: Send>,
        S: Clone + Send + Sync + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (service, handler) = around(layer);
        Self { service, handler }
    }

    /// Sends a message that was sent so many milliseconds after [`base`].
    fn send(&self, who: &str, at: u64) -> JoinHandle<Res> {
        self.post(message(who, at))
    }

    fn post(&self, body: impl Into<TestBody>) -> JoinHandle<Res> {
        self.deliver(post("/", body))
    }

    /// Sends a callback from a task of its own: aborting it is a disconnect.
    fn deliver(&self, callback: Req) -> JoinHandle<Res> {
        let sent = self.service.clone().oneshot(callback);
        tokio::spawn(async move { ended(sent).await.unwrap() })
    }

    async fn run(&mut self) -> Run {
        let (request, respond) = ended(self.handler.next_request()).await.unwrap();
        let callback: &Callback = request.extensions().get().unwrap();
        let sent_at = callback.envelope().sent_at.map_or(0, Timestamp::as_millis);
        Run {
            at: sent_at.saturating_sub(base()),
            id: callback.envelope().id.as_ref().unwrap().as_str().to_owned(),
            position: request.extensions().get::<Position>().unwrap().clone(),
            respond,
        }
    }

    async fn assert_idle(&mut self) {
        sleep(MS / 10).await;
        assert!(!matches!(self.handler.poll_request(), Poll::Ready(Some(_))), "the handler ran");
    }
}

/// Fails a test that would wait for ever. Takes no time: the clock is paused.
async fn ended<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(24 * 60 * 60), future).await.expect("it never ends")
}

fn message(who: &str, at: u64) -> String {
    format!(r#"{{"who":"{who}","id":"{at}","at":{}}}"#, base() + at)
}

fn chat_id(at: u64) -> Option<Id> {
    Id::new("chat", &at.to_string())
}

fn reply(status: u16) -> Res {
    response(status, "")
}

fn reason(response: &Res) -> Option<Reason> {
    response.extensions().get::<Refusal>().map(|refusal| refusal.reason().clone())
}

/// Times of messages count from here: ten seconds before the tests began.
fn base() -> u64 {
    static BASE: OnceLock<u64> = OnceLock::new();
    *BASE.get_or_init(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        u64::try_from(now.as_millis()).unwrap() - 10_000
    })
}

/// Reads in the body of a 200 whether it is to send the callback again.
struct Coded;

impl Contract for Coded {
    fn name(&self) -> &'static str {
        "coded"
    }

    fn timing(&self) -> Timing {
        Contract::timing(&CHAT)
    }

    fn identify(&self, head: &request::Parts, body: &Body) -> Result<Envelope, Refusal> {
        CHAT.identify(head, body)
    }

    fn action(&self, response: &Response<Bytes>) -> Action {
        match &response.body()[..] {
            b"success" => Action::Accept,
            _ => Action::Retry { after: None },
        }
    }

    fn reply(&self, action: &Action) -> Response<Bytes> {
        Response::new(if *action == Action::Accept { "success" } else { "fail" }.into())
    }
}
