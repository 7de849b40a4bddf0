use serde_json::Value;
use tower_callback_contract::{Callback, Spelling, ValueRef, digest};

/// Tells the body of one callback from that of another: the [`digest`] of what it says, without
/// the fields that change from copy to copy. Tells accidents, not forgeries: whoever can send
/// callbacks can make two bodies of one fingerprint, and gains what sending the first again gains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub u64);

/// A JSON pointer (RFC 6901), taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Pointer(Box<[String]>);

// ===== impl Fingerprint =====

impl Fingerprint {
    pub(crate) fn of(callback: &Callback, volatile: &[Pointer]) -> Self {
        if volatile.is_empty() {
            return Self(callback.digest());
        }
        let Ok(mut document) = callback.json().map(ValueRef::to_value) else {
            return Self(callback.digest());
        };
        let spelling = callback.spelling();
        for pointer in volatile {
            cut(&mut document, &pointer.0, spelling);
        }
        Self(digest(&document, spelling))
    }
}

// ===== impl Pointer =====

impl Pointer {
    /// `None` if it does not start with a slash.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let tokens = text.strip_prefix('/')?.split('/');
        Some(Self(tokens.map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

/// Whether two bodies say different things, as far as both were looked at.
pub(crate) fn differ(one: Option<Fingerprint>, other: Option<Fingerprint>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

/// Cuts out what a pointer leads to, in every spelling.
fn cut(value: &mut Value, pointer: &[String], spelling: Spelling) {
    let Some((token, rest)) = pointer.split_first() else { return };
    match value {
        Value::Object(fields) if rest.is_empty() => {
            fields.retain(|key, _| spelling(key) != spelling(token));
        }
        Value::Object(fields) => {
            let meant = fields.iter_mut().filter(|(key, _)| spelling(key) == spelling(token));
            meant.for_each(|(_, value)| cut(value, rest, spelling));
        }
        Value::Array(items) => match index(token).and_then(|at| items.get_mut(at)) {
            Some(item) if rest.is_empty() => *item = Value::Null,
            Some(item) => cut(item, rest, spelling),
            None => {}
        },
        _ => {}
    }
}

/// The place in an array that a token means: without a sign, without leading zeros.
fn index(token: &str) -> Option<usize> {
    let at: usize = token.parse().ok()?;
    (at.to_string() == token).then_some(at)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn fingerprint(body: &str, volatile: &[&str]) -> Fingerprint {
        let spelling: Spelling = |name| if name == "msgId" { "msg_id" } else { name };
        let volatile: Vec<_> =
            volatile.iter().map(|pointer| Pointer::parse(pointer).unwrap()).collect();
        Fingerprint::of(&Callback::new(Bytes::from(body.to_owned()), spelling), &volatile)
    }

    #[test]
    fn volatile_fields_make_no_difference() {
        let volatile = ["/seen", "/a/0/t", "/b/1", "/x~1y", "/none/of/these"];
        let one = fingerprint(r#"{"seen":1,"a":[{"t":1,"u":1}],"b":[1,2],"x/y":1}"#, &volatile);
        assert_eq!(fingerprint(r#"{"a":[{"t":2,"u":1}],"b":[1,3]}"#, &volatile), one);
        assert_ne!(fingerprint(r#"{"a":[{"t":2,"u":2}],"b":[1,3]}"#, &volatile), one);
        assert_ne!(fingerprint(r#"{"a":[{"u":1},{"t":1}],"b":[1,3]}"#, &volatile), one);
        assert_ne!(fingerprint(r#"{"a":[{"t":2,"u":1}],"b":[1]}"#, &volatile), one);
    }

    #[test]
    fn a_volatile_field_is_meant_in_every_spelling() {
        let one = fingerprint(r#"{"msgId":"1"}"#, &["/msg_id"]);
        assert_eq!(fingerprint(r#"{"msg_id":"2"}"#, &["/msgId"]), one);
        assert_ne!(fingerprint(r#"{"msg_id":"2"}"#, &[]), one);
    }

    #[test]
    fn a_body_that_is_not_json_counts_by_its_bytes() {
        assert_eq!(fingerprint("<xml>", &["/a"]), fingerprint("<xml>", &[]));
        assert_ne!(fingerprint("<xml>", &[]), fingerprint("<xml >", &[]));
    }
}
