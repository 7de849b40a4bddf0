use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use tower_callback_contract::{Body, Callback, Mismatch, Refusal, Timestamp};

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
///
/// With the feature `axum` it is an extractor: `async fn deliver(message: Delivery)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct Delivery {
    /// The user who is to read it: 1 to 128 characters.
    pub user_id: String,
    /// Identifies the message: 1 to 18 characters, decimal in practice.
    pub msg_id: String,
    /// When it was sent.
    #[serde(serialize_with = "millis")]
    pub msg_ts: Timestamp,
    /// What the platform calls its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_type: Option<MsgType>,
    /// The message.
    pub msg_body: MsgBody,
    /// The sender.
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
    /// Other answers that may fit; at most 10.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub similar_response: Vec<SimilarResponse>,
    /// Whether the user may rate it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_evaluate: Option<bool>,
    /// Buttons under the message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quick_reply: Vec<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A message route 消息路由: what a user asked, and what the bot means to answer.
///
/// [`RouteReply`](crate::RouteReply) is the response to it.
///
/// With the feature `axum` it is an extractor: `async fn route(question: RouteRequest)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct RouteRequest {
    /// The user who asked: 1 to 128 characters.
    pub user_id: String,
    /// Identifies the question: 1 to 18 characters, decimal in practice.
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
    /// The name of the user: 1 to 128 characters.
    pub nickname: String,
    /// A text that the platform passes on, of at most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An error callback 错误回调: a message could not be sent to a `WeChat` user.
///
/// With the feature `axum` it is an extractor: `async fn on_error(report: ErrorReport)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct ErrorReport {
    /// The user who did not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
    /// The id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_msg_id: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Any of the three, told apart by its fields.
///
/// With the feature `axum` it is an extractor.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnyRequest {
    /// Any other request.
    Delivery(Box<Delivery>),
    /// A request with a `suggested_response`.
    Route(Box<RouteRequest>),
    /// A request with an `error_msg` or a `source_msg_id`.
    Error(ErrorReport),
}

// ===== impl Delivery =====

impl TryFrom<Fields<'_>> for Delivery {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
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

impl TryFrom<&Body> for Delivery {
    type Error = Refusal;

    fn try_from(body: &Body) -> Result<Self, Refusal> {
        read(body)
    }
}

// ===== impl RouteRequest =====

impl TryFrom<Fields<'_>> for RouteRequest {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
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

impl TryFrom<&Body> for RouteRequest {
    type Error = Refusal;

    fn try_from(body: &Body) -> Result<Self, Refusal> {
        read(body)
    }
}

// ===== impl ErrorReport =====

impl TryFrom<Fields<'_>> for ErrorReport {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            user_id: fields.optional("user_id", id_text)?,
            error_msg: fields.optional("error_msg", id_text)?,
            source_msg_id: fields.optional("source_msg_id", id_text)?,
            other: fields.rest(),
        })
    }
}

impl TryFrom<&Body> for ErrorReport {
    type Error = Refusal;

    fn try_from(body: &Body) -> Result<Self, Refusal> {
        read(body)
    }
}

// ===== impl AnyRequest =====

impl TryFrom<&Body> for AnyRequest {
    type Error = Refusal;

    fn try_from(body: &Body) -> Result<Self, Refusal> {
        match Kind::of(body)? {
            Kind::Delivery => Delivery::try_from(body).map(Box::new).map(Self::Delivery),
            Kind::Route => RouteRequest::try_from(body).map(Box::new).map(Self::Route),
            Kind::Error => ErrorReport::try_from(body).map(Self::Error),
        }
    }
}

macro_rules! read_from_callbacks {
    ($($model:ty),+ $(,)?) => {$(
        impl TryFrom<&Callback> for $model {
            type Error = Refusal;

            fn try_from(callback: &Callback) -> Result<Self, Refusal> {
                callback.body().try_into()
            }
        }

        /// The last argument of a handler. Reads the document that a layer has parsed; without a layer,
        /// it reads the body.
        #[cfg(feature = "axum")]
        impl<S: Sync> axum_core::extract::FromRequest<S> for $model {
            type Rejection = Refusal;

            async fn from_request(
                request: axum_core::extract::Request,
                _: &S,
            ) -> Result<Self, Refusal> {
                tower_callback_stack::extract(request, crate::SPELLING, |body| body.try_into()).await
            }
        }
    )+};
}

read_from_callbacks![AnyRequest, Delivery, ErrorReport, RouteRequest];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn millis<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.as_millis())
}
