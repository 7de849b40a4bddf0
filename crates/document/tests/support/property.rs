//! What holds of every body whatever: for the fuzzer, and for tests without it.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write},
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use tower_callback_document::{Document, Pointer, ReadErrorKind, Spelling, ValueRef};

/// Short names, so that they clash often.
const SPELLING: Spelling = Spelling::new(canonical).with_free_fields(is_free);

fn canonical(name: &str) -> &str {
    match name {
        "msgId" | "msgID" => "msg_id",
        "A" | "Á" => "a",
        "F" => "f",
        other => other,
    }
}

fn is_free(name: &str) -> bool {
    name == "f"
}

/// What `serde_json` sees in a body, and what it does not tell.
#[derive(Default)]
struct Seen {
    /// A field stands in two spellings with different values.
    has_clash: Cell<bool>,
    /// A field stands in two spellings.
    is_respelled: Cell<bool>,
    /// The names that stand twice in the outermost object.
    twice: Cell<BTreeSet<String>>,
}

/// Reads a body as `serde_json` does, and as we do, and compares.
///
/// # Panics
/// Panics if we do not see what `serde_json` sees.
pub(crate) fn holds(body: &[u8]) {
    if takes_names_for_its_own(body) {
        return;
    }
    let seen = Seen::default();
    let theirs = model(body, &seen);
    let (theirs, document) = match (theirs, Document::read(body.to_vec(), SPELLING)) {
        (Ok(value), Ok(document)) => (value, document),
        (Ok(_), Err(error)) => {
            assert_eq!(error.kind(), ReadErrorKind::Ambiguous, "{error}");
            assert!(seen.is_respelled.get(), "{error}");
            return;
        }
        (Err(_), Err(error)) => {
            let _ = (error.to_string(), error.line(), error.column());
            return;
        }
        (Err(error), Ok(_)) => panic!("serde_json refuses it: {error}"),
    };
    assert!(!seen.has_clash.get(), "two spellings with different values");
    let root = document.root();
    same_value(root, &theirs);
    same_fields(root, &theirs, &seen.twice.take());
    same_again(root, &theirs);
    same_digest(root);
}

/// Whether `serde_json` takes an object of a sender's for a number or raw value: so it does with its
/// features `arbitrary_precision` and `raw_value`.
pub(crate) fn takes_names_for_its_own(body: &[u8]) -> bool {
    const PREFIX: &[u8] = b"$serde_json::private::";
    let objects =
        ["Number", "RawValue"].map(|name| format!("{{\"$serde_json::private::{name}\":\"1\"}}"));
    let mut read = objects.iter().map(|object| serde_json::from_str::<Value>(object));
    read.any(|value| value.is_ok_and(|value| value.is_number()))
        && body.windows(PREFIX.len()).any(|part| part == PREFIX)
}

fn same_value(root: ValueRef<'_>, value: &Value) {
    assert_eq!(root.to_value(), *value);
    assert!(root == *value);
    assert_eq!(root.read::<Value>().as_ref(), Ok(value));
    for (ours, theirs) in
        root.as_array().into_iter().flatten().zip(value.as_array().into_iter().flatten())
    {
        assert_eq!(ours.as_number().as_ref(), theirs.as_number());
        assert_eq!(ours.as_u64(), theirs.as_u64());
        // An integer only with the feature `arbitrary_precision`.
        assert!(ours.raw() == "-0" || ours.as_i64() == theirs.as_i64());
        assert_eq!(ours.as_f64(), theirs.as_f64());
    }
}

fn same_fields(root: ValueRef<'_>, value: &Value, twice: &BTreeSet<String>) {
    let Some(fields) = root.as_object() else { return };
    let object = value.as_object().expect("an object");
    assert_eq!(fields.len(), object.len());
    for (name, value) in fields {
        let pointer = format!("/{}", Pointer::escape(name));
        assert!(root.get(name) == Some(value));
        assert!(root.pointer(&pointer) == Some(value));
        let there: Vec<_> = root.at(&pointer.parse().expect("a pointer")).collect();
        assert_eq!(there.len(), 1);
        let is_twice = twice.iter().any(|twice| canonical(twice) == canonical(name));
        assert_eq!(root.field(name).is_err(), is_twice, "{name}");
        let alone = Document::read(value.raw().to_owned(), Spelling::VERBATIM);
        assert!(alone.expect("it was read before").root().to_value() == value.to_value());
    }
}

/// Written down and read again it is the same.
fn same_again(root: ValueRef<'_>, value: &Value) {
    let text = serde_json::to_string(&root).expect("it is written");
    let again = Document::read(text, SPELLING).expect("it is read again");
    assert_eq!(again.root().to_value(), *value);
    // But for digits that a float does not hold.
    if again.root() == root {
        assert_eq!(again.root().digest(&[]), root.digest(&[]));
        let hash = |value: ValueRef<'_>| {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(again.root()), hash(root));
    }
    let copy = Document::from_value(value);
    assert!(copy.root() == *value);
}

/// What is written otherwise has one digest.
fn same_digest(root: ValueRef<'_>) {
    let mut other = String::new();
    write_otherwise(root, &mut other);
    let other = Document::read(other, SPELLING).expect("it is read again");
    assert_eq!(other.root().digest(&[]), root.digest(&[]));
    let everything = Pointer::parse("").expect("a pointer");
    let null = Document::from_value(&Value::Null);
    assert_eq!(root.digest(&[everything]), null.root().digest(&[]));
}

/// Turns the order of fields round, escapes all, drops fields that are null, adds white space.
fn write_otherwise(value: ValueRef<'_>, to: &mut String) {
    if let Some(fields) = value.as_object() {
        let fields: Vec<_> = fields.filter(|(_, value)| !value.is_null()).collect();
        to.push_str("{\n");
        for (index, (name, value)) in fields.into_iter().rev().enumerate() {
            to.push_str(if index == 0 { " " } else { " ,\r" });
            write_escaped(name, to);
            to.push_str(" : ");
            write_otherwise(value, to);
        }
        to.push_str("\t}");
    } else if let Some(items) = value.as_array() {
        to.push('[');
        for (index, item) in items.enumerate() {
            to.push_str(if index == 0 { " " } else { " , " });
            write_otherwise(item, to);
        }
        to.push_str(" ]");
    } else if let Some(text) = value.as_str() {
        write_escaped(text, to);
    } else if let Some(integer) = value.as_integer() {
        write!(to, "\"{integer}\"").expect("it is written");
    } else if value.as_f64().is_some() && !value.raw().contains(['e', 'E']) {
        let point = if value.raw().contains('.') { "" } else { ".0" };
        write!(to, "{}{point}00E-0", value.raw()).expect("it is written");
    } else {
        to.push_str(value.raw());
    }
}

fn write_escaped(text: &str, to: &mut String) {
    to.push('"');
    for unit in text.encode_utf16() {
        write!(to, "\\u{unit:04x}").expect("it is written");
    }
    to.push('"');
}

fn model(body: &[u8], seen: &Seen) -> serde_json::Result<Value> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = Model { seen, is_free: false, depth: 0 }.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// Reads what `Value` reads, and looks at the names.
#[derive(Clone, Copy)]
struct Model<'a> {
    seen: &'a Seen,
    is_free: bool,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Model<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Model<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Self { depth: self.depth + 1, ..self })? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut twice = BTreeSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            // With the feature `arbitrary_precision`.
            if key == "$serde_json::private::Number"
                && serde_json::from_str::<Value>("1e400").is_ok()
            {
                let number = fields.next_value::<String>()?;
                let float: f64 = number.parse().map_err(serde::de::Error::custom)?;
                if float.is_infinite() {
                    return Err(serde::de::Error::custom("number out of range"));
                }
                return number.parse().map(Value::Number).map_err(serde::de::Error::custom);
            }
            let is_free = self.is_free || is_free(canonical(&key));
            let below = Self { is_free, depth: self.depth + 1, ..self };
            if object.insert(key.clone(), fields.next_value_seed(below)?).is_some() {
                twice.insert(key);
            }
        }
        let mut known = BTreeMap::new();
        for (key, value) in &object {
            let name = if self.is_free { key } else { canonical(key) };
            if let Some(other) = known.insert(name, value) {
                self.seen.is_respelled.set(true);
                self.seen.has_clash.set(self.seen.has_clash.get() || other != value);
            }
        }
        if self.depth == 0 {
            self.seen.twice.set(twice);
        }
        Ok(Value::Object(object))
    }
}
