use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::{
    error::Ambiguous,
    items::{Fields, Items},
    number::Numeral,
    tape::{DOUBLED, FREE, Kind, RESPELLED, Slot, Tape},
};

/// A value within a [`Document`](crate::Document): is looked at and serialized as a [`Value`] is, and
/// cheap to copy.
///
/// Two are equal if JSON Schema takes them for one value: numbers by what they are worth to the
/// last digit, objects in any order of their fields. To find out takes no longer than the smaller of
/// the two is large; but long numbers are read to their end.
///
/// `Debug` shows nothing of what it holds.
#[derive(Clone, Copy)]
pub struct ValueRef<'a> {
    pub(crate) body: &'a str,
    pub(crate) tape: &'a Tape,
    pub(crate) at: usize,
}

impl<'a> ValueRef<'a> {
    #[inline]
    pub(crate) fn new(body: &'a str, tape: &'a Tape, at: usize) -> Self {
        Self { body, tape, at }
    }

    #[inline]
    fn slot(self) -> Slot {
        self.tape.slots[self.at]
    }

    /// The second slot of an array or object.
    #[inline]
    fn container(self) -> Slot {
        self.tape.slots[self.at + 1]
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        self.slot().kind()
    }

    /// What it says, as it stands in the body.
    #[must_use]
    #[inline]
    pub fn raw(self) -> &'a str {
        let slot = self.slot();
        &self.body[slot.start()..slot.end()]
    }

    /// Whether it is null.
    #[must_use]
    #[inline]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The boolean that it is.
    #[must_use]
    #[inline]
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_number(self) -> bool {
        self.kind() == Kind::Number
    }

    #[inline]
    pub(crate) fn as_numeral(self) -> Option<Numeral<'a>> {
        self.is_number().then(|| Numeral(self.raw()))
    }

    /// The number that it is.
    #[must_use]
    pub fn as_number(self) -> Option<Number> {
        self.as_numeral()?.to_number()
    }

    /// The integer that it is, if it is written as one and not below zero.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        self.as_numeral()?.as_u64()
    }

    /// The integer that it is, if it is written as one.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        self.as_numeral()?.as_i64()
    }

    /// The number that it is, as near as a float comes.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        self.as_numeral()?.as_f64()
    }

    /// Whether it is an integer, however it is written and however large.
    #[must_use]
    pub fn is_integer(self) -> bool {
        self.as_numeral().is_some_and(|number| number.worth().is_integer())
    }

    /// The integer that it is, however it is written: `17`, `17.0`, `1.7e1` and `-0` are integers, to
    /// the last digit. `None` beyond what an `i64` or a `u64` holds.
    #[must_use]
    pub fn as_integer(self) -> Option<i128> {
        self.as_numeral()?.as_integer()
    }

    /// The text that it is.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        match self.kind() {
            Kind::Text | Kind::Escaped => Some(self.tape.text(self.body, self.at)),
            _ => None,
        }
    }

    /// The items of the array that it is.
    #[must_use]
    #[inline]
    pub fn as_array(self) -> Option<Items<'a>> {
        let is_array = self.kind() == Kind::Array;
        is_array.then(|| Items { next: self.inside(), left: self.container().len() })
    }

    /// The fields of the object that it is. Of a key that stands twice the last counts, and is the
    /// only one.
    #[must_use]
    #[inline]
    pub fn as_object(self) -> Option<Fields<'a>> {
        let is_object = self.kind() == Kind::Object;
        is_object.then(|| Fields { next: self.inside(), left: self.container().len() })
    }

    #[inline]
    fn inside(self) -> Self {
        Self { at: self.at + 2, ..self }
    }

    /// Whether each name of this object is itself.
    #[inline]
    pub(crate) fn is_verbatim(self) -> bool {
        self.container().has(FREE)
    }

    /// Whether this object has a field in two spellings.
    #[inline]
    pub(crate) fn is_respelled(self) -> bool {
        self.container().has(RESPELLED)
    }

    /// What the name of a field of this object means: its canonical name, or itself where the object
    /// stands below a [free](crate::Spelling::with_free_fields) field.
    #[must_use]
    #[inline]
    pub fn meaning(self, name: &str) -> &str {
        if self.is_verbatim() { name } else { self.tape.spelling.canonical(name) }
    }

    /// The field of this very name, if it is an object that has one.
    #[must_use]
    #[inline]
    pub fn get(self, name: &str) -> Option<ValueRef<'a>> {
        if self.kind() != Kind::Object {
            return None;
        }
        let (mut at, end) = (self.at + 2, self.container().start());
        // Every schema and model comes this way: most names are told by their length.
        while at < end {
            let slot = self.tape.slots[at];
            let value = match slot.kind() {
                Kind::Hidden => {
                    at = slot.start();
                    continue;
                }
                Kind::Escaped => at + 2,
                _ => at + 1,
            };
            let may_be = slot.kind() == Kind::Escaped || slot.len() == name.len() + 2;
            if may_be && self.tape.text(self.body, at) == name {
                return Some(Self { at: value, ..self });
            }
            at = self.tape.after(value);
        }
        None
    }

    /// The field of this name, in whichever spelling it stands, if it is an object that has one. It
    /// may be null.
    ///
    /// # Errors
    /// Refuses a key that stood twice in this object: what identifies must not.
    pub fn field(self, name: &str) -> Result<Option<ValueRef<'a>>, Ambiguous> {
        let Some(mut fields) = self.as_object() else { return Ok(None) };
        let name = self.meaning(name);
        if self.container().has(DOUBLED) {
            let mut names = fields.clone();
            while let Some(at) = names.next_name() {
                let spelled = self.tape.text(self.body, at);
                if self.tape.slots[at].is_twice() && self.meaning(spelled) == name {
                    return Err(self.tape.stands_twice(self.body, at));
                }
            }
        }
        // Most senders keep to the canonical spelling.
        let mut respelled = || fields.find(|(other, _)| self.meaning(other) == name);
        Ok(self.get(name).or_else(|| respelled().map(|(_, value)| value)))
    }

    /// A copy of it that may be changed.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self.kind() {
            Kind::Null | Kind::Hidden => Value::Null,
            Kind::Bool => self.as_bool().into(),
            Kind::Number => self.as_number().map_or(Value::Null, Value::Number),
            Kind::Text | Kind::Escaped => self.as_str().into(),
            Kind::Array => self.as_array().into_iter().flatten().map(Self::to_value).collect(),
            Kind::Object => {
                let fields = self.as_object().into_iter().flatten();
                let fields = fields.map(|(name, value)| (name.to_owned(), value.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// A number that no other value has while its document lives.
    #[must_use]
    pub fn address(self) -> usize {
        std::ptr::from_ref(&self.tape.slots[self.at]) as usize
    }
}

impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.kind() {
            Kind::Null | Kind::Hidden => serializer.serialize_unit(),
            Kind::Bool => serializer.serialize_bool(self.as_bool().unwrap_or_default()),
            Kind::Number => self.as_number().serialize(serializer),
            Kind::Text | Kind::Escaped => {
                serializer.serialize_str(self.as_str().unwrap_or_default())
            }
            Kind::Array => serializer.collect_seq(self.as_array().into_iter().flatten()),
            Kind::Object => serializer.collect_map(self.as_object().into_iter().flatten()),
        }
    }
}

impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueRef").finish_non_exhaustive()
    }
}
