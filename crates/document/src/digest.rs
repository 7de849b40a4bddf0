use std::collections::HashSet;

use rapidhash::v3::rapidhash_v3;

use crate::{
    number::Numeral,
    pointer::{Pointer, Step},
    tape::Kind,
    value::ValueRef,
};

// Kinds of values, told apart by the seed they are hashed with.
const NULL: u64 = SCALAR;
const SCALAR: u64 = 1;
const NUMBER: u64 = 2;
const NEGATIVE: u64 = 3;
const TEXT: u64 = 4;
const ARRAY: u64 = 5;
const OBJECT: u64 = 6;

impl ValueRef<'_> {
    /// Tells what it says from what another one says, by 64 bits of rapidhash: the same in every process.
    ///
    /// The order of fields, their spelling, white space and escapes make no difference, nor do: how
    /// a number is written, an integer against the string of its digits, a field that is null
    /// against none, two spellings of a field against one. What an ignored pointer leads to counts
    /// as null. Tells accidents, not forgeries: who wants to can make two values of one digest.
    #[must_use]
    pub fn digest(self, ignored: &[Pointer]) -> u64 {
        let ignored: Vec<_> = ignored.iter().map(Pointer::steps).collect();
        self.digest_but(&ignored)
    }

    /// Ignores what these steps lead to.
    fn digest_but(self, ignored: &[&[Step]]) -> u64 {
        if ignored.iter().any(|steps| steps.is_empty()) {
            return NULL;
        }
        match self.kind() {
            Kind::Null | Kind::Hidden => NULL,
            Kind::Bool => mix(SCALAR, u64::from(self.raw() == "true")),
            Kind::Number => number_hash(Numeral(self.raw())),
            Kind::Text | Kind::Escaped => text_hash(self.as_str().unwrap_or_default()),
            Kind::Array => self.array_digest(ignored),
            Kind::Object => self.object_digest(ignored),
        }
    }

    fn array_digest(self, ignored: &[&[Step]]) -> u64 {
        let mut hash = ARRAY;
        if let Some(items) = self.as_array() {
            for (index, item) in items.enumerate() {
                let below = rest(ignored, |step| step.is_index(index));
                hash = mix(hash, item.digest_but(&below));
            }
        }
        hash
    }

    /// A sum, so that the order of fields makes no difference.
    fn object_digest(self, ignored: &[&[Step]]) -> u64 {
        let mut sum = OBJECT;
        let mut known = self.is_respelled().then(HashSet::new);
        if let Some(fields) = self.as_object() {
            for (name, value) in fields {
                let name = self.meaning(name);
                // Two spellings of a field say the same, or the document would have been refused.
                if known.as_mut().is_some_and(|known| !known.insert(name)) {
                    continue;
                }
                let below = rest(ignored, |step| self.meaning(step.name()) == name);
                let value = value.digest_but(&below);
                if value != NULL {
                    sum = sum.wrapping_add(mix(rapidhash_v3(name.as_bytes()), value));
                }
            }
        }
        sum
    }
}

/// What is left of those steps of which the first leads here.
fn rest<'s>(ignored: &[&'s [Step]], leads: impl Fn(&Step) -> bool) -> Vec<&'s [Step]> {
    if ignored.is_empty() {
        return Vec::new();
    }
    let split = ignored.iter().filter_map(|steps| steps.split_first());
    split.filter(|(step, _)| leads(step)).map(|(_, rest)| rest).collect()
}

/// That of an integer of 64 bits is made of its value, that of any other number of its digits.
fn number_hash(number: Numeral<'_>) -> u64 {
    let kind = |is_negative| if is_negative { NEGATIVE } else { NUMBER };
    let integer = number.as_integer();
    if let Some(Ok(magnitude)) = integer.map(|integer| integer.unsigned_abs().try_into()) {
        return mix(kind(integer < Some(0)), magnitude);
    }
    let worth = number.worth();
    let seed = mix(kind(worth.is_negative), NUMBER);
    let seed = mix(seed, u64::from_le_bytes(worth.magnitude.to_le_bytes()));
    mix(
        seed,
        match worth.digits {
            [digits, []] => rapidhash_v3(digits),
            digits => rapidhash_v3(&digits.concat()),
        },
    )
}

fn text_hash(text: &str) -> u64 {
    if is_integer(text) {
        number_hash(Numeral(text))
    } else {
        mix(TEXT, rapidhash_v3(text.as_bytes()))
    }
}

/// Whether these are the decimal digits of an integer.
fn is_integer(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0'] => text == "0",
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Folds the 128 bits of a product, as fast hashes do: a hash of eight bytes would take ten times as long.
fn mix(left: u64, right: u64) -> u64 {
    const KEYS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03];
    let product = u128::from(left ^ KEYS[0]) * u128::from(right ^ KEYS[1]);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    let folded = product as u64 ^ (product >> 64) as u64;
    folded
}
