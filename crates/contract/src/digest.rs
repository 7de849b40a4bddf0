use std::{fmt, str};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use twox_hash::XxHash3_64;

use crate::{Spelling, json};

/// What one pass over a body tells, without building its document.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) digest: u64,
    pub(crate) is_object: bool,
    /// The wanted fields that are there.
    fields: Vec<(&'static str, Captured)>,
}

#[derive(Debug)]
pub(crate) enum Captured {
    Scalar(Value),
    /// An array or object, which only the document has.
    Compound,
}

/// Hashes a value as it goes by. Captures it too if it is a scalar and `CAPTURE` is set.
struct Digester<'a, const CAPTURE: bool> {
    pass: &'a mut Pass,
    /// Fields of this object to capture.
    wanted: &'static [&'static str],
}

struct Pass {
    spelling: Spelling,
    fields: Vec<(&'static str, Captured)>,
    /// The fields of the objects that are open, the innermost last.
    open: Vec<Field>,
}

/// A field by its hashes. Sorts by its canonical name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Field {
    name: u64,
    value: u64,
}

/// Reads a field's name.
struct KeySeed {
    spelling: Spelling,
    wanted: &'static [&'static str],
    is_first: bool,
}

enum Key {
    /// The hash of the field's canonical name, and which of the wanted fields it is.
    Field { name: u64, found: Option<&'static str> },
    /// No field: the map is a number in disguise.
    Number,
}

// Kinds of values, told apart by the seed they are hashed with.
const SCALAR: u64 = 1;
const INTEGER: u64 = 2;
const FLOAT: u64 = 3;
const TEXT: u64 = 4;
const ARRAY: u64 = 5;
const OBJECT: u64 = 6;

/// Goes over a body once. `None` if [`json::parse`] would refuse it, or has to look more closely.
pub(crate) fn scan(
    body: &[u8],
    spelling: Spelling,
    wanted: &'static [&'static str],
) -> Option<Scan> {
    // Looked at once here, its strings need not be looked at one by one.
    let mut json = serde_json::Deserializer::from_str(str::from_utf8(body).ok()?);
    let fields = Vec::with_capacity(wanted.len());
    let mut pass = Pass { spelling, fields, open: Vec::with_capacity(32) };
    let document = Digester::<false> { pass: &mut pass, wanted };
    let (digest, _) = document.deserialize(&mut json).ok()?;
    json.end().ok()?;
    // Only an object and white space start like this.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    Some(Scan { digest, is_object, fields: pass.fields })
}

/// Tells what a document says from what another one says, by 64 bits of XXH3: the same in every
/// process.
///
/// The spelling of field names, their order, white space and escapes make no difference, nor does
/// an integer against the string of its digits.
#[must_use]
pub fn digest(document: &Value, spelling: Spelling) -> u64 {
    match document {
        Value::Null => SCALAR,
        Value::Bool(value) => boolean(*value),
        Value::Number(number) => self::number(number),
        Value::String(string) => text(string),
        Value::Array(items) => {
            items.iter().fold(ARRAY, |hash, item| mix(hash, digest(item, spelling)))
        }
        Value::Object(fields) => {
            let hashed = |(key, value): (&String, &Value)| Field {
                name: opaque(spelling(key).as_bytes()),
                value: digest(value, spelling),
            };
            let mut fields: Vec<_> = fields.iter().map(hashed).collect();
            fields.sort_unstable();
            // Two spellings of a field say the same, or the document would have been refused.
            fields.dedup_by_key(|field| field.name);
            object(&fields)
        }
    }
}

/// The hash of a body in another format than JSON.
pub(crate) fn opaque(body: &[u8]) -> u64 {
    XxHash3_64::oneshot(body)
}

// ===== impl Scan =====

impl Scan {
    pub(crate) fn field(&self, name: &str) -> Option<&Captured> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, captured)| captured)
    }
}

// ===== impl Digester =====

impl<'de, const CAPTURE: bool> DeserializeSeed<'de> for Digester<'_, CAPTURE> {
    type Value = (u64, Option<Value>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, const CAPTURE: bool> Visitor<'de> for Digester<'_, CAPTURE> {
    type Value = (u64, Option<Value>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok((SCALAR, CAPTURE.then_some(Value::Null)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok((boolean(value), CAPTURE.then_some(Value::Bool(value))))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok((unsigned(value), CAPTURE.then(|| value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok((signed(value), CAPTURE.then(|| value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok((mix(FLOAT, value.to_bits()), CAPTURE.then(|| value.into())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok((text(value), CAPTURE.then(|| value.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Self { pass, .. } = self;
        let mut hash = ARRAY;
        while let Some((item, _)) =
            items.next_element_seed(Digester::<false> { pass: &mut *pass, wanted: &[] })?
        {
            hash = mix(hash, item);
        }
        Ok((hash, None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let Self { pass, wanted } = self;
        let first = pass.open.len();
        let seed = |pass: &Pass| KeySeed {
            spelling: pass.spelling,
            wanted,
            is_first: pass.open.len() == first,
        };
        while let Some(key) = fields.next_key_seed(seed(pass))? {
            let Key::Field { name, found } = key else {
                let number = json::number(&fields.next_value::<String>()?)?;
                return Ok((self::number(&number), CAPTURE.then_some(Value::Number(number))));
            };
            let value = if let Some(field) = found {
                let captured = Digester::<true> { pass: &mut *pass, wanted: &[] };
                let (value, scalar) = fields.next_value_seed(captured)?;
                pass.fields.push((field, scalar.map_or(Captured::Compound, Captured::Scalar)));
                value
            } else {
                fields.next_value_seed(Digester::<false> { pass: &mut *pass, wanted: &[] })?.0
            };
            pass.open.push(Field { name, value });
        }
        let open = &mut pass.open[first..];
        open.sort_unstable();
        if open.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return Err(A::Error::custom("a field stands twice"));
        }
        let hash = object(open);
        pass.open.truncate(first);
        Ok((hash, None))
    }
}

// ===== impl KeySeed =====

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let Self { spelling, wanted, is_first } = self;
        if is_first && json::is_number_key(key) {
            return Ok(Key::Number);
        }
        let canonical = spelling(key);
        let found = wanted.iter().copied().find(|field| *field == canonical);
        Ok(Key::Field { name: opaque(canonical.as_bytes()), found })
    }
}

/// A sum, so that the order of fields makes no difference.
fn object(fields: &[Field]) -> u64 {
    fields.iter().fold(OBJECT, |sum, field| sum.wrapping_add(mix(field.name, field.value)))
}

fn number(number: &Number) -> u64 {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(integer), ..) => unsigned(integer),
        (_, Some(integer), _) => signed(integer),
        (_, _, Some(float)) if float.is_finite() => mix(FLOAT, float.to_bits()),
        _ => mix(FLOAT, opaque(number.to_string().as_bytes())),
    }
}

fn boolean(value: bool) -> u64 {
    mix(SCALAR, u64::from(value))
}

fn unsigned(value: u64) -> u64 {
    mix(INTEGER, value)
}

fn signed(value: i64) -> u64 {
    match u64::try_from(value) {
        Ok(value) => unsigned(value),
        Err(_) => mix(INTEGER ^ u64::MAX, value.unsigned_abs()),
    }
}

fn text(text: &str) -> u64 {
    integer(text).unwrap_or_else(|| XxHash3_64::oneshot_with_seed(TEXT, text.as_bytes()))
}

/// The hash of the integer whose decimal digits these are.
fn integer(text: &str) -> Option<u64> {
    let (digits, is_negative) = text.strip_prefix('-').map_or((text, false), |it| (it, true));
    let plain = text == "0" || digits.starts_with(|first| ('1'..='9').contains(&first));
    if !plain || digits.len() > 20 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    if is_negative { text.parse().ok().map(signed) } else { text.parse().ok().map(unsigned) }
}

fn mix(left: u64, right: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(left, &right.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json;

    fn snake(name: &str) -> &str {
        match name {
            "msgId" | "msgID" => "msg_id",
            other => other,
        }
    }

    fn of(body: &str) -> u64 {
        let document = digest(&json::parse(body.as_bytes(), snake).unwrap(), snake);
        if let Some(scan) = scan(body.as_bytes(), snake, &[]) {
            assert_eq!(scan.digest, document, "{body}");
        }
        document
    }

    #[test]
    fn bodies_that_say_the_same_are_the_same() {
        let one = of(r#"{"msg_id":"1","a":[{"b":"ä"}]}"#);
        for same in [
            r#"{ "a": [{"b":"\u00e4"}], "msgId": 1 }"#,
            r#"{"msg_id":"1","msgId":"1","a":[{"b":"ä"}]}"#,
        ] {
            assert_eq!(of(same), one, "{same}");
        }
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
            "-1",
            "1",
            "\"\"",
            "\"01\"",
            "\"-0\"",
            "[[]]",
            "[{}]",
            "[null]",
            "[1,2]",
            "[2,1]",
            "[12]",
            "1.5",
            "\"1.5\"",
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":[1]}"#,
            r#"{"a":null}"#,
            r#"{"a":1,"b":1}"#,
            "18446744073709551615",
        ];
        for (at, one) in bodies.iter().enumerate() {
            for other in &bodies[at + 1..] {
                assert_ne!(of(one), of(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn wanted_fields_are_captured_at_the_top_in_any_spelling() {
        let body = br#"{"x":{"msg_id":"no"},"msgId":"1","n":7,"list":[1],"f":1.5,"z":null}"#;
        let scan = scan(body, snake, &["msg_id", "n", "list", "f", "z", "absent"]).unwrap();
        let scalar = |name| match scan.field(name) {
            Some(Captured::Scalar(value)) => Some(value.clone()),
            _ => None,
        };
        assert_eq!(scalar("msg_id"), Some("1".into()));
        assert_eq!((scalar("n"), scalar("f")), (Some(7.into()), Some(1.5.into())));
        assert_eq!(scalar("z"), Some(Value::Null));
        assert!(matches!(scan.field("list"), Some(Captured::Compound)));
        assert!(scan.field("absent").is_none() && scan.field("x").is_none());
    }

    /// JSON-like text that is often valid, with keys that clash often.
    fn almost_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "null|true|false|0|-0|1|-1|1e5|1e999|[0-9]{1,22}|-[0-9]{1,20}|0\\.5",
            "\"[a-c0-9]{0,3}\"",
            Just("\"\\u00e4\"".to_owned()),
            Just("\"\\ud800\"".to_owned()),
            "\\PC{0,2}",
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let names = vec!["msgId", "msg_id", "$serde_json::private::Number"];
            let key = prop_oneof!["[ab]", prop::sample::select(names).prop_map(str::to_owned)];
            let field = (key, inner.clone()).prop_map(|(key, value)| format!("\"{key}\": {value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..4)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec(field, 0..4)
                    .prop_map(|items| format!("{{{}}}", items.join(","))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        /// Two readers of one body must never see two things.
        #[test]
        fn a_scan_sees_what_the_document_says(body in almost_json()) {
            let document = json::parse(body.as_bytes(), snake).ok();
            let scan = scan(body.as_bytes(), snake, &["msg_id", "a"]);
            // What stands in two spellings is left to the document.
            prop_assert!(document.is_some() || scan.is_none());
            prop_assert!(scan.is_some() || document.is_none() || body.contains("msgId"));
            if let Some((scan, document)) = scan.zip(document) {
                prop_assert_eq!(scan.digest, digest(&document, snake));
                let a = scan.field("a").is_some();
                prop_assert_eq!(a, document.get("a").is_some());
                if let Some(Captured::Scalar(value)) = scan.field("a") {
                    prop_assert_eq!(Some(value), document.get("a"));
                }
            }
        }
    }
}
