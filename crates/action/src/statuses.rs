use std::ops::RangeInclusive;

use http::StatusCode;

/// The statuses that a [`Rule`](crate::Rule) is for: one, a range, a class, or any.
///
/// ```
/// use http::StatusCode;
/// use tower_callback_action::Statuses;
///
/// assert_eq!(Statuses::from(500..=599), Statuses::SERVER_ERRORS);
/// assert_eq!(Statuses::from(409), Statuses::from(StatusCode::CONFLICT));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statuses {
    first: u16,
    last: u16,
}

impl Statuses {
    /// 2xx
    pub const SUCCESSES: Self = Self::class(200);
    /// 3xx
    pub const REDIRECTS: Self = Self::class(300);
    /// 4xx
    pub const CLIENT_ERRORS: Self = Self::class(400);
    /// 5xx
    pub const SERVER_ERRORS: Self = Self::class(500);
    /// Every status.
    pub const ANY: Self = Self { first: 100, last: 999 };

    const fn class(first: u16) -> Self {
        Self { first, last: first + 99 }
    }

    pub(crate) fn contains(self, status: StatusCode) -> bool {
        (self.first..=self.last).contains(&status.as_u16())
    }

    /// How many there are: of two rules, the one for fewer statuses is the narrower.
    pub(crate) fn width(self) -> u16 {
        self.last - self.first
    }
}

/// # Panics
/// If it is not a status: below 100 or above 999.
impl From<u16> for Statuses {
    fn from(status: u16) -> Self {
        Self::from(status..=status)
    }
}

impl From<StatusCode> for Statuses {
    fn from(status: StatusCode) -> Self {
        Self::from(status.as_u16())
    }
}

/// # Panics
/// If the range is empty, or goes below 100 or above 999.
impl From<RangeInclusive<u16>> for Statuses {
    fn from(statuses: RangeInclusive<u16>) -> Self {
        let (first, last) = statuses.into_inner();
        let are_statuses = 100 <= first && first <= last && last <= 999;
        assert!(are_statuses, "{first}..={last} is not a range of statuses between 100 and 999");
        Self { first, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_both_its_ends() {
        let range = Statuses::from(401..=403);
        let held = [400, 401, 403, 404].map(|status| {
            let status = StatusCode::from_u16(status).unwrap();
            range.contains(status)
        });
        assert_eq!(held, [false, true, true, false]);
    }

    #[test]
    fn a_number_that_is_not_a_status_is_a_mistake_in_the_program() {
        for wrong in [0..=0, 99..=200, 500..=1000, RangeInclusive::new(500, 400)] {
            let made = std::panic::catch_unwind(|| Statuses::from(wrong.clone()));
            assert!(made.is_err(), "{wrong:?}");
        }
    }
}
