//! The requests of Wulai, typed.
//!
//! `TryFrom` reads a model from a [`Callback`](tower_callback_contract::Callback) or
//! a [`Body`](tower_callback_contract::Body), and so does serde; with the feature `axum` the requests
//! are extractors. Each field may stand in any of its published [spellings](crate::SPELLING). A model
//! checks types, lengths and required fields, as the [schemas](crate::schema) do. `null` means absent,
//! and so does an empty list; unknown fields are kept in `other`. Models are written in the canonical
//! spelling.
//!
//! Of a key that stands twice, the last counts, whether a callback's reader or serde reads it.
//!
//! `Debug` shows everything, messages of users included: keep it out of logs.

mod body;
mod media;
mod parts;
mod requests;
mod texts;
mod words;

use tower_callback_contract::Mismatch;

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
            type Error = Mismatch;

            fn try_from(document: Whole) -> Result<Self, Mismatch> {
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
