use std::{fmt, sync::Arc};

use jsonschema::{PatternOptions, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;
use tower_callback_contract::{Document, Pointer, Spelling, ValueRef, Violations};

use crate::{
    bounded::{Bounded, Seen},
    report::{Values, text, violations},
};

/// A JSON Schema, compiled. Cheap to clone.
///
/// Its `$schema` names the draft; the default is 2020-12. References lead to places in the schema and
/// to the meta-schemas only: nothing is fetched. Patterns are matched in linear time, so they have
/// neither look-around nor back-references. `format` means what the draft says: in 2020-12 it checks
/// nothing.
#[derive(Clone)]
pub struct Schema {
    compiled: Arc<Validator<Bounded>>,
}

/// A document that is not a JSON Schema, and where it is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema is wrong at `{pointer}`: {message}")]
pub struct SchemaError {
    pointer: String,
    message: String,
}

// ===== impl Schema =====

impl Schema {
    /// Compiles a schema.
    ///
    /// ```
    /// use serde_json::json;
    /// use tower_callback_schema::Schema;
    ///
    /// let schema = Schema::new(&json!({"required": ["order"]})).unwrap();
    /// assert!(schema.check(&json!({"order": 17})).is_ok());
    ///
    /// let wrong = Schema::new(&json!({"properties": {"order": {"type": "number?"}}}));
    /// assert_eq!(wrong.unwrap_err().pointer(), "/properties/order/type");
    /// ```
    ///
    /// # Errors
    /// If the document is not a schema of its draft, a pattern is invalid or not linear, or a
    /// reference leads nowhere.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        let options = jsonschema::options_for::<Bounded>();
        let options = options.with_pattern_options(PatternOptions::regex()).offline();
        let compiled = options.build(schema).map_err(|error| SchemaError::new(schema, &error))?;
        Ok(Self { compiled: Arc::new(compiled) })
    }

    /// Compiles the text of a schema, such as a file's.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and if the text is not JSON or has a key twice in one object.
    pub fn from_text(text: &str) -> Result<Self, SchemaError> {
        let wrong = |said, line, column| SchemaError {
            pointer: String::new(),
            message: format!("its text is {said} at line {line}, column {column}"),
        };
        let schema = Document::read(text.to_owned(), Spelling::VERBATIM)
            .map_err(|error| wrong("malformed", error.line(), error.column()))?;
        if let Some(key) = schema.twice() {
            return Err(wrong("ambiguous", key.line(), key.column()));
        }
        Self::new(&schema.root().to_value())
    }

    /// Compiles the schema that a type derives: that of the documents that can be read into it.
    ///
    /// ```
    /// use serde_json::json;
    /// use tower_callback_schema::Schema;
    ///
    /// #[derive(schemars::JsonSchema)]
    /// struct Order {
    ///     #[schemars(range(min = 1))]
    ///     number: u32,
    /// }
    ///
    /// let schema = Schema::of::<Order>().unwrap();
    /// let violations = schema.check(&json!({"number": 0})).unwrap_err();
    /// assert_eq!(violations.iter().next().unwrap().keyword, "minimum");
    /// ```
    ///
    /// # Errors
    /// Those of [`new`](Self::new): a pattern in an attribute may be invalid.
    #[cfg(feature = "schemars")]
    pub fn of<T: schemars::JsonSchema>() -> Result<Self, SchemaError> {
        Self::new(schemars::schema_for!(T).as_value())
    }

    /// Validates a value.
    ///
    /// # Errors
    /// Where the value does not match, without quoting it. At most 32 violations are listed and 256
    /// counted; pointers and messages are cut at 256 bytes.
    pub fn check(&self, value: &Value) -> Result<(), Violations> {
        self.check_ref(Document::from(value).root())
    }

    /// Validates a value of a document, such as
    /// [`Callback::json`](tower_callback_contract::Callback::json).
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub fn check_ref(&self, value: ValueRef<'_>) -> Result<(), Violations> {
        self.check_and_tell(value, Values::Hidden)
    }

    pub(crate) fn check_and_tell(
        &self,
        document: ValueRef<'_>,
        values: Values,
    ) -> Result<(), Violations> {
        if self.compiled.is_valid(Seen::all(document)) {
            return Ok(());
        }
        Err(violations(&self.compiled, document, values))
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

// ===== impl SchemaError =====

impl SchemaError {
    fn new(schema: &Value, error: &ValidationError<'_>) -> Self {
        let pointer = match error.kind() {
            ValidationErrorKind::Referencing(_) => reference(schema, &error.to_string()),
            _ => error.instance_path().to_string(),
        };
        Self { pointer, message: text(error) }
    }

    /// Where in the schema, as a JSON pointer; empty for the whole.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }
}

/// The place of the reference that a message quotes: the error itself does not say it.
fn reference(schema: &Value, message: &str) -> String {
    let quoted = message.split('\'').nth(1).filter(|quoted| !quoted.is_empty());
    quoted.and_then(|quoted| find(schema, quoted)).unwrap_or_default()
}

fn find(schema: &Value, quoted: &str) -> Option<String> {
    let below = |step: &str, value| {
        let escaped = Pointer::escape(step);
        find(value, quoted).map(|rest| format!("/{escaped}{rest}"))
    };
    match schema {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match value.as_str() {
            Some(text) if name.starts_with('$') && text.contains(quoted) => {
                Some(format!("/{name}"))
            }
            _ => below(name, value),
        }),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| below(&index.to_string(), item))
        }
        _ => None,
    }
}
