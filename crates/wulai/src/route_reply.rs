use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};
use tower_callback_contract::{Body, Callback, Mismatch, Refusal, ValueRef};

use crate::{
    Suggestion,
    fields::{Fields, flag, list_of, map},
};

/// The response to a message route 消息路由: the platform's answers, as you change them.
///
/// It starts as the request's own answers, and loses nothing of them: no field, known or not, and no
/// spelling. Serde or [`to_bytes`](Self::to_bytes) writes it as JSON; one request and the same edits
/// give the same bytes. With the feature `axum`, a handler can return it.
///
/// ```
/// # use tower_callback_contract::{Body, Refusal};
/// use tower_callback_wulai::{RouteReply, SPELLING};
///
/// # fn main() -> Result<(), Refusal> {
/// let question = r#"{"isDispatch": false, "suggested_response": [{"is_send": true, "new": 1}]}"#;
/// let mut reply = RouteReply::try_from(&Body::new(question, SPELLING))?;
/// reply.suggestions_mut()[0].suppress();
/// reply.hand_over();
/// let expected = r#"{"isDispatch":true,"suggested_response":[{"is_send":false,"new":1}]}"#;
/// assert_eq!(reply.to_bytes(), expected);
/// # Ok(())
/// # }
/// ```
///
/// `Debug` shows everything, messages of users included: keep it out of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteReply {
    is_dispatch: Spelled<bool>,
    suggestions: Spelled<Vec<Suggestion>>,
    /// How a message's body is spelled.
    body_key: String,
    extra: Option<String>,
}

/// A value under all the keys it had in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spelled<T> {
    keys: Vec<String>,
    value: T,
}

impl RouteReply {
    /// The response that changes nothing. `TryFrom<&Body>` makes it of a body without a callback.
    ///
    /// # Errors
    /// Those of [`Callback::json`], and if the request has no list of suggested responses, or does not
    /// say `is_dispatch`.
    pub fn to(callback: &Callback) -> Result<Self, Refusal> {
        callback.body().try_into()
    }

    fn of(mut request: Fields<'_>) -> Result<Self, Mismatch> {
        let suggestion = |value| map(value).map(Suggestion::from);
        let is_dispatch = Spelled::take(&mut request, "is_dispatch", flag)?;
        let suggestions = Spelled::take(&mut request, "suggested_response", list_of(suggestion))?;
        let body_key = (suggestions.value.iter())
            .find_map(|suggestion| suggestion.message_key("msg_body"))
            .or_else(|| request.keys("msg_body").pop())
            .unwrap_or_else(|| "msg_body".to_owned());
        Ok(Self { is_dispatch, suggestions, body_key, extra: None })
    }

    /// The platform's answers, then those added: the order in which the platform sends them.
    #[must_use]
    pub fn suggestions(&self) -> &[Suggestion] {
        &self.suggestions.value
    }

    /// The answers, to be edited. None can be removed; [suppress](Suggestion::suppress) it instead.
    pub fn suggestions_mut(&mut self) -> &mut [Suggestion] {
        &mut self.suggestions.value
    }

    /// Adds an answer after the others. Its messages' `msg_body` is spelled as in the request.
    pub fn add(&mut self, mut suggestion: Suggestion) {
        suggestion.spell_messages("msg_body", &self.body_key);
        self.suggestions.value.push(suggestion);
    }

    /// Whether the platform will hand the user over to a person.
    #[must_use]
    pub fn is_dispatch(&self) -> bool {
        self.is_dispatch.value
    }

    /// Makes the platform hand the user over to a person.
    pub fn hand_over(&mut self) {
        self.is_dispatch.value = true;
    }

    /// Lets the bot go on, even if the platform meant to hand the user over.
    pub fn keep(&mut self) {
        self.is_dispatch.value = false;
    }

    /// Sets a text for the platform to pass on. Default: none, whatever the request had.
    pub fn set_extra(&mut self, extra: impl Into<String>) {
        self.extra = Some(extra.into());
    }

    /// The body of the response, of the media type `application/json`.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it has no keys but strings, and cannot fail")]
    pub fn to_bytes(&self) -> Bytes {
        let body = serde_json::to_vec(self);
        body.expect("its keys are strings").into()
    }
}

impl TryFrom<&Body> for RouteReply {
    type Error = Refusal;

    fn try_from(body: &Body) -> Result<Self, Refusal> {
        Ok(Self::of(Fields::try_from(body.json()?)?)?)
    }
}

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for RouteReply {
    fn into_response(self) -> axum_core::response::Response {
        crate::contract::ok("application/json", self.to_bytes()).map(Into::into)
    }
}

impl Serialize for RouteReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        self.is_dispatch.write(&mut fields)?;
        self.suggestions.write(&mut fields)?;
        if let Some(extra) = &self.extra {
            fields.serialize_entry("extra", extra)?;
        }
        fields.end()
    }
}

impl<T: Serialize> Spelled<T> {
    fn take<'a>(
        fields: &mut Fields<'a>,
        name: &str,
        read: impl FnOnce(ValueRef<'a>) -> Result<T, Mismatch>,
    ) -> Result<Self, Mismatch> {
        let keys = fields.keys(name);
        let value = fields.required(name, read)?;
        Ok(Self { keys, value })
    }

    fn write<M: SerializeMap>(&self, fields: &mut M) -> Result<(), M::Error> {
        let mut keys = self.keys.iter();
        keys.try_for_each(|key| fields.serialize_entry(key, &self.value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::SPELLING;

    fn reply_to(request: &Value) -> Result<RouteReply, Refusal> {
        RouteReply::try_from(&Body::new(request.to_string(), SPELLING))
    }

    fn text(key: &str, content: &str) -> Value {
        json!({"is_send": true, "response": [{key: {"text": {"content": content}}}]})
    }

    #[test]
    fn an_unchanged_reply_holds_what_the_request_held() {
        let request = json!({
            "isDispatch": false, "is_dispatch": false, "user_id": "anna",
            "suggestedResponse": [text("msg_body", "你好")],
        });
        let expected = json!({
            "isDispatch": false, "is_dispatch": false,
            "suggestedResponse": [text("msg_body", "你好")],
        });
        let reply = reply_to(&request).unwrap();
        assert_eq!(serde_json::to_value(&reply).unwrap(), expected);
    }

    #[test]
    fn an_added_answer_is_spelled_like_the_others() {
        for (others, message, expected) in [
            (vec![text("msgBody", "a")], "msg_body", "msgBody"),
            (vec![text("msg_body", "a")], "msgBody", "msg_body"),
            (vec![], "msgBody", "msgBody"),
            (vec![], "msg_body", "msg_body"),
        ] {
            let request = json!({"is_dispatch": false, "suggested_response": others, message: {}});
            let mut reply = reply_to(&request).unwrap();
            reply.add(Suggestion::text("b"));
            let added = reply.suggestions().last().unwrap();
            assert_eq!(Value::from(added.fields().clone()), text(expected, "b"));
        }
    }

    #[test]
    fn dispatch_and_extra_are_written() {
        let mut reply = reply_to(&json!({"is_dispatch": false, "suggested_response": []})).unwrap();
        reply.hand_over();
        reply.set_extra("转人工");
        let expected = r#"{"is_dispatch":true,"suggested_response":[],"extra":"转人工"}"#;
        assert_eq!(reply.to_bytes(), expected);
        reply.keep();
        assert!(!reply.is_dispatch());
    }

    #[test]
    fn a_request_without_answers_is_refused_by_name() {
        for (request, said) in [
            (json!([]), "the document must be a JSON object"),
            (json!({"suggested_response": []}), "field `/is_dispatch` is missing"),
            (
                json!({"is_dispatch": "no", "suggested_response": []}),
                "field `/is_dispatch` must be a boolean",
            ),
            (json!({"is_dispatch": true}), "field `/suggested_response` is missing"),
            (
                json!({"is_dispatch": true, "suggested_response": [["secret"]]}),
                "field `/suggested_response/0` must be a JSON object",
            ),
        ] {
            let problem = reply_to(&request).unwrap_err().to_problem();
            let problem: Value = serde_json::from_slice(problem.body()).unwrap();
            assert_eq!(problem["detail"], said);
        }
    }
}
