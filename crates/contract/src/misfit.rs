use std::{borrow::Cow, error::Error, fmt};

use crate::{Reason, Refusal, Violation};

/// Where a document does not fit the model it is read into. Names the field, never its value. For
/// those who write models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// A JSON pointer of canonical names; empty for the document itself.
    pointer: String,
    what: Cow<'static, str>,
}

const MISSING: &str = "is missing";

impl Misfit {
    /// Something is wrong with the document itself, such as `must be a JSON object`.
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self { pointer: String::new(), what: what.into() }
    }

    /// It is not there.
    #[must_use]
    pub fn missing() -> Self {
        Self::new(MISSING)
    }

    /// The same, where the document is a field or an item of another.
    #[must_use]
    pub fn under(mut self, step: impl fmt::Display) -> Self {
        self.pointer = format!("/{step}{}", self.pointer);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sentence(&self.pointer, &self.what))
    }
}

impl Error for Misfit {}

impl From<Misfit> for Refusal {
    fn from(misfit: Misfit) -> Self {
        let keyword = if misfit.what == MISSING { "required" } else { "type" };
        refusal(misfit.pointer, keyword, misfit.what)
    }
}

/// Refuses what does not fit at this pointer.
pub(crate) fn refusal(pointer: String, keyword: &str, what: impl Into<String>) -> Refusal {
    let what = what.into();
    let detail = sentence(&pointer, &what);
    Refusal::new(Reason::Invalid(Violation::new(pointer, keyword, what).into())).detail(detail)
}

fn sentence(pointer: &str, what: &str) -> String {
    match pointer {
        "" => format!("the document {what}"),
        pointer => format!("field `{pointer}` {what}"),
    }
}
