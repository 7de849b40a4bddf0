//! Reads into a type what `serde_json` reads into it.
//!
//! But for two things: a struct is not read from an array, and of a key that stands twice the last
//! counts.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use crate::{
    access::{Private, Variant},
    mismatch::Mismatch,
    tape::Kind,
    value::ValueRef,
};

impl<'a> ValueRef<'a> {
    /// Reads it into a type.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tower_callback_document::{Document, Spelling};
    ///
    /// #[derive(Deserialize)]
    /// struct Order<'a> {
    ///     number: u32,
    ///     #[serde(borrow)]
    ///     lines: Vec<&'a str>,
    /// }
    ///
    /// let read = |body| Document::read(body, Spelling::VERBATIM).unwrap();
    /// let order = read(r#"{"number": 7, "lines": ["tea", "coff\u0065e"]}"#);
    /// assert_eq!(order.root().read::<Order<'_>>().unwrap().lines, ["tea", "coffee"]);
    ///
    /// let order = read(r#"{"number": 7, "lines": ["tea", 4711]}"#);
    /// let mismatch = order.root().read::<Order<'_>>().err().unwrap();
    /// assert_eq!(mismatch.to_string(), "field `/lines/1` must be a borrowed string");
    /// ```
    ///
    /// # Errors
    /// Where it does not fit, and what is wanted there.
    pub fn read<T: Deserialize<'a>>(self) -> Result<T, Mismatch> {
        T::deserialize(self)
    }
}

impl<'de> Deserializer<'de> for ValueRef<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.kind() {
            Kind::Null | Kind::Hidden => visitor.visit_unit(),
            Kind::Bool => self.deserialize_bool(visitor),
            Kind::Number => match self.as_numeral() {
                Some(number) => number.visit_any(visitor),
                None => Err(Mismatch::expected(&visitor)),
            },
            Kind::Text | Kind::Escaped => self.visit_text(visitor),
            Kind::Array => self.visit_items(visitor),
            Kind::Object => self.visit_fields(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.as_bool() {
            Some(value) => visitor.visit_bool(value),
            None => Err(Mismatch::expected(&visitor)),
        }
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.as_numeral() {
            Some(number) => number.visit_i128(visitor),
            None => Err(Mismatch::expected(&visitor)),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.as_numeral() {
            Some(number) => number.visit_u128(visitor),
            None => Err(Mismatch::expected(&visitor)),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.as_numeral() {
            Some(number) => number.visit_f32(visitor),
            None => Err(Mismatch::expected(&visitor)),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_number(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_text(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_text(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_null(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.visit_null(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if name == Private::RAW_VALUE {
            self.visit_raw(visitor)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_items(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.visit_items(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.visit_items(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.visit_fields(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if self.as_object().is_none() {
            return Err(Mismatch::new("must be a JSON object"));
        }
        self.visit_fields(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let variant = match self.as_object() {
            Some(fields) if fields.len() > 1 => None,
            Some(mut fields) => {
                fields.next_pair().map(|(name, value)| Variant { name, value: Some(value) })
            }
            None => self.as_str().map(|_| Variant { name: self, value: None }),
        };
        match variant {
            Some(variant) => visitor.visit_enum(variant),
            None => Err(Mismatch::unknown_variant("", variants)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }
}
