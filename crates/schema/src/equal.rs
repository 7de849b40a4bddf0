//! When a schema takes two values for one: numbers by what they are worth, objects in any order.
//!
//! A value may be a mebibyte, and be asked about at every level above it: nothing is copied to find
//! out.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    iter::from_fn,
};

use jsonschema::json::{Array, Node, Object, cmp};
use serde_json::{Number, Value};
use tower_callback_contract::ValueRef;

use crate::bounded::{Seen, SeenArray, SeenObject};

/// Up to so many items are compared one by one, which ends where they differ; more are hashed.
const FEW: usize = 16;

/// Whether a value is the one that a schema expects. Looks at no more of it than there is of that.
pub(crate) fn is(value: ValueRef<'_>, expected: &Value) -> bool {
    match expected {
        Value::Null => value.is_null(),
        Value::Bool(expected) => value.as_bool() == Some(*expected),
        Value::Number(expected) => value.as_number().is_some_and(|it| is_number(it, expected)),
        Value::String(expected) => value.as_str() == Some(expected),
        Value::Array(expected) => value.as_array().is_some_and(|items| {
            items.len() == expected.len() && items.zip(expected).all(|(item, it)| is(item, it))
        }),
        Value::Object(expected) => value.as_object().is_some_and(|mut fields| {
            let is_expected =
                |(name, value)| expected.get(name).is_some_and(|field| is(value, field));
            fields.len() == expected.len() && fields.all(is_expected)
        }),
    }
}

/// Whether no two items are the same. Every look at them is paid for.
#[expect(clippy::mutable_key_type, reason = "what was paid is no part of an item")]
pub(crate) fn is_unique(mut items: SeenArray<'_>) -> bool {
    if items.len() > FEW {
        let mut known = HashSet::new();
        return items.all(|item| known.insert(Item(item)));
    }
    while let Some(item) = items.next().map(Item) {
        if items.clone().any(|other| item == Item(other)) {
            return false;
        }
    }
    true
}

fn is_number(number: &Number, other: &Number) -> bool {
    cmp::equal(&number.clone().into(), &other.clone().into())
}

/// The integer that a number is, however it is written. A thousand large ones share one float.
fn whole(number: &Number) -> Option<i128> {
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is in range")]
    let whole = |float: f64| (float.fract() == 0.0 && float.abs() < 1e30).then_some(float as i128);
    number.as_i128().or_else(|| number.as_f64().and_then(whole))
}

/// Equal to what is the same.
struct Item<'a>(Seen<'a>);

/// By their names.
fn sorted(mut object: SeenObject<'_>) -> Vec<(&str, Item<'_>)> {
    let fields = from_fn(|| object.next_whole());
    let mut fields: Vec<_> = fields.map(|(name, value)| (name, Item(value))).collect();
    fields.sort_unstable_by_key(|&(name, _)| name);
    fields
}

impl PartialEq for Item<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (Self(one), Self(other)) = (self, other);
        if let Some((one, other)) = one.as_array().zip(other.as_array()) {
            one.len() == other.len() && one.map(Item).eq(other.map(Item))
        } else if let Some((one, other)) = one.as_object().zip(other.as_object()) {
            one.len() == other.len() && sorted(one) == sorted(other)
        } else if let Some((one, other)) = one.as_number().zip(other.as_number()) {
            is_number(one, other)
        } else {
            one.json_type() == other.json_type()
                && one.as_boolean() == other.as_boolean()
                && one.as_string() == other.as_string()
        }
    }
}

impl Eq for Item<'_> {}

impl Hash for Item<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self(value) = self;
        value.json_type().hash(state);
        if let Some(items) = value.as_array() {
            items.len().hash(state);
            items.for_each(|item| Item(item).hash(state));
        } else if let Some(fields) = value.as_object() {
            sorted(fields).hash(state);
        } else if let Some(number) = value.as_number() {
            match whole(number) {
                Some(whole) => whole.hash(state),
                None => number.as_f64().map(f64::to_bits).hash(state),
            }
        } else {
            (value.as_boolean(), value.as_string()).hash(state);
        }
    }
}
