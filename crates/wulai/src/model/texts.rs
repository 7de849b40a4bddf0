use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tower_callback_contract::Mismatch;

use crate::fields::{Fields, Whole, anything, chars, text};

/// A text message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct Text {
    /// The text, of 1 to 2048 characters.
    pub content: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A link with a card around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct ShareLink {
    /// What the card says, in 1 to 128 characters.
    pub title: String,
    /// Where the link leads, in 1 to 512 characters.
    pub destination_url: String,
    /// Where the card's picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_url: Option<String>,
    /// At most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A document with mark-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct RichText {
    /// Where the document is.
    pub resource_url: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A message whose meaning the bot's owner defined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct Custom {
    /// What it holds, of any type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Particulars, of any type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// ===== impl Text =====

impl TryFrom<Fields<'_>> for Text {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self { content: fields.required("content", chars(1, 2048))?, other: fields.rest() })
    }
}

// ===== impl ShareLink =====

impl TryFrom<Fields<'_>> for ShareLink {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            title: fields.required("title", chars(1, 128))?,
            destination_url: fields.required("destination_url", chars(1, 512))?,
            cover_url: fields.optional("cover_url", text)?,
            description: fields.optional("description", chars(0, 512))?,
            other: fields.rest(),
        })
    }
}

// ===== impl RichText =====

impl TryFrom<Fields<'_>> for RichText {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self { resource_url: fields.required("resource_url", text)?, other: fields.rest() })
    }
}

// ===== impl Custom =====

impl TryFrom<Fields<'_>> for Custom {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self { content: fields.optional("content", anything)?, other: fields.rest() })
    }
}

// ===== impl Event =====

impl TryFrom<Fields<'_>> for Event {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            event_type: fields.optional("event_type", text)?,
            fields: fields.optional("fields", anything)?,
            other: fields.rest(),
        })
    }
}
