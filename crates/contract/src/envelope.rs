use std::{borrow::Cow, fmt, sync::Arc};

use crate::ValueRef;

/// Who a callback is. Any of the three may be absent.
///
/// With the feature `axum` it is an extractor, behind any layer that receives callbacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// Names the event: two callbacks with one id are copies of each other.
    pub id: Option<Id>,
    /// Names the stream of events within which order matters, usually the platform's user.
    pub conversation: Option<String>,
    /// When the platform says the event happened.
    pub sent_at: Option<Timestamp>,
}

/// The identity of an event within its scope: platform, kind of callback and, where the payload
/// names one, account. Equal texts in different scopes are different ids. Cheap to clone.
///
/// `Debug` and `Display` leave out the text of a [composed](Self::composed) id, because it is made
/// of payload.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id {
    scope: Cow<'static, str>,
    text: Arc<str>,
    source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Given,
    Composed,
}

/// A point in time in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    micros: u64,
}

// ===== impl Envelope =====

impl Envelope {
    /// The envelope of an event with this id, or of one without. Conversation and time are absent.
    #[must_use]
    pub fn new(id: Option<Id>) -> Self {
        Self { id, ..Self::default() }
    }

    /// Sets the stream of events within which order matters.
    #[must_use]
    pub fn conversation(mut self, conversation: impl Into<Option<String>>) -> Self {
        self.conversation = conversation.into();
        self
    }

    /// Sets when the platform says the event happened.
    #[must_use]
    pub fn sent_at(mut self, sent_at: impl Into<Option<Timestamp>>) -> Self {
        self.sent_at = sent_at.into();
        self
    }
}

// ===== impl Id =====

impl Id {
    /// The longest text of an id in bytes. What is longer cannot be an id.
    pub const MAX_LEN: usize = 256;

    /// An id as the platform gives it, or `None` if it is empty or longer than
    /// [`MAX_LEN`](Self::MAX_LEN).
    pub fn new(scope: impl Into<Cow<'static, str>>, text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        fits.then(|| Self { scope: scope.into(), text: text.into(), source: Source::Given })
    }

    /// An id from a JSON value: a string, or an integer, [however it is
    /// written](ValueRef::as_integer), as its decimal text. `None` for anything
    /// else and for what [`new`](Self::new) would not take.
    pub fn from_json(scope: impl Into<Cow<'static, str>>, value: ValueRef<'_>) -> Option<Self> {
        if let Some(text) = value.as_str() {
            return Self::new(scope, text);
        }
        Self::new(scope, &value.as_integer()?.to_string())
    }

    /// An id for an event that has none of its own, made of several fields. `None` if all of them
    /// are empty. The parts are told apart by their lengths, and may be of any length.
    pub fn composed(scope: impl Into<Cow<'static, str>>, parts: &[&str]) -> Option<Self> {
        let mut text = String::new();
        for part in parts {
            text.push_str(&part.len().to_string());
            text.push(':');
            text.push_str(part);
        }
        parts.iter().any(|part| !part.is_empty()).then(|| Self {
            scope: scope.into(),
            text: text.into(),
            source: Source::Composed,
        })
    }

    /// Platform, kind of callback and account, such as `wulai.delivery`.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The id itself. That of a [composed](Self::composed) id holds payload: keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::Given => f.write_str(&self.text),
            Source::Composed => f.write_str("(composed)"),
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{self}", self.scope)
    }
}

// ===== impl Timestamp =====

impl Timestamp {
    /// A time from milliseconds since the Unix epoch, or `None` beyond the year 500 000.
    #[must_use]
    pub fn from_millis(millis: u64) -> Option<Self> {
        millis.checked_mul(1_000).map(|micros| Self { micros })
    }

    /// A time from a number whose unit its magnitude tells: seconds, milliseconds, microseconds or
    /// nanoseconds. Right for every time between 1973 and 5138.
    #[must_use]
    pub fn from_magnitude(number: u64) -> Self {
        let micros = match number {
            0..100_000_000_000 => number * 1_000_000,
            100_000_000_000..100_000_000_000_000 => number * 1_000,
            100_000_000_000_000..100_000_000_000_000_000 => number,
            _ => number / 1_000,
        };
        Self { micros }
    }

    /// A time from a JSON value: a non-negative integer, or a string of its decimal digits, in a
    /// unit that its [magnitude](Self::from_magnitude) tells. `None` for anything else.
    #[must_use]
    pub fn from_json(value: ValueRef<'_>) -> Option<Self> {
        match value.as_str() {
            Some(text) => Self::from_digits(text),
            None => value.as_integer()?.try_into().ok().map(Self::from_magnitude),
        }
    }

    /// A time from the decimal digits of a number, in a unit that its
    /// [magnitude](Self::from_magnitude) tells. `None` for anything else.
    #[must_use]
    pub fn from_digits(text: &str) -> Option<Self> {
        // `parse` alone would take a leading plus.
        let is_plain = text.bytes().all(|b| b.is_ascii_digit());
        is_plain.then(|| text.parse().ok()).flatten().map(Self::from_magnitude)
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.micros / 1_000
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub fn as_micros(self) -> u64 {
        self.micros
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Document;

    #[test]
    fn an_empty_or_overlong_text_is_no_id() {
        assert_eq!(Id::new("s", ""), None);
        assert_eq!(Id::new("s", &"x".repeat(257)), None);
        assert!(Id::new("s", &"x".repeat(256)).is_some());
    }

    #[test]
    fn a_number_is_the_id_of_its_decimal_text() {
        let id = |value| Id::from_json("s", Document::from(&value).root());
        assert_eq!(id(json!(123)), Id::new("s", "123"));
        for value in [json!(1.5), json!(null), json!(true), json!(["1"]), json!({})] {
            assert_eq!(id(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn parts_of_a_composed_id_cannot_run_into_each_other() {
        assert_ne!(Id::composed("s", &["a", "bc"]), Id::composed("s", &["ab", "c"]));
        assert_ne!(Id::composed("s", &["", "a"]), Id::composed("s", &["a", ""]));
        assert_eq!(Id::composed("s", &["", ""]), None);
    }

    #[test]
    fn one_text_in_two_scopes_is_two_ids() {
        assert_ne!(Id::new("wulai.delivery", "1"), Id::new("wulai.route", "1"));
    }

    #[test]
    fn a_composed_id_does_not_show_its_payload() {
        let id = Id::composed("s", &["secret"]).unwrap();
        assert_eq!(format!("{id} {id:?}"), "(composed) s/(composed)");
    }

    #[test]
    fn seconds_millis_micros_and_nanos_are_told_by_magnitude() {
        for (number, millis) in [
            (1_700_000_000, 1_700_000_000_000),
            (1_700_000_000_123, 1_700_000_000_123),
            (1_700_000_000_123_456, 1_700_000_000_123),
            (1_700_000_000_123_456_789, 1_700_000_000_123),
            (u64::MAX, u64::MAX / 1_000_000),
        ] {
            assert_eq!(Timestamp::from_magnitude(number).as_millis(), millis);
        }
    }

    #[test]
    fn only_whole_non_negative_numbers_are_times() {
        let time = Timestamp::from_millis(1_700_000_000_123);
        let read = |value| Timestamp::from_json(Document::from(&value).root());
        assert_eq!(read(json!("1700000000123")), time);
        assert_eq!(read(json!(1_700_000_000_123_u64)), time);
        for value in
            [json!(""), json!("+1"), json!("-1"), json!(-1), json!(1.5), json!("9".repeat(40))]
        {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }
}
