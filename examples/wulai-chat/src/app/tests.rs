use axum::{
    body::Body,
    http::{Request, StatusCode, header},
    response::Response,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_callback_sim::demo::{DemoLayer, EffectsFile};

use super::*;
use crate::{hub::Feed, welcome};

#[tokio::test]
async fn a_message_sent_twice_appears_once() {
    let chat = Chat::new(Trials::default(), Hold::default());
    let mut browser = browser(&chat);
    let message = delivery("1", &json!({"text": {"content": "<b>您好</b>"}}));
    for _ in 0..2 {
        let response = send(&chat, "/callback/message", message.to_string()).await;
        assert_eq!(response, (StatusCode::OK, "success".into()));
    }
    let shown = browser.now();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["text"], "<b>您好</b>");
    assert_eq!(shown[0]["sent_at"], 1_700_000_000_000_u64);
    assert_eq!(shown[0]["from"], "小来");
    assert_eq!(shown[0]["choices"], json!(["谢谢"]));
}

#[tokio::test(start_paused = true)]
async fn messages_in_disorder_appear_in_order_within_the_hold() {
    let chat = Chat::new(Trials::default(), Hold::fixed(Duration::from_millis(300)));
    let mut browser = browser(&chat);
    let sent = ["3", "1", "4", "2"].map(|id| send(&chat, "/callback/message", numbered(id)));
    for (status, _) in join_all(sent).await {
        assert_eq!(status, StatusCode::OK);
    }
    let shown: Vec<_> =
        browser.now().into_iter().map(|it| (it["text"].clone(), it["is_late"].clone())).collect();
    assert_eq!(shown, ["1", "2", "3", "4"].map(|text| (json!(text), json!(false))));
}

#[tokio::test]
async fn a_late_message_is_marked() {
    let chat = Chat::new(Trials::default(), Hold::none());
    let mut browser = browser(&chat);
    for id in ["2", "1", "3"] {
        send(&chat, "/callback/message", numbered(id)).await;
    }
    let late: Vec<_> = browser.now().into_iter().map(|it| it["is_late"].clone()).collect();
    assert_eq!(late, [false, true, false]);
}

#[tokio::test]
async fn a_message_of_another_kind_is_no_failure() {
    let chat = Chat::new(Trials::default(), Hold::default());
    let mut browser = browser(&chat);
    for (id, kind) in ["custom", "event", "hologram"].into_iter().enumerate() {
        let message = delivery(&id.to_string(), &json!({ kind: {} }));
        let (status, _) = send(&chat, "/callback/message", message).await;
        assert_eq!(status, StatusCode::OK, "{kind}");
    }
    let kinds: Vec<_> = browser.now().iter().map(|message| message["kind"].clone()).collect();
    assert_eq!(kinds, ["custom", "event", "unknown"]);
}

#[tokio::test]
async fn an_answer_is_edited_and_nothing_of_it_is_lost() {
    let chat = Chat::new(Trials::default(), Hold::default());
    let answer = |is_send: bool, content: &str| {
        json!({
            "is_send": is_send, "score": 0.5, "unknown": {"a": [1]},
            "response": [
                {"msgBody": {"text": {"content": content}}, "answer_id": 42, "delay_ts": 3},
            ],
        })
    };
    let question = json!({
        "userId": "anna", "msg_id": "1", "msg_ts": "1700000000000", "nickname": "安娜",
        "is_dispatch": false, "msg_body": {"text": {"content": "转人工"}}, "extra": "x",
        "suggested_response": [answer(true, "拨打13812345678"), answer(true, " ")],
    });
    let (status, reply) = send(&chat, "/webhook/route", question).await;
    assert_eq!(status, StatusCode::OK);
    let reply: Value = serde_json::from_str(&reply).unwrap();
    assert_eq!(reply["is_dispatch"], true);
    let expected = json!([answer(true, "拨打138****5678"), answer(false, " ")]);
    assert_eq!(reply["suggested_response"], expected);
}

#[tokio::test]
async fn a_picture_without_words_is_no_empty_answer() {
    let chat = Chat::new(Trials::default(), Hold::default());
    let mut question: Value = serde_json::from_str(&welcome::route()).unwrap();
    question["suggested_response"][0]["response"] =
        json!([{"msg_body": {"image": {"resource_url": "https://example.com/it"}}}]);
    let (_, reply) = send(&chat, "/webhook/route", question).await;
    let reply: Value = serde_json::from_str(&reply).unwrap();
    assert_eq!(reply["suggested_response"][0]["is_send"], true);
}

#[tokio::test]
async fn a_message_that_was_not_sent_is_reported_to_its_user() {
    let chat = Chat::new(Trials::default(), Hold::default());
    let mut browser = browser(&chat);
    let report = json!({"userId": "anna", "error_msg": "45015", "source_msg_id": "17"});
    let (status, body) = send(&chat, "/callback/error", report).await;
    assert_eq!((status, &*body), (StatusCode::OK, ""));
    assert_eq!(browser.now()[0]["kind"], "not_sent");
}

#[tokio::test]
async fn a_body_that_is_not_json_or_does_not_fit_is_refused() {
    let chat = Chat::new(Trials::default(), Hold::default());
    for path in ["/callback/message", "/webhook/route", "/callback/error"] {
        for body in ["{", "", "[]", "\u{feff}{}"] {
            let (status, _) = send(&chat, path, body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body:?}");
        }
    }
    let (status, problem) = send(&chat, "/callback/message", "{\"msg_id\":\"1\"}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem.contains("user_id"), "{problem}");
}

#[tokio::test]
async fn other_methods_than_post_are_not_allowed() {
    let chat = Chat::new(Trials::default(), Hold::default());
    for path in ["/callback/message", "/webhook/route", "/callback/error"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app(&chat).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_does_not_cut_a_slow_handler_and_duplicates_wait_for_it() {
    let chat =
        Chat::new(Trials { delay: Duration::from_secs(2), ..Trials::default() }, Hold::default());
    let mut browser = browser(&chat);
    let deliver = || send(&chat, "/callback/message", text("1"));
    let disconnected = tokio::time::timeout(Duration::from_secs(1), deliver()).await;
    assert!(disconnected.is_err());
    let (first, second) = tokio::join!(deliver(), deliver());
    assert_eq!((first.0, second.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(browser.now().len(), 1);
    assert_eq!(chat.trials.runs.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn every_nth_run_fails_and_the_redelivery_runs_again() {
    let path = std::env::temp_dir().join(format!("wulai-chat-app-{}.jsonl", std::process::id()));
    let chat = Chat::new(
        Trials {
            fail_every: std::num::NonZeroU64::new(2),
            demo: DemoLayer::new().record(EffectsFile::open(&path).unwrap()),
            ..Trials::default()
        },
        Hold::default(),
    );
    let mut browser = browser(&chat);
    let mut statuses = Vec::new();
    for id in ["1", "2", "2", "2"] {
        statuses.push(send(&chat, "/callback/message", text(id)).await.0.as_u16());
    }
    let effects = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(statuses, [200, 500, 200, 200]);
    assert_eq!(browser.now().len(), 2);
    let runs: Vec<Value> =
        effects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ends: Vec<_> = runs.iter().map(|run| (&run["id"], &run["outcome"])).collect();
    assert_eq!(json!(ends), json!([["1", "ok"], ["2", "failed"], ["2", "ok"]]));
    assert_eq!(runs[0]["conversation"], "anna");
    assert_eq!(runs[0]["sent_at"], 1_700_000_000_000_u64);
}

#[tokio::test(start_paused = true)]
async fn draining_refuses_new_callbacks_and_counts_those_that_do_not_end() {
    let chat =
        Chat::new(Trials { delay: Duration::from_secs(60), ..Trials::default() }, Hold::default());
    let slow = send(&chat, "/callback/message", text("1"));
    let drain = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        chat.drain(Duration::from_secs(10)).await
    };
    tokio::select! {
        _ = slow => panic!("it takes a minute"),
        abandoned = drain => assert_eq!(abandoned, 1),
    }
    let report = json!({"user_id": "anna", "error_msg": "45015", "source_msg_id": "2"});
    for (path, body) in [
        ("/callback/message", text("2").to_string()),
        ("/webhook/route", welcome::route()),
        ("/callback/error", report.to_string()),
    ] {
        let (status, _) = send(&chat, path, body).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
}

#[tokio::test]
async fn the_welcome_can_be_tried_out() {
    let chat = Chat::new(Trials::default(), Hold::default());
    let mut browser = browser(&chat);
    let delivered = send(&chat, "/callback/message", welcome::delivery()).await;
    let routed = send(&chat, "/webhook/route", welcome::route()).await;
    assert_eq!((delivered.0, routed.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(browser.now().len(), 1);
    let reply: Value = serde_json::from_str(&routed.1).unwrap();
    assert_eq!(reply["is_dispatch"], true);
    assert!(routed.1.contains("138****5678"), "{}", routed.1);
}

#[tokio::test]
async fn the_page_runs_no_script_but_its_own() {
    let chat = Chat::new(Trials::default(), Hold::default());
    for path in ["/", "/chat.js", "/chat.css"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app(&chat).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let text = text_of(response).await;
        for unsafe_way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"] {
            assert!(!text.contains(unsafe_way), "{path} {unsafe_way}");
        }
    }
}

fn browser(chat: &Chat) -> Feed {
    chat.hub.follow("anna").unwrap()
}

/// A message sent at this many milliseconds.
fn numbered(id: &str) -> Value {
    let mut message = text(id);
    message["msg_ts"] = json!(format!("170000000000{id}"));
    message
}

fn text(id: &str) -> Value {
    delivery(id, &json!({"text": {"content": id}}))
}

fn delivery(id: &str, body: &Value) -> Value {
    json!({
        "user_id": "anna", "msg_id": id, "msg_ts": "1700000000000", "msg_type": "TEXT",
        "msg_body": body, "sender_info": {"nickname": "小来"}, "quick_reply": ["谢谢"],
    })
}

async fn send(chat: &Chat, path: &str, body: impl ToString) -> (StatusCode, String) {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = app(chat).oneshot(request).await.unwrap();
    (response.status(), text_of(response).await)
}

async fn text_of(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1024 * 1024).await;
    String::from_utf8(body.unwrap().into()).unwrap()
}
