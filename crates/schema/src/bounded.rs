//! Documents as the search for violations sees them: only so far.
//!
//! Whether a document matches is decided in a time that its length bounds. To say where it does not
//! is another matter: a schema whose branches lead to the same child has its violations collected
//! once for each way there, and twenty levels of a few bytes each make millions. So each
//! access draws on a budget. Once it is spent, iterators end and no more violations are reported.

use std::borrow::Cow;

use jsonschema::{
    JsonType,
    json::{Array, Json, JsonNumber, Node, NodeIdentity, Object},
};
use serde_json::{Number, Value};
use tower_callback_contract::{Document, Fields, Items, ValueRef};

use crate::{budget::Budget, report::cut, unique::is_unique};

/// Where names are cut: each violation keeps those on its way.
const MAX_NAME: usize = 256;

/// The representation for [`jsonschema`].
pub(crate) struct Bounded;

/// A value of a document, while there is money to look at it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    value: ValueRef<'a>,
    // None where it is only asked whether the document matches, and for the name of a field, which
    // is paid for where it stands.
    budget: Option<&'a Budget>,
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
    type Number = SeenNumber<'a>;

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

    fn as_number(&self) -> Option<SeenNumber<'a>> {
        self.is_number().then_some(SeenNumber(self.value))
    }

    fn is_number(&self) -> bool {
        self.value.is_number()
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
        } else if value.is_number() {
            JsonType::Number
        } else if value.as_bool().is_some() {
            JsonType::Boolean
        } else {
            JsonType::Null
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        self.value == *expected
    }

    /// What a violation shows of the value, and nothing else asks for.
    fn to_value(&self) -> Cow<'a, Value> {
        let Some(budget) = self.budget else { return Cow::Borrowed(&HIDDEN) };
        Cow::Borrowed(if budget.pay_violation() { &HIDDEN } else { &UNSURE })
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

impl<'a> Iterator for SeenObject<'a> {
    type Item = (&'a str, Seen<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.fields.next()?;
        let name_len = if self.node.budget.is_some() { MAX_NAME } else { name.len() };
        let is_paid = self.node.pay(name.len());
        is_paid.then(|| (cut(name, name_len), self.node.of(value)))
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
        is_unique(&self.items, |bytes| self.node.pay(bytes))
    }
}

impl<'a> Iterator for SeenArray<'a> {
    type Item = Seen<'a>;

    fn next(&mut self) -> Option<Seen<'a>> {
        let value = self.items.next()?;
        self.node.pay(0).then(|| self.node.of(value))
    }
}

/// A number as it is written, to the last digit.
pub(crate) struct SeenNumber<'a>(ValueRef<'a>);

impl JsonNumber for SeenNumber<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.as_i64()
    }

    fn as_f64(&self) -> Option<f64> {
        self.0.as_f64()
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0.raw())
    }

    fn to_number(&self) -> Cow<'_, Number> {
        Cow::Owned(self.0.as_number().unwrap_or_else(|| 0.into()))
    }

    fn is_integer(&self) -> bool {
        self.0.is_integer()
    }
}
