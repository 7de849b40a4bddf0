use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    hook_request::Unknown,
    read::{integer, list, text},
};
use crate::Secret;

/// A task, as it goes to a back end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SlaveRequest {
    /// The back end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slave: Option<Slave>,
    /// The scripts that are to run.
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// What is tested, and for whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Settings of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Secret<Value>>,
    /// The nodes, with their passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxies: Option<Secret<Value>>,
    /// Why the task cannot be run.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Unknown,
}

/// A back end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Slave {
    /// Its name in the bot's configuration.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The description that users see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether users see it at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// The token that opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret<String>>,
    /// Its kind.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Secret<String>>,
    /// The options of its calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option: Option<Secret<Value>>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Unknown,
}

/// A script of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Item {
    /// The name of its column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The script itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<Secret<Value>>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Unknown,
}

/// What is tested, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Task {
    /// The subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret<String>>,
    /// Its name.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The user who wants it tested.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// The message with the command.
    #[serde(
        rename = "messageID",
        deserialize_with = "integer",
        skip_serializing_if = "Option::is_none"
    )]
    pub message_id: Option<i64>,
    /// The chat of the command.
    #[serde(
        rename = "chatID",
        deserialize_with = "integer",
        skip_serializing_if = "Option::is_none"
    )]
    pub chat_id: Option<i64>,
    /// The bot's own message.
    #[serde(
        rename = "botMsgID",
        deserialize_with = "integer",
        skip_serializing_if = "Option::is_none"
    )]
    pub bot_msg_id: Option<i64>,
    /// The chat of the bot's own message.
    #[serde(
        rename = "botMsgChatID",
        deserialize_with = "integer",
        skip_serializing_if = "Option::is_none"
    )]
    pub bot_msg_chat_id: Option<i64>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Unknown,
}
