//! Numbers as they are written.

use std::sync::LazyLock;

use serde::de::Visitor;
use serde_json::{Number, Value};

use crate::{access::Private, lexer::Lexer, mismatch::Mismatch, worth::Worth};

/// The text of a JSON number.
#[derive(Clone, Copy)]
pub(crate) struct Numeral<'a>(pub(crate) &'a str);

/// Whether some crate of the build switches on the feature `arbitrary_precision` of `serde_json`:
/// then its numbers are texts.
pub(crate) fn numbers_are_texts() -> bool {
    static ARE_TEXTS: LazyLock<bool> =
        LazyLock::new(|| serde_json::from_str::<Value>("1e400").is_ok());
    *ARE_TEXTS
}

impl<'a> Numeral<'a> {
    /// `None` if the text is no number.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut lexer = Lexer::new(text);
        lexer.number().ok()?;
        (lexer.at == text.len()).then_some(Self(text))
    }

    pub(crate) fn as_u64(self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// Not for `-0`, which is no integer to `serde_json`.
    pub(crate) fn as_i64(self) -> Option<i64> {
        self.0.parse().ok().filter(|_| self.0 != "-0")
    }

    /// The integer as which `serde_json` reads it.
    pub(crate) fn as_plain_integer(self) -> Option<i128> {
        self.as_u64().map(i128::from).or_else(|| self.as_i64().map(i128::from))
    }

    pub(crate) fn as_f64(self) -> Option<f64> {
        self.0.parse().ok().filter(|float: &f64| float.is_finite())
    }

    pub(crate) fn to_number(self) -> Option<Number> {
        match (self.as_u64(), self.as_i64()) {
            (Some(integer), _) => Some(integer.into()),
            (_, Some(integer)) => Some(integer.into()),
            _ => self.0.parse().ok(),
        }
    }

    pub(crate) fn as_integer(self) -> Option<i128> {
        const RANGE: std::ops::RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;
        if let Some(integer) = self.as_plain_integer() {
            return Some(integer);
        }
        let integer = self.worth().to_integer()?;
        RANGE.contains(&integer).then_some(integer)
    }

    pub(crate) fn worth(self) -> Worth<'a> {
        Worth::of(self.0)
    }

    /// Whether a number says the same. If it is a float, it has lost what digits a float has not.
    pub(crate) fn is(self, number: &Number) -> bool {
        if let Some(integer) = number.as_u64() {
            return self.as_integer() == Some(integer.into());
        }
        if let Some(integer) = number.as_i64() {
            return self.as_integer() == Some(integer.into());
        }
        if numbers_are_texts() {
            return self.worth() == Numeral(&number.to_string()).worth();
        }
        #[expect(clippy::cast_possible_truncation, reason = "no integer of 64 bits is cut")]
        number.as_f64().is_some_and(|float| match self.as_plain_integer() {
            Some(integer) => float.fract() == 0.0 && float as i128 == integer,
            None => self.as_f64() == Some(float),
        })
    }
}

/// How it is read into types.
impl<'de> Numeral<'de> {
    pub(crate) fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if let Some(integer) = self.as_u64() {
            visitor.visit_u64(integer)
        } else if let Some(integer) = self.as_i64() {
            visitor.visit_i64(integer)
        } else if let Some(float) = self.as_f64() {
            visitor.visit_f64(float)
        } else {
            Err(Mismatch::expected(&visitor))
        }
    }

    /// For a type that takes whatever comes: it may want to keep all digits.
    pub(crate) fn visit_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.as_plain_integer().is_some() || !numbers_are_texts() {
            return self.visit(visitor);
        }
        // A float where that loses nothing: more types can take one.
        match self.as_f64().and_then(Number::from_f64) {
            Some(float) if float.to_string() == self.0 => self.visit(visitor),
            _ => visitor.visit_map(Private { name: Private::NUMBER, text: Some(self.0) }),
        }
    }

    /// A float is rounded once, not first to 64 bits. `serde_json` does so with all but integers
    /// whose digits fit in 64 bits.
    pub(crate) fn visit_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let is_short = |digits: &str| digits.parse::<u64>().is_ok();
        if self.as_plain_integer().is_some() || self.0.strip_prefix('-').is_some_and(is_short) {
            return self.visit(visitor);
        }
        match self.0.parse().ok().filter(|float: &f32| float.is_finite()) {
            Some(float) => visitor.visit_f64(float.into()),
            None => Err(Mismatch::expected(&visitor)),
        }
    }

    pub(crate) fn visit_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.parse() {
            Ok(integer) => visitor.visit_i128(integer),
            Err(_) => Err(Mismatch::expected(&visitor)),
        }
    }

    pub(crate) fn visit_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.parse() {
            Ok(integer) => visitor.visit_u128(integer),
            Err(_) => Err(Mismatch::expected(&visitor)),
        }
    }
}

/// Whether both are worth the same and either both or none is an integer to `serde_json`.
pub(crate) fn are_written_alike(one: Numeral<'_>, other: Numeral<'_>) -> bool {
    let is_integer = |numeral: Numeral<'_>| numeral.as_plain_integer().is_some();
    is_integer(one) == is_integer(other) && one.worth() == other.worth()
}
