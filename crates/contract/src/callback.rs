use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, request};
use tokio::time::Instant;

use crate::{
    Contract, Envelope, Limits, Reason, Refusal, Spelling, ValueRef, digest,
    read::{Read, read},
};

/// One request of a platform, read once: lives in the request's extensions and is cheap to clone.
///
/// A handler of axum's takes it as `Extension<Callback>`; what it says, read into a type, as
/// `Payload<T>`, with the feature `axum`.
///
/// `Debug` shows its envelope and nothing else of the payload.
#[derive(Clone)]
pub struct Callback {
    inner: Arc<Inner>,
}

struct Inner {
    body: Bytes,
    spelling: Spelling,
    read: OnceLock<Result<Read, Refusal>>,
    envelope: OnceLock<Envelope>,
    received: Option<Received>,
}

/// How a callback came to be, so that a later layer knows whether it may take it over.
#[derive(Clone, Copy)]
pub(crate) struct Received {
    pub(crate) contract: &'static str,
    pub(crate) limits: Limits,
    pub(crate) came: Instant,
}

impl Callback {
    /// A callback that no layer has received: it has a body, and an empty envelope.
    #[must_use]
    pub fn new(body: Bytes, spelling: Spelling) -> Self {
        Self::from_parts(body, spelling, None)
    }

    pub(crate) fn receive<C: Contract>(
        contract: &C,
        received: Received,
        head: &request::Parts,
        body: Bytes,
    ) -> Result<Self, Refusal> {
        let callback = Self::from_parts(body, contract.spelling(), Some(received));
        let envelope = contract.identify(head, &callback)?;
        callback.inner.envelope.set(envelope).expect("only this line sets it");
        Ok(callback)
    }

    fn from_parts(body: Bytes, spelling: Spelling, received: Option<Received>) -> Self {
        let (read, envelope) = (OnceLock::new(), OnceLock::new());
        Self { inner: Arc::new(Inner { body, spelling, read, envelope, received }) }
    }

    /// The request with its body again, and this callback in its extensions.
    #[must_use]
    pub fn into_request<B: From<Bytes>>(self, mut head: request::Parts) -> Request<B> {
        let body = B::from(self.inner.body.clone());
        let known = head.extensions.get::<Self>();
        // For all layers but the first, it is there already.
        if !known.is_some_and(|known| Arc::ptr_eq(&known.inner, &self.inner)) {
            head.extensions.insert(self);
        }
        Request::from_parts(head, body)
    }

    /// The body as it arrived.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    /// Who the callback is; empty where no layer has [received](crate::receive) it.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        const NOBODY: &Envelope = &Envelope { id: None, conversation: None, sent_at: None };
        self.inner.envelope.get().unwrap_or(NOBODY)
    }

    /// The body as JSON, parsed when first asked for and never again.
    ///
    /// # Errors
    /// [`Reason::Malformed`] for what is not JSON in UTF-8 or is nested more than 128 deep,
    /// [`Reason::Ambiguous`] for a key that stands twice in one object and for two spellings of
    /// one field with different values.
    pub fn json(&self) -> Result<ValueRef<'_>, Refusal> {
        Ok(self.read()?.document.root())
    }

    /// The field of this canonical name in the body's object, in whichever spelling it stands.
    ///
    /// # Errors
    /// Those of [`json`](Self::json), and [`Reason::Malformed`] if the body is no JSON object.
    pub fn field(&self, name: &str) -> Result<Option<ValueRef<'_>>, Refusal> {
        let document = self.json()?;
        let Some(mut fields) = document.as_object() else {
            let refusal = Refusal::new(Reason::Malformed { line: 1, column: 1 });
            return Err(refusal.detail("the body must be a JSON object"));
        };
        let spelling = self.inner.spelling;
        let mut spelled_otherwise = || fields.find(|(field, _)| spelling(field) == name);
        Ok(document.get(name).or_else(|| spelled_otherwise().map(|(_, value)| value)))
    }

    /// Whether the body's object has a field of this canonical name that is not null.
    ///
    /// # Errors
    /// Those of [`field`](Self::field).
    pub fn has(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.field(name)?.is_some_and(|value| !value.is_null()))
    }

    /// The [`digest`](crate::digest) of what the body says; of its bytes, if it is not JSON.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.read().map_or_else(|_| digest::opaque(&self.inner.body), |read| read.digest)
    }

    fn read(&self) -> Result<&Read, Refusal> {
        let Inner { body, spelling, read: known, .. } = &*self.inner;
        known.get_or_init(|| read(body, *spelling)).as_ref().map_err(Clone::clone)
    }

    /// How long ago its first layer saw it. Zero where no layer has [received](crate::receive) it.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.inner.received.map_or(Duration::ZERO, |received| received.came.elapsed())
    }

    pub(crate) fn came(&self) -> Option<Instant> {
        self.inner.received.map(|received| received.came)
    }

    /// How the platform spells field names.
    #[must_use]
    pub fn spelling(&self) -> Spelling {
        self.inner.spelling
    }

    /// The limits it was received under, which bind every later layer too.
    pub(crate) fn limits(&self) -> Option<Limits> {
        self.inner.received.map(|received| received.limits)
    }

    /// Whether this is what `contract` would make of `body`.
    pub(crate) fn is_of(&self, contract: &'static str, body: &Bytes) -> bool {
        self.holds(body)
            && self.inner.received.is_some_and(|received| received.contract == contract)
    }

    /// Whether its body is this one. Compares the buffer, not its bytes: as we hold one, nobody
    /// else can have another at its address.
    pub(crate) fn holds(&self, body: &Bytes) -> bool {
        let ours = &self.inner.body;
        ours.as_ptr() == body.as_ptr() && ours.len() == body.len()
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("bytes", &self.inner.body.len())
            .field("envelope", self.envelope())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::as_written;

    #[test]
    fn json_is_parsed_once_for_all_clones() {
        let callback = Callback::new(Bytes::from_static(b"{\"a\":1}"), as_written);
        let copy = callback.clone();
        assert_eq!(callback.json().unwrap().address(), copy.json().unwrap().address());
    }

    #[test]
    fn a_field_is_found_in_any_spelling() {
        let spelling: Spelling = |name| if name == "msgId" { "msg_id" } else { name };
        let callback = Callback::new(Bytes::from_static(b"{\"msgId\":\"1\"}"), spelling);
        assert_eq!(callback.field("msg_id").unwrap().and_then(ValueRef::as_str), Some("1"));
        assert!(callback.field("msg_ts").unwrap().is_none());
    }

    #[test]
    fn only_an_object_has_fields() {
        for body in ["[\"1\"]", "\"1\"", "null", "7"] {
            let callback = Callback::new(Bytes::from(body), as_written);
            assert!(callback.field("0").is_err(), "{body}");
        }
    }

    #[test]
    fn debug_shows_no_payload() {
        let callback = Callback::new(Bytes::from_static(b"{\"secret\":1}"), as_written);
        callback.json().unwrap();
        assert!(!format!("{callback:?}").contains("secret"));
    }
}
