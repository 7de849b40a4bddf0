use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a back end measured, column by column: `节点名称` names the nodes, and every other column
/// has a value for each of them.
///
/// `Debug` shows the names of the columns and how many values they have.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TestResult(Map<String, Value>);

impl TestResult {
    /// The column that names the nodes: `节点名称`.
    pub const NODES: &str = "节点名称";

    /// How many nodes were tested; `None` if no column names them, as after a failure.
    #[must_use]
    pub fn rows(&self) -> Option<usize> {
        self.column(Self::NODES).map(<[Value]>::len)
    }

    /// The values of a column, in the order of the nodes.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&[Value]> {
        self.0.get(name)?.as_array().map(Vec::as_slice)
    }

    /// The error, if there is no result.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.0.get("error")?.as_str()
    }

    pub(crate) fn insert(&mut self, column: String, values: Vec<Value>) {
        self.0.insert(column, Value::Array(values));
    }

    /// All fields, columns and others.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl From<Map<String, Value>> for TestResult {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields)
    }
}

impl fmt::Debug for TestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.0.iter().map(|(name, value)| (name, value.as_array().map(Vec::len)));
        f.write_str("TestResult ")?;
        f.debug_map().entries(sizes).finish()
    }
}
