use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use tower_callback_contract::{Callback, Reason, Refusal, ValueRef, Violation};

use crate::spelling::spelling;

/// Reads a part of the payload; empty where that is absent.
pub(super) fn section<T: DeserializeOwned + Default>(
    callback: &Callback,
    name: &str,
) -> Result<T, Refusal> {
    let value = callback.field(name)?.filter(|value| !value.is_null());
    let read = value.map(|value| T::deserialize(canonical(value))).transpose();
    read.map(Option::unwrap_or_default).map_err(|error| {
        let error = error.to_string();
        // What stands before it quotes the payload.
        let expected = error.rsplit_once("expected ").map_or("another value", |(_, what)| what);
        let message = format!("does not fit: expected {expected}");
        let detail = format!("field `/{name}` {message}");
        let violation = Violation::new(format!("/{name}"), "type", message);
        Refusal::new(Reason::Invalid(violation.into())).detail(detail)
    })
}

/// The value with its fields in their documented spelling. The callback's reader has made sure
/// that two spellings of one field agree, and that the value is not nested deep.
fn canonical(value: ValueRef<'_>) -> Value {
    if let Some(fields) = value.as_object() {
        fields.map(|(key, value)| (spelling(key).to_owned(), canonical(value))).collect()
    } else if let Some(items) = value.as_array() {
        items.map(canonical).collect()
    } else {
        value.to_value()
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
