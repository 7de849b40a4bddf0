use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value, map::Entry};
use tower_callback_contract::{Misfit, ValueRef};

use crate::spelling::spelling;

/// Reads a part of a request; empty where that is absent.
pub(super) fn section<T: DeserializeOwned + Default>(
    request: ValueRef<'_>,
    name: &str,
) -> Result<T, Misfit> {
    let Some(mut fields) = request.as_object() else {
        return Err(Misfit::new("must be a JSON object"));
    };
    let value = fields.find(|(field, _)| spelling(field) == name).map(|(_, value)| value);
    let value = value.filter(|value| !value.is_null());
    let Some(value) = value else { return Ok(T::default()) };
    let value = canonical(value)
        .ok_or_else(|| Misfit::new("has two spellings with different values").under(name))?;
    T::deserialize(value).map_err(|error| {
        let error = error.to_string();
        // What stands before it quotes the payload.
        let expected = error.rsplit_once("expected ").map_or("another value", |(_, what)| what);
        Misfit::new(format!("does not fit: expected {expected}")).under(name)
    })
}

/// The value with its fields in their documented spelling; `None` if two spellings of one differ. The
/// callback's reader has made sure that they do not, and whatever reads JSON, that it is not nested
/// deep.
fn canonical(value: ValueRef<'_>) -> Option<Value> {
    if let Some(fields) = value.as_object() {
        let mut named = Map::new();
        for (key, value) in fields {
            let value = canonical(value)?;
            match named.entry(spelling(key)) {
                Entry::Occupied(known) if *known.get() != value => return None,
                field => field.or_insert(value),
            };
        }
        Some(Value::Object(named))
    } else if let Some(items) = value.as_array() {
        items.map(canonical).collect()
    } else {
        Some(value.to_value())
    }
}

/// An integer, which may be written as a string of its digits.
pub(super) fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) if text.parse::<i64>().is_ok() => Ok(text.parse().ok()),
        Value::Number(number) if number.as_i64().is_some() => Ok(number.as_i64()),
        _ => Err(serde::de::Error::custom("expected an integer")),
    }
}

/// A text, which may be written as an integer.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) if !number.is_f64() => Ok(Some(number.to_string())),
        _ => Err(serde::de::Error::custom("expected a string")),
    }
}

/// A list, which is empty where it is null.
pub(super) fn list<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(from).map(Option::unwrap_or_default)
}
