//! What becomes of an object in which one name, or one field, stands more than once.

use std::iter::zip;

use crate::{
    error::Ambiguous,
    fault::Stop,
    reader::Reader,
    tape::{DOUBLED, RESPELLED, Slot},
    value::ValueRef,
};

/// Up to so many names are compared one by one; more are sorted.
const FEW: usize = 16;

/// What was found in an object.
#[derive(Default)]
pub(crate) struct Twins {
    pub(crate) flags: u32,
    /// How many of its fields a later one hides.
    pub(crate) hidden: usize,
}

impl Reader<'_> {
    /// Looks for names that stand twice in the object whose names are those from here on: the last
    /// hides the others. Refuses a field that stands in two spellings with different values.
    pub(crate) fn settle(&mut self, first: usize, is_free: bool) -> Result<Twins, Stop> {
        match self.names.len() - first {
            0 | 1 => Ok(Twins::default()),
            len if len <= FEW && self.differ_at_sight(first, is_free) => Ok(Twins::default()),
            _ => self.settle_sorted(first, is_free),
        }
    }

    /// Whether each of a few names differs from all others in its length or its ends.
    fn differ_at_sight(&self, first: usize, is_free: bool) -> bool {
        let names = &self.names[first..];
        let mut sights = [0; FEW];
        for (sight, &at) in zip(&mut sights, names) {
            let name = self.tape.text(self.body, at);
            let name = if is_free { name } else { self.tape.spelling.canonical(name) };
            *sight = at_sight(name.as_bytes());
        }
        let sights = &sights[..names.len()];
        let mut rest = sights.iter();
        while let Some(sight) = rest.next() {
            if rest.as_slice().contains(sight) {
                return false;
            }
        }
        true
    }

    /// Takes no longer than sorting the names, even if an attacker chose them.
    fn settle_sorted(&mut self, first: usize, is_free: bool) -> Result<Twins, Stop> {
        let tape = &self.tape;
        let named = |&at: &usize| {
            let name = tape.text(self.body, at);
            let meaning = if is_free { name } else { tape.spelling.canonical(name) };
            (meaning, name, at)
        };
        // By what is meant, then as they are spelled, then as they stand.
        let mut sorted: Vec<_> = self.names[first..].iter().map(named).collect();
        sorted.sort_unstable();
        let mut twins = Twins::default();
        let (mut hidden, mut twice) = (Vec::new(), Vec::new());
        for same in sorted.chunk_by(|one, other| one.0 == other.0) {
            // Of each spelling the last; all must agree with the first of these.
            let mut spelled = same.chunk_by(|one, other| one.1 == other.1).filter_map(|same| {
                let (&(.., last), others) = same.split_last()?;
                hidden.extend(others.iter().map(|&(.., at)| at));
                twice.extend((!others.is_empty()).then_some(last));
                Some(last)
            });
            let one = spelled.next();
            for other in spelled {
                self.agree(one.unwrap_or(other), other)?;
                twins.flags |= RESPELLED;
            }
        }
        if !hidden.is_empty() {
            twins.flags |= DOUBLED;
            twins.hidden = hidden.len();
            self.hide(first, &hidden, &twice);
        }
        Ok(twins)
    }

    /// Refuses two spellings of one field, whose names stand here, if their values differ.
    fn agree(&self, one: usize, other: usize) -> Result<(), Stop> {
        let value = |name| ValueRef::new(self.body, &self.tape, self.tape.after(name));
        if value(one).is_written_as(value(other)) {
            return Ok(());
        }
        let later = one.max(other);
        let field = self.tape.spelling.canonical(self.tape.text(self.body, later));
        let start = self.tape.slots[later].start();
        let what = "has two spellings with different values";
        Err(Stop::Ambiguous(Ambiguous::new(self.body, start, field, what)))
    }

    /// Hides the fields whose names stand at the first places, and marks the names of which they were.
    fn hide(&mut self, first: usize, hidden: &[usize], twice: &[usize]) {
        self.tape.twice = self.tape.twice.or(twice.first().copied());
        for &at in twice {
            self.tape.slots[at] = self.tape.slots[at].twice();
        }
        for &at in hidden {
            let next = self.tape.after(self.tape.after(at));
            self.tape.slots[at] = Slot::hidden(next);
        }
        // One jump then leads over all that are hidden side by side. The last field never is.
        for &at in self.names[first..].iter().rev() {
            if self.tape.is_hidden(at) {
                let next = self.tape.slots[at].start();
                if self.tape.is_hidden(next) {
                    self.tape.slots[at] = self.tape.slots[next];
                }
            }
        }
    }
}

/// A number made of the length and the ends of a name: names that are the same have the same.
fn at_sight(name: &[u8]) -> u64 {
    let ends = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => name.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    ends.wrapping_add((name.len() as u64) << 24)
}
