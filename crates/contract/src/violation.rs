use std::{error::Error, fmt, sync::Arc};

use serde::Serialize;

/// One place where a document does not match its schema. Never shows the value that stands there,
/// unless the layer was told to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// Where in the document: a JSON pointer, empty for the whole. Its names are the document's.
    pub pointer: String,
    /// Where in the schema: a JSON pointer, which holds nothing of the document. Not sent to the
    /// client.
    #[serde(skip)]
    pub schema_pointer: String,
    /// The keyword of the schema that is not met, such as `required` or `maxLength`.
    pub keyword: String,
    /// What it asks for, in words.
    pub message: String,
}

/// All that was found wrong with one document: in the extensions of the request or the response
/// that was validated. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations {
    listed: Arc<[Violation]>,
    more: usize,
}

// ===== impl Violation =====

impl Violation {
    /// A violation with an unknown place in the schema.
    pub fn new(
        pointer: impl Into<String>,
        keyword: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (pointer, keyword, message) = (pointer.into(), keyword.into(), message.into());
        Self { pointer, schema_pointer: String::new(), keyword, message }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.pointer {
            "" => write!(f, "{}", self.message),
            pointer => write!(f, "{pointer}: {}", self.message),
        }
    }
}

// ===== impl Violations =====

impl Violations {
    /// The violations that are listed, and how many more there are.
    pub fn new(listed: impl Into<Arc<[Violation]>>, more: usize) -> Self {
        Self { listed: listed.into(), more }
    }

    /// Those that are listed, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.listed.iter()
    }

    /// How many more were counted. There may be others still: nobody counts a hundred thousand.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// How many were counted in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.listed.len() + self.more
    }

    pub(crate) fn listed(&self) -> &[Violation] {
        &self.listed
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for violation in self.iter() {
            write!(f, "{separator}{violation}")?;
            separator = "; ";
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl Error for Violations {}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self::new([violation], 0)
    }
}
