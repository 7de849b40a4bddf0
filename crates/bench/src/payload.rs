//! The payloads: messages like those of Wulai.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde_json::json;

/// The kind of callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Delivery,
    Route,
}

impl Kind {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Delivery => "/callback/message",
            Self::Route => "/webhook/route",
        }
    }

    /// A body of about this size, to one of `users` users, sent after those with lower numbers.
    pub(crate) fn body(self, number: u64, users: u64, size: usize) -> Bytes {
        let (user, sent_at) = (number % users, *START + number / 100);
        let head = match self {
            Self::Delivery => format!(
                r#"{{"user_id":"user-{user}","msg_id":"{number}","msg_ts":"{sent_at}","msg_type":"TEXT",
                "sender_info":{{"avatar_url":"","nickname":"小来","real_name":""}},
                "source":"QA_BOT","extra":"","bot":{{"qa":{{"knowledge_id":1234}}}},
                "similar_response":[{{"url":"","source":"QA_BOT","detail":{{}}}}],
                "enable_evaluate":false,"quick_reply":["好","谢谢"],
                "msg_body":{{"text":{{"content":""#
            ),
            Self::Route => format!(
                r#"{{"user_id":"user-{user}","msg_id":"{number}","msg_ts":"{sent_at}","nickname":"Anna",
                "is_dispatch":false,"extra":"","suggested_response":[{{"is_send":true,"score":0.5,
                "source":"QA_BOT","response":[{{"msg_body":{{"text":{{"content":"您好"}}}},
                "answer_id":42,"enable_evaluate":false,"delay_ts":0}}]}}],
                "msg_body":{{"text":{{"content":""#
            ),
        };
        let fill = size.saturating_sub(head.len() + 4);
        format!("{head}{}\"}}}}}}", filler(fill)).into()
    }
}

/// A message with this text, to a user who gets no other.
pub(crate) fn saying(number: u64, text: &str) -> Bytes {
    let message = json!({
        "user_id": format!("user-{number}"),
        "msg_id": number.to_string(),
        "msg_ts": (*START + number).to_string(),
        "msg_body": { "text": { "content": text } },
    });
    message.to_string().into()
}

/// A text, no longer than the 2 048 characters that Wulai allows.
fn filler(size: usize) -> String {
    "文字".chars().cycle().take((size / 3).min(2_000)).collect()
}

static START: LazyLock<u64> = LazyLock::new(|| {
    let now: Duration =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0) - 50_000
});
