use std::collections::HashSet;

use tower_callback_contract::{Items, ValueRef};

/// Up to so many items are compared one by one, which ends where they differ; more are hashed.
const FEW: usize = 16;

/// A byte of an item costs as much as so many of a text: each value in it is looked at.
const VALUES: usize = 8;

/// Whether no two items are the same, or there is nothing left to pay for finding out.
pub(crate) fn is_unique(items: &Items<'_>, pay: impl Fn(usize) -> bool) -> bool {
    let mut items = items.clone();
    if items.len() > FEW {
        let mut known = HashSet::new();
        return items.all(|item| !pay(VALUES * item.raw().len()) || known.insert(item));
    }
    while let Some(item) = items.next() {
        let is_same = |other: ValueRef<'_>| {
            pay(VALUES * item.raw().len().min(other.raw().len())) && item == other
        };
        if items.clone().any(is_same) {
            return false;
        }
    }
    true
}
