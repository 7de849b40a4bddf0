//! What stands within a value, one after the other. An error is told the way on which it comes up.

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::BorrowedStrDeserializer,
    },
};

use crate::{
    items::{Fields, Items},
    key::Key,
    mismatch::Mismatch,
    value::ValueRef,
};

/// The items of an array.
pub(crate) struct Sequence<'de> {
    pub(crate) items: Items<'de>,
    pub(crate) read: usize,
}

/// The fields of an object.
pub(crate) struct Named<'de> {
    pub(crate) fields: Fields<'de>,
    /// The one of which the name is read, and the value is due.
    pub(crate) field: Option<(Key<'de>, ValueRef<'de>)>,
}

/// The name of a variant and, unless that is all, its content.
pub(crate) struct Variant<'de> {
    pub(crate) name: ValueRef<'de>,
    pub(crate) value: Option<ValueRef<'de>>,
}

/// What is left of a variant.
pub(crate) struct Content<'de> {
    name: Key<'de>,
    value: Option<ValueRef<'de>>,
}

/// What `serde_json` makes its `RawValue` and, with the feature `arbitrary_precision`, its numbers of:
/// the map of one field, which has a name of its own and the text as it stands in the body.
pub(crate) struct Private<'de> {
    pub(crate) name: &'static str,
    pub(crate) text: Option<&'de str>,
}

// ===== impl Sequence =====

impl<'de> SeqAccess<'de> for Sequence<'de> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let index = self.read;
        self.read += 1;
        seed.deserialize(item).map(Some).map_err(|mismatch| mismatch.under(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

// ===== impl Named =====

impl<'de> MapAccess<'de> for Named<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let Some((name, value)) = self.fields.next_pair() else { return Ok(None) };
        let key = Key(name);
        self.field = Some((key, value));
        seed.deserialize(key).map(Some).map_err(|mismatch| mismatch.under(key.text()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let Some((key, value)) = self.field.take() else {
            return Err(Mismatch::custom("the value of a field was asked for before its name"));
        };
        seed.deserialize(value).map_err(|mismatch| mismatch.under(key.text()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

// ===== impl Variant =====

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Mismatch;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'de>), Mismatch> {
        let name = Key(self.name);
        let variant = seed.deserialize(name)?;
        Ok((variant, Content { name, value: self.value }))
    }
}

// ===== impl Content =====

impl<'de> Content<'de> {
    fn read<T>(
        self,
        what: &'static str,
        read: impl FnOnce(ValueRef<'de>) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        match self.value {
            Some(value) => read(value).map_err(|mismatch| mismatch.under(self.name.text())),
            None => Err(Mismatch::expected(&what)),
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        match self.value {
            Some(_) => self.read("unit variant", Deserialize::deserialize),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        self.read("newtype variant", |value| seed.deserialize(value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.read("tuple variant", |value| value.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.read("struct variant", |value| value.deserialize_struct("", fields, visitor))
    }
}

// ===== impl Private =====

impl Private<'_> {
    pub(crate) const RAW_VALUE: &'static str = "$serde_json::private::RawValue";
    pub(crate) const NUMBER: &'static str = "$serde_json::private::Number";
}

impl<'de> MapAccess<'de> for Private<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let key = || seed.deserialize(BorrowedStrDeserializer::new(self.name));
        self.text.map(|_| key()).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        seed.deserialize(BorrowedStrDeserializer::new(self.text.take().unwrap_or_default()))
    }
}
