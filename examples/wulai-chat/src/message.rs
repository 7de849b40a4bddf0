//! A message of any kind, as the page shows it.

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use serde_json::Value;
use tower_callback::wulai::{Delivery, ErrorReport, MsgBody};

/// The longest text that is shown. Wulai has the same limit for a text, and none for a custom message.
const MAX_CHARS: usize = 2048;

/// The most buttons that are shown under a message.
const MAX_CHOICES: usize = 10;

const UNKNOWN: &str = "unknown";

#[derive(Default, Serialize)]
pub(crate) struct Message {
    kind: &'static str,
    sent_at: Option<u64>,
    /// Whether it was handled after one that was sent later.
    is_late: bool,
    from: Option<String>,
    title: Option<String>,
    text: Option<String>,
    url: Option<String>,
    image: Option<String>,
    choices: Vec<String>,
}

impl Message {
    /// A message that reached its user.
    pub(crate) fn delivered(delivery: Delivery, is_late: bool) -> Self {
        let sender = delivery.sender_info.unwrap_or_default();
        let mut message = Self {
            sent_at: Some(delivery.msg_ts.as_millis()),
            is_late,
            from: sender.nickname.or(sender.real_name),
            choices: delivery.quick_reply,
            ..Self::of(delivery.msg_body)
        };
        if message.kind == UNKNOWN {
            let msg_type = delivery.msg_type.map(serde_json::to_value);
            message.title = msg_type.and_then(Result::ok).map(plain);
        }
        message
    }

    /// A message that did not reach its user.
    pub(crate) fn not_sent(report: ErrorReport) -> Self {
        Self {
            kind: "not_sent",
            from: Some("Wulai 吾来".into()),
            title: report.source_msg_id.map(|id| format!("Message 消息 {id}")),
            text: report.error_msg,
            ..Self::default()
        }
    }

    fn of(body: MsgBody) -> Self {
        let mut message = Self::default();
        match body {
            MsgBody::Text { text, .. } => {
                message.kind = "text";
                message.text = Some(text.content);
            }
            MsgBody::Image { image, .. } => {
                message.kind = "image";
                message.image = Some(image.resource_url.clone());
                message.url = Some(image.resource_url);
            }
            MsgBody::Voice { voice, .. } => {
                message.kind = "voice";
                message.text = voice.recognition;
                message.url = Some(voice.resource_url);
            }
            MsgBody::Video { video, .. } => {
                message.kind = "video";
                message.title = video.title;
                message.text = video.description;
                message.url = Some(video.resource_url);
                message.image = video.thumb;
            }
            MsgBody::File { file, .. } => {
                message.kind = "file";
                message.title = file.file_name;
                message.url = Some(file.resource_url);
            }
            MsgBody::ShareLink { share_link, .. } => {
                message.kind = "link";
                message.title = Some(share_link.title);
                message.text = share_link.description;
                message.url = Some(share_link.destination_url);
                message.image = share_link.cover_url;
            }
            MsgBody::RichText { rich_text, .. } => {
                message.kind = "rich_text";
                message.url = Some(rich_text.resource_url);
            }
            MsgBody::Custom { custom, .. } => {
                message.kind = "custom";
                message.text = custom.content.map(plain);
            }
            MsgBody::Event { event, .. } => {
                message.kind = "event";
                message.title = event.event_type;
                message.text = event.fields.map(plain);
            }
            MsgBody::Other(fields) => {
                message.kind = UNKNOWN;
                message.text = Some(plain(fields.into()));
            }
            // A kind that this page does not know.
            _ => message.kind = UNKNOWN,
        }
        message
    }

    pub(crate) fn into_json(mut self) -> Utf8Bytes {
        self.choices.truncate(MAX_CHOICES);
        [&mut self.from, &mut self.title, &mut self.text, &mut self.url, &mut self.image]
            .into_iter()
            .flatten()
            .chain(&mut self.choices)
            .for_each(clip);
        serde_json::to_string(&self).expect("texts and numbers are JSON").into()
    }
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn clip(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URL: &str = "https://example.com/it";

    #[test]
    fn every_kind_is_shown_as_what_it_is() {
        let image = show(&json!({"image": {"resource_url": URL}}));
        assert_eq!((&image["kind"], &image["image"]), (&json!("image"), &json!(URL)));

        let voice = show(&json!({"voice": {"resource_url": URL, "recognition": "喂"}}));
        assert_eq!((&voice["url"], &voice["text"]), (&json!(URL), &json!("喂")));

        let video = show(&json!({"video": {"resource_url": URL, "thumb": URL, "title": "t"}}));
        assert_eq!((&video["image"], &video["title"]), (&json!(URL), &json!("t")));

        let file = show(&json!({"file": {"resource_url": URL, "file_name": "a.pdf"}}));
        assert_eq!((&file["url"], &file["title"]), (&json!(URL), &json!("a.pdf")));

        let link = show(&json!({"share_link": {"destination_url": URL, "title": "t"}}));
        assert_eq!((&link["url"], &link["title"]), (&json!(URL), &json!("t")));

        let rich_text = show(&json!({"rich_text": {"resource_url": URL}}));
        assert_eq!((&rich_text["kind"], &rich_text["url"]), (&json!("rich_text"), &json!(URL)));

        let custom = show(&json!({"custom": {"content": {"a": 1}}}));
        assert_eq!((&custom["kind"], &custom["text"]), (&json!("custom"), &json!("{\"a\":1}")));

        let event = show(&json!({"event": {"event_type": "rated", "fields": "5"}}));
        assert_eq!((&event["title"], &event["text"]), (&json!("rated"), &json!("5")));

        let unknown = show(&json!({"hologram": {}}));
        assert_eq!((&unknown["kind"], &unknown["title"]), (&json!("unknown"), &json!("NEW")));
        assert_eq!(unknown["text"], "{\"hologram\":{}}");
    }

    #[test]
    fn nothing_grows_beyond_bounds() {
        let text = "长".repeat(MAX_CHARS);
        let shown = show(&json!({"text": {"content": text}}));
        assert_eq!(shown["text"], text);
        let shown = show(&json!({"custom": {"content": format!("{text}!")}}));
        assert_eq!(shown["text"], format!("{text}…"));
        assert_eq!(shown["choices"].as_array().map(Vec::len), Some(MAX_CHOICES));
    }

    fn show(body: &Value) -> Value {
        let delivery = json!({
            "user_id": "anna", "msg_id": "1", "msg_ts": "1700000000000", "msg_type": "NEW",
            "msg_body": body, "quick_reply": vec!["谢谢"; 20],
        });
        let delivery: Delivery = serde_json::from_value(delivery).unwrap();
        serde_json::from_str(&Message::delivered(delivery, false).into_json()).unwrap()
    }
}
