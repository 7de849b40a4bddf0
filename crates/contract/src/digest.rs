use serde_json::{Number, Value};
use twox_hash::XxHash3_64;

use crate::Spelling;

/// A field by its hashes. Sorts by its canonical name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Field {
    pub(crate) name: u64,
    pub(crate) value: u64,
}

// Kinds of values, told apart by the seed they are hashed with.
pub(crate) const NULL: u64 = SCALAR;
const SCALAR: u64 = 1;
const INTEGER: u64 = 2;
const FLOAT: u64 = 3;
const TEXT: u64 = 4;
pub(crate) const ARRAY: u64 = 5;
const OBJECT: u64 = 6;

/// Tells what a document says from what another one says, by 64 bits of XXH3: the same in every
/// process.
///
/// The spelling of field names, their order, white space and escapes make no difference, nor does
/// an integer against the string of its digits.
#[must_use]
pub fn digest(document: &Value, spelling: Spelling) -> u64 {
    match document {
        Value::Null => NULL,
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

/// A sum, so that the order of fields makes no difference.
pub(crate) fn object(fields: &[Field]) -> u64 {
    fields.iter().fold(OBJECT, |sum, field| sum.wrapping_add(mix(field.name, field.value)))
}

pub(crate) fn number(number: &Number) -> u64 {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(integer), ..) => unsigned(integer),
        (_, Some(integer), _) => signed(integer),
        (_, _, Some(float)) if float.is_finite() => self::float(float),
        _ => mix(FLOAT, opaque(number.to_string().as_bytes())),
    }
}

pub(crate) fn float(value: f64) -> u64 {
    mix(FLOAT, value.to_bits())
}

pub(crate) fn boolean(value: bool) -> u64 {
    mix(SCALAR, u64::from(value))
}

pub(crate) fn unsigned(value: u64) -> u64 {
    mix(INTEGER, value)
}

pub(crate) fn signed(value: i64) -> u64 {
    match u64::try_from(value) {
        Ok(value) => unsigned(value),
        Err(_) => mix(INTEGER ^ u64::MAX, value.unsigned_abs()),
    }
}

pub(crate) fn text(text: &str) -> u64 {
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

pub(crate) fn mix(left: u64, right: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(left, &right.to_le_bytes())
}
