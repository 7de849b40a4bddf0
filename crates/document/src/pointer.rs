use std::{fmt, str::FromStr};

use crate::value::ValueRef;

/// A JSON pointer (RFC 6901), taken apart. In a list, `*` stands for each item.
///
/// ```
/// use tower_callback_document::{Document, Pointer, Spelling};
///
/// let body = r#"{"events": [{"id": 1}, {"id": 2}]}"#;
/// let document = Document::read(body, Spelling::VERBATIM).unwrap();
/// let ids = Pointer::parse("/events/*/id").unwrap();
/// let ids: Vec<_> = document.root().at(&ids).map(|id| id.as_u64()).collect();
/// assert_eq!(ids, [Some(1), Some(2)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pointer(Vec<Step>);

/// A text is not a JSON pointer: it neither is empty nor starts with a slash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a JSON pointer is empty or starts with `/`")]
#[non_exhaustive]
pub struct PointerError;

/// The name of a field or the index of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Step(String);

// ===== impl Pointer =====

impl Pointer {
    /// Takes a pointer apart. `None` if it neither is empty nor starts with a slash.
    #[must_use]
    pub fn parse(pointer: &str) -> Option<Self> {
        if pointer.is_empty() {
            return Some(Self::default());
        }
        let steps = pointer.strip_prefix('/')?.split('/');
        Some(Self(steps.map(|step| Step(unescape(step))).collect()))
    }

    /// Writes a name as it stands in a pointer.
    #[must_use]
    pub fn escape(step: &str) -> String {
        step.replace('~', "~0").replace('/', "~1")
    }

    /// Adds a step: the name of a field, an index, or `*`.
    pub fn push(&mut self, step: impl fmt::Display) {
        self.0.push(Step(step.to_string()));
    }

    /// The same, where the document is the field or item of another.
    #[must_use]
    pub fn under(mut self, step: impl fmt::Display) -> Self {
        self.0.insert(0, Step(step.to_string()));
        self
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(pointer: &str) -> Result<Self, PointerError> {
        Self::parse(pointer).ok_or(PointerError)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|Step(step)| write!(f, "/{}", Self::escape(step)))
    }
}

// ===== impl Step =====

impl Step {
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_index(&self, index: usize) -> bool {
        self.0 == "*" || self::index(&self.0) == Some(index)
    }
}

// ===== impl ValueRef =====

impl<'a> ValueRef<'a> {
    /// What this JSON pointer (RFC 6901) leads to, by the very names of fields.
    #[must_use]
    pub fn pointer(self, pointer: &str) -> Option<ValueRef<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut steps = pointer.strip_prefix('/')?.split('/');
        steps.try_fold(self, |value, step| match value.as_array() {
            Some(mut items) => items.nth(index(step)?),
            None => value.get(&unescape(step)),
        })
    }

    /// All that a pointer leads to. A field is found in whichever spelling it stands.
    pub fn at(self, pointer: &Pointer) -> impl Iterator<Item = ValueRef<'a>> + use<'a> {
        let mut found = vec![self];
        for step in pointer.steps() {
            found = found.into_iter().flat_map(|value| value.step(step)).collect();
        }
        found.into_iter()
    }

    fn step(self, step: &Step) -> Vec<Self> {
        if let Some(mut fields) = self.as_object() {
            let name = self.meaning(step.name());
            let field = fields.find(|(other, _)| self.meaning(other) == name);
            return field.map(|(_, value)| value).into_iter().collect();
        }
        let mut items = self.as_array().into_iter().flatten();
        match step.name() {
            "*" => items.collect(),
            name => index(name).and_then(|index| items.nth(index)).into_iter().collect(),
        }
    }
}

/// The index that a step means: without a sign, without leading zeros.
fn index(step: &str) -> Option<usize> {
    let is_plain = step == "0" || step.starts_with(|first| ('1'..='9').contains(&first));
    step.parse().ok().filter(|_| is_plain)
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}
