use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tower_callback_contract::Mismatch;

use super::{Custom, Event, File, Image, RichText, ShareLink, Text, Video, Voice};
use crate::fields::{Fields, Whole, object};

/// A message: one kind of content under the key that names the kind.
///
/// A kind that is not known yet is [`Other`](Self::Other), not an error: the platform would send a
/// refused message again and again. A handler should accept a message that it cannot show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Whole")]
#[non_exhaustive]
pub enum MsgBody {
    /// `{"text": …}`
    Text {
        /// The text.
        text: Text,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// `{"image": …}`
    Image {
        /// The picture.
        image: Image,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// `{"voice": …}`
    Voice {
        /// The recording.
        voice: Voice,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// `{"video": …}`
    Video {
        /// The video.
        video: Video,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// `{"file": …}`
    File {
        /// The file.
        file: File,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// `{"share_link": …}`
    ShareLink {
        /// The link.
        share_link: ShareLink,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// `{"rich_text": …}`
    RichText {
        /// The document.
        rich_text: RichText,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// `{"custom": …}`
    Custom {
        /// What the bot's owner defined.
        custom: Custom,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// `{"event": …}`
    Event {
        /// The event.
        event: Event,
        /// Unknown fields beside it.
        #[serde(flatten)]
        other: Map<String, Value>,
    },
    /// A kind that is not known yet: all fields as they are.
    Other(Map<String, Value>),
}

impl MsgBody {
    const KINDS: [&str; 9] =
        ["text", "image", "voice", "video", "file", "share_link", "rich_text", "custom", "event"];

    /// The text of a text message.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(&text.content),
            _ => None,
        }
    }
}

impl TryFrom<Fields<'_>> for MsgBody {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        let mut kinds = Self::KINDS.into_iter().filter(|kind| fields.has(kind));
        let (kind, second) = (kinds.next(), kinds.next());
        if second.is_some() {
            return Err(Mismatch::new("must hold one kind of message"));
        }
        Ok(match kind {
            Some(name @ "text") => {
                Self::Text { text: fields.required(name, object)?, other: fields.rest() }
            }
            Some(name @ "image") => {
                Self::Image { image: fields.required(name, object)?, other: fields.rest() }
            }
            Some(name @ "voice") => {
                Self::Voice { voice: fields.required(name, object)?, other: fields.rest() }
            }
            Some(name @ "video") => {
                Self::Video { video: fields.required(name, object)?, other: fields.rest() }
            }
            Some(name @ "file") => {
                Self::File { file: fields.required(name, object)?, other: fields.rest() }
            }
            Some(name @ "share_link") => {
                Self::ShareLink { share_link: fields.required(name, object)?, other: fields.rest() }
            }
            Some(name @ "rich_text") => {
                Self::RichText { rich_text: fields.required(name, object)?, other: fields.rest() }
            }
            Some(name @ "custom") => {
                Self::Custom { custom: fields.required(name, object)?, other: fields.rest() }
            }
            Some(name @ "event") => {
                Self::Event { event: fields.required(name, object)?, other: fields.rest() }
            }
            _ => Self::Other(fields.rest()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tower_callback_contract::Document;

    use super::*;

    fn read(value: &Value) -> Result<MsgBody, String> {
        object(Document::from(value).root()).map_err(|mismatch: Mismatch| mismatch.to_string())
    }

    #[test]
    fn two_kinds_in_one_message_are_refused() {
        let two = json!({"text": {"content": "secret"}, "image": {"resource_url": "u"}});
        assert_eq!(read(&two), Err("the document must hold one kind of message".into()));
    }

    #[test]
    fn a_kind_that_is_null_is_absent() {
        let body = read(&json!({"text": {"content": "好"}, "image": null})).unwrap();
        assert_eq!(body.text(), Some("好"));
    }

    #[test]
    fn a_known_kind_must_be_an_object_with_what_it_needs() {
        for kind in MsgBody::KINDS {
            for wrong in [json!([]), json!(["a", "b", "c", "d"]), json!("a"), json!(1)] {
                let expected = format!("field `/{kind}` must be a JSON object");
                assert_eq!(read(&json!({ kind: wrong })), Err(expected));
            }
        }
        let needs_nothing = ["custom", "event"];
        for kind in MsgBody::KINDS {
            let body = read(&json!({ kind: {} }));
            assert_eq!(body.is_ok(), needs_nothing.contains(&kind), "{kind}");
        }
    }
}
