//! Documents as whoever looks for violations sees them: only so far.
//!
//! Whether a document matches is decided in a time that its length bounds. To say where it does not
//! is another matter: a schema whose branches lead to the same child has its violations collected
//! once for each way there, and twenty levels of a few bytes each make millions. So the looking is
//! paid for; when the money is spent, every list is at its end and nothing more is found.

use std::{borrow::Cow, cell::Cell};

use jsonschema::{
    JsonType,
    json::{Array, Json, Node, NodeIdentity, Object},
};
use serde_json::{Number, Value};
use tower_callback_contract::{Document, Fields, Items, ValueRef};

use crate::{equal, report::cut};

/// The most violations that are counted in one document, those in branches included.
pub(crate) const MAX_COUNTED: u32 = 256;

/// How many values are looked at, one as often as a rule does. Twice what a mebibyte holds.
const MAX_LOOKS: usize = 1_000_000;

/// Where names are cut: each violation keeps those on its way.
const MAX_NAME: usize = 256;

/// The representation for [`jsonschema`].
pub(crate) struct Bounded;

/// What may still be spent on one document.
pub(crate) struct Budget {
    looks: Cell<usize>,
    violations: Cell<u32>,
}

/// A value of a document, while there is money to look at it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    value: ValueRef<'a>,
    // None where it is only asked whether the document matches, and for the name of a field, which
    // is paid for where it stands.
    budget: Option<&'a Budget>,
}

// ===== impl Budget =====

impl Default for Budget {
    fn default() -> Self {
        Self { looks: Cell::new(MAX_LOOKS), violations: Cell::new(MAX_COUNTED) }
    }
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.looks.get() == 0 || self.violations.get() == 0
    }

    /// Pays for a look at so many bytes; false if there is nothing left.
    fn pay(&self, bytes: usize) -> bool {
        let looks = 1 + bytes / 64;
        self.looks.set(self.looks.get().saturating_sub(looks));
        !self.is_spent()
    }
}

// ===== impl Seen =====

impl<'a> Seen<'a> {
    /// To be told whether it matches, in a time that its length bounds.
    pub(crate) fn all(value: ValueRef<'a>) -> Self {
        Self { value, budget: None }
    }

    /// To be told where it does not.
    pub(crate) fn within(value: ValueRef<'a>, budget: &'a Budget) -> Self {
        Self { value, budget: Some(budget) }
    }

    fn pay(&self, bytes: usize) -> bool {
        self.budget.is_none_or(|budget| budget.pay(bytes))
    }

    fn of(&self, value: ValueRef<'a>) -> Self {
        Self { value, ..*self }
    }
}

/// What a violation keeps in the place of the value, which may be large and is copied often.
static HIDDEN: Value = Value::Null;
/// The same, of one found when the budget was spent: it may be none.
static UNSURE: Value = Value::Null;

/// Whether the violation of this instance was found before the budget was spent.
pub(crate) fn is_sure(instance: &Value) -> bool {
    !std::ptr::eq(instance, &raw const UNSURE)
}

impl Json for Bounded {
    type Node<'a> = Seen<'a>;
    type PreparedKey = String;
    type StringBuffer = Option<Document>;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(
        buffer: &mut Option<Document>,
        string: &str,
        look: impl FnOnce(Seen<'_>) -> T,
    ) -> T {
        look(Seen::all(buffer.insert(Document::from(&string.into())).root()))
    }
}

impl<'a> Node<'a, Bounded> for Seen<'a> {
    type Object = SeenObject<'a>;
    type Array = SeenArray<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<SeenObject<'a>> {
        let fields = self.value.as_object()?;
        Some(SeenObject { node: *self, fields })
    }

    fn as_array(&self) -> Option<SeenArray<'a>> {
        let items = self.value.as_array()?;
        Some(SeenArray { node: *self, items })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = self.value.as_str()?;
        self.pay(text.len()).then_some(Cow::Borrowed(text))
    }

    fn as_number(&self) -> Option<&'a Number> {
        self.value.as_number()
    }

    fn as_boolean(&self) -> Option<bool> {
        self.value.as_bool()
    }

    fn is_null(&self) -> bool {
        self.value.is_null()
    }

    fn json_type(&self) -> JsonType {
        let value = self.value;
        if value.as_str().is_some() {
            JsonType::String
        } else if value.as_object().is_some() {
            JsonType::Object
        } else if value.as_array().is_some() {
            JsonType::Array
        } else if value.as_number().is_some() {
            JsonType::Number
        } else if value.as_bool().is_some() {
            JsonType::Boolean
        } else {
            JsonType::Null
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        equal::is(self.value, expected)
    }

    /// What a violation shows of the value, and nothing else asks for.
    fn to_value(&self) -> Cow<'a, Value> {
        let Some(budget) = self.budget else { return Cow::Borrowed(&HIDDEN) };
        let is_spent = budget.is_spent();
        budget.violations.set(budget.violations.get().saturating_sub(1));
        Cow::Borrowed(if is_spent { &UNSURE } else { &HIDDEN })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(self.value.address()))
    }
}

#[derive(Clone)]
pub(crate) struct SeenObject<'a> {
    node: Seen<'a>,
    fields: Fields<'a>,
}

impl<'a> Object<'a, Bounded> for SeenObject<'a> {
    type Node = Seen<'a>;
    type MemberName = &'a str;
    type MembersIter = Self;

    fn len(&self) -> usize {
        self.fields.len()
    }

    fn get(&self, key: &String) -> Option<Seen<'a>> {
        // It is searched for name by name.
        let is_paid = self.node.pay(self.fields.len());
        is_paid.then(|| self.node.value.get(key).map(|value| self.node.of(value)))?
    }

    fn members(&self) -> Self {
        self.clone()
    }
}

impl<'a> SeenObject<'a> {
    /// The next field by its whole name.
    pub(crate) fn next_whole(&mut self) -> Option<(&'a str, Seen<'a>)> {
        let (name, value) = self.fields.next()?;
        self.node.pay(name.len()).then(|| (name, self.node.of(value)))
    }
}

impl<'a> Iterator for SeenObject<'a> {
    type Item = (&'a str, Seen<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.next_whole()?;
        let name_len = if self.node.budget.is_some() { MAX_NAME } else { name.len() };
        Some((cut(name, name_len), value))
    }
}

#[derive(Clone)]
pub(crate) struct SeenArray<'a> {
    node: Seen<'a>,
    items: Items<'a>,
}

impl<'a> Array<'a, Bounded> for SeenArray<'a> {
    type Node = Seen<'a>;
    type ElementsIter = Self;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn elements(&self) -> Self {
        self.clone()
    }

    fn is_unique(&self) -> bool {
        equal::is_unique(self.clone())
    }
}

impl<'a> Iterator for SeenArray<'a> {
    type Item = Seen<'a>;

    fn next(&mut self) -> Option<Seen<'a>> {
        let value = self.items.next()?;
        self.node.pay(0).then(|| self.node.of(value))
    }
}
