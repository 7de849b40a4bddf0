use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tower_callback_contract::Mismatch;

use super::VoiceType;
use crate::fields::{Fields, Whole, chars, text, word};

/// A picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct Image {
    /// Where the picture is, in 1 to 512 characters.
    pub resource_url: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct Voice {
    /// Where the recording is.
    pub resource_url: String,
    /// How it is encoded; the field `type`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub voice_type: Option<VoiceType>,
    /// What was said, as far as it was recognised; at most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recognition: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A video.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct Video {
    /// Where the video is.
    pub resource_url: String,
    /// Where its thumbnail is, in at most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb: Option<String>,
    /// At most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// At most 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Whole")]
#[non_exhaustive]
pub struct File {
    /// Where the file is.
    pub resource_url: String,
    /// Its name, of at most 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

// ===== impl Image =====

impl TryFrom<Fields<'_>> for Image {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            resource_url: fields.required("resource_url", chars(1, 512))?,
            other: fields.rest(),
        })
    }
}

// ===== impl Voice =====

impl TryFrom<Fields<'_>> for Voice {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            resource_url: fields.required("resource_url", text)?,
            voice_type: fields.optional("type", word)?,
            recognition: fields.optional("recognition", chars(0, 1024))?,
            other: fields.rest(),
        })
    }
}

// ===== impl Video =====

impl TryFrom<Fields<'_>> for Video {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            resource_url: fields.required("resource_url", text)?,
            thumb: fields.optional("thumb", chars(0, 512))?,
            description: fields.optional("description", chars(0, 512))?,
            title: fields.optional("title", chars(0, 128))?,
            other: fields.rest(),
        })
    }
}

// ===== impl File =====

impl TryFrom<Fields<'_>> for File {
    type Error = Mismatch;

    fn try_from(mut fields: Fields<'_>) -> Result<Self, Mismatch> {
        Ok(Self {
            resource_url: fields.required("resource_url", text)?,
            file_name: fields.optional("file_name", chars(0, 128))?,
            other: fields.rest(),
        })
    }
}
