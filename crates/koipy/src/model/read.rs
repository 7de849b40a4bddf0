use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use tower_callback_contract::{Mismatch, ValueRef};

/// Reads a part of a request; empty where that is absent.
pub(super) fn section<T: DeserializeOwned + Default>(
    request: ValueRef<'_>,
    name: &str,
) -> Result<T, Mismatch> {
    let Some(mut fields) = request.as_object() else {
        return Err(Mismatch::new("must be a JSON object"));
    };
    let value = fields.find(|(field, _)| request.meaning(field) == name).map(|(_, value)| value);
    let value = value.filter(|value| !value.is_null());
    let Some(value) = value else { return Ok(T::default()) };
    T::deserialize(canonical(value)).map_err(|error| {
        let error = error.to_string();
        // What stands before it quotes the payload.
        let expected = error.rsplit_once("expected ").map_or("another value", |(_, what)| what);
        Mismatch::new(format!("does not fit: expected {expected}")).under(name)
    })
}

/// The value with its fields in their documented spelling. Whatever reads JSON has made sure that it is
/// not nested deep.
fn canonical(value: ValueRef<'_>) -> Value {
    if let Some(fields) = value.as_object() {
        let fields = fields.map(|(name, field)| (value.meaning(name).to_owned(), canonical(field)));
        Value::Object(fields.collect())
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
