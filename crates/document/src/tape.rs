use crate::{error::Ambiguous, spelling::Spelling};

/// Bodies are shorter than so many bytes: a value's length has 28 bits.
pub(crate) const MAX_BODY: usize = 1 << 28;

/// How many bytes are not worth the time to give them back.
const MAX_SPARE: usize = 1024;

const LEN: u32 = (1 << 28) - 1;
const TWICE: u32 = 1 << 28;

/// The names in an object, and in all below it, are the sender's own.
pub(crate) const FREE: u32 = 1 << 31;
/// An object has a field in two spellings, which agree.
pub(crate) const RESPELLED: u32 = 1 << 30;
/// An object had a key twice.
pub(crate) const DOUBLED: u32 = 1 << 29;

/// The values of a document in the order in which they stand: of each only where.
///
/// A null, boolean, number or text without escapes has one slot, any other value two. A field is its
/// name, a text, and then its value.
#[derive(Clone)]
pub(crate) struct Tape {
    pub(crate) slots: Vec<Slot>,
    /// The texts that have escapes, without them.
    pub(crate) texts: String,
    pub(crate) nodes: usize,
    /// The name of a field that stood before in its object.
    pub(crate) twice: Option<usize>,
    pub(crate) spelling: Spelling,
}

/// The first slot of a value: where it stands in the body, its kind and its length. The second:
/// of a text with escapes, where it stands without them; of an array or object, where the tape goes
/// on behind it, and how many items or fields it has, with flags.
#[derive(Clone, Copy)]
pub(crate) struct Slot(u32, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    /// A text with escapes.
    Escaped,
    Array,
    Object,
    /// The name of a field of which a later one counts; it has one slot, whose place is the next name.
    Hidden,
}

// ===== impl Slot =====

#[expect(clippy::cast_possible_truncation, reason = "no body, and so no tape, is that long")]
impl Slot {
    #[inline]
    pub(crate) fn new(kind: Kind, start: usize, end: usize) -> Self {
        Self(start as u32, (kind as u32) << 29 | (end - start) as u32)
    }

    /// The second slot of an array or object that ends before this place in the tape.
    #[inline]
    pub(crate) fn container(next: usize, len: usize, flags: u32) -> Self {
        Self(next as u32, len as u32 | flags)
    }

    /// The second slot of a text that stands here among those without escapes.
    #[inline]
    pub(crate) fn unescaped(start: usize, end: usize) -> Self {
        Self(start as u32, (end - start) as u32)
    }

    /// Replaces a name, so that only the field at `next` is seen.
    pub(crate) fn hidden(next: usize) -> Self {
        Self(next as u32, (Kind::Hidden as u32) << 29)
    }

    /// The same name, which stood before.
    pub(crate) fn twice(self) -> Self {
        Self(self.0, self.1 | TWICE)
    }

    #[inline]
    pub(crate) fn is_twice(self) -> bool {
        self.1 & TWICE != 0
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        match self.1 >> 29 {
            0 => Kind::Null,
            1 => Kind::Bool,
            2 => Kind::Number,
            3 => Kind::Text,
            4 => Kind::Escaped,
            5 => Kind::Array,
            6 => Kind::Object,
            _ => Kind::Hidden,
        }
    }

    #[inline]
    pub(crate) fn start(self) -> usize {
        self.0 as usize
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.1 & LEN) as usize
    }

    #[inline]
    pub(crate) fn end(self) -> usize {
        self.start() + self.len()
    }

    #[inline]
    pub(crate) fn has(self, flag: u32) -> bool {
        self.1 & flag != 0
    }
}

// ===== impl Tape =====

impl Tape {
    /// In bytes of memory.
    pub(crate) fn size(&self) -> usize {
        size_of_val(&*self.slots) + self.texts.len()
    }

    /// An empty one with room for what a body of so many bytes holds.
    pub(crate) fn with_room_for(bytes: usize, spelling: Spelling) -> Self {
        // Callbacks have a value or name every dozen bytes. One that has more pays for it.
        const MOST: usize = 4096;
        let slots = Vec::with_capacity(16 + bytes.min(MOST) / 7);
        Self { slots, texts: String::new(), nodes: 0, twice: None, spelling }
    }

    /// Gives back room that nothing came to fill: a document may wait as long as its callback.
    pub(crate) fn shrink(&mut self) {
        if self.slots.capacity() - self.slots.len() > MAX_SPARE / size_of::<Slot>() {
            self.slots.shrink_to_fit();
        }
        if self.texts.capacity() - self.texts.len() > MAX_SPARE {
            self.texts.shrink_to_fit();
        }
    }

    /// Where the tape goes on behind a value.
    #[inline]
    pub(crate) fn after(&self, at: usize) -> usize {
        match self.slots[at].kind() {
            Kind::Array | Kind::Object => self.slots[at + 1].start(),
            Kind::Escaped => at + 2,
            _ => at + 1,
        }
    }

    #[inline]
    pub(crate) fn is_hidden(&self, name: usize) -> bool {
        self.slots[name].kind() == Kind::Hidden
    }

    /// The text, or name, at this place, without its escapes.
    #[inline]
    pub(crate) fn text<'a>(&'a self, body: &'a str, at: usize) -> &'a str {
        let slot = self.slots[at];
        match slot.kind() {
            Kind::Escaped => {
                let slot = self.slots[at + 1];
                &self.texts[slot.start()..slot.end()]
            }
            _ => &body[slot.start() + 1..slot.end() - 1],
        }
    }

    /// Says of the name at this place that it stood before in its object.
    pub(crate) fn stands_twice(&self, body: &str, at: usize) -> Ambiguous {
        Ambiguous::new(body, self.slots[at].start(), self.text(body, at), "stands twice")
    }
}
