use std::cell::Cell;

/// The most violations that are counted in one document, those in branches included.
const MAX_COUNTED: u32 = 256;

/// How many values are looked at, one as often as a rule does. Twice what a mebibyte holds.
const MAX_LOOKS: usize = 1_000_000;

/// What may still be spent on one document.
pub(crate) struct Budget {
    looks: Cell<usize>,
    violations: Cell<u32>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { looks: Cell::new(MAX_LOOKS), violations: Cell::new(MAX_COUNTED) }
    }
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.looks.get() == 0 || self.violations.get() == 0
    }

    /// Pays for a look at so many bytes; false if there is nothing left.
    pub(crate) fn pay(&self, bytes: usize) -> bool {
        let looks = 1 + bytes / 64;
        self.looks.set(self.looks.get().saturating_sub(looks));
        !self.is_spent()
    }

    /// Pays for a violation that was found; false if there was nothing left for it.
    pub(crate) fn pay_violation(&self) -> bool {
        let is_paid = !self.is_spent();
        self.violations.set(self.violations.get().saturating_sub(1));
        is_paid
    }
}
