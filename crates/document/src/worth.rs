use std::{
    hash::{Hash, Hasher},
    iter::repeat_n,
};

/// What a number is worth, to the last digit: `0.` and its digits, of which neither the first nor the
/// last is a zero, times ten to the power of its magnitude. Zero has no digits.
#[derive(Clone, Copy)]
pub(crate) struct Worth<'a> {
    pub(crate) is_negative: bool,
    pub(crate) magnitude: i64,
    /// Side by side. The second is empty unless there is a point between them.
    pub(crate) digits: [&'a [u8]; 2],
}

impl<'a> Worth<'a> {
    /// That of a JSON number.
    pub(crate) fn of(text: &'a str) -> Self {
        let (is_negative, text) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            text => (false, text),
        };
        let (digits, exponent) = split_at(text, |byte| matches!(byte, b'e' | b'E'));
        let (whole, fraction) = split_at(digits, |byte| byte == b'.');
        Self::new(is_negative, whole, fraction, exponent.map_or(0, self::exponent))
    }

    fn new(is_negative: bool, whole: &'a [u8], fraction: Option<&'a [u8]>, exponent: i64) -> Self {
        let mut digits = [trim_start(whole), trim_end(fraction.unwrap_or_default())];
        let mut magnitude = exponent.saturating_add_unsigned(digits[0].len() as u64);
        if digits[0].is_empty() {
            let significant = trim_start(digits[1]);
            magnitude =
                exponent.saturating_sub_unsigned((digits[1].len() - significant.len()) as u64);
            digits = [significant, &[]];
        } else if digits[1].is_empty() {
            digits[0] = trim_end(digits[0]);
        }
        if digits[0].is_empty() {
            return Self { is_negative: false, magnitude: 0, digits };
        }
        Self { is_negative, magnitude, digits }
    }

    pub(crate) fn is_integer(self) -> bool {
        let digits: usize = self.digits.iter().map(|digits| digits.len()).sum();
        digits == 0 || usize::try_from(self.magnitude).is_ok_and(|magnitude| magnitude >= digits)
    }

    pub(crate) fn to_integer(self) -> Option<i128> {
        const MOST: i64 = 20;
        let [one, other] = self.digits;
        let zeros = self.magnitude.checked_sub_unsigned((one.len() + other.len()) as u64)?;
        if self.magnitude > MOST {
            return None;
        }
        // Below zero if there is a fraction.
        let zeros = usize::try_from(zeros).ok()?;
        let digits = one.iter().chain(other).copied().chain(repeat_n(b'0', zeros));
        let integer = digits.fold(0, |integer, digit| integer * 10 + i128::from(digit - b'0'));
        Some(if self.is_negative { -integer } else { integer })
    }
}

impl PartialEq for Worth<'_> {
    fn eq(&self, other: &Self) -> bool {
        let all = |worth: &Self| worth.digits.map(<[u8]>::len).iter().sum::<usize>();
        self.is_negative == other.is_negative
            && self.magnitude == other.magnitude
            && all(self) == all(other)
            && self.digits.iter().copied().flatten().eq(other.digits.iter().copied().flatten())
    }
}

impl Hash for Worth<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.is_negative, self.magnitude).hash(state);
        for digit in self.digits.iter().copied().flatten() {
            state.write_u8(*digit);
        }
        state.write_u8(0xFF);
    }
}

/// An exponent, as near as 64 bits come.
fn exponent(text: &[u8]) -> i64 {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digit = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add((digit - b'0').into());
    let exponent = digits.iter().fold(0, digit);
    if is_negative { -exponent } else { exponent }
}

fn split_at(text: &[u8], is_mark: impl Fn(u8) -> bool) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&byte| is_mark(byte)) {
        Some(mark) => (&text[..mark], Some(&text[mark + 1..])),
        None => (text, None),
    }
}

fn trim_start(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros..]
}

fn trim_end(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
    &digits[..digits.len() - zeros]
}
