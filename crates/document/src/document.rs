use std::{borrow::Cow, fmt};

use bytes::Bytes;
use bytestring::ByteString;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::Value;

use crate::{
    access::Private,
    error::{Ambiguous, ReadError},
    reader::{Limits, read},
    spelling::Spelling,
    tape::{MAX_BODY, Tape},
    value::ValueRef,
};

/// A JSON body and where in it each value stands. Cheap to look at, and to read types from.
///
/// `Debug` shows nothing of what it holds.
#[derive(Clone)]
pub struct Document {
    body: ByteString,
    tape: Tape,
}

impl Document {
    /// Reads a body. The spelling tells which names are one field.
    ///
    /// # Errors
    /// Refuses what `serde_json` does not read into a [`Value`], a number that no float is near to,
    /// a field in two spellings with different values, and a body of 256 mebibytes or more.
    pub fn read(body: impl Into<Bytes>, spelling: Spelling) -> Result<Self, ReadError> {
        Self::read_within(body, spelling, usize::MAX)
    }

    /// Reads a body that holds at most so many values and names of fields.
    ///
    /// # Errors
    /// Refuses besides one that holds more.
    pub fn read_within(
        body: impl Into<Bytes>,
        spelling: Spelling,
        max_nodes: usize,
    ) -> Result<Self, ReadError> {
        let body = body.into();
        if body.len() >= MAX_BODY {
            return Err(ReadError::too_large());
        }
        let text = ByteString::try_from(body.clone())
            .map_err(|error| ReadError::not_utf8(&body, error.valid_up_to()))?;
        let tape = read(&text, spelling, Limits::nodes(max_nodes))?;
        Ok(Self { body: text, tape })
    }

    /// Writes a value down as a document in which every name is itself.
    ///
    /// # Panics
    /// Panics if its text is 256 mebibytes or longer.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        let body = ByteString::from(value.to_string());
        assert!(body.len() < MAX_BODY, "a document is shorter than 256 mebibytes");
        let tape = read(&body, Spelling::VERBATIM, Limits::none()).expect("a value is valid JSON");
        Self { body, tape }
    }

    /// The whole of it.
    #[must_use]
    pub fn root(&self) -> ValueRef<'_> {
        ValueRef::new(&self.body, &self.tape, 0)
    }

    /// Which of its names are one field.
    #[must_use]
    pub fn spelling(&self) -> Spelling {
        self.tape.spelling
    }

    /// A key that stood twice in one object, of which the last counts; for a caller who would rather know.
    #[must_use]
    pub fn twice(&self) -> Option<Ambiguous> {
        self.tape.twice.map(|at| self.tape.stands_twice(&self.body, at))
    }

    /// How many values and names of fields were read.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.tape.nodes
    }

    /// How many bytes of memory it takes, with the body.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.len() + self.tape.size()
    }

    /// The body it was read from.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.body.as_bytes()
    }
}

impl From<&Value> for Document {
    fn from(value: &Value) -> Self {
        Self::from_value(value)
    }
}

/// Takes any value, as one in which every name is itself. From JSON it reads the text, and makes no
/// [`Value`].
impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(Private::RAW_VALUE, AnyValue)
    }
}

/// Gets the text of a value, from a deserializer that has one, or the value.
struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<Document, D::Error> {
        Value::deserialize(value).map(|value| Document::from_value(&value))
    }

    /// As `serde_json` hands out what it calls a raw value.
    fn visit_map<A: MapAccess<'de>>(self, mut raw: A) -> Result<Document, A::Error> {
        if raw.next_key::<Cow<'de, str>>()?.as_deref() != Some(Private::RAW_VALUE) {
            return Err(A::Error::custom("expected a raw value"));
        }
        let text = raw.next_value::<String>()?;
        Document::read(text, Spelling::VERBATIM).map_err(A::Error::custom)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").finish_non_exhaustive()
    }
}
