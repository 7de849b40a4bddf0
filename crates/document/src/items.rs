use std::fmt;

use crate::value::ValueRef;

/// The items of an array.
#[derive(Clone)]
pub struct Items<'a> {
    pub(crate) next: ValueRef<'a>,
    pub(crate) left: usize,
}

/// The fields of an object with their names, in the order in which they stand.
#[derive(Clone)]
pub struct Fields<'a> {
    pub(crate) next: ValueRef<'a>,
    pub(crate) left: usize,
}

// ===== impl Items =====

impl<'a> Iterator for Items<'a> {
    type Item = ValueRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ValueRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        let item = self.next;
        self.next.at = item.tape.after(item.at);
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

impl<'a> Fields<'a> {
    /// Goes over a field, and tells where its name stands.
    #[inline]
    pub(crate) fn next_name(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let tape = self.next.tape;
        let mut name = self.next.at;
        if tape.is_hidden(name) {
            name = tape.slots[name].start();
        }
        self.next.at = tape.after(tape.after(name));
        Some(name)
    }

    /// The next field with its name, which is a value of its own.
    #[inline]
    pub(crate) fn next_pair(&mut self) -> Option<(ValueRef<'a>, ValueRef<'a>)> {
        let at = self.next_name()?;
        let name = ValueRef { at, ..self.next };
        Some((name, ValueRef { at: name.tape.after(at), ..name }))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, ValueRef<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.next_pair()?;
        Some((name.tape.text(name.body, name.at), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("left", &self.left).finish_non_exhaustive()
    }
}
