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
    /// The nodes, passwords and all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxies: Option<Secret<Value>>,
    /// Why the task cannot be run.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub other: Unknown,
}

/// A back end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slave {
    /// Its name in the bot's configuration.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What users see of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether users see it at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// What opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret<String>>,
    /// What kind it is of.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Secret<String>>,
    /// How it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option: Option<Secret<Value>>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub other: Unknown,
}

/// A script of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// The name of its column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The script itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<Secret<Value>>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub other: Unknown,
}

/// What is tested, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// The subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret<String>>,
    /// What it is called.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who wants it tested.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// The command.
    #[serde(
        rename = "messageID",
        deserialize_with = "integer",
        skip_serializing_if = "Option::is_none"
    )]
    pub message_id: Option<i64>,
    /// Where it was given.
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
    /// Where it stands.
    #[serde(
        rename = "botMsgChatID",
        deserialize_with = "integer",
        skip_serializing_if = "Option::is_none"
    )]
    pub bot_msg_chat_id: Option<i64>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub other: Unknown,
}
