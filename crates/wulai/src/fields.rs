use std::time::Duration;

use serde::{
    Deserialize,
    de::value::{Error as NoWord, StrDeserializer},
};
use serde_json::{Map, Value};
use tower_callback_contract::{Body, Document, Mismatch, Refusal, Timestamp, ValueRef};

use crate::spelling::spelling;

/// The fields of one JSON object, to be taken by their canonical names.
///
/// Models are read through it rather than by serde's derive, which takes an array for an object,
/// refuses two spellings that agree, and quotes payload in its errors.
pub(crate) struct Fields<'a>(Vec<Field<'a>>);

struct Field<'a> {
    key: &'a str,
    /// The canonical name.
    name: &'a str,
    value: ValueRef<'a>,
    is_taken: bool,
}

/// What models are read from by serde.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Whole(Document);

// ===== impl Fields =====

impl<'a> Fields<'a> {
    /// Takes a field that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(ValueRef<'a>) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        self.optional(name, read)?.ok_or_else(|| Mismatch::missing().under(name))
    }

    /// Takes a field that may be absent or null.
    pub(crate) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(ValueRef<'a>) -> Result<T, Mismatch>,
    ) -> Result<Option<T>, Mismatch> {
        self.take(name)
            .and_then(|value| value.map(read).transpose())
            .map_err(|mismatch| mismatch.under(name))
    }

    /// Takes an array that may be absent or null, which is the same as empty.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        item: impl Fn(ValueRef<'a>) -> Result<T, Mismatch>,
    ) -> Result<Vec<T>, Mismatch> {
        self.optional(name, list_of(item)).map(Option::unwrap_or_default)
    }

    /// Whether a field is there and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|field| field.name == name && !field.value.is_null())
    }

    /// The spellings in which a field stands.
    pub(crate) fn keys(&self, name: &str) -> Vec<String> {
        let fields = self.0.iter().filter(|field| field.name == name);
        fields.map(|field| field.key.to_owned()).collect()
    }

    /// What nobody took, as it was spelled.
    pub(crate) fn rest(self) -> Map<String, Value> {
        let left = self.0.into_iter().filter(|field| !field.is_taken);
        left.map(|field| (field.key.to_owned(), field.value.to_value())).collect()
    }

    fn take(&mut self, name: &str) -> Result<Option<ValueRef<'a>>, Mismatch> {
        let mut taken: Option<ValueRef<'a>> = None;
        for field in self.0.iter_mut().filter(|field| field.name == name) {
            field.is_taken = true;
            if taken.is_some_and(|taken| taken != field.value) {
                return Err(Mismatch::new("has two spellings with different values"));
            }
            taken = Some(field.value);
        }
        Ok(taken.filter(|value| !value.is_null()))
    }
}

impl<'a> TryFrom<ValueRef<'a>> for Fields<'a> {
    type Error = Mismatch;

    fn try_from(value: ValueRef<'a>) -> Result<Self, Mismatch> {
        let fields = value.as_object().ok_or_else(|| Mismatch::new("must be a JSON object"))?;
        let field = |(key, value)| Field { key, name: spelling(key), value, is_taken: false };
        Ok(Self(fields.map(field).collect()))
    }
}

// ===== impl Whole =====

impl Whole {
    pub(crate) fn read<T>(&self) -> Result<T, Mismatch>
    where
        T: for<'a> TryFrom<Fields<'a>, Error = Mismatch>,
    {
        object(self.0.root())
    }
}

/// Reads a callback's document, which was parsed before, as a model.
pub(crate) fn read<T>(body: &Body) -> Result<T, Refusal>
where
    T: for<'a> TryFrom<Fields<'a>, Error = Mismatch>,
{
    Ok(object(body.json()?)?)
}

/// The field of this canonical name, in whichever spelling it stands.
pub(crate) fn get<'m>(object: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    let other = || object.iter().find(|(key, _)| spelling(key) == name);
    object.get(name).or_else(|| other().map(|(_, value)| value))
}

/// The spellings in which a field stands; empty if it is absent.
pub(crate) fn keys_of(object: &Map<String, Value>, name: &str) -> Vec<String> {
    let keys = object.keys().filter(|key| spelling(key) == name);
    keys.cloned().collect()
}

pub(crate) fn object<'a, T>(value: ValueRef<'a>) -> Result<T, Mismatch>
where
    T: TryFrom<Fields<'a>, Error = Mismatch>,
{
    Fields::try_from(value)?.try_into()
}

pub(crate) fn list_of<'a, T>(
    item: impl Fn(ValueRef<'a>) -> Result<T, Mismatch>,
) -> impl FnOnce(ValueRef<'a>) -> Result<Vec<T>, Mismatch> {
    move |value| {
        let items = value.as_array().ok_or_else(|| Mismatch::new("must be an array"))?;
        let numbered = items.enumerate();
        numbered
            .map(|(index, value)| item(value).map_err(|mismatch| mismatch.under(index)))
            .collect()
    }
}

pub(crate) fn map(value: ValueRef<'_>) -> Result<Map<String, Value>, Mismatch> {
    match value.to_value() {
        Value::Object(fields) => Ok(fields),
        _ => Err(Mismatch::new("must be a JSON object")),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "has the signature of the other readers")]
pub(crate) fn anything(value: ValueRef<'_>) -> Result<Value, Mismatch> {
    Ok(value.to_value())
}

/// At most so many of a list.
pub(crate) fn at_most<'a, T>(
    max: usize,
    list: impl FnOnce(ValueRef<'a>) -> Result<Vec<T>, Mismatch>,
) -> impl FnOnce(ValueRef<'a>) -> Result<Vec<T>, Mismatch> {
    move |value| match list(value)? {
        items if items.len() <= max => Ok(items),
        _ => Err(Mismatch::new(format!("must have at most {max} items"))),
    }
}

/// An object of which at most one of these fields is there.
pub(crate) fn one_of<'a, const N: usize>(
    names: [&'static str; N],
) -> impl FnOnce(ValueRef<'a>) -> Result<Map<String, Value>, Mismatch> {
    move |value| {
        let fields = map(value)?;
        let there = |name: &&str| fields.get(*name).is_some_and(|value| !value.is_null());
        match names.iter().filter(|name| there(name)).count() {
            0 | 1 => Ok(fields),
            _ => Err(Mismatch::new(format!("must have at most one of {}", names.join(", ")))),
        }
    }
}

pub(crate) fn text(value: ValueRef<'_>) -> Result<String, Mismatch> {
    value.as_str().map(str::to_owned).ok_or_else(|| Mismatch::new("must be a string"))
}

/// A text of so many characters, which are Unicode scalar values.
pub(crate) fn chars<'a>(
    min: usize,
    max: usize,
) -> impl FnOnce(ValueRef<'a>) -> Result<String, Mismatch> {
    move |value| text(value).and_then(|text| of_length(min, max, text))
}

/// A string, or an integer as its decimal text: what an [`Id`](tower_callback_contract::Id) takes.
pub(crate) fn id_text(value: ValueRef<'_>) -> Result<String, Mismatch> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let number = value.as_integer();
    let number = number.ok_or_else(|| Mismatch::new("must be a string or an integer"))?;
    Ok(number.to_string())
}

/// The same, of 1 to so many characters.
pub(crate) fn id<'a>(max: usize) -> impl FnOnce(ValueRef<'a>) -> Result<String, Mismatch> {
    move |value| id_text(value).and_then(|text| of_length(1, max, text))
}

fn of_length(min: usize, max: usize, text: String) -> Result<String, Mismatch> {
    // No text has more characters than bytes.
    let fits = text.len() <= max || text.chars().nth(max).is_none();
    if fits && (min == 0 || !text.is_empty()) {
        return Ok(text);
    }
    Err(Mismatch::new(match min {
        0 => format!("must have at most {max} characters"),
        _ => format!("must have {min} to {max} characters"),
    }))
}

/// A word of a list that may grow.
pub(crate) fn word<T: for<'de> Deserialize<'de>>(value: ValueRef<'_>) -> Result<T, Mismatch> {
    value.as_str().and_then(word_of).ok_or_else(|| Mismatch::new("must be a string"))
}

pub(crate) fn word_of<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<NoWord>::new(text)).ok()
}

pub(crate) fn flag(value: ValueRef<'_>) -> Result<bool, Mismatch> {
    value.as_bool().ok_or_else(|| Mismatch::new("must be a boolean"))
}

pub(crate) fn score(value: ValueRef<'_>) -> Result<f64, Mismatch> {
    let score = value.as_f64().filter(|score| *score <= 1.0);
    score.ok_or_else(|| Mismatch::new("must be a number up to 1"))
}

/// A number of seconds, up to a week.
pub(crate) fn delay(value: ValueRef<'_>) -> Result<Duration, Mismatch> {
    let seconds = value.as_integer().and_then(|seconds| seconds.try_into().ok());
    let seconds = seconds.filter(|seconds| *seconds <= 7 * 24 * 60 * 60);
    let delay = seconds.map(Duration::from_secs);
    delay.ok_or_else(|| Mismatch::new("must be a whole number of seconds, up to 604800"))
}

/// A number or a string, without a meaning of its own.
pub(crate) fn opaque(value: ValueRef<'_>) -> Result<Value, Mismatch> {
    match value.to_value() {
        value @ (Value::Number(_) | Value::String(_)) => Ok(value),
        _ => Err(Mismatch::new("must be a number or a string")),
    }
}

pub(crate) fn time(value: ValueRef<'_>) -> Result<Timestamp, Mismatch> {
    // As many digits as are sure to be a number of 64 bits.
    let is_short = value.as_str().is_none_or(|text| text.len() <= 19);
    let time = Timestamp::from_json(value).filter(|_| is_short);
    time.ok_or_else(|| Mismatch::new("must be a time in milliseconds"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(document: &Document) -> Fields<'_> {
        Fields::try_from(document.root()).unwrap()
    }

    #[test]
    fn a_field_is_taken_in_every_spelling_at_once() {
        let document = json!({"similarResponse": [1], "similar_responses": [1], "x": 2});
        let document = Document::from(&document);
        let mut fields = fields(&document);
        assert_eq!(fields.optional("similar_response", anything), Ok(Some(json!([1]))));
        assert_eq!(Value::from(fields.rest()), json!({"x": 2}));
    }

    #[test]
    fn spellings_that_differ_are_refused() {
        let document = Document::from(&json!({"msgId": "secret", "msg_id": "other"}));
        let mut fields = fields(&document);
        let mismatch = fields.required("msg_id", text).unwrap_err().to_string();
        assert_eq!(mismatch, "field `/msg_id` has two spellings with different values");
    }

    #[test]
    fn null_is_absent() {
        let document = Document::from(&json!({"a": null, "b": null}));
        let mut fields = fields(&document);
        assert!(!fields.has("a"));
        assert_eq!(fields.optional("a", text), Ok(None));
        assert_eq!(fields.required("b", text), Err(Mismatch::missing().under("b")));
    }

    #[test]
    fn a_mismatch_is_named_by_its_path() {
        let document = Document::from(&json!({"quickReply": ["a", 7]}));
        let mut fields = fields(&document);
        let mismatch = fields.list("quick_reply", text).unwrap_err();
        assert_eq!(mismatch.to_string(), "field `/quick_reply/1` must be a string");
    }

    #[test]
    fn only_an_object_has_fields() {
        for value in [json!([]), json!(null), json!("{}"), json!(1)] {
            let mismatch = Fields::try_from(Document::from(&value).root()).err().unwrap();
            assert_eq!(mismatch.to_string(), "the document must be a JSON object");
        }
    }
}
