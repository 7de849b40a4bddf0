use std::{fmt, time::Duration};

use bytes::Bytes;

/// What a platform does once it has read the response to its callback.
///
/// A [`Contract`](crate::Contract) translates between responses and actions in both directions, and
/// everybody else speaks actions: dedup decides by them what to remember, a simulator plays the
/// platform with them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The callback arrived; the platform is done with it.
    Accept,
    /// The platform sends the callback again.
    Retry {
        /// How long it waits, where the platform lets the receiver say so.
        after: Option<Duration>,
    },
    /// The platform gives up what it asked about, and shows the text to its user.
    Refuse {
        /// The text for the user; may be empty.
        text: String,
    },
    /// The callback arrived, and the platform goes on with what the response holds.
    Use(Content),
}

impl Action {
    /// A stable name for machines: `accept`, `retry`, `refuse` or `use`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Retry { .. } => "retry",
            Self::Refuse { .. } => "refuse",
            Self::Use(_) => "use",
        }
    }
}

/// What a platform takes from a response.
///
/// `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A JSON document that is merged into the platform's own. The bytes are not checked.
    Merge(Bytes),
    /// A text to show.
    Text(String),
    /// A picture to show.
    Image {
        /// Its media type, such as `image/png`.
        media_type: String,
        /// The encoded picture.
        bytes: Bytes,
    },
    /// A file to send.
    File {
        /// Its name, where the response gives one.
        name: Option<String>,
        /// What it holds.
        bytes: Bytes,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge(document) => write!(f, "Merge({} B)", document.len()),
            Self::Text(text) => write!(f, "Text({} B)", text.len()),
            Self::Image { media_type, bytes } => {
                write!(f, "Image({media_type}, {} B)", bytes.len())
            }
            Self::File { bytes, .. } => write!(f, "File({} B)", bytes.len()),
        }
    }
}
