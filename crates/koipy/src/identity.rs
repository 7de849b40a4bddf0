use tower_callback_contract::{Body, Envelope, Id, Refusal, ValueRef};

/// Identifies a callback by its chat and its message.
pub(crate) fn envelope(scope: &'static str, body: &Body) -> Result<Envelope, Refusal> {
    let message = body.field("message")?;
    let (chat, id) = (integer(field(message, "chat")?, "id")?, integer(message, "id")?);
    // Both from one place: a chat and a message of two events would name a third.
    let (chat, id) = match (chat, id) {
        (Some(chat), Some(id)) => (Some(chat), Some(id)),
        (chat, _) => {
            let task = field(body.field("slaveRequest")?, "task")?;
            let (task_chat, task_id) = (integer(task, "chatID")?, integer(task, "messageID")?);
            let id = task_chat.as_ref().and(task_id);
            (task_chat.or(chat), id)
        }
    };
    let text = chat.as_ref().zip(id).map(|(chat, id)| format!("{chat}/{id}"));
    let id = text.and_then(|text| Id::new(scope, &text));
    Ok(Envelope::new(id).conversation(chat))
}

/// A field of an object; none, where there is no object.
fn field<'a>(object: Option<ValueRef<'a>>, name: &str) -> Result<Option<ValueRef<'a>>, Refusal> {
    Ok(object.map(|object| object.field(name)).transpose()?.flatten())
}

/// The integer that a field is, as its decimal text, whether it is written as a number or as a
/// string.
fn integer(object: Option<ValueRef<'_>>, name: &str) -> Result<Option<String>, Refusal> {
    let integer = field(object, name)?.and_then(|value| match value.as_str() {
        Some(text) => text.parse::<i64>().ok().map(i128::from),
        None => value.as_integer(),
    });
    Ok(integer.map(|integer| integer.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::spelling::SPELLING;

    fn of(document: &Value) -> Envelope {
        let body = Body::new(document.to_string(), SPELLING);
        envelope("koipy.onMessage", &body).unwrap()
    }

    fn id(text: &str) -> Option<Id> {
        Id::new("koipy.onMessage", text)
    }

    #[test]
    fn a_hook_is_named_by_chat_and_message() {
        let envelope = of(&json!({"message": {"id": 17, "chat": {"id": -100_123}}}));
        assert_eq!(envelope.id, id("-100123/17"));
        assert_eq!(envelope.conversation.as_deref(), Some("-100123"));
        assert_eq!(envelope.sent_at, None);
        // In another spelling of numbers it is the same.
        let duplicate = of(&json!({"message": {"id": "17", "chat": {"id": "-100123"}}}));
        assert_eq!(duplicate, envelope);
    }

    #[test]
    fn where_there_is_no_message_it_is_named_by_its_task() {
        let task = json!({"chatID": -5, "messageID": 6});
        for message in [json!(null), json!({}), json!({"id": 1}), json!({"chat": {"id": 2}})] {
            let envelope = of(&json!({"message": message, "slaveRequest": {"task": task}}));
            assert_eq!(envelope.id, id("-5/6"), "{message}");
            assert_eq!(envelope.conversation.as_deref(), Some("-5"));
        }
    }

    #[test]
    fn parts_of_two_events_make_no_third() {
        let half =
            json!({"message": {"chat": {"id": 2}}, "slaveRequest": {"task": {"messageID": 6}}});
        assert_eq!(of(&half).id, None);
        for odd in [json!(1.5), json!("x"), json!([1]), json!({}), json!(null), json!("+")] {
            let message = json!({"message": {"id": odd, "chat": {"id": odd}}});
            assert_eq!(of(&message), Envelope::default(), "{odd}");
        }
        assert_eq!(of(&json!({})), Envelope::default());
    }
}
