use std::{error::Error, iter::successors};

/// An error and its causes, in one line.
pub(crate) fn in_words(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
