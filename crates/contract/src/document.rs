use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

/// How many bytes are not worth the time to give them back.
const MAX_SPARE: usize = 1024;

/// A JSON document as one list of its values, in the order in which they stand.
///
/// It takes two allocations in all, where a [`Value`] takes one for every text, name and object.
///
/// `Debug` shows nothing of what it holds.
#[derive(Clone)]
pub struct Document {
    nodes: Vec<Node>,
    /// All texts and names, one behind the other.
    text: String,
}

/// A value within a [`Document`]: is looked at and serialized as a [`Value`] is, and cheap to copy.
///
/// `Debug` shows nothing of what it holds.
#[derive(Clone, Copy)]
pub struct ValueRef<'a> {
    document: &'a Document,
    at: usize,
}

#[derive(Clone)]
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    /// Where it stands in the text.
    String {
        start: usize,
        end: usize,
    },
    /// How many items follow, and where behind them the list goes on.
    Array {
        len: usize,
        end: usize,
    },
    /// The same; each field is its name and its value.
    Object {
        len: usize,
        end: usize,
    },
}

/// The items of an array.
#[derive(Clone)]
pub struct Items<'a> {
    next: ValueRef<'a>,
    left: usize,
}

/// The fields of an object with their names, in the order in which they stand.
#[derive(Clone)]
pub struct Fields<'a> {
    names_and_values: Items<'a>,
}

/// An array or object whose values are being written.
#[must_use]
pub(crate) struct Open(usize);

// ===== impl Document =====

impl Document {
    /// An empty one with room for what a body of so many bytes holds.
    pub(crate) fn with_room_for(bytes: usize) -> Self {
        // Callbacks have a value or name every dozen bytes. One that has more pays for it.
        const MOST: usize = 4096;
        let bytes = bytes.min(MOST);
        Self { nodes: Vec::with_capacity(8 + bytes / 12), text: String::with_capacity(bytes) }
    }

    /// Gives back room that nothing came to fill: a document may wait as long as its callback.
    pub(crate) fn shrink(&mut self) {
        if self.nodes.capacity() - self.nodes.len() > MAX_SPARE / size_of::<Node>() {
            self.nodes.shrink_to_fit();
        }
        if self.text.capacity() - self.text.len() > MAX_SPARE {
            self.text.shrink_to_fit();
        }
    }

    /// The whole of it.
    #[must_use]
    pub fn root(&self) -> ValueRef<'_> {
        ValueRef { document: self, at: 0 }
    }

    pub(crate) fn null(&mut self) {
        self.nodes.push(Node::Null);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.nodes.push(Node::Bool(value));
    }

    pub(crate) fn number(&mut self, number: impl Into<Number>) {
        self.nodes.push(Node::Number(number.into()));
    }

    /// A text, or the name of a field.
    pub(crate) fn string(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.nodes.push(Node::String { start, end: self.text.len() });
    }

    pub(crate) fn open(&mut self) -> Open {
        self.nodes.push(Node::Null);
        Open(self.nodes.len() - 1)
    }

    pub(crate) fn close_array(&mut self, Open(at): Open, len: usize) {
        self.nodes[at] = Node::Array { len, end: self.nodes.len() };
    }

    pub(crate) fn close_object(&mut self, Open(at): Open, len: usize) {
        self.nodes[at] = Node::Object { len, end: self.nodes.len() };
    }

    /// What was taken for an object was a number.
    pub(crate) fn close_number(&mut self, Open(at): Open, number: Number) {
        self.nodes[at] = Node::Number(number);
    }

    fn push(&mut self, value: &Value) {
        match value {
            Value::Null => self.null(),
            Value::Bool(value) => self.bool(*value),
            Value::Number(number) => self.number(number.clone()),
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                let array = self.open();
                for item in items {
                    self.push(item);
                }
                self.close_array(array, items.len());
            }
            Value::Object(fields) => {
                let object = self.open();
                for (name, value) in fields {
                    self.string(name);
                    self.push(value);
                }
                self.close_object(object, fields.len());
            }
        }
    }
}

impl From<&Value> for Document {
    fn from(value: &Value) -> Self {
        let mut document = Self::with_room_for(0);
        document.push(value);
        document
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").finish_non_exhaustive()
    }
}

// ===== impl ValueRef =====

impl<'a> ValueRef<'a> {
    fn node(self) -> &'a Node {
        &self.document.nodes[self.at]
    }

    /// Where the next value stands.
    fn end(self) -> usize {
        match *self.node() {
            Node::Array { end, .. } | Node::Object { end, .. } => end,
            _ => self.at + 1,
        }
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.node(), Node::Null)
    }

    /// The boolean that it is.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.node() {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number that it is.
    #[must_use]
    pub fn as_number(self) -> Option<&'a Number> {
        match self.node() {
            Node::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The integer that it is, if it is none below zero.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The integer that it is.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The number that it is, as near as a float comes.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        self.as_number()?.as_f64()
    }

    /// The text that it is.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match *self.node() {
            Node::String { start, end } => Some(&self.document.text[start..end]),
            _ => None,
        }
    }

    /// The items of the array that it is.
    #[must_use]
    pub fn as_array(self) -> Option<Items<'a>> {
        match *self.node() {
            Node::Array { len, .. } => Some(self.inside(len)),
            _ => None,
        }
    }

    /// The fields of the object that it is.
    #[must_use]
    pub fn as_object(self) -> Option<Fields<'a>> {
        match *self.node() {
            Node::Object { len, .. } => Some(Fields { names_and_values: self.inside(2 * len) }),
            _ => None,
        }
    }

    fn inside(self, left: usize) -> Items<'a> {
        Items { next: Self { at: self.at + 1, ..self }, left }
    }

    /// The field of this name, if it is an object that has one.
    #[must_use]
    pub fn get(self, name: &str) -> Option<ValueRef<'a>> {
        let Node::Object { end, .. } = *self.node() else { return None };
        let text = self.document.text.as_bytes();
        let mut at = self.at + 1;
        while at < end {
            let value = Self { at: at + 1, ..self };
            match self.document.nodes[at] {
                Node::String { start, end } if text[start..end] == *name.as_bytes() => {
                    return Some(value);
                }
                _ => at = value.end(),
            }
        }
        None
    }

    /// What this JSON pointer (RFC 6901) leads to.
    #[must_use]
    pub fn pointer(self, pointer: &str) -> Option<ValueRef<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut steps = pointer.strip_prefix('/')?.split('/');
        steps.try_fold(self, |value, step| match value.as_array() {
            Some(mut items) => {
                let at: usize = step.parse().ok()?;
                // Neither a sign nor leading zeros.
                items.nth(at).filter(|_| at.to_string() == step)
            }
            None => value.get(&step.replace("~1", "/").replace("~0", "~")),
        })
    }

    /// A copy of it that may be changed.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self.node() {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Number(number) => Value::Number(number.clone()),
            Node::String { .. } => Value::String(self.as_str().unwrap_or_default().to_owned()),
            Node::Array { .. } => {
                self.as_array().into_iter().flatten().map(Self::to_value).collect()
            }
            Node::Object { .. } => {
                let fields = self.as_object().into_iter().flatten();
                let fields = fields.map(|(name, value)| (name.to_owned(), value.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// A number that no other value has while its document lives.
    #[must_use]
    pub fn address(self) -> usize {
        std::ptr::from_ref(self.node()) as usize
    }
}

impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.node() {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(*value),
            Node::Number(number) => number.serialize(serializer),
            Node::String { .. } => serializer.serialize_str(self.as_str().unwrap_or_default()),
            Node::Array { .. } => serializer.collect_seq(self.as_array().into_iter().flatten()),
            Node::Object { .. } => serializer.collect_map(self.as_object().into_iter().flatten()),
        }
    }
}

impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueRef").finish_non_exhaustive()
    }
}

// ===== impl Items =====

impl<'a> Iterator for Items<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<ValueRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        let item = self.next;
        self.next.at = item.end();
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}

impl fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("left", &self.left).finish_non_exhaustive()
    }
}

// ===== impl Fields =====

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, ValueRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.names_and_values.next()?.as_str()?;
        Some((name, self.names_and_values.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.names_and_values.left / 2;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("left", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{as_written, read::read};

    fn values() -> Value {
        json!({
            "null": null, "flag": true, "number": -1.5, "text": "ä", "none": [], "nothing": {},
            "list": [1, [2, {"a": [3]}], "x"], "a~/b": {"c": {"d": 7}}, "last": 0
        })
    }

    #[test]
    fn a_document_says_what_its_value_says() {
        for value in [values(), json!([]), json!({}), json!(7), json!("x"), json!(null)] {
            let document = Document::from(&value);
            assert_eq!(document.root().to_value(), value);
            assert_eq!(json!(document.root()), value);
        }
    }

    #[test]
    fn it_is_looked_at_as_a_value_is() {
        let (value, document) = (values(), Document::from(&values()));
        let root = document.root();
        assert_eq!(root.as_object().unwrap().len(), 9);
        for (name, field) in root.as_object().unwrap() {
            let same = &value[name];
            assert_eq!(field.is_null(), same.is_null());
            assert_eq!(field.as_bool(), same.as_bool());
            assert_eq!(field.as_number(), same.as_number());
            assert_eq!(field.as_u64(), same.as_u64());
            assert_eq!(field.as_i64(), same.as_i64());
            assert_eq!(field.as_f64(), same.as_f64());
            assert_eq!(field.as_str(), same.as_str());
            let items = field.as_array().map(|items| items.map(ValueRef::to_value).collect());
            assert_eq!(items, same.as_array().cloned());
            assert_eq!(field.get("c").is_some(), same.get("c").is_some());
            assert_eq!(root.get(name).map(ValueRef::address), Some(field.address()));
        }
    }

    #[test]
    fn a_pointer_leads_where_it_leads_in_a_value() {
        let (value, document) = (values(), Document::from(&values()));
        let pointers = [
            "",
            "/",
            "/text",
            "/list/1/1/a/0",
            "/list/3",
            "/list/01",
            "/list/+1",
            "/list/-",
            "/a~0~1b/c/d",
            "/a~0~1b/d",
            "/number/0",
            "text",
        ];
        for pointer in pointers {
            let ours = document.root().pointer(pointer).map(ValueRef::to_value);
            assert_eq!(ours.as_ref(), value.pointer(pointer), "{pointer}");
        }
    }

    #[test]
    fn room_that_a_body_does_not_fill_is_not_kept() {
        let (text, items) = ("x".repeat(5_000), "0,".repeat(5_000));
        for body in [format!(r#"{{"text":"{text}"}}"#), format!("[{items}0]"), "{}".to_owned()] {
            let Document { nodes, text } = read(body.as_bytes(), as_written).unwrap().document;
            let room = nodes.capacity() * size_of::<Node>() + text.capacity();
            let filled = nodes.len() * size_of::<Node>() + text.len();
            assert!(room <= filled + 2 * MAX_SPARE, "{room} for {filled}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let document = Document::from(&json!({"secret": "secret"}));
        let root = document.root();
        let fields = root.as_object().unwrap();
        assert!(!format!("{document:?} {root:?} {fields:?}").contains("secret"));
    }
}
