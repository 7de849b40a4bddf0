//! Reads a document that was parsed before into a type.
//!
//! `serde_json` could do so itself, but would take an array for a struct, and quote payload in its
//! errors.

use std::fmt;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error, Expected, IntoDeserializer, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::Number;
use serde_path_to_error::{Path, Segment};

use crate::{Fields, Items, Refusal, ValueRef, json, misfit};

/// Where pointers are cut, in bytes.
const MAX_POINTER: usize = 256;

/// Reads a document.
///
/// # Errors
/// [`Reason::Invalid`], with a detail that names the field and what it must be.
pub(crate) fn read<T: DeserializeOwned>(document: ValueRef<'_>) -> Result<T, Refusal> {
    // To know the place costs a copy of each field's name: it is looked for where it is needed.
    T::deserialize(Node(document)).or_else(|_| read_and_tell(document))
}

fn read_and_tell<T: DeserializeOwned>(document: ValueRef<'_>) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(Node(document)).map_err(|error| {
        let mut pointer = pointer(error.path());
        let misfit = error.into_inner();
        if let Misfit::Missing(field) = misfit {
            push(&mut pointer, field);
        }
        // A type that reads itself names the field itself.
        let said = match (&*pointer, &misfit) {
            ("", Misfit::Custom(said)) => Some(said.clone()),
            (pointer, Misfit::Custom(said)) => Some(format!("field `{pointer}`: {said}")),
            _ => None,
        };
        let refusal = misfit::refusal(pointer, misfit.keyword(), misfit.to_string());
        said.into_iter().fold(refusal, Refusal::detail)
    })
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for step in path {
        match step {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn push(pointer: &mut String, step: &str) {
    pointer.push('/');
    pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    if pointer.len() > MAX_POINTER {
        let end = (0..=MAX_POINTER).rev().find(|&end| pointer.is_char_boundary(end));
        pointer.truncate(end.unwrap_or_default());
        pointer.push('…');
    }
}

/// Why a value does not fit; never the value itself.
#[derive(Debug)]
enum Misfit {
    Missing(&'static str),
    Unknown,
    Expected(String),
    Custom(String),
}

impl Misfit {
    /// What comes next to it in a schema.
    fn keyword(&self) -> &'static str {
        match self {
            Self::Missing(_) => "required",
            Self::Unknown => "additionalProperties",
            Self::Expected(_) | Self::Custom(_) => "type",
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => f.write_str("is missing"),
            Self::Unknown => f.write_str("is not known"),
            Self::Expected(what) => write!(f, "must be {what}"),
            Self::Custom(said) => f.write_str(said),
        }
    }
}

impl std::error::Error for Misfit {}

impl Error for Misfit {
    fn custom<T: fmt::Display>(said: T) -> Self {
        Self::Custom(said.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Expected(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Expected(expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::Expected(expected.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Expected(format!("one of `{}`", expected.join("`, `")))
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::Unknown
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

struct Node<'de>(ValueRef<'de>);

impl<'de> Node<'de> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Self(value) = self;
        if let Some(text) = value.as_str() {
            visitor.visit_borrowed_str(text)
        } else if let Some(number) = value.as_number() {
            visit_number(number, visitor)
        } else if let Some(items) = value.as_array() {
            visit_items(items, visitor)
        } else if let Some(fields) = value.as_object() {
            visit_fields(fields, visitor)
        } else if let Some(value) = value.as_bool() {
            visitor.visit_bool(value)
        } else {
            visitor.visit_unit()
        }
    }
}

fn visit_number<'de, V>(number: &'de Number, visitor: V) -> Result<V::Value, Misfit>
where
    V: Visitor<'de>,
{
    if let Some(number) = number.as_u64() {
        visitor.visit_u64(number)
    } else if let Some(number) = number.as_i64() {
        visitor.visit_i64(number)
    } else if json::numbers_are_disguised() {
        let misfit = |_| Misfit::Expected("another type".to_owned());
        number.deserialize_any(visitor).map_err(misfit)
    } else {
        visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
    }
}

fn visit_items<'de, V>(items: Items<'de>, visitor: V) -> Result<V::Value, Misfit>
where
    V: Visitor<'de>,
{
    let mut items = SeqDeserializer::new(items.map(Node));
    let value = visitor.visit_seq(&mut items)?;
    items.end().map(|()| value)
}

fn visit_fields<'de, V>(fields: Fields<'de>, visitor: V) -> Result<V::Value, Misfit>
where
    V: Visitor<'de>,
{
    visitor.visit_map(map(fields))
}

type FieldAccess<'de, I> = MapDeserializer<'de, I, Misfit>;

fn map(fields: Fields<'_>) -> FieldAccess<'_, impl Iterator<Item = (Name<'_>, Node<'_>)>> {
    MapDeserializer::new(fields.map(|(name, value)| (Name(name), Node(value))))
}

/// A field's name, of which nothing needs a copy.
struct Name<'de>(&'de str);

impl<'de> IntoDeserializer<'de, Misfit> for Name<'de> {
    type Deserializer = serde::de::value::BorrowedStrDeserializer<'de, Misfit>;

    fn into_deserializer(self) -> Self::Deserializer {
        serde::de::value::BorrowedStrDeserializer::new(self.0)
    }
}

impl<'de> IntoDeserializer<'de, Misfit> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0.as_object() {
            Some(fields) => visit_fields(fields, visitor),
            None => Err(Misfit::Expected("a JSON object".to_owned())),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match (self.0.as_str(), self.0.as_object()) {
            (Some(name), _) => visitor.visit_enum(name.into_deserializer()),
            (_, Some(fields)) if fields.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(map(fields)))
            }
            _ => Err(Misfit::unknown_variant("", variants)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fmt::Debug};

    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};

    use super::*;
    use crate::Document;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Order {
        number: u32,
        lines: Vec<Line>,
        state: State,
        #[serde(default)]
        note: Option<String>,
        #[serde(flatten)]
        other: BTreeMap<String, Value>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        price: f64,
        size: (u8, u8),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum State {
        Open,
        Sent(String),
        Lost { by: char },
    }

    fn order() -> Value {
        json!({
            "number": 7, "state": {"lost": {"by": "é"}}, "note": null, "new": [1.5, -1],
            "lines": [{"price": 1, "size": [1, 2]}, {"price": 0.1, "size": [3, 4]}],
        })
    }

    fn read_value<T: DeserializeOwned>(value: &Value) -> Result<T, Refusal> {
        read(Document::from(value).root())
    }

    fn detail<T: DeserializeOwned + Debug>(document: &Value) -> String {
        let problem = read_value::<T>(document).unwrap_err().to_problem();
        let problem: Value = serde_json::from_slice(problem.body()).unwrap();
        problem["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for state in [json!("open"), json!({"sent": "yes"}), json!({"lost": {"by": "é"}})] {
            let mut order = order();
            order["state"] = state;
            let ours: Order = read_value(&order).unwrap();
            assert_eq!(ours, serde_json::from_value(order).unwrap());
        }
        let numbers = json!([u64::MAX, i64::MIN, 0.1, -0.0, 1e300]);
        assert_eq!(read_value::<Value>(&numbers).unwrap(), numbers);
    }

    #[test]
    fn a_misfit_is_named_by_its_place_and_never_by_its_value() {
        let secret = "secret";
        for (pointer, value, said) in [
            ("/number", json!(secret), "field `/number` must be u32"),
            ("/number", json!(-4711), "field `/number` must be u32"),
            ("/lines", json!({secret: 1}), "field `/lines` must be a sequence"),
            ("/lines/1/price", json!(secret), "field `/lines/1/price` must be f64"),
            ("/lines/0", json!([1, [1, 2]]), "field `/lines/0` must be a JSON object"),
            ("/lines/0", json!({"price": 1}), "field `/lines/0/size` is missing"),
            (
                "/lines/0/size",
                json!([1, 2, 3]),
                "field `/lines/0/size` must be 2 elements in sequence",
            ),
            ("/state", json!(secret), "field `/state` must be one of `open`, `sent`, `lost`"),
            ("/state", json!(4711), "field `/state` must be one of `open`, `sent`, `lost`"),
            ("/note", json!([secret]), "field `/note` must be a string"),
        ] {
            let mut order = order();
            *order.pointer_mut(pointer).unwrap() = value;
            assert_eq!(detail::<Order>(&order), said);
        }
        assert_eq!(detail::<Line>(&json!([1, 2])), "the document must be a JSON object");
        let unknown = json!({"price": 1, "size": [1, 2], "x": secret});
        assert_eq!(detail::<Line>(&unknown), "field `/x` is not known");
    }

    #[test]
    fn a_long_pointer_is_cut() {
        let deep = json!({"a~/b".repeat(1_000): "x"});
        let said = detail::<BTreeMap<String, u8>>(&deep);
        assert!(said.starts_with("field `/a~0~1b") && said.len() < 300, "{said}");
    }
}
