use tower_callback_contract::{Callback, Envelope, Id, Refusal, ValueRef};

/// Who a callback is: its chat and its message.
pub(crate) fn envelope(scope: &'static str, callback: &Callback) -> Result<Envelope, Refusal> {
    let message = callback.field("message")?;
    let chat = integer(message.and_then(|message| message.get("chat")?.get("id")));
    let id = integer(message.and_then(|message| message.get("id")));
    let task = callback.field("slaveRequest")?.and_then(|request| request.get("task"));
    // Both of one or both of the other: parts of two events would be a third.
    let (chat, id) = match (chat, id) {
        (Some(chat), Some(id)) => (Some(chat), Some(id)),
        (chat, _) => {
            let of_task = |name| integer(task.and_then(|task| task.get(name)));
            let (task_chat, task_id) = (of_task("chatID"), of_task("messageID"));
            let id = task_chat.as_ref().and(task_id);
            (task_chat.or(chat), id)
        }
    };
    let text = chat.as_ref().zip(id).map(|(chat, id)| format!("{chat}/{id}"));
    let id = text.and_then(|text| Id::new(scope, &text));
    Ok(Envelope { id, conversation: chat, sent_at: None })
}

/// An integer as its decimal text, whether it is written as a number or as a string.
fn integer(value: Option<ValueRef<'_>>) -> Option<String> {
    let value = value?;
    match value.as_str() {
        Some(text) => text.parse::<i64>().ok().map(|number| number.to_string()),
        None => value.as_number().filter(|number| !number.is_f64()).map(ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::spelling::spelling;

    fn of(document: &Value) -> Envelope {
        let callback = Callback::new(document.to_string().into(), spelling);
        envelope("koipy.onMessage", &callback).unwrap()
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
        let copy = of(&json!({"message": {"id": "17", "chat": {"id": "-100123"}}}));
        assert_eq!(copy, envelope);
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
