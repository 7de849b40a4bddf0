//! Wulai 吾来: message delivery, message route, error callback.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tower_callback_wulai::{ErrorCallback, MessageDelivery, MessageRoute};

use super::{Event, Platform};

/// Message delivery 消息投递.
#[must_use]
pub fn delivery() -> Platform {
    let contract = MessageDelivery::new();
    Platform::new("wulai delivery", "/callback/message", contract, delivered, other_success)
}

/// Message route 消息路由.
#[must_use]
pub fn route() -> Platform {
    Platform::new("wulai route", "/webhook/route", MessageRoute::new(), asked, bad_answer)
}

/// Error callback 错误回调.
#[must_use]
pub fn error() -> Platform {
    Platform::new("wulai error", "/callback/error", ErrorCallback::new(), failed, other_success)
}

/// A delivery in the other published spelling.
#[must_use]
pub fn camel_case(payload: &Value) -> Value {
    let fields = payload.as_object().into_iter().flatten();
    let renamed = fields.map(|(name, value)| {
        let name = match name.as_str() {
            "user_id" => "userId",
            "msg_id" => "msgId",
            "msg_ts" => "msgTs",
            "msg_type" => "msgType",
            "msg_body" => "msgBody",
            other => other,
        };
        (name.to_owned(), value.clone())
    });
    Value::Object(renamed.collect())
}

fn delivered(event: &Event) -> Value {
    json!({
        "user_id": event.user,
        "msg_id": event.number.to_string(),
        "msg_ts": event.sent_at.to_string(),
        "msg_type": "TEXT",
        "msg_body": {"text": {"content": event.text}},
        "sender_info": {"avatar_url": "", "nickname": "小来", "real_name": ""},
        "source": "QA_BOT",
        "enable_evaluate": false,
        "quick_reply": [],
        "similar_response": [],
        "extra": "",
    })
}

fn asked(event: &Event) -> Value {
    json!({
        "user_id": event.user,
        "msg_id": event.number.to_string(),
        "msg_ts": event.sent_at.to_string(),
        "nickname": event.user,
        "is_dispatch": false,
        "msg_body": {"text": {"content": event.text}},
        "suggested_response": [{
            "is_send": true,
            "source": "QA_BOT",
            "score": 0.9,
            "quick_reply": [],
            "response": [{
                "msg_body": {"text": {"content": "您好"}},
                "answer_id": 42,
                "similar_response": [],
                "enable_evaluate": false,
                "delay_ts": 0,
                "extra": "",
            }],
        }],
        "extra": "",
    })
}

fn failed(event: &Event) -> Value {
    json!({
        // All documents spell this one so.
        "userId": event.user,
        "error_msg": format!("45015: response out of time limit: {}", event.text),
        "source_msg_id": event.number.to_string(),
    })
}

/// Wulai accepts a 200 only.
fn other_success(response: &Response<Bytes>) -> Option<&'static str> {
    let status = response.status();
    (status.is_success() && status != 200).then_some("a success other than 200 is redelivered")
}

fn bad_answer(response: &Response<Bytes>) -> Option<&'static str> {
    if response.status() != 200 || response.body().is_empty() {
        return other_success(response);
    }
    let Ok(Value::Object(answer)) = serde_json::from_slice(response.body()) else {
        return Some("the answer is not a JSON object");
    };
    if !answer.get("suggested_response").is_some_and(Value::is_array) {
        return Some("the answer has no suggested_response");
    }
    let is_flag = answer.get("is_dispatch").is_some_and(Value::is_boolean);
    (!is_flag).then_some("the answer has no is_dispatch")
}
