//! The requests of Wulai, typed.
//!
//! Every model is read from a [`Callback`](tower_callback_contract::Callback) by `TryFrom`, or by
//! serde; each field in its published [spellings](crate::spelling). Types, lengths and
//! required fields are checked, as the [schemas](crate::schema) do it. `null` is absent, and so is an empty list; what is not known yet is kept in `other`.
//! Models are written in the canonical spelling.
//!
//! A key that stands twice is refused, by the callback's reader as by serde.
//!
//! `Debug` shows everything, messages of users included: keep it out of logs.

mod body;
mod media;
mod parts;
mod requests;
mod texts;
mod words;

use tower_callback_contract::Misfit;

pub use self::{
    body::MsgBody,
    media::{File, Image, Video, Voice},
    parts::{SenderInfo, SimilarResponse, SuggestedMessage, SuggestedResponse},
    requests::{AnyRequest, Delivery, ErrorReport, RouteRequest},
    texts::{Custom, Event, RichText, ShareLink, Text},
    words::{MsgType, Source, VoiceType},
};
use crate::fields::Whole;

macro_rules! read_by_serde {
    ($($model:ty),+ $(,)?) => {$(
        impl TryFrom<Whole> for $model {
            type Error = Misfit;

            fn try_from(document: Whole) -> Result<Self, Misfit> {
                document.read()
            }
        }
    )+};
}

read_by_serde![
    Custom,
    Delivery,
    ErrorReport,
    Event,
    File,
    Image,
    MsgBody,
    RichText,
    RouteRequest,
    SenderInfo,
    ShareLink,
    SimilarResponse,
    SuggestedMessage,
    SuggestedResponse,
    Text,
    Video,
    Voice
];
