//! Payloads, as koipy sends them.

use serde_json::{Value, json};
use tower_callback_contract::{Body, Refusal};
use tower_callback_koipy::{HookRequest, SPELLING};

const ON_MESSAGE: &str = include_str!("payloads/on_message.json");
const ON_PRE_SEND: &str = include_str!("payloads/on_pre_send.json");
const ON_RESULT: &str = include_str!("payloads/on_result.json");

fn read(body: impl Into<String>) -> Result<HookRequest, Refusal> {
    let body = body.into();
    let by_serde = serde_json::from_str(&body).ok();
    let read = HookRequest::try_from(&Body::new(body, SPELLING));
    assert_eq!(by_serde.as_ref(), read.as_ref().ok());
    read
}

#[test]
fn both_spellings_read_the_same() {
    let hyphens = read(ON_MESSAGE).unwrap();
    let mut underscores: Value = serde_json::from_str(ON_MESSAGE).unwrap();
    respell(&mut underscores["message"]);
    assert!(underscores["message"].get("from_user").is_some());
    assert_eq!(read(underscores.to_string()).unwrap(), hyphens);

    let message = hyphens.message;
    assert_eq!((message.id, message.sender_id()), (Some(4711), Some(10_001)));
    assert_eq!(message.username(), Some("anna"));
    let user = message.from_user.unwrap();
    assert_eq!((user.is_bot, user.first_name.as_deref()), (Some(false), Some("安娜")));
    assert_eq!(user.language_code.as_deref(), Some("zh-hans"));
    let text = message.text.unwrap().into_exposed();
    assert!(text.starts_with("/test https://"), "{text}");
}

fn respell(value: &mut Value) {
    if let Value::Object(fields) = value {
        *fields = std::mem::take(fields)
            .into_iter()
            .map(|(key, mut value)| {
                respell(&mut value);
                (key.replace('-', "_"), value)
            })
            .collect();
    }
}

#[test]
fn both_spellings_at_once_are_one_field_or_ambiguous() {
    let twice = json!({"message": {"from_user": {"id": 1}, "from-user": {"id": 1}}});
    assert_eq!(read(twice.to_string()).unwrap().message.sender_id(), Some(1));
    let clash = json!({"message": {"from_user": {"id": 1}, "from-user": {"id": 2}}});
    assert_eq!(read(clash.to_string()).unwrap_err().reason().code(), "ambiguous");
}

#[test]
fn l04_below_a_free_field_a_name_is_itself() {
    let proxies = json!({"slaveRequest": {"proxies": [{"first-name": 1, "first_name": 2}]}});
    read(proxies.to_string()).unwrap();
    let config = json!({"config": {"from-user": "a", "from_user": "b"}});
    assert_eq!(read(config.to_string()).unwrap().config.expose()["from-user"], "a");
}

#[test]
fn a_task_is_read() {
    let request = read(ON_PRE_SEND).unwrap().slave_request;
    let slave = request.slave.unwrap();
    assert_eq!((slave.id.as_deref(), slave.kind.as_deref()), (Some("local"), Some("miaospeed")));
    assert_eq!(slave.token.unwrap().expose(), "SECRET-SLAVE");
    assert_eq!(request.items[0].name.as_deref(), Some("TEST_PING_RTT"));
    let task = request.task.unwrap();
    assert_eq!((task.chat_id, task.message_id), (Some(-1_001_234_567_890), Some(4711)));
    assert_eq!((task.bot_msg_id, task.creator.as_deref()), (Some(4712), Some("10001")));
    // Unknown fields are kept.
    assert_eq!(request.other.expose()["fresh"], "SECRET-NEW");
}

#[test]
fn a_result_is_read_and_numbers_may_be_text() {
    let payload = read(ON_RESULT).unwrap();
    let task = payload.slave_request.task.unwrap();
    assert_eq!((task.chat_id, task.message_id), (Some(-1_001_234_567_890), Some(4711)));
    let result = payload.result;
    assert_eq!(result.rows(), Some(3));
    assert_eq!(result.column("HTTPS延迟").unwrap()[2], 320);
    assert_eq!((result.column("线程"), result.column("x"), result.error()), (None, None, None));
    assert_eq!(result.fields()["version"], "4.6.0");
}

#[test]
fn everything_may_be_absent_or_null() {
    let nulls = json!({"message": null, "config": null, "slaveRequest": null, "result": null});
    for body in [json!({}), nulls] {
        assert_eq!(read(body.to_string()).unwrap(), HookRequest::default());
    }
    let nulls = json!({
        "message": {"id": null, "date": null, "chat": null, "from_user": {"id": null, "username": null}},
        "slaveRequest": {"items": null, "slave": {"id": null, "hidden": null}, "task": {"chatID": null}},
    });
    let payload = read(nulls.to_string()).unwrap();
    assert_eq!((payload.message.sender_id(), payload.message.username()), (None, None));
    assert!(payload.slave_request.items.is_empty());
}

#[test]
fn an_anonymous_administrator_sends_as_a_chat() {
    let anonymous = json!({"message": {"sender-chat": {"id": -5, "title": "群"}}});
    let message = read(anonymous.to_string()).unwrap().message;
    assert_eq!((message.sender_id(), message.username()), (Some(-5), None));
}

#[test]
fn nothing_secret_is_shown() {
    for body in [ON_MESSAGE, ON_PRE_SEND, ON_RESULT] {
        assert!(body.contains("SECRET"));
        let payload = read(body).unwrap();
        let shown = format!("{payload:?} {payload:#?}");
        assert!(!shown.contains("SECRET") && !shown.contains("example.com"), "{shown}");
        assert!(!shown.contains("香港"), "{shown}");
    }
}

#[test]
fn what_does_not_fit_is_refused_without_a_word_of_it() {
    for (body, detail) in [
        (
            json!({"message": {"id": "SECRET"}}),
            "field `/message` does not fit: expected an integer",
        ),
        (
            json!({"message": {"chat": ["SECRET"]}}),
            "field `/message` does not fit: expected struct Chat",
        ),
        (json!({"message": ["SECRET"]}), "field `/message` does not fit: expected struct Message"),
        (
            json!({"slaveRequest": {"slave": {"comment": {"SECRET": 1}}}}),
            "field `/slaveRequest` does not fit: expected a string",
        ),
        (
            json!({"result": "SECRET expected SECRET"}),
            "field `/result` does not fit: expected a map",
        ),
    ] {
        let problem = read(body.to_string()).unwrap_err().to_problem();
        let problem: Value = serde_json::from_slice(problem.body()).unwrap();
        assert_eq!(problem["detail"], detail, "{body}");
        let pointer = format!("/{}", body.as_object().unwrap().keys().next().unwrap());
        assert_eq!(problem["violations"][0]["pointer"], pointer, "{body}");
    }
    assert!(read("[]").is_err());
}

#[test]
fn a_model_is_written_as_it_is_documented() {
    let payload = read(ON_PRE_SEND).unwrap();
    let written = serde_json::to_value(&payload.message).unwrap();
    let sent: Value = serde_json::from_str(ON_PRE_SEND).unwrap();
    assert_eq!(written, sent["message"]);
    let written = serde_json::to_value(&payload.slave_request).unwrap();
    assert_eq!(written["task"]["messageID"], 4711);
    assert_eq!(written["slave"], sent["slaveRequest"]["slave"]);
}
