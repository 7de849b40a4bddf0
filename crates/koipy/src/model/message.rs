use serde::{Deserialize, Serialize};

use super::{
    hook_request::Unknown,
    read::{integer, text},
};
use crate::Secret;

/// A message of Telegram's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Message {
    /// Its number, which grows within a chat.
    #[serde(deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// When it was sent, in local time without a zone.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Where it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<Chat>,
    /// The user who sent it; absent for anonymous administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_user: Option<User>,
    /// The chat in whose name it was sent, as anonymous administrators do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_chat: Option<Chat>,
    /// The text. Commands name subscriptions, which are secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Secret<String>>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Unknown,
}

/// A user of Telegram's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct User {
    /// Identifies the user for ever, unlike the name.
    #[serde(deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Without the `@`. Not everybody has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The user's last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Whether it is a bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_bot: Option<bool>,
    /// Such as `zh-hans`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Unknown,
}

/// A chat of Telegram's: a person, a group or a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Chat {
    /// Negative for groups and channels.
    #[serde(deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The name of a group or channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Without the `@`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Unknown,
}

impl Message {
    /// The id of the sender: a user, or the chat in whose name an anonymous administrator sent it.
    #[must_use]
    pub fn sender_id(&self) -> Option<i64> {
        let user = self.from_user.as_ref().and_then(|user| user.id);
        user.or_else(|| self.sender_chat.as_ref()?.id)
    }

    /// The name of the user who sent it, without the `@`.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.from_user.as_ref()?.username.as_deref()
    }
}
