//! Documents as whoever looks for violations sees them: only so far.
//!
//! Whether a document matches is decided in a time that its length bounds. To say where it does not
//! is another matter: a schema whose branches lead to the same child has its violations collected
//! once for each way there, and twenty levels of a few bytes each make millions. So the looking is
//! paid for; when the money is spent, every list is at its end and nothing more is found.

use std::{borrow::Cow, cell::Cell, iter::from_fn};

use jsonschema::{
    JsonType,
    json::{Array, Json, Node, NodeIdentity, Object, SerdeJson},
};
use serde_json::{Map, Number, Value};

use crate::report::cut;

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
    value: &'a Value,
    // None for the name of a field, which is paid for where it stands.
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
    pub(crate) fn new(value: &'a Value, budget: &'a Budget) -> Self {
        Self { value, budget: Some(budget) }
    }

    fn pay(&self, bytes: usize) -> bool {
        self.budget.is_none_or(|budget| budget.pay(bytes))
    }

    fn of(&self, value: &'a Value) -> Self {
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
    type StringBuffer = Value;

    fn prepare_key(key: &str) -> String {
        SerdeJson::prepare_key(key)
    }

    fn with_string_node<T>(
        buffer: &mut Value,
        string: &str,
        look: impl FnOnce(Seen<'_>) -> T,
    ) -> T {
        SerdeJson::with_string_node(buffer, string, |value| look(Seen { value, budget: None }))
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
        Node::as_number(&self.value)
    }

    fn as_boolean(&self) -> Option<bool> {
        self.value.as_bool()
    }

    fn is_null(&self) -> bool {
        self.value.is_null()
    }

    fn json_type(&self) -> JsonType {
        self.value.json_type()
    }

    fn equals_value(&self, expected: &Value) -> bool {
        self.value.equals_value(expected)
    }

    /// What a violation shows of the value, and nothing else asks for.
    fn to_value(&self) -> Cow<'a, Value> {
        let Some(budget) = self.budget else { return Cow::Borrowed(&HIDDEN) };
        let is_spent = budget.is_spent();
        budget.violations.set(budget.violations.get().saturating_sub(1));
        Cow::Borrowed(if is_spent { &UNSURE } else { &HIDDEN })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        self.value.identity()
    }
}

pub(crate) struct SeenObject<'a> {
    node: Seen<'a>,
    fields: &'a Map<String, Value>,
}

impl<'a> Object<'a, Bounded> for SeenObject<'a> {
    type Node = Seen<'a>;
    type MemberName = &'a str;
    type MembersIter = Box<dyn Iterator<Item = (&'a str, Seen<'a>)> + 'a>;

    fn len(&self) -> usize {
        self.fields.len()
    }

    fn get(&self, key: &String) -> Option<Seen<'a>> {
        self.node.pay(0).then(|| self.fields.get(key).map(|value| self.node.of(value)))?
    }

    fn members(&self) -> Self::MembersIter {
        let node = self.node;
        let mut fields = self.fields.iter();
        Box::new(from_fn(move || {
            let (name, value) = fields.next()?;
            node.pay(name.len()).then(|| (cut(name, MAX_NAME), node.of(value)))
        }))
    }
}

pub(crate) struct SeenArray<'a> {
    node: Seen<'a>,
    items: &'a [Value],
}

impl<'a> Array<'a, Bounded> for SeenArray<'a> {
    type Node = Seen<'a>;
    type ElementsIter = Box<dyn Iterator<Item = Seen<'a>> + 'a>;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn elements(&self) -> Self::ElementsIter {
        let node = self.node;
        let mut items = self.items.iter();
        Box::new(from_fn(move || {
            let value = items.next()?;
            node.pay(0).then(|| node.of(value))
        }))
    }

    fn is_unique(&self) -> bool {
        // Looks at all of them, so all are paid for.
        !self.node.pay(self.items.len() * 64) || Array::<SerdeJson>::is_unique(&self.items)
    }
}
