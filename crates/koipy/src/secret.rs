use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that must not get into a log: a token, a subscription's address, what a user wrote.
///
/// `Debug` hides it; serde writes it.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// The value. Keep it out of logs.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself. Keep it out of logs.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
