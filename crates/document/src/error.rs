use std::borrow::Cow;

use crate::fault::{Fault, Syntax};

/// Where names are cut, in characters.
const MAX_NAME: usize = 64;

/// A body could not be read, and where. Quotes nothing of the body but, where that is ambiguous, the
/// name of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
#[non_exhaustive]
pub struct ReadError {
    kind: ReadErrorKind,
    line: usize,
    column: usize,
    detail: Cow<'static, str>,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// It is not JSON in UTF-8, or nested too deep.
    Malformed,
    /// A field could be read in two ways.
    Ambiguous,
    /// It holds more values and names than it may.
    TooManyValues,
    /// It is 256 mebibytes or longer.
    TooLarge,
}

/// A field could be read in two ways.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` {what}")]
#[non_exhaustive]
pub struct Ambiguous {
    line: usize,
    column: usize,
    field: String,
    what: &'static str,
}

// ===== impl ReadError =====

impl ReadError {
    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ReadErrorKind {
        self.kind
    }

    /// The line of the fault, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The byte of the fault in its line, counted from 1; 0 is before the first.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    pub(crate) fn too_large() -> Self {
        let (kind, detail) = (ReadErrorKind::TooLarge, "the body is too large".into());
        Self { kind, line: 1, column: 0, detail }
    }

    /// The first byte that is not UTF-8 stands here.
    pub(crate) fn not_utf8(body: &[u8], at: usize) -> Self {
        let detail = not_json(body).unwrap_or("JSON must be UTF-8").into();
        Self::new(ReadErrorKind::Malformed, body, at + 1, detail)
    }

    pub(crate) fn of(body: &str, fault: Fault) -> Self {
        let body = body.as_bytes();
        let detail = match (not_json(body), fault.syntax) {
            (_, Syntax::TooMany) => "the body holds too many values",
            (Some(known), _) => known,
            (_, Syntax::TooDeep) => "the body is nested more than 127 deep",
            (_, Syntax::End) => "the body ends before its JSON does",
            (_, syntax) => return Self::syntax(body, fault.at, syntax),
        };
        let kind = match fault.syntax {
            Syntax::TooMany => ReadErrorKind::TooManyValues,
            _ => ReadErrorKind::Malformed,
        };
        Self::new(kind, body, fault.at, detail.into())
    }

    fn syntax(body: &[u8], at: usize, syntax: Syntax) -> Self {
        let detail = format!("the body is not JSON: {}", syntax.as_str()).into();
        Self::new(ReadErrorKind::Malformed, body, at, detail)
    }

    fn new(kind: ReadErrorKind, body: &[u8], at: usize, detail: Cow<'static, str>) -> Self {
        let (line, column) = position(body, at);
        Self { kind, line, column, detail }
    }
}

impl From<Ambiguous> for ReadError {
    fn from(ambiguous: Ambiguous) -> Self {
        let detail = ambiguous.to_string().into();
        let Ambiguous { line, column, .. } = ambiguous;
        Self { kind: ReadErrorKind::Ambiguous, line, column, detail }
    }
}

// ===== impl Ambiguous =====

impl Ambiguous {
    pub(crate) fn new(body: &str, at: usize, field: &str, what: &'static str) -> Self {
        let (line, column) = position(body.as_bytes(), at + 1);
        Self { line, column, field: field.chars().take(MAX_NAME).collect(), what }
    }

    /// The line of the name that stands there too, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The byte in its line where that name begins, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The name of the field, cut at 64 characters.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}

/// The line behind so many bytes, counted from 1, and how many of them are in it.
fn position(body: &[u8], bytes: usize) -> (usize, usize) {
    let before = &body[..bytes.min(body.len())];
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let lines = before.split(|&byte| byte == b'\n').count();
    (lines, before.len() - line_start)
}

/// What a body is that was not meant to be JSON in UTF-8.
fn not_json(body: &[u8]) -> Option<&'static str> {
    match body {
        body if body.trim_ascii().is_empty() => Some("the body is empty"),
        [0xEF, 0xBB, 0xBF, ..] => Some("JSON must not start with a byte order mark"),
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, _, ..] | [_, 0, ..] => {
            Some("JSON must be UTF-8, this looks like UTF-16 or UTF-32")
        }
        _ => None,
    }
}
