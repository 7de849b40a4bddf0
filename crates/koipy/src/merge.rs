use serde_json::{Map, Value, json};
use tower_callback_contract::{Body, Callback, Mismatch, Reason, Refusal};

use crate::{Reply, model::TestResult};

/// The response to `onResult` that adds columns to the result, or replaces some.
///
/// koipy takes the columns of the response into its result and leaves the others alone, so the response
/// holds these only: no configuration, no tokens.
///
/// ```
/// use serde_json::json;
/// use tower_callback_koipy::{ColumnError, ResultReply, model::TestResult};
///
/// # fn main() -> Result<(), ColumnError> {
/// let fields = json!({"节点名称": ["香港", "东京"], "HTTPS延迟": [80, 0]});
/// let result = TestResult::from(fields.as_object().expect("an object").clone());
///
/// let delays = result.column("HTTPS延迟").unwrap_or_default();
/// let marks = delays.iter().map(|delay| if delay == 0 { "❌" } else { "✅" });
/// let reply = ResultReply::to(&result).column("可用", marks)?;
///
/// let too_few = reply.clone().column("评分", [1]);
/// assert_eq!(too_few.unwrap_err().to_string(), "column `评分` has 1 values for 2 nodes");
/// # drop(reply);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a reply does nothing until it is returned"]
pub struct ResultReply {
    rows: Option<usize>,
    columns: TestResult,
}

/// The response to `onPreSend` that changes the task: another back end, another way to draw.
///
/// It is the whole document, changed, in the spelling of the request. Its `config` holds tokens: the
/// bot sent them, and gets them back.
///
/// ```
/// use serde_json::json;
/// use tower_callback_contract::{Body, Refusal};
/// use tower_callback_koipy::{PreSendReply, Reply, SPELLING};
///
/// # fn main() -> Result<(), Refusal> {
/// let task = json!({"slaveRequest": {"slave": {"id": "local"}, "task": {"name": "test"}}});
/// let body = Body::new(task.to_string(), SPELLING);
///
/// // In a handler: `PreSendReply::to(&callback)`.
/// let mut reply = PreSendReply::try_from(&body)?;
/// reply.slave_mut().insert("id".to_owned(), json!("tokyo"));
/// let reply = Reply::from(reply);
/// # drop(reply);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a reply does nothing until it is returned"]
pub struct PreSendReply {
    document: Map<String, Value>,
}

/// A column that does not fit the result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnError {
    /// The column does not have one value for each node.
    #[error("column `{column}` has {values} values for {nodes} nodes")]
    WrongLength {
        /// The name of the column.
        column: String,
        /// How many values it has.
        values: usize,
        /// How many values it needs.
        nodes: usize,
    },
    /// The result names no nodes, as after a failure.
    #[error("column `{column}` has no nodes to belong to")]
    NoNodes {
        /// The name of the column.
        column: String,
    },
}

// ===== impl ResultReply =====

impl ResultReply {
    /// A response that changes nothing yet.
    pub fn to(result: &TestResult) -> Self {
        Self { rows: result.rows(), columns: TestResult::default() }
    }

    /// Adds a column, or replaces the one of this name. Its values are in the order of the nodes.
    ///
    /// # Errors
    /// If there are not as many values as nodes: koipy would draw them wrongly.
    pub fn column<V: Into<Value>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, ColumnError> {
        let column = name.into();
        let Some(nodes) = self.rows else {
            return Err(ColumnError::NoNodes { column });
        };
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        if values.len() != nodes {
            return Err(ColumnError::WrongLength { column, values: values.len(), nodes });
        }
        self.columns.insert(column, values);
        Ok(self)
    }
}

impl From<ResultReply> for Reply {
    fn from(reply: ResultReply) -> Self {
        if reply.columns.fields().is_empty() {
            return Self::proceed();
        }
        Self::merge(json!({ "result": reply.columns }).to_string())
    }
}

// ===== impl PreSendReply =====

impl PreSendReply {
    /// A response that changes nothing yet.
    ///
    /// # Errors
    /// If the callback, its `slaveRequest` or `slaveRequest.slave` is not a JSON object.
    pub fn to(callback: &Callback) -> Result<Self, Refusal> {
        callback.body().try_into()
    }

    /// The task, as it goes to the back end: `slaveRequest`.
    #[expect(clippy::missing_panics_doc, reason = "it is an object from the start")]
    pub fn request_mut(&mut self) -> &mut Map<String, Value> {
        object(&mut self.document, "slaveRequest").expect("checked when it was read")
    }

    /// The back end: `slaveRequest.slave`. If something else has taken the object's place, it becomes
    /// an empty object.
    #[expect(clippy::missing_panics_doc, reason = "the line before makes it an object")]
    pub fn slave_mut(&mut self) -> &mut Map<String, Value> {
        let request = self.request_mut();
        if !request.get("slave").is_some_and(Value::is_object) {
            request.insert("slave".to_owned(), json!({}));
        }
        object(request, "slave").expect("it is one now")
    }
}

impl TryFrom<&Body> for PreSendReply {
    type Error = Refusal;

    fn try_from(body: &Body) -> Result<Self, Refusal> {
        let Value::Object(mut document) = body.json()?.to_value() else {
            let refusal = Refusal::from(no_object());
            return Err(refusal.detail("the body must be a JSON object"));
        };
        let request = object(&mut document, "slaveRequest");
        let request = request.ok_or_else(|| no_object().under("slaveRequest"))?;
        object(request, "slave").ok_or_else(|| no_object().under("slave").under("slaveRequest"))?;
        Ok(Self { document })
    }
}

impl From<PreSendReply> for Reply {
    fn from(reply: PreSendReply) -> Self {
        Self::merge(Value::Object(reply.document).to_string())
    }
}

impl std::fmt::Debug for PreSendReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreSendReply").finish_non_exhaustive()
    }
}

// ===== impl ColumnError =====

/// A failure of the handler; the client learns no more than that.
impl From<ColumnError> for Refusal {
    fn from(_: ColumnError) -> Self {
        Reason::HandlerFailed.into()
    }
}

/// The object under this key, an empty one if it is absent or null; `None` for anything else.
fn object<'m>(fields: &'m mut Map<String, Value>, key: &str) -> Option<&'m mut Map<String, Value>> {
    let value = fields.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}

fn no_object() -> Mismatch {
    Mismatch::new("must be a JSON object")
}
