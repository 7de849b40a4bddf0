use std::time::Duration;

use tower_callback_contract::Timestamp;

/// Where a message stands among those of its conversation: by the time it was sent, then by its
/// id, then by its arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub(crate) sent_at: Timestamp,
    pub(crate) id: IdRank,
    pub(crate) arrival: u64,
}

/// Ids of decimal digits compare as numbers, and stand before the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum IdRank {
    Number(u128),
    Text(Box<str>),
}

impl Rank {
    pub(crate) fn new(sent_at: Timestamp, id: &str, arrival: u64) -> Self {
        Self { sent_at, id: IdRank::of(id), arrival }
    }

    /// How much later than at this time it was sent.
    pub(crate) fn sent_after(&self, sent_at: Timestamp) -> Duration {
        Duration::from_micros(self.sent_at.as_micros().saturating_sub(sent_at.as_micros()))
    }

    /// Whether both are the same message, which may have arrived twice.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        (self.sent_at, &self.id) == (other.sent_at, &other.id)
    }
}

impl IdRank {
    fn of(id: &str) -> Self {
        let is_decimal = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_decimal.then(|| id.parse().ok()).flatten();
        number.map_or_else(|| Self::Text(id.into()), Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o09_ties_break_by_id_as_a_number_if_it_is_one_and_then_by_arrival() {
        let at = |millis, id, arrival| {
            Rank::new(Timestamp::from_millis(millis).expect("a time"), id, arrival)
        };
        let ranks = [
            at(1, "5", 9),
            at(2, "9", 8),
            at(2, "10", 6),
            at(2, "10", 7),
            at(2, "a", 5),
            at(2, "b", 4),
            at(3, "", 3),
        ];
        assert!(ranks.is_sorted());
    }
}
