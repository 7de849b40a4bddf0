use std::{borrow::Cow, fmt};

use serde::de::{self, Expected, Unexpected};

use crate::pointer::Pointer;

/// Where pointers are cut, in bytes.
const MAX_POINTER: usize = 256;

/// Where a document does not fit the type it is read into. Names the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Empty for the document itself.
    pointer: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Missing,
    Unknown,
    Said(Cow<'static, str>),
    /// In the words of a type that reads itself.
    Custom(String),
}

impl Mismatch {
    /// Something is wrong with the document itself, such as `must be a JSON object`.
    #[must_use]
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self::of(What::Said(what.into()))
    }

    /// It is not there.
    #[must_use]
    pub fn missing() -> Self {
        Self::of(What::Missing)
    }

    fn of(what: What) -> Self {
        Self { pointer: String::new(), what }
    }

    /// The same, where the document is a field or an item of another.
    #[must_use]
    pub fn under(self, step: impl fmt::Display) -> Self {
        let step = Pointer::escape(&step.to_string());
        Self { pointer: cut(format!("/{step}{}", self.pointer)), ..self }
    }

    /// Where, as a JSON pointer that is cut at 256 bytes; empty for the document itself.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The keyword of JSON Schema that comes next to it: `required`, `additionalProperties` or
    /// `type`.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self.what {
            What::Missing => "required",
            What::Unknown => "additionalProperties",
            What::Said(_) | What::Custom(_) => "type",
        }
    }

    /// What is wrong, such as `is missing` or `must be u32`.
    #[must_use]
    pub fn what(&self) -> &str {
        match &self.what {
            What::Missing => "is missing",
            What::Unknown => "is not known",
            What::Said(what) => what,
            What::Custom(what) => what,
        }
    }

    /// Something else was found, of which nothing is told.
    pub(crate) fn expected(expected: &dyn Expected) -> Self {
        Self::must_be(expected)
    }

    fn must_be(what: impl fmt::Display) -> Self {
        Self::new(format!("must be {what}"))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.pointer, &self.what) {
            // Such a type names the field itself.
            ("", What::Custom(what)) => f.write_str(what),
            (pointer, What::Custom(what)) => write!(f, "field `{pointer}`: {what}"),
            ("", _) => write!(f, "the document {}", self.what()),
            (pointer, _) => write!(f, "field `{pointer}` {}", self.what()),
        }
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::of(What::Custom(what.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::must_be(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::must_be(expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::must_be(expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::must_be(format_args!("one of `{}`", expected.join("`, `")))
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::of(What::Unknown)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::missing().under(field)
    }
}

/// Cuts a pointer that is long: names are the sender's.
fn cut(mut pointer: String) -> String {
    if pointer.len() > MAX_POINTER {
        let end = (0..=MAX_POINTER).rev().find(|&end| pointer.is_char_boundary(end));
        pointer.truncate(end.unwrap_or_default());
        pointer.push('…');
    }
    pointer
}
