use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    fields::{get, keys_of, word_of},
    model::Source,
    spelling::spelling,
};

/// An answer that the platform means to send: the JSON of the request, to be edited in place.
///
/// Whatever no edit touches keeps its name and value, unknown fields included. An edit keeps the
/// spelling of a field; if the field stands in several spellings, all of them change.
///
/// `Debug` shows everything, messages of users included: keep it out of logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Suggestion {
    fields: Map<String, Value>,
}

impl Suggestion {
    /// An answer of your own, to be [added](crate::RouteReply::add): one text message.
    pub fn text(content: impl Into<String>) -> Self {
        let message = json!({"msg_body": {"text": {"content": content.into()}}});
        let mut suggestion = Self::default();
        suggestion.set("is_send", true);
        suggestion.set("response", vec![message]);
        suggestion
    }

    /// Whether the platform will send it, if the platform says so.
    #[must_use]
    pub fn is_send(&self) -> Option<bool> {
        self.get("is_send")?.as_bool()
    }

    /// How sure the bot is, up to 1.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        self.get("score")?.as_f64()
    }

    /// Which bot it comes from.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        word_of(self.get("source")?.as_str()?)
    }

    /// The texts of its text messages, in their order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let messages = self.get("response").and_then(Value::as_array);
        messages.into_iter().flatten().filter_map(text_of)
    }

    /// Suppresses it: the platform will not send it.
    pub fn suppress(&mut self) {
        self.set("is_send", false);
    }

    /// Makes the platform send it, even if it did not mean to.
    pub fn send(&mut self) {
        self.set("is_send", true);
    }

    /// Replaces the text of every text message by what `edit` makes of it.
    pub fn edit_texts(&mut self, mut edit: impl FnMut(&str) -> String) {
        let messages = self.fields.get_mut("response").and_then(Value::as_array_mut);
        for message in messages.into_iter().flatten() {
            if let Some(text) = text_of(message).map(&mut edit) {
                set_text(message, &text);
            }
        }
    }

    /// Any field, by its canonical name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        get(&self.fields, name)
    }

    /// Sets any field, in all spellings in which it stands. A field that is absent is added under
    /// `name`.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let keys = keys_of(&self.fields, spelling(name));
        for key in &keys {
            self.fields.insert(key.clone(), value.clone());
        }
        if keys.is_empty() {
            self.fields.insert(name.to_owned(), value);
        }
    }

    /// All fields, as they are spelled.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// The spelling of `name` in its messages, if they have it.
    pub(crate) fn message_key(&self, name: &str) -> Option<String> {
        let messages = self.get("response")?.as_array()?;
        let mut objects = messages.iter().filter_map(Value::as_object);
        objects.find_map(|message| keys_of(message, name).pop())
    }

    /// Renames the messages' field `name` to `key`, if it stands in its canonical spelling only.
    pub(crate) fn spell_messages(&mut self, name: &str, key: &str) {
        let messages = self.fields.get_mut("response").and_then(Value::as_array_mut);
        let objects = messages.into_iter().flatten().filter_map(Value::as_object_mut);
        for message in objects.filter(|message| keys_of(message, name) == [name]) {
            if let Some(value) = message.remove(name) {
                message.insert(key.to_owned(), value);
            }
        }
    }
}

impl From<Map<String, Value>> for Suggestion {
    fn from(fields: Map<String, Value>) -> Self {
        Self { fields }
    }
}

impl From<Suggestion> for Map<String, Value> {
    fn from(suggestion: Suggestion) -> Self {
        suggestion.fields
    }
}

fn text_of(message: &Value) -> Option<&str> {
    let body = get(message.as_object()?, "msg_body")?;
    body.pointer("/text/content")?.as_str()
}

fn set_text(message: &mut Value, text: &str) {
    let fields = message.as_object_mut().into_iter().flatten();
    for (_, body) in fields.filter(|(key, _)| spelling(key) == "msg_body") {
        if let Some(content) = body.pointer_mut("/text/content") {
            *content = text.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(value: Value) -> Suggestion {
        let Value::Object(fields) = value else { panic!("no object") };
        fields.into()
    }

    #[test]
    fn says_what_the_platform_says() {
        let suggestion = suggestion(json!({
            "is_send": true, "score": 0.5, "source": "QA_BOT",
            "response": [
                {"msgBody": {"text": {"content": "您好"}}},
                {"msg_body": {"image": {"resource_url": "u"}}},
                {"msg_body": {"text": {"content": "再见"}}},
            ],
        }));
        assert_eq!(suggestion.is_send(), Some(true));
        assert_eq!(suggestion.score(), Some(0.5));
        assert_eq!(suggestion.source(), Some(Source::QaBot));
        assert_eq!(suggestion.texts().collect::<Vec<_>>(), ["您好", "再见"]);
    }

    #[test]
    fn an_edit_calls_back_once_per_text_and_changes_both_spellings() {
        let text = |content| json!({"text": {"content": content, "new": 1}});
        let mut suggestion = suggestion(json!({"response": [
            {"msg_body": text("a"), "msgBody": text("a"), "x": null},
            {"msgBody": text("b")},
            {"msg_body": {"image": {"resource_url": "u"}}},
            "no message",
        ]}));
        let mut calls = 0;
        suggestion.edit_texts(|text| {
            calls += 1;
            text.to_uppercase()
        });
        assert_eq!(calls, 2);
        let expected = json!({"response": [
            {"msg_body": text("A"), "msgBody": text("A"), "x": null},
            {"msgBody": text("B")},
            {"msg_body": {"image": {"resource_url": "u"}}},
            "no message",
        ]});
        assert_eq!(Value::from(suggestion.fields), expected);
    }

    #[test]
    fn a_field_is_set_in_the_spellings_it_has() {
        let mut suggestion = suggestion(json!({"quickReply": [], "quick_reply": []}));
        suggestion.set("quick_reply", vec!["是"]);
        suggestion.set("detail", "new");
        let expected = json!({"quickReply": ["是"], "quick_reply": ["是"], "detail": "new"});
        assert_eq!(Value::from(suggestion.fields), expected);
    }

    #[test]
    fn what_is_ill_typed_is_read_as_absent_and_left_alone() {
        let odd = json!({"is_send": "yes", "score": "0.5", "source": 1, "response": {"a": 1}});
        let mut suggestion = suggestion(odd.clone());
        suggestion.edit_texts(|_| String::new());
        assert_eq!(suggestion.is_send(), None);
        assert_eq!(suggestion.score(), None);
        assert_eq!(suggestion.source(), None);
        assert_eq!(suggestion.texts().count(), 0);
        assert_eq!(Value::from(suggestion.fields), odd);
    }
}
