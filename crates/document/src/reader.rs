//! The one pass over a body.

use crate::{
    error::ReadError,
    fault::{Fault, Stop, Syntax},
    lexer::Lexer,
    spelling::Spelling,
    tape::{FREE, Kind, Slot, Tape},
};

/// As many arrays and objects, one within the other, as `serde_json` reads.
const MAX_DEPTH: usize = 127;

/// What a body may hold.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    depth: usize,
    nodes: usize,
    /// Whether a number may be out of the range of floats.
    has_range: bool,
}

pub(crate) struct Reader<'b> {
    pub(super) body: &'b str,
    lexer: Lexer<'b>,
    pub(super) tape: Tape,
    limits: Limits,
    open: Vec<Open>,
    /// Where the names stand of the objects that are open, the innermost last.
    pub(super) names: Vec<usize>,
}

/// An array or object that is not read to its end.
#[derive(Clone, Copy)]
pub(super) struct Open {
    at: usize,
    /// Its names, if it is an object, are those from here on.
    pub(super) names: usize,
    kind: Kind,
    len: usize,
    is_free: bool,
    /// Whether the content of the field that is being read is the sender's own.
    is_field_free: bool,
}

enum After {
    /// Another value is due.
    Value,
    /// An array or object is complete.
    Close,
    End,
}

/// Reads a whole body.
pub(crate) fn read(body: &str, spelling: Spelling, limits: Limits) -> Result<Tape, ReadError> {
    let mut reader = Reader {
        body,
        lexer: Lexer::new(body),
        tape: Tape::with_room_for(body.len(), spelling),
        limits,
        open: Vec::with_capacity(8),
        names: Vec::with_capacity(32),
    };
    reader.run().map_err(|stop| match stop {
        Stop::Fault(fault) => ReadError::of(body, fault),
        Stop::Ambiguous(ambiguous) => ambiguous.into(),
    })?;
    reader.tape.shrink();
    Ok(reader.tape)
}

// ===== impl Limits =====

impl Limits {
    /// Those for what comes from outside.
    pub(crate) fn nodes(nodes: usize) -> Self {
        Self { depth: MAX_DEPTH, nodes, has_range: true }
    }

    /// None, for what stood in a [`Value`](serde_json::Value).
    pub(crate) fn none() -> Self {
        Self { depth: usize::MAX, nodes: usize::MAX, has_range: false }
    }
}

// ===== impl Reader =====

impl Reader<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        loop {
            if !self.value()? {
                continue;
            }
            loop {
                match self.after_value()? {
                    After::Value => break,
                    After::Close => {}
                    After::End => return Ok(()),
                }
            }
        }
    }

    /// Reads a value, or the start of an array or object up to its first value; whether it is
    /// complete.
    #[inline]
    fn value(&mut self) -> Result<bool, Stop> {
        let first = self.lexer.peek_word();
        self.count()?;
        let start = self.lexer.at;
        let kind = match first {
            Some(b'"') => {
                self.text()?;
                return Ok(true);
            }
            Some(b'{') => return self.open(Kind::Object),
            Some(b'[') => return self.open(Kind::Array),
            Some(b'-' | b'0'..=b'9') if self.limits.has_range => {
                self.lexer.number()?;
                Kind::Number
            }
            Some(b'-' | b'0'..=b'9') => {
                self.lexer.any_number()?;
                Kind::Number
            }
            Some(b'n') => self.lexer.literal("null").map(|()| Kind::Null)?,
            Some(b't') => self.lexer.literal("true").map(|()| Kind::Bool)?,
            Some(b'f') => self.lexer.literal("false").map(|()| Kind::Bool)?,
            _ => return Err(self.lexer.fault(Syntax::Value).into()),
        };
        self.tape.slots.push(Slot::new(kind, start, self.lexer.at));
        Ok(true)
    }

    #[inline]
    fn count(&mut self) -> Result<(), Fault> {
        self.tape.nodes += 1;
        if self.tape.nodes > self.limits.nodes && self.lexer.peek().is_some() {
            return Err(self.lexer.fault(Syntax::TooMany));
        }
        Ok(())
    }

    #[inline]
    fn text(&mut self) -> Result<(), Fault> {
        let (start, text) = (self.lexer.at, self.tape.texts.len());
        let has_escapes = self.lexer.text(&mut self.tape.texts)?;
        let end = self.lexer.at;
        if has_escapes {
            self.tape.slots.push(Slot::new(Kind::Escaped, start, end));
            self.tape.slots.push(Slot::unescaped(text, self.tape.texts.len()));
        } else {
            self.tape.slots.push(Slot::new(Kind::Text, start, end));
        }
        Ok(())
    }

    /// Reads the start of an array or object, and all of an empty one; whether it is complete.
    #[inline]
    fn open(&mut self, kind: Kind) -> Result<bool, Stop> {
        if self.open.len() >= self.limits.depth {
            return Err(self.lexer.fault(Syntax::TooDeep).into());
        }
        let is_free = self.open.last().is_some_and(|open| open.is_free || open.is_field_free);
        let (at, names) = (self.tape.slots.len(), self.names.len());
        self.open.push(Open { at, names, kind, len: 0, is_free, is_field_free: false });
        let slot = Slot::new(kind, self.lexer.at, self.lexer.at);
        self.tape.slots.extend([slot, slot]);
        self.lexer.at += 1;
        match (kind, self.lexer.peek_word()) {
            (Kind::Array, Some(b']')) | (Kind::Object, Some(b'}')) => self.close().map(|()| true),
            (Kind::Object, Some(b'"')) => self.name().map(|()| false),
            (Kind::Object, _) => Err(self.lexer.fault(Syntax::Key).into()),
            _ if self.lexer.peek().is_none() => Err(self.lexer.fault(Syntax::End).into()),
            _ => Ok(false),
        }
    }

    /// Reads a field's name up to its value.
    #[inline]
    fn name(&mut self) -> Result<(), Stop> {
        self.count()?;
        let at = self.tape.slots.len();
        self.text()?;
        self.names.push(at);
        if self.tape.spelling.has_free_fields() {
            let is_free = self.tape.spelling.is_free(self.tape.text(self.body, at));
            if let Some(open) = self.open.last_mut() {
                open.is_field_free = is_free;
            }
        }
        if self.lexer.peek_word() != Some(b':') {
            return Err(self.lexer.fault(Syntax::Colon).into());
        }
        self.lexer.at += 1;
        Ok(())
    }

    /// Reads what follows a value, up to the next.
    #[inline]
    fn after_value(&mut self) -> Result<After, Stop> {
        let next = self.lexer.peek_word();
        let Some(open) = self.open.last_mut() else {
            return match next {
                None => Ok(After::End),
                Some(_) => Err(self.lexer.fault(Syntax::Trailing).into()),
            };
        };
        open.len += 1;
        let (is_object, end) = match open.kind {
            Kind::Object => (true, b'}'),
            _ => (false, b']'),
        };
        match next {
            Some(b',') => {
                self.lexer.at += 1;
                match self.lexer.peek_word() {
                    Some(b'"') if is_object => self.name()?,
                    Some(next) if next == end => {
                        return Err(self.lexer.fault(Syntax::TrailingComma).into());
                    }
                    _ if is_object => return Err(self.lexer.fault(Syntax::Key).into()),
                    _ => {}
                }
                Ok(After::Value)
            }
            Some(next) if next == end => self.close().map(|()| After::Close),
            _ if is_object => Err(self.lexer.fault(Syntax::ObjectEnd).into()),
            _ => Err(self.lexer.fault(Syntax::ArrayEnd).into()),
        }
    }

    /// Reads the end of the innermost array or object.
    #[inline]
    fn close(&mut self) -> Result<(), Stop> {
        self.lexer.at += 1;
        let Some(Open { at, names, kind, mut len, is_free, .. }) = self.open.pop() else {
            return Ok(());
        };
        let mut flags = if is_free { FREE } else { 0 };
        if kind == Kind::Object {
            let twins = self.settle(names, is_free)?;
            flags |= twins.flags;
            len -= twins.hidden;
            self.names.truncate(names);
        }
        let start = self.tape.slots[at].start();
        self.tape.slots[at] = Slot::new(kind, start, self.lexer.at);
        self.tape.slots[at + 1] = Slot::container(self.tape.slots.len(), len, flags);
        Ok(())
    }
}
