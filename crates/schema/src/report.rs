use std::{
    fmt::{self, Display, Write},
    io, str,
};

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use tower_callback_contract::ValueRef;
use tower_callback_contract::{Violation, Violations};

use crate::{
    bounded::{Bounded, Seen, is_sure},
    budget::Budget,
};

/// How many violations are listed; the others are counted.
const MAX_LISTED: usize = 32;

/// Where pointers and messages are cut, in bytes.
const MAX_TEXT: usize = 256;

/// Whether messages quote the values that do not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    Hidden,
    Shown,
}

/// Says where a document, which is known not to match, does not.
pub(crate) fn violations(
    schema: &Validator<Bounded>,
    document: ValueRef<'_>,
    values: Values,
) -> Violations {
    let budget = Budget::default();
    let mut errors = schema
        .iter_errors(Seen::within(document, &budget))
        .filter(|error| is_sure(error.instance()));
    let listed: Vec<_> = errors
        .by_ref()
        .take(MAX_LISTED)
        .map(|error| match values {
            Values::Hidden => violation(&error, &"the value"),
            Values::Shown => {
                let value = document.pointer(error.instance_path().as_str());
                violation(&error, &Shown(value))
            }
        })
        .collect();
    let more = errors.count();
    if listed.is_empty() {
        let message = "does not match, in more ways than can be told apart";
        return Violation::new("", "schema", message).into();
    }
    Violations::new(listed, more)
}

fn violation(error: &ValidationError<'_>, value: &dyn Display) -> Violation {
    let pointer = text(error.instance_path());
    let message = match error.kind() {
        // Names of fields are the sender's, and there may be thousands of them.
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => match unexpected.len() {
            1 => "one field is not allowed".to_owned(),
            fields => format!("{fields} fields are not allowed"),
        },
        // Its own text counts the items of the value, which it does not have.
        ValidationErrorKind::AdditionalItems { limit } => {
            format!("no more than {limit} items are allowed")
        }
        ValidationErrorKind::PropertyNames { error } => {
            format!("the name of a field: {}", text(error.masked_with("it")))
        }
        ValidationErrorKind::FalseSchema => "no value is allowed here".to_owned(),
        _ => text(error.masked_with(text(value))),
    };
    let mut violation = Violation::new(pointer, error.kind().keyword(), message);
    violation.schema_pointer = text(error.schema_path());
    violation
}

/// A value as JSON, of which no more is written than is taken; `null` where there is none.
struct Shown<'a>(Option<ValueRef<'a>>);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde_json::to_writer(Pieces(f), &self.0).map_err(|_| fmt::Error)
    }
}

/// JSON comes in pieces of whole characters.
struct Pieces<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl io::Write for Pieces<'_, '_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(piece).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text that is cut without being written whole first.
pub(crate) fn text(shown: impl Display) -> String {
    let mut text = Cut(String::new());
    if write!(text, "{shown}").is_err() {
        text.0.push('…');
    }
    text.0
}

/// The start of a text, in at most so many bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MAX_TEXT - self.0.len();
        self.0.push_str(cut(more, room));
        if more.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tower_callback_contract::Document;

    use super::*;

    #[test]
    fn a_value_is_shown_as_json_as_far_as_there_is_room() {
        for value in [json!({"a": [1, -0.5, "ä\n\"", null, true], "b": {}}), json!("📦")] {
            assert_eq!(text(Shown(Some(Document::from(&value).root()))), value.to_string());
        }
        let long = json!(vec!["é"; 200]);
        let shown = text(Shown(Some(Document::from(&long).root())));
        let start = shown.strip_suffix('…').expect("it is cut");
        assert!(long.to_string().starts_with(start) && start.len() > 250, "{shown}");
    }
}
