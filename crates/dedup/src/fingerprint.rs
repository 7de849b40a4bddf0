use serde_json::Value;
use tower_callback_contract::{Callback, Spelling};
use twox_hash::XxHash3_64;

/// Tells the body of one callback from that of another.
///
/// Two bodies that say the same have the same fingerprint: spelling of field names, order of
/// fields, white space, escapes, and a number against the string of its digits make no difference.
/// Stable across processes and versions (XXH3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub u64);

/// A JSON pointer (RFC 6901), taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Pointer(Box<[String]>);

/// Walks a document, and leaves out what the pointers lead to.
#[derive(Clone, Copy)]
struct Walk {
    spelling: Spelling,
}

// Kinds of values, told apart by the seed they are hashed with.
const SCALAR: u64 = 1;
const TEXT: u64 = 2;
const ARRAY: u64 = 3;
const OBJECT: u64 = 4;

// ===== impl Fingerprint =====

impl Fingerprint {
    pub(crate) fn of(callback: &Callback, volatile: &[Pointer]) -> Self {
        let walk = Walk { spelling: callback.spelling() };
        let pointers: Vec<&[String]> = volatile.iter().map(|pointer| &*pointer.0).collect();
        Self(match callback.json() {
            Ok(document) => walk.value(document, &pointers),
            // A contract whose platform does not speak JSON.
            Err(_) => XxHash3_64::oneshot(callback.body()),
        })
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

// ===== impl Walk =====

impl Walk {
    fn value(self, value: &Value, volatile: &[&[String]]) -> u64 {
        match value {
            Value::Null => SCALAR,
            Value::Bool(value) => mix(SCALAR, u64::from(*value)),
            Value::Number(number) => text(&number.to_string()),
            Value::String(string) => text(string),
            Value::Array(items) => items.iter().enumerate().fold(ARRAY, |hash, (at, item)| {
                match self.step(volatile, || at.to_string()) {
                    Some(volatile) => mix(hash, self.value(item, &volatile)),
                    None => mix(hash, ARRAY),
                }
            }),
            // A sum, so that the order of fields makes no difference.
            Value::Object(fields) => fields.iter().fold(OBJECT, |sum, (key, value)| {
                let name = (self.spelling)(key);
                match self.step(volatile, || name.to_owned()) {
                    Some(volatile) => {
                        sum.wrapping_add(mix(text(name), self.value(value, &volatile)))
                    }
                    None => sum,
                }
            }),
        }
    }

    /// The pointers that lead further down behind this name, or `None` if one of them ends here.
    fn step<'p>(
        self,
        volatile: &[&'p [String]],
        name: impl FnOnce() -> String,
    ) -> Option<Vec<&'p [String]>> {
        // Most layers have none: no allocation then.
        if volatile.is_empty() {
            return Some(Vec::new());
        }
        let name = name();
        let down = volatile.iter().filter_map(|pointer| {
            let (first, rest) = pointer.split_first()?;
            ((self.spelling)(first) == name).then_some(rest)
        });
        let down: Vec<_> = down.collect();
        (!down.iter().any(|rest| rest.is_empty())).then_some(down)
    }
}

/// Whether two bodies say different things, as far as both were looked at.
pub(crate) fn differ(one: Option<Fingerprint>, other: Option<Fingerprint>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

fn text(text: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(TEXT, text.as_bytes())
}

fn mix(left: u64, right: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(left, &right.to_le_bytes())
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
    fn bodies_that_say_the_same_are_the_same() {
        let one = fingerprint(r#"{"msg_id":"1","a":[{"b":"ä"}]}"#, &[]);
        assert_eq!(fingerprint(r#"{ "a": [{"b":"\u00e4"}], "msgId": 1 }"#, &[]), one);
        assert_eq!(fingerprint(r#"{"msg_id":"1","msgId":"1","a":[{"b":"ä"}]}"#, &[]), {
            fingerprint(r#"{"msgId":"1","msg_id":"1","a":[{"b":"ä"}]}"#, &[])
        });
    }

    #[test]
    fn bodies_that_say_something_else_differ() {
        let bodies = [
            "{}",
            "[]",
            "null",
            "true",
            "false",
            "0",
            "\"\"",
            "[[]]",
            "[{}]",
            "[null]",
            "[1,2]",
            "[2,1]",
            "[12]",
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":[1]}"#,
            r#"{"a":null}"#,
            "not json",
        ];
        for (at, one) in bodies.iter().enumerate() {
            for other in &bodies[at + 1..] {
                assert_ne!(fingerprint(one, &[]), fingerprint(other, &[]), "{one} {other}");
            }
        }
    }

    #[test]
    fn volatile_fields_make_no_difference() {
        let volatile = ["/seen", "/a/0/t", "/x~1y"];
        let one = fingerprint(r#"{"seen":1,"a":[{"t":1,"u":1}],"x/y":1}"#, &volatile);
        assert_eq!(fingerprint(r#"{"a":[{"t":2,"u":1}]}"#, &volatile), one);
        assert_ne!(fingerprint(r#"{"a":[{"t":2,"u":2}]}"#, &volatile), one);
        assert_ne!(fingerprint(r#"{"a":[{"u":1},{"t":1}]}"#, &volatile), one);
    }

    #[test]
    fn a_volatile_field_is_meant_in_every_spelling() {
        let one = fingerprint(r#"{"msgId":"1"}"#, &["/msg_id"]);
        assert_eq!(fingerprint(r#"{"msg_id":"2"}"#, &["/msgId"]), one);
    }
}
