use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};
use tower_callback_contract::{Body, Callback, Document, Mismatch, Refusal, ValueRef};

use super::{Message, SlaveRequest, TestResult, read::section};
use crate::Secret;

/// What koipy sends to each of its hooks.
///
/// With the feature `axum` it is an extractor: `async fn on_message(request: HookRequest) -> Reply`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HookRequest {
    /// The command, as Telegram has it; empty if no message led to the call.
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

/// Fields that no model knows, as they came.
pub type Unknown = Secret<Map<String, Value>>;

impl HookRequest {
    fn of(request: ValueRef<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            message: section(request, "message")?,
            config: section(request, "config")?,
            slave_request: section(request, "slaveRequest")?,
            result: section(request, "result")?,
            addons: section(request, "addons")?,
        })
    }
}

impl TryFrom<&Body> for HookRequest {
    type Error = Refusal;

    fn try_from(body: &Body) -> Result<Self, Refusal> {
        Ok(Self::of(body.json()?)?)
    }
}

impl TryFrom<&Callback> for HookRequest {
    type Error = Refusal;

    fn try_from(callback: &Callback) -> Result<Self, Refusal> {
        callback.body().try_into()
    }
}

/// The last argument of a handler. Reads the document that a layer has parsed; without a layer, it reads
/// the body.
#[cfg(feature = "axum")]
impl<S: Sync> axum_core::extract::FromRequest<S> for HookRequest {
    type Rejection = Refusal;

    async fn from_request(request: axum_core::extract::Request, _: &S) -> Result<Self, Refusal> {
        tower_callback_stack::extract(request, crate::SPELLING, |body| body.try_into()).await
    }
}

impl<'de> Deserialize<'de> for HookRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        // It knows no spellings yet.
        let document = Document::read(document.body().clone(), crate::SPELLING);
        Self::of(document.map_err(D::Error::custom)?.root()).map_err(D::Error::custom)
    }
}
