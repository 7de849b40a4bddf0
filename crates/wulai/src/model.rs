//! The requests of Wulai, typed.
//!
//! Every model is read from a [`Callback`](tower_callback_contract::Callback) by `TryFrom`, or by
//! serde; each field in its published [spellings](crate::spelling). Types, lengths and
//! required fields are checked, as the [schemas](crate::schema) do it. `null` is absent, and so is an empty list; what is not known yet is kept in `other`.
//! Models are written in the canonical spelling.
//!
//! Read through serde from text, a model cannot see that a key stood twice: serde keeps the last.
//! The callback's reader refuses that.
//!
//! `Debug` shows everything, messages of users included: keep it out of logs.

mod body;
mod media;
mod parts;
mod requests;
mod texts;
mod words;

pub use self::{
    body::MsgBody,
    media::{File, Image, Video, Voice},
    parts::{SenderInfo, SimilarResponse, SuggestedMessage, SuggestedResponse},
    requests::{AnyRequest, Delivery, ErrorReport, RouteRequest},
    texts::{Custom, Event, RichText, ShareLink, Text},
    words::{MsgType, Source, VoiceType},
};
