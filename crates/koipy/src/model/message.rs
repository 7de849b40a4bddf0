use serde::{Deserialize, Serialize};

use super::{
    hook_request::Unknown,
    read::{integer, text},
};
use crate::Secret;

/// A message of Telegram's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Who sent it; absent for anonymous administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_user: Option<User>,
    /// The chat in whose name it was sent, as anonymous administrators do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_chat: Option<Chat>,
    /// What it says. Commands name subscriptions, which are secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Secret<String>>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub other: Unknown,
}

/// A user of Telegram's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// Names the user for ever, unlike the user's name.
    #[serde(deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Without the `@`. Not everybody has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What the user is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The rest of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Whether it is a bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_bot: Option<bool>,
    /// Such as `zh-hans`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub other: Unknown,
}

/// A chat of Telegram's: a person, a group or a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chat {
    /// Negative for groups and channels.
    #[serde(deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// What a group or channel is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Without the `@`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub other: Unknown,
}

impl Message {
    /// Who sent it: the id of the user, or of the chat for which an anonymous administrator did.
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
