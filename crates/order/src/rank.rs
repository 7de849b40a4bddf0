use std::{cmp::Ordering, time::Duration};

use tower_callback_contract::{Id, Timestamp};

/// Where a message stands among those of its conversation: by the time it was sent, then by its
/// id, then by its arrival.
#[derive(Clone, Debug)]
pub(crate) struct Rank {
    pub(crate) sent_at: Timestamp,
    pub(crate) id: Option<Id>,
    pub(crate) arrival: u64,
}

impl Rank {
    /// Its id, if it has one.
    pub(crate) fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// How much later than at this time it was sent.
    pub(crate) fn sent_after(&self, sent_at: Timestamp) -> Duration {
        Duration::from_micros(self.sent_at.as_micros().saturating_sub(sent_at.as_micros()))
    }

    /// Whether both are the same message, delivered twice.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.sent_at == other.sent_at && self.text() == other.text()
    }

    fn text(&self) -> &str {
        self.id.as_ref().map_or("", Id::as_str)
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_time = self.sent_at.cmp(&other.sent_at);
        by_time
            .then_with(|| compare_ids(self.text(), other.text()))
            .then_with(|| self.arrival.cmp(&other.arrival))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rank {}

/// Ids of decimal digits compare as numbers, and stand before the others.
fn compare_ids(one: &str, other: &str) -> Ordering {
    let by_value = match (digits_of(one), digits_of(other)) {
        (Some(one), Some(other)) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
        (one, other) => other.is_some().cmp(&one.is_some()),
    };
    by_value.then_with(|| one.cmp(other))
}

/// The digits of a decimal number, without leading zeros.
fn digits_of(id: &str) -> Option<&str> {
    let is_decimal = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| id.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o09_ties_break_by_id_as_a_number_if_it_is_one_and_then_by_arrival() {
        let at = |millis, id, arrival| {
            let sent_at = Timestamp::from_millis(millis).expect("a time");
            Rank { sent_at, id: Id::new("chat", id), arrival }
        };
        let beyond_128_bits = "9".repeat(60);
        let ranks = [
            at(1, "5", 9),
            at(2, "9", 8),
            at(2, "0010", 7),
            at(2, "10", 5),
            at(2, "10", 6),
            at(2, "11", 4),
            at(2, &beyond_128_bits, 3),
            at(2, "", 2),
            at(2, "a", 1),
            at(2, "b", 0),
            at(3, "", 0),
        ];
        assert!(ranks.is_sorted_by(|one, other| one < other));
        assert!(ranks[3].is_same_as(&ranks[4]) && !ranks[2].is_same_as(&ranks[3]));
    }
}
