use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use tower_callback_contract::{Callback, Misfit, Refusal, Timestamp};

use super::{
    MsgBody, MsgType, SenderInfo, SimilarResponse, Source, SuggestedResponse, parts::BOTS,
};
use crate::{
    fields::{
        Fields, Whole, at_most, chars, flag, id, id_text, list_of, object, one_of, read, text,
        time, word,
    },
    kind::Kind,
};

/// A message delivery 消息投递: what the bot says to a user of your channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
pub struct Delivery {
    /// Who is to read it: 1 to 128 characters.
    pub user_id: String,
    /// Names the message: 1 to 18 characters, decimal in practice.
    pub msg_id: String,
    /// When it was sent.
    #[serde(serialize_with = "millis")]
    pub msg_ts: Timestamp,
    /// What the platform calls its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_type: Option<MsgType>,
    /// The message.
    pub msg_body: MsgBody,
    /// Who it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_info: Option<SenderInfo>,
    /// A text that the platform passes on, of at most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
    /// Which bot it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How the bot found it; at most one of `qa`, `chitchat`, `task` and `keyword`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<Map<String, Value>>,
    /// Other answers that might be meant; at most 10.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub similar_response: Vec<SimilarResponse>,
    /// Whether the user may rate it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_evaluate: Option<bool>,
    /// Buttons under the message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quick_reply: Vec<String>,
    /// Fields that are not known yet.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A message route 消息路由: what a user asked, and what the bot means to answer.
///
/// To read. To answer it, see [`RouteReply`](crate::RouteReply).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
pub struct RouteRequest {
    /// Who asked: 1 to 128 characters.
    pub user_id: String,
    /// Names the question: 1 to 18 characters, decimal in practice.
    pub msg_id: String,
    /// When it was asked.
    #[serde(serialize_with = "millis")]
    pub msg_ts: Timestamp,
    /// What the user asked.
    pub msg_body: MsgBody,
    /// What the bot means to answer.
    pub suggested_response: Vec<SuggestedResponse>,
    /// Whether the platform means to hand the user over to a person.
    pub is_dispatch: bool,
    /// What the user is called: 1 to 128 characters.
    pub nickname: String,
    /// A text that the platform passes on, of at most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
    /// Fields that are not known yet.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An error callback 错误回调: a message that could not be sent to a `WeChat` user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
pub struct ErrorReport {
    /// Who did not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
    /// The message that could not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_msg_id: Option<String>,
    /// Fields that are not known yet.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Any of the three, recognised by its fields.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnyRequest {
    /// What neither of the others is.
    Delivery(Box<Delivery>),
    /// A request with a `suggested_response`.
    Route(Box<RouteRequest>),
    /// A request with an `error_msg` or a `source_msg_id`.
    Error(ErrorReport),
}

// ===== impl Delivery =====

impl TryFrom<Fields<'_>> for Delivery {
    type Error = Misfit;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Misfit> {
        Ok(Self {
            user_id: fields.required("user_id", id(128))?,
            msg_id: fields.required("msg_id", id(18))?,
            msg_ts: fields.required("msg_ts", time)?,
            msg_type: fields.optional("msg_type", word)?,
            msg_body: fields.required("msg_body", object)?,
            sender_info: fields.optional("sender_info", object)?,
            extra: fields.optional("extra", chars(0, 1024))?,
            source: fields.optional("source", word)?,
            bot: fields.optional("bot", one_of(BOTS))?,
            similar_response: fields
                .optional("similar_response", at_most(10, list_of(object)))?
                .unwrap_or_default(),
            enable_evaluate: fields.optional("enable_evaluate", flag)?,
            quick_reply: fields.list("quick_reply", text)?,
            other: fields.rest(),
        })
    }
}

impl TryFrom<&Callback> for Delivery {
    type Error = Refusal;

    fn try_from(callback: &Callback) -> Result<Self, Refusal> {
        read(callback)
    }
}

// ===== impl RouteRequest =====

impl TryFrom<Fields<'_>> for RouteRequest {
    type Error = Misfit;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Misfit> {
        Ok(Self {
            user_id: fields.required("user_id", id(128))?,
            msg_id: fields.required("msg_id", id(18))?,
            msg_ts: fields.required("msg_ts", time)?,
            msg_body: fields.required("msg_body", object)?,
            suggested_response: fields.required("suggested_response", list_of(object))?,
            is_dispatch: fields.required("is_dispatch", flag)?,
            nickname: fields.required("nickname", chars(1, 128))?,
            extra: fields.optional("extra", chars(0, 1024))?,
            other: fields.rest(),
        })
    }
}

impl TryFrom<&Callback> for RouteRequest {
    type Error = Refusal;

    fn try_from(callback: &Callback) -> Result<Self, Refusal> {
        read(callback)
    }
}

// ===== impl ErrorReport =====

impl TryFrom<Fields<'_>> for ErrorReport {
    type Error = Misfit;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Misfit> {
        Ok(Self {
            user_id: fields.optional("user_id", id_text)?,
            error_msg: fields.optional("error_msg", id_text)?,
            source_msg_id: fields.optional("source_msg_id", id_text)?,
            other: fields.rest(),
        })
    }
}

impl TryFrom<&Callback> for ErrorReport {
    type Error = Refusal;

    fn try_from(callback: &Callback) -> Result<Self, Refusal> {
        read(callback)
    }
}

// ===== impl AnyRequest =====

impl TryFrom<&Callback> for AnyRequest {
    type Error = Refusal;

    fn try_from(callback: &Callback) -> Result<Self, Refusal> {
        match Kind::of(callback)? {
            Kind::Delivery => Delivery::try_from(callback).map(Box::new).map(Self::Delivery),
            Kind::Route => RouteRequest::try_from(callback).map(Box::new).map(Self::Route),
            Kind::Error => ErrorReport::try_from(callback).map(Self::Error),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn millis<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.as_millis())
}
