//! The words of JSON, one at a time.

use crate::fault::{Fault, Syntax};

/// Goes over a body from word to word.
pub(crate) struct Lexer<'b> {
    body: &'b str,
    pub(crate) at: usize,
}

impl<'b> Lexer<'b> {
    pub(crate) fn new(body: &'b str) -> Self {
        Self { body, at: 0 }
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    #[inline]
    pub(crate) fn peek_word(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// The next byte is at fault; where there is none, the body ends too early.
    pub(crate) fn fault(&self, syntax: Syntax) -> Fault {
        match self.peek() {
            Some(_) => Fault { syntax, at: self.at + 1 },
            None => Fault { syntax: Syntax::End, at: self.at },
        }
    }

    /// Reads `null`, `true` or `false`.
    #[inline]
    pub(crate) fn literal(&mut self, word: &str) -> Result<(), Fault> {
        for letter in word.bytes() {
            if self.peek() != Some(letter) {
                return Err(self.fault(Syntax::Value));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Reads a number, which a float of 64 bits can be near to.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<(), Fault> {
        const SURELY_IN_RANGE: usize = 300;
        let start = self.at;
        let has_exponent = self.any_number()?;
        let text = &self.body[start..self.at];
        let is_in_range =
            text.len() < SURELY_IN_RANGE && !has_exponent || text.parse().is_ok_and(f64::is_finite);
        if is_in_range { Ok(()) } else { Err(Fault { syntax: Syntax::Range, at: self.at }) }
    }

    /// Reads a number, and whether it has an exponent.
    #[inline]
    pub(crate) fn any_number(&mut self) -> Result<bool, Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if self.peek().is_some_and(|next| next.is_ascii_digit()) {
                return Err(self.fault(Syntax::Number));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(has_exponent)
    }

    /// Reads at least one digit.
    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|next| next.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.fault(Syntax::Number)) }
    }

    /// Reads a text from its first quote to its last. If it has escapes, writes it down without them
    /// and says so.
    #[inline]
    pub(crate) fn text(&mut self, texts: &mut String) -> Result<bool, Fault> {
        self.at += 1;
        let mut plain = self.at;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(false);
        }
        loop {
            texts.push_str(&self.body[plain..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(true);
                }
                Some(b'\\') => {
                    self.at += 1;
                    texts.push(self.escape()?);
                }
                _ => return Err(self.fault(Syntax::Control)),
            }
            plain = self.at;
            self.skip_plain();
        }
    }

    /// Goes to the next byte that does not stand for itself in a text, or to the end.
    #[inline]
    fn skip_plain(&mut self) {
        let bytes = self.body.as_bytes();
        while let Some(chunk) = bytes[self.at..].first_chunk() {
            let special = special(u64::from_le_bytes(*chunk));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += chunk.len();
        }
        while self.peek().is_some_and(|byte| byte >= 0x20 && !matches!(byte, b'"' | b'\\')) {
            self.at += 1;
        }
    }

    /// Reads an escape, whose backslash is read.
    fn escape(&mut self) -> Result<char, Fault> {
        let escaped = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte.into(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.fault(Syntax::Escape)),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self) -> Result<char, Fault> {
        let first = self.hex()?;
        let lone = |lexer: &Self| Fault { syntax: Syntax::Surrogate, at: lexer.at };
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| lone(self));
        }
        for expected in [b'\\', b'u'] {
            if self.peek() != Some(expected) {
                return Err(self.fault(Syntax::HexEnd));
            }
            self.at += 1;
        }
        let second = self.hex()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(lone(self));
        }
        let scalar = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        char::from_u32(scalar).ok_or_else(|| lone(self))
    }

    /// Reads four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, Fault> {
        let bytes = self.body.as_bytes();
        let Some(digits) = bytes[self.at..].first_chunk::<4>() else {
            return Err(Fault { syntax: Syntax::End, at: bytes.len() });
        };
        self.at += digits.len();
        let digit = |value, digit: &u8| Some(value << 4 | char::from(*digit).to_digit(16)?);
        let value = digits.iter().try_fold(0, digit);
        value.ok_or(Fault { syntax: Syntax::Escape, at: self.at })
    }
}

/// Has a bit set at the first byte of eight that is a quote, a backslash or a control character, if
/// any is. Mycroft's trick, byte by byte without a branch.
#[inline]
fn special(bytes: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let control = bytes.wrapping_sub(ONES * 0x20) & !bytes;
    let is = |byte: u8| {
        let zero_where_same = bytes ^ (ONES * u64::from(byte));
        zero_where_same.wrapping_sub(ONES) & !zero_where_same
    };
    (control | is(b'"') | is(b'\\')) & (ONES << 7)
}
