use std::{fmt, sync::OnceLock};

use bytes::Bytes;
use rapidhash::v3::rapidhash_v3;
use serde::Deserialize;
use tower_callback_document::{Document, Pointer, Spelling, ValueRef};

use crate::{Reason, Refusal};

/// The body of a callback: its bytes, and what they say as JSON, which is read when first asked for and
/// never again.
///
/// `Debug` shows its length and nothing of the payload.
pub struct Body {
    bytes: Bytes,
    spelling: Spelling,
    document: OnceLock<Result<Document, Refusal>>,
}

impl Body {
    /// A body, with the way in which its platform spells field names.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>, spelling: Spelling) -> Self {
        Self { bytes: bytes.into(), spelling, document: OnceLock::new() }
    }

    /// The body as it arrived.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many bytes of memory it takes, with what was read of it so far.
    #[must_use]
    pub fn size(&self) -> usize {
        let document = self.document.get().and_then(|document| document.as_ref().ok());
        document.map_or(self.bytes.len(), Document::size)
    }

    /// How the platform spells field names.
    #[must_use]
    pub fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// The body as JSON, parsed when first asked for and never again.
    ///
    /// # Errors
    /// [`Reason::Malformed`] for what is not JSON in UTF-8 or is nested more than 127 deep,
    /// [`Reason::Ambiguous`] for two spellings of one field with different values.
    pub fn json(&self) -> Result<ValueRef<'_>, Refusal> {
        Ok(self.read_once()?.root())
    }

    /// The field of this canonical name in the body's object, in whichever spelling it stands: for
    /// what identifies.
    ///
    /// # Errors
    /// Those of [`json`](Self::json), [`Reason::Malformed`] if the body is not a JSON object, and
    /// [`Reason::Ambiguous`] if the field stands twice.
    pub fn field(&self, name: &str) -> Result<Option<ValueRef<'_>>, Refusal> {
        let document = self.json()?;
        if document.as_object().is_none() {
            let refusal = Refusal::new(Reason::Malformed { line: 1, column: 1 });
            return Err(refusal.detail("the body must be a JSON object"));
        }
        Ok(document.field(name)?)
    }

    /// Whether the body's object has a field of this canonical name that is not null.
    ///
    /// # Errors
    /// Those of [`field`](Self::field).
    pub fn has(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.field(name)?.is_some_and(|value| !value.is_null()))
    }

    /// Reads the body into a type: no second parse. What `serde_json` reads, this reads, but no
    /// array for a struct; of a key that stands twice, the last counts.
    ///
    /// # Errors
    /// Those of [`json`](Self::json), and [`Reason::Invalid`], with a detail that names the field
    /// and what it must be.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Refusal> {
        Ok(self.json()?.read()?)
    }

    /// Tells what the body says from what another one says, without what the pointers lead to: see
    /// [`ValueRef::digest`]. Of a body that is not JSON, it tells the bytes.
    #[must_use]
    pub fn digest(&self, ignored: &[Pointer]) -> u64 {
        let document = self.read_once();
        document.map_or_else(|_| rapidhash_v3(&self.bytes), |it| it.root().digest(ignored))
    }

    fn read_once(&self) -> Result<&Document, Refusal> {
        let read = || Ok(Document::read(self.bytes.clone(), self.spelling)?);
        self.document.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// Whether its bytes are these. Compares the buffer, not the bytes: as we hold one, nobody else can
    /// have another at its address.
    #[doc(hidden)]
    #[must_use]
    pub fn holds(&self, bytes: &Bytes) -> bool {
        self.bytes.as_ptr() == bytes.as_ptr() && self.bytes.len() == bytes.len()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_parsed_once() {
        let body = Body::new("{\"a\":1}", Spelling::VERBATIM);
        assert_eq!(body.json().unwrap().address(), body.json().unwrap().address());
    }

    #[test]
    fn a_field_is_found_in_any_spelling() {
        let spelling = Spelling::new(|name| if name == "msgId" { "msg_id" } else { name });
        let body = Body::new("{\"msgId\":\"1\"}", spelling);
        assert_eq!(body.field("msg_id").unwrap().and_then(ValueRef::as_str), Some("1"));
        assert!(body.field("msg_ts").unwrap().is_none());
    }

    #[test]
    fn r04_a_field_that_stands_twice_identifies_nobody() {
        let body = Body::new(r#"{"id":1,"id":1,"x":2,"x":3}"#, Spelling::VERBATIM);
        assert_eq!(body.field("id").unwrap_err().reason().code(), "ambiguous");
        assert_eq!(body.json().unwrap().get("x").and_then(ValueRef::as_u64), Some(3));
    }

    #[test]
    fn only_an_object_has_fields() {
        for text in ["[\"1\"]", "\"1\"", "null", "7"] {
            assert!(Body::new(text, Spelling::VERBATIM).field("0").is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_payload() {
        let body = Body::new("{\"secret\":1}", Spelling::VERBATIM);
        body.json().unwrap();
        assert!(!format!("{body:?}").contains("secret"));
    }
}
