//! When two values are one. A value may be a mebibyte: nothing is copied to find out.

use std::hash::{Hash, Hasher};

use serde_json::Value;

use crate::{
    number::{Numeral, are_written_alike},
    tape::Kind,
    value::ValueRef,
};

/// The fields of so many are looked for one by one; more are sorted.
const FEW: usize = 16;

impl ValueRef<'_> {
    /// Whether it is equal, and each number in it an integer to `serde_json` if the other's is.
    pub(crate) fn is_written_as(self, other: ValueRef<'_>) -> bool {
        is(self, other, are_written_alike)
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        is(*self, *other, |one, other| one.worth() == other.worth())
    }
}

impl Eq for ValueRef<'_> {}

/// The same, but that a number which lost digits to a float on its way into a [`Value`] is equal to
/// all that would have lost them.
impl PartialEq<Value> for ValueRef<'_> {
    fn eq(&self, other: &Value) -> bool {
        match other {
            Value::Null => self.is_null(),
            Value::Bool(other) => self.as_bool() == Some(*other),
            Value::Number(other) => self.as_numeral().is_some_and(|number| number.is(other)),
            Value::String(other) => self.as_str() == Some(other),
            Value::Array(other) => self.as_array().is_some_and(|items| {
                items.len() == other.len() && items.zip(other).all(|(item, other)| item == *other)
            }),
            Value::Object(other) => self.as_object().is_some_and(|mut fields| {
                let is_same = |(name, value): (&str, ValueRef<'_>)| {
                    other.get(name).is_some_and(|other| value == *other)
                };
                fields.len() == other.len() && fields.all(is_same)
            }),
        }
    }
}

impl Hash for ValueRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.kind() {
            Kind::Text | Kind::Escaped => (Kind::Text, self.as_str()).hash(state),
            Kind::Number => self.as_numeral().map(Numeral::worth).hash(state),
            Kind::Array => {
                // With its length: `[[[]]]` and `[[], []]` must not be one.
                let (len, items) = self.as_array().map_or((0, None), |it| (it.len(), Some(it)));
                (Kind::Array, len).hash(state);
                items.into_iter().flatten().for_each(|item| item.hash(state));
            }
            Kind::Object => (Kind::Object, sorted(*self)).hash(state),
            kind => (kind, self.as_bool()).hash(state),
        }
    }
}

fn is(one: ValueRef<'_>, other: ValueRef<'_>, same: fn(Numeral<'_>, Numeral<'_>) -> bool) -> bool {
    if let Some((one, other)) = one.as_str().zip(other.as_str()) {
        return one == other;
    }
    if one.kind() != other.kind() {
        return false;
    }
    if let Some((mut ones, mut others)) = one.as_array().zip(other.as_array()) {
        return ones.len() == others.len()
            && ones.all(|one| others.next().is_some_and(|other| is(one, other, same)));
    }
    if let Some((mut ones, others)) = one.as_object().zip(other.as_object()) {
        if ones.len() != others.len() {
            return false;
        }
        if ones.len() > FEW {
            let mut pairs = sorted(one).into_iter().zip(sorted(other));
            return pairs.all(|(one, other)| one.0 == other.0 && is(one.1, other.1, same));
        }
        return ones.all(|(name, one)| other.get(name).is_some_and(|other| is(one, other, same)));
    }
    match one.as_numeral().zip(other.as_numeral()) {
        Some((one, other)) => same(one, other),
        None => one.as_bool() == other.as_bool(),
    }
}

/// The fields of an object by their names; none of what is no object.
fn sorted(object: ValueRef<'_>) -> Vec<(&str, ValueRef<'_>)> {
    let mut fields: Vec<_> = object.as_object().into_iter().flatten().collect();
    fields.sort_unstable_by_key(|&(name, _)| name);
    fields
}
