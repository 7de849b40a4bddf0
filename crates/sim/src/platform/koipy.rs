//! koipy: the three hooks in which it asks about a test.
//!
//! It waits for the response in the middle of a user's task, and redelivers nothing: without a response,
//! a storm gives up. Hooks have no order.

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use serde_json::{Value, json};
use tower_callback_contract::{Action, Content, Contract};
use tower_callback_koipy::{OnMessage, OnPreSend, OnResult};

use super::{Event, Platform};

/// `callbacks.onMessage`: a test command arrived.
#[must_use]
pub fn on_message() -> Platform {
    let (path, contract) = ("/onMessage", OnMessage::new());
    Platform::new("koipy on-message", path, contract, commanded, vain).without_redeliveries()
}

/// `callbacks.onPreSend`: the task is about to go to a back end.
#[must_use]
pub fn on_pre_send() -> Platform {
    let (path, contract) = ("/onPreSend", OnPreSend::new());
    Platform::new("koipy on-pre-send", path, contract, prepared, vain).without_redeliveries()
}

/// `callbacks.onResult`: raw results are in.
#[must_use]
pub fn on_result() -> Platform {
    let (path, contract) = ("/onResult", OnResult::new());
    Platform::new("koipy on-result", path, contract, tested, bad_columns).without_redeliveries()
}

/// A payload with the names of the documents: the bot writes a hyphen for every underscore.
#[must_use]
pub fn documented(payload: &Value) -> Value {
    let mut payload = payload.clone();
    if let Some(message) = payload.get_mut("message") {
        *message = with_underscores(message);
    }
    payload
}

/// The secrets in a payload, which only the bot may see.
pub(crate) const SECRETS: [&str; 4] =
    ["SIM-BOT-TOKEN", "SIM-SLAVE-TOKEN", "SIM-SUBSCRIPTION", "SIM-NODE-PASSWORD"];

const NODES: [&str; 3] = ["香港 01", "东京 02", "台北 03"];

/// Many receivers read numbers as doubles. Larger integers have no exact double.
const LARGEST: u64 = 1 << 53;

fn with_underscores(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let renamed =
                fields.iter().map(|(name, it)| (name.replace('-', "_"), with_underscores(it)));
            Value::Object(renamed.collect())
        }
        Value::Array(items) => items.iter().map(with_underscores).collect(),
        other => other.clone(),
    }
}

fn commanded(event: &Event) -> Value {
    let user = user_id(&event.user);
    json!({
        "message": {
            "-": "Message",
            "id": event.number % LARGEST,
            "date": "2024-05-01 12:00:00",
            "chat": {"-": "Chat", "id": chat_id(user), "type": "ChatType.SUPERGROUP", "title": "测速群"},
            "from-user": {
                "-": "User",
                "id": user,
                "is-bot": false,
                "first-name": event.user,
                "username": event.user.replace('-', "_"),
                "language-code": "zh-hans",
            },
            "text": event.text,
        },
        "config": {
            "bot": {"bot-token": "SIM-BOT-TOKEN"},
            "slaveConfig": {"slaves": [{"id": "local", "token": "SIM-SLAVE-TOKEN"}]},
        },
        "slaveRequest": {},
        "result": {},
        "addons": {},
    })
}

fn prepared(event: &Event) -> Value {
    let mut payload = commanded(event);
    let user = user_id(&event.user);
    payload["slaveRequest"] = json!({
        "slave": {
            "id": "local",
            "comment": "本地后端",
            "hidden": false,
            "token": "SIM-SLAVE-TOKEN",
            "type": "miaospeed",
            "address": "127.0.0.1:8765",
            "option": {"downloadDuration": 8},
        },
        "items": [{"name": "TEST_PING_RTT", "script": ""}, {"name": "SPEED_AVERAGE", "script": ""}],
        "task": {
            "url": "https://sub.example.com/s?token=SIM-SUBSCRIPTION",
            "name": "订阅",
            "creator": user,
            "messageID": event.number % LARGEST,
            "chatID": chat_id(user),
            "botMsgID": event.number.wrapping_add(1) % LARGEST,
            "botMsgChatID": chat_id(user),
        },
        "runtime": {"entrance": true},
        "proxies": NODES.map(|name| json!({"name": name, "password": "SIM-NODE-PASSWORD"})),
    });
    payload
}

fn tested(event: &Event) -> Value {
    let mut payload = prepared(event);
    payload["result"] = json!({
        "节点名称": NODES,
        "类型": ["Shadowsocks", "Vmess", "Trojan"],
        "HTTPS延迟": [80, 0, 320],
        "延迟RTT": [41, 0, 150],
        "平均速度": [52_428_800.5, 0, 1_048_576],
        "每秒速度": [[50_000_000, 54_857_601], [], [1_048_576]],
        "UDP类型": ["FullCone", "Unknown", "Symmetric"],
        "线程": 4,
        "version": "4.6.0",
    });
    payload
}

/// Telegram's users are numbers: one for each name, or the number that the name is.
fn user_id(name: &str) -> i64 {
    // FNV-1a. 40 bits of it are enough to tell users apart.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    name.parse().unwrap_or(i64::try_from(hash >> 24).unwrap_or_default())
}

/// Every user has a group of their own.
fn chat_id(user: i64) -> i64 {
    user.saturating_abs().saturating_neg()
}

/// What the response appears to ask for, though the bot does not do it.
fn vain(response: &Response<Bytes>) -> Option<&'static str> {
    let body = response.body();
    match response.status().as_u16() {
        200 if body.is_empty() => empty(response.headers()),
        200 => match OnMessage::new().action(response) {
            Action::Use(Content::Image { bytes, .. }) => {
                (!is_photo(&bytes)).then_some("a picture is neither PNG nor JPEG")
            }
            Action::Use(_) => None,
            _ => (body.trim_ascii() != b"null")
                .then_some("the bot does not use what is under this 200"),
        },
        204 | 205 => None,
        400 => Some("400 refuses nobody: the test goes on"),
        401..500 if body.is_empty() => Some("a refusal does not say why"),
        401..500 if is_picture(body) => Some("a picture in a refusal is shown as text"),
        401..500 => std::str::from_utf8(body).is_err().then_some("a refusal is not in UTF-8"),
        500.. => Some("a failure of the server refuses the test"),
        _ => (!body.is_empty()).then_some("the bot uses content under a 200 only"),
    }
}

/// Whether the bot would send something empty.
fn empty(headers: &HeaderMap) -> Option<&'static str> {
    let Some(media_type) = headers.get(header::CONTENT_TYPE) else {
        return Some("an empty 200 without a Content-Type sends an empty file");
    };
    let starts = |start: &&str| {
        let media_type = media_type.as_bytes();
        media_type.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start.as_bytes()))
    };
    let is_shown = ["text/plain", "plain/text", "image/png", "image/jpeg"].iter().any(starts);
    is_shown.then_some("an empty text or picture is sent")
}

fn bad_columns(response: &Response<Bytes>) -> Option<&'static str> {
    let Action::Use(Content::Merge(document)) = OnResult::new().action(response) else {
        return vain(response);
    };
    let document: Value = serde_json::from_slice(&document).ok()?;
    let columns = document.get("result")?;
    let Some(columns) = columns.as_object() else {
        return Some("the result is not a JSON object");
    };
    let is_odd = |column: &Value| column.as_array().is_some_and(|rows| rows.len() != NODES.len());
    columns.values().any(is_odd).then_some("a column does not have a row for each node")
}

fn is_photo(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(&[0xFF, 0xD8, 0xFF])
}

/// Whether it is a picture of any format.
pub(crate) fn is_picture(bytes: &[u8]) -> bool {
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    is_photo(bytes) || is_webp || bytes.starts_with(b"GIF8")
}

#[cfg(test)]
mod tests {
    use tower_callback_contract::Body;
    use tower_callback_koipy::HookRequest;

    use super::*;

    fn event() -> Event {
        let (user, text) = ("anna-1".to_owned(), "/test".to_owned());
        Event { number: 4711, user, sent_at: 1_700_000_000_000, text }
    }

    fn response(status: u16, media_type: Option<&str>, body: &[u8]) -> Response<Bytes> {
        let media_type = media_type.into_iter();
        let response = media_type
            .fold(Response::builder(), |response, it| response.header(header::CONTENT_TYPE, it));
        response.status(status).body(Bytes::copy_from_slice(body)).unwrap()
    }

    #[test]
    fn all_hooks_of_a_test_are_named_alike_in_both_spellings() {
        for hook in [on_message(), on_pre_send(), on_result()] {
            let id = format!("{}/4711", chat_id(user_id("anna-1")));
            let envelope = hook.envelope(&event());
            assert_eq!(envelope.id.unwrap().as_str(), id);
            assert_eq!(envelope.sent_at, None);
            let payload = hook.payload(&event());
            for payload in [documented(&payload), payload] {
                let body = Body::new(payload.to_string(), OnMessage::new().spelling());
                let payload = HookRequest::try_from(&body).unwrap();
                assert_eq!(payload.message.sender_id(), Some(user_id("anna-1")));
                assert_eq!(payload.message.from_user.unwrap().username.unwrap(), "anna_1");
            }
        }
    }

    #[test]
    fn the_payload_has_the_secrets() {
        let payload = on_result().payload(&event()).to_string();
        assert!(SECRETS.iter().all(|secret| payload.contains(secret)));
    }

    #[test]
    fn a_response_that_does_what_it_appears_to_is_no_breach() {
        let png = b"\x89PNG\r\n\x1a\n...";
        for (status, media_type, body) in [
            (204, None, &b""[..]),
            (200, Some("application/json"), b""),
            (200, Some("application/json"), b"null"),
            (200, Some("application/json; charset=utf-8"), b"{}"),
            (200, Some("application/octet-stream"), b""),
            (200, Some("image/png"), png),
            // The bot sends it as a photo all the same.
            (200, Some("image/jpeg"), png),
            (200, Some("plain/text"), b"x"),
            (200, None, b"x"),
            (403, Some("text/plain"), "你已被拉黑！".as_bytes()),
            (403, None, b"x"),
            (202, None, b""),
        ] {
            let response = response(status, media_type, body);
            assert_eq!(on_message().breach(&response), None, "{response:?}");
        }
    }

    #[test]
    fn a_response_that_does_something_else_is_a_breach() {
        let gif = b"GIF89a";
        for (status, media_type, body, expected) in [
            (400, None, &b"no"[..], "400 refuses nobody"),
            (500, None, b"", "a failure of the server"),
            (403, None, b"", "a refusal does not say why"),
            (403, Some("image/jpeg"), b"\x89PNG\r\n\x1a\n", "a picture in a refusal"),
            (403, None, b"\xff\xfe", "a refusal is not in UTF-8"),
            (200, None, b"", "an empty 200"),
            (200, Some("TEXT/plain; charset=utf-8"), b"", "an empty text or picture"),
            (200, Some("image/png"), b"", "an empty text or picture"),
            (200, Some("image/png"), gif, "a picture is neither"),
            (200, Some("image/gif"), gif, "the bot does not use"),
            (200, Some("application/json"), b"[]", "the bot does not use"),
            (201, Some("text/plain"), b"x", "the bot uses content"),
            (302, None, b"x", "the bot uses content"),
        ] {
            let response = response(status, media_type, body);
            let breach = on_message().breach(&response).unwrap_or_default();
            assert!(breach.starts_with(expected), "{response:?}: {breach}");
        }
    }

    #[test]
    fn a_column_has_a_row_for_each_node() {
        let breach = |document: Value| {
            on_result().breach(&response(
                200,
                Some("application/json"),
                document.to_string().as_bytes(),
            ))
        };
        assert_eq!(breach(json!({"result": {"评级": ["优", "中", "良"], "线程": 8}})), None);
        assert_eq!(breach(json!({})), None);
        assert!(breach(json!({"result": {"评级": ["优"]}})).is_some());
        assert!(breach(json!({"result": []})).is_some());
        assert_eq!(on_result().breach(&response(204, None, b"")), None);
    }
}
