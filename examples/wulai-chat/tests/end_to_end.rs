//! The binary, as a platform and a browser see it: real payloads, real sockets, real clients.

mod app;

use std::{
    io::{BufRead, BufReader},
    process::Command,
    time::Duration,
};

use axum::http::StatusCode;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::{task::JoinSet, time::timeout};
use tokio_tungstenite::connect_async;

use self::app::{App, DEADLINE, Reply};

const SNAKE: &str = include_str!("../../../crates/wulai/tests/payloads/delivery_snake.json");
const CAMEL: &str = include_str!("../../../crates/wulai/tests/payloads/delivery_camel.json");
const IMAGE: &str = include_str!("../../../crates/wulai/tests/payloads/image.json");
const ROUTE: &str = include_str!("../../../crates/wulai/tests/payloads/route.json");
const ERROR: &str = include_str!("../../../crates/wulai/tests/payloads/error.json");

#[tokio::test(flavor = "multi_thread")]
async fn one_message_in_two_spellings_appears_once() {
    let app = App::start(&[]);
    let user =
        serde_json::from_str::<Value>(SNAKE).unwrap()["user_id"].as_str().unwrap().to_owned();
    let (mut browser, _) = connect_async(format!("ws://{}/ws/{user}", app.address)).await.unwrap();

    for (body, replayed) in [(SNAKE, false), (CAMEL, true), (SNAKE, true)] {
        let reply = app.post("/callback/message", body).await;
        assert_eq!((reply.status, &*reply.body), (StatusCode::OK, &b"success"[..]));
        assert_eq!(reply.headers.contains_key("idempotency-replayed"), replayed);
    }
    // Another message: if a duplicate were shown, the browser would get it before this one.
    let other = SNAKE.replace("160273400001", "160273400002").replace("您好", "再见");
    app.post("/callback/message", &other).await;
    let mut shown = Vec::new();
    while shown.len() < 2 {
        let frame = timeout(DEADLINE, browser.next()).await.expect("a message").unwrap().unwrap();
        if frame.is_text() {
            shown.push(frame.into_text().unwrap().as_str().to_owned());
        }
    }
    assert!(shown[0].contains("您好") && shown[1].contains("再见"), "{shown:?}");
    assert_eq!(app.effects().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_in_disorder_appear_in_order_and_a_late_one_is_marked() {
    let app = App::start(&["--hold", "1s"]);
    let (mut browser, _) = connect_async(format!("ws://{}/ws/anna", app.address)).await.unwrap();
    let numbered = |number: u32| {
        format!(
            r#"{{"user_id":"anna","msg_id":"{number}","msg_ts":"170000000000{number}",
            "msg_type":"TEXT","msg_body":{{"text":{{"content":"{number}"}}}}}}"#
        )
    };
    let mut sent = JoinSet::new();
    for number in [4, 2, 5, 3] {
        let request = app.request("/callback/message", &numbered(number));
        let client = app.client.clone();
        sent.spawn(async move { client.request(request).await.unwrap().status() });
    }
    assert_eq!(sent.join_all().await, [StatusCode::OK; 4]);
    assert_eq!(app.post("/callback/message", &numbered(1)).await.status, StatusCode::OK);
    let mut shown = Vec::new();
    while shown.len() < 5 {
        let frame = timeout(DEADLINE, browser.next()).await.expect("a message").unwrap().unwrap();
        if frame.is_text() {
            let message: Value = serde_json::from_str(&frame.into_text().unwrap()).unwrap();
            shown.push((message["text"].as_str().unwrap().to_owned(), message["is_late"] == true));
        }
    }
    let expected = [("2", false), ("3", false), ("4", false), ("5", false), ("1", true)];
    assert_eq!(shown, expected.map(|(text, is_late)| (text.to_owned(), is_late)));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_duplicates_at_once_run_once_and_all_succeed() {
    let app = App::start(&["--delay", "500ms"]);
    let mut deliveries = JoinSet::new();
    for _ in 0..200 {
        let (client, request) = (app.client.clone(), app.request("/callback/message", SNAKE));
        deliveries.spawn(async move { Reply::of(client.request(request).await.unwrap()).await });
    }
    let mut first = 0;
    while let Some(reply) = timeout(DEADLINE, deliveries.join_next()).await.expect("in time") {
        let reply = reply.unwrap();
        assert_eq!((reply.status, &*reply.body), (StatusCode::OK, &b"success"[..]));
        first += usize::from(!reply.headers.contains_key("idempotency-replayed"));
    }
    assert_eq!((first, app.effects().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_disconnect_the_message_is_handled_once_and_the_redelivery_gets_the_response() {
    let app = App::start(&["--delay", "2s"]);
    let impatient = app.client.request(app.request("/callback/message", SNAKE));
    timeout(Duration::from_millis(100), impatient).await.expect_err("it takes two seconds");

    let retry = app.post("/callback/message", SNAKE).await;
    assert_eq!((retry.status, &*retry.body), (StatusCode::OK, &b"success"[..]));
    assert_eq!(retry.headers["idempotency-replayed"], "true");
    let later = app.post("/callback/message", SNAKE).await;
    assert_eq!((later.status, later.body), (retry.status, retry.body));
    assert_eq!(app.effects().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_posted_twice_gets_the_same_bytes_and_loses_nothing() {
    let app = App::start(&[]);
    let first = app.post("/webhook/route", ROUTE).await;
    let second = app.post("/webhook/route", ROUTE).await;
    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers["content-type"], second.headers["content-type"]);

    let asked: Value = serde_json::from_str(ROUTE).unwrap();
    let answered: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(answered["suggested_response"], asked["suggested_response"]);
    assert_eq!(app.effects().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_runs_again_and_other_kinds_are_handled_once_too() {
    let app = App::start(&["--fail-every", "2"]);
    assert_eq!(app.post("/callback/message", SNAKE).await.status, StatusCode::OK);
    assert_eq!(app.post("/callback/message", IMAGE).await.status, 500);
    assert_eq!(app.post("/callback/message", IMAGE).await.status, StatusCode::OK);
    assert_eq!(app.post("/callback/message", IMAGE).await.status, StatusCode::OK);
    assert_eq!(app.post("/callback/error", ERROR).await.status, 500);
    for _ in 0..2 {
        assert_eq!(app.post("/callback/error", ERROR).await.status, StatusCode::OK);
    }
    let outcomes: Vec<_> =
        app.effects().iter().map(|effect| effect["outcome"].as_str().unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["ok", "failed", "ok", "failed", "ok"]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_lets_a_running_callback_end() {
    let mut app = App::start_with_log(&["--delay", "1s"]);
    let (client, request) = (app.client.clone(), app.request("/callback/message", SNAKE));
    let sent = tokio::spawn(async move { Reply::of(client.request(request).await.unwrap()).await });
    let mut log = BufReader::new(app.process.stderr.take().unwrap()).lines();
    let running = tokio::task::spawn_blocking(move || {
        let found = log.any(|line| line.unwrap().contains("running"));
        (found, log)
    });
    // The log stays open, because the app writes on.
    let (found, _log) = timeout(DEADLINE, running).await.expect("in time").unwrap();
    assert!(found);
    let pid = app.process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(timeout(DEADLINE, sent).await.expect("in time").unwrap().status, StatusCode::OK);
    let ended = tokio::task::spawn_blocking(move || app.process.wait().unwrap());
    assert!(timeout(DEADLINE, ended).await.expect("in time").unwrap().success());
}
