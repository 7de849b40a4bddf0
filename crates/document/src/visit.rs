//! What a visitor is shown of a value.

use serde::de::Visitor;

use crate::{
    access::{Named, Private, Sequence},
    mismatch::Mismatch,
    value::ValueRef,
};

impl<'a> ValueRef<'a> {
    pub(crate) fn visit_number<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.as_numeral() {
            Some(number) => number.visit(visitor),
            None => Err(Mismatch::expected(&visitor)),
        }
    }

    pub(crate) fn visit_text<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.as_str() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => Err(Mismatch::expected(&visitor)),
        }
    }

    pub(crate) fn visit_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.as_str() {
            Some(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            None => self.visit_items(visitor),
        }
    }

    pub(crate) fn visit_null<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.is_null() { visitor.visit_unit() } else { Err(Mismatch::expected(&visitor)) }
    }

    pub(crate) fn visit_items<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Some(items) = self.as_array() else { return Err(Mismatch::expected(&visitor)) };
        let mut sequence = Sequence { items, read: 0 };
        let value = visitor.visit_seq(&mut sequence)?;
        match (sequence.items.len(), sequence.read) {
            (0, _) => Ok(value),
            (_, 1) => Err(Mismatch::new("must be 1 element in sequence")),
            (_, read) => Err(Mismatch::new(format!("must be {read} elements in sequence"))),
        }
    }

    pub(crate) fn visit_fields<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Some(fields) = self.as_object() else { return Err(Mismatch::expected(&visitor)) };
        let mut named = Named { fields, field: None };
        let value = visitor.visit_map(&mut named)?;
        match named.fields.len() {
            0 => Ok(value),
            _ => Err(Mismatch::new("must have fewer fields")),
        }
    }

    /// As what `serde_json` calls a raw value.
    pub(crate) fn visit_raw<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Private { name: Private::RAW_VALUE, text: Some(self.raw()) })
    }
}
