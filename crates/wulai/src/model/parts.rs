use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use tower_callback_contract::Mismatch;

use super::{MsgBody, Source};
use crate::fields::{
    Fields, Whole, anything, chars, delay, flag, object, one_of, opaque, score, text, word,
};

/// The bots that may have found an answer.
pub(crate) const BOTS: [&str; 4] = ["qa", "chitchat", "task", "keyword"];

/// The sender of a delivered message, as the user is to see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct SenderInfo {
    /// At most 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// At most 32 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// At most 32 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_name: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Another answer that may fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct SimilarResponse {
    /// Where it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which bot it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How the bot found it, of any type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An answer that the platform means to send. [`Suggestion`](crate::Suggestion) can change it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct SuggestedResponse {
    /// Whether the platform will send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_send: Option<bool>,
    /// How the bot found it; at most one of `qa`, `chitchat`, `task` and `keyword`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<Map<String, Value>>,
    /// Which bot it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How sure the bot is, up to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Buttons under the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quick_reply: Vec<String>,
    /// The messages it consists of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response: Vec<SuggestedMessage>,
    /// More on how the bot found it, of any type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One message of a [`SuggestedResponse`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct SuggestedMessage {
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_body: Option<MsgBody>,
    /// Other answers that may fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub similar_response: Vec<SimilarResponse>,
    /// Whether the user may rate it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_evaluate: Option<bool>,
    /// How long the platform waits before it sends the message. Despite its name it is not a point in
    /// time, but a number of seconds, at most 604800 (a week).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub delay_ts: Option<Duration>,
    /// A number or a string, without a meaning of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_id: Option<Value>,
    /// A text that the platform passes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// ===== impl SenderInfo =====

impl TryFrom<Fields<'_>> for SenderInfo {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            avatar_url: fields.optional("avatar_url", chars(0, 128))?,
            nickname: fields.optional("nickname", chars(0, 32))?,
            real_name: fields.optional("real_name", chars(0, 32))?,
            other: fields.rest(),
        })
    }
}

// ===== impl SimilarResponse =====

impl TryFrom<Fields<'_>> for SimilarResponse {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            url: fields.optional("url", text)?,
            source: fields.optional("source", word)?,
            detail: fields.optional("detail", anything)?,
            other: fields.rest(),
        })
    }
}

// ===== impl SuggestedResponse =====

impl TryFrom<Fields<'_>> for SuggestedResponse {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            is_send: fields.optional("is_send", flag)?,
            bot: fields.optional("bot", one_of(BOTS))?,
            source: fields.optional("source", word)?,
            score: fields.optional("score", score)?,
            quick_reply: fields.list("quick_reply", text)?,
            response: fields.list("response", object)?,
            detail: fields.optional("detail", anything)?,
            other: fields.rest(),
        })
    }
}

// ===== impl SuggestedMessage =====

impl TryFrom<Fields<'_>> for SuggestedMessage {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            msg_body: fields.optional("msg_body", object)?,
            similar_response: fields.list("similar_response", object)?,
            enable_evaluate: fields.optional("enable_evaluate", flag)?,
            delay_ts: fields.optional("delay_ts", delay)?,
            answer_id: fields.optional("answer_id", opaque)?,
            extra: fields.optional("extra", text)?,
            other: fields.rest(),
        })
    }
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn whole_seconds<S: Serializer>(
    delay: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    delay.map(|delay| delay.as_secs()).serialize(serializer)
}
