use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};
use tower_callback_contract::{Callback, Document, Misfit, Refusal, ValueRef};

use super::{Message, SlaveRequest, TestResult, read::section};
use crate::Secret;

/// What koipy sends to each of its hooks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HookRequest {
    /// The command, as Telegram has it; empty where no message led to the call.
    pub message: Message,
    /// The bot's configuration, tokens and all.
    pub config: Unknown,
    /// The task, as it goes to a back end.
    pub slave_request: SlaveRequest,
    /// What the back end measured; empty until `onResult`.
    pub result: TestResult,
    /// Reserved.
    pub addons: Unknown,
}

/// Fields as they came, which no model knows.
pub type Unknown = Secret<Map<String, Value>>;

impl HookRequest {
    fn of(request: ValueRef<'_>) -> Result<Self, Misfit> {
        Ok(Self {
            message: section(request, "message")?,
            config: section(request, "config")?,
            slave_request: section(request, "slaveRequest")?,
            result: section(request, "result")?,
            addons: section(request, "addons")?,
        })
    }
}

impl TryFrom<&Callback> for HookRequest {
    type Error = Refusal;

    fn try_from(callback: &Callback) -> Result<Self, Refusal> {
        Ok(Self::of(callback.json()?)?)
    }
}

impl<'de> Deserialize<'de> for HookRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Document::deserialize(deserializer)?.root()).map_err(D::Error::custom)
    }
}
