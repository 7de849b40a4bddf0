//! Documents as Wulai might send them: with any of the fields, in either spelling, and others besides.

#![allow(dead_code, reason = "not every test uses all of it")]

use proptest::prelude::*;
use serde_json::{Map, Value};

/// The document with each field in its canonical spelling, another one, or both.
pub(crate) fn respelled(value: &Value, choices: &mut impl Iterator<Item = u8>) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| respelled(item, choices)).collect(),
        Value::Object(fields) => {
            let mut all = Map::new();
            for (name, value) in fields {
                let value = respelled(value, choices);
                let others = SPELLINGS.iter().filter(|(_, canonical)| canonical == name);
                let others: Vec<_> = others.map(|(other, _)| *other).collect();
                let choice = usize::from(choices.next().unwrap());
                let other = others.get(choice / 3 % others.len().max(1));
                if other.is_none() || choice % 3 != 1 {
                    all.insert(name.clone(), value.clone());
                }
                if let Some(other) = other.filter(|_| choice % 3 != 0) {
                    all.insert((*other).to_owned(), value);
                }
            }
            all.into()
        }
        other => other.clone(),
    }
}

pub(crate) const SPELLINGS: [(&str, &str); 13] = [
    ("userId", "user_id"),
    ("msgId", "msg_id"),
    ("msgTs", "msg_ts"),
    ("msgBody", "msg_body"),
    ("msgType", "msg_type"),
    ("senderInfo", "sender_info"),
    ("enableEvaluate", "enable_evaluate"),
    ("quickReply", "quick_reply"),
    ("isDispatch", "is_dispatch"),
    ("suggestedResponse", "suggested_response"),
    ("similar_responses", "similar_response"),
    ("similarResponse", "similar_response"),
    ("similarResponses", "similar_response"),
];

pub(crate) fn any_choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..40)
}

/// Any JSON whose keys and numbers read the same in every way of reading.
pub(crate) fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        quarters().prop_map(Value::from),
        any_text(),
    ];
    let nested = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..3)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    });
    nested.boxed()
}

pub(crate) fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(".{0,4}", any_json(), 0..4)
        .prop_map(|fields| fields.into_iter().collect())
}

fn quarters() -> impl Strategy<Value = f64> {
    any::<i32>().prop_map(|number| f64::from(number) / 4.0)
}

pub(crate) fn any_text() -> BoxedStrategy<Value> {
    prop_oneof![".{0,8}", "[\u{4e00}-\u{9fff}]{1,8}"].prop_map(Value::from).boxed()
}

/// For a field that may not be empty.
fn some_text() -> BoxedStrategy<Value> {
    prop_oneof![".{1,8}", "[\u{4e00}-\u{9fff}]{1,8}"].prop_map(Value::from).boxed()
}

pub(crate) fn any_flag() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::from).boxed()
}

pub(crate) fn any_value() -> BoxedStrategy<Value> {
    let not_null = any_json().prop_filter("null is absent", |value| !value.is_null());
    not_null.boxed()
}

pub(crate) fn any_time() -> BoxedStrategy<Value> {
    let millis = 100_000_000_000_u64..100_000_000_000_000;
    millis.prop_map(|millis| millis.to_string().into()).boxed()
}

pub(crate) fn any_word() -> BoxedStrategy<Value> {
    prop_oneof!["TEXT", "SHARELINK", "QA_BOT", "MP3", "[A-Z]{1,4}", ".{0,4}"]
        .prop_map(Value::from)
        .boxed()
}

/// Never empty, because an empty list is not written.
fn some_of(item: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop::collection::vec(item, 1..3).prop_map(Value::from).boxed()
}

type Field = (&'static str, BoxedStrategy<Value>);

/// An object with all required fields, some optional ones, and some unknown ones.
fn object<const R: usize, const O: usize>(
    required: [Field; R],
    optional: [Field; O],
) -> BoxedStrategy<Value> {
    let required = required.map(|(name, value)| value.prop_map(move |v| Some((name, v))).boxed());
    let optional =
        optional.map(|(name, value)| prop::option::of(value.prop_map(move |v| (name, v))).boxed());
    let known: Vec<_> = required.into_iter().chain(optional).collect();
    let unknown = prop::collection::btree_map("x_[a-z]{1,4}", any_json(), 0..3);
    let all = (known, unknown).prop_map(|(known, unknown)| {
        let known = known.into_iter().flatten();
        let known = known.map(|(name, value)| (name.to_owned(), value));
        unknown.into_iter().chain(known).collect()
    });
    all.boxed()
}

pub(crate) fn any_msg_body() -> BoxedStrategy<Value> {
    let url = || ("resource_url", some_text());
    let with = |kind, content| object([(kind, content)], []);
    let share_link = object(
        [("title", some_text()), ("destination_url", some_text())],
        [("cover_url", any_text()), ("description", any_text())],
    );
    prop_oneof![
        3 => with("text", object([("content", some_text())], [])),
        1 => with("image", object([url()], [])),
        1 => with("voice", object([url()], [("type", any_word()), ("recognition", any_text())])),
        1 => with("video", object([url()], [
            ("thumb", any_text()),
            ("description", any_text()),
            ("title", any_text()),
        ])),
        1 => with("file", object([url()], [("file_name", any_text())])),
        1 => with("share_link", share_link),
        1 => with("rich_text", object([url()], [])),
        1 => with("custom", object([], [("content", any_value())])),
        1 => with("event", object([], [("event_type", any_text()), ("fields", any_value())])),
        1 => object([], []),
    ]
    .boxed()
}

pub(crate) fn any_similar() -> BoxedStrategy<Value> {
    let fields = [("url", any_text()), ("source", any_word()), ("detail", any_value())];
    some_of(object([], fields))
}

pub(crate) fn any_delivery() -> BoxedStrategy<Value> {
    let sender = [("avatar_url", any_text()), ("nickname", any_text()), ("real_name", any_text())];
    let required = [
        ("user_id", some_text()),
        ("msg_id", some_text()),
        ("msg_ts", any_time()),
        ("msg_body", any_msg_body()),
    ];
    let optional = [
        ("msg_type", any_word()),
        ("sender_info", object([], sender)),
        ("extra", any_text()),
        ("source", any_word()),
        ("bot", object([], [("qa", any_value())])),
        ("similar_response", any_similar()),
        ("enable_evaluate", any_flag()),
        ("quick_reply", some_of(any_text())),
    ];
    object(required, optional)
}

pub(crate) fn any_suggestion() -> BoxedStrategy<Value> {
    let message = [
        ("msg_body", any_msg_body()),
        ("similar_response", any_similar()),
        ("enable_evaluate", any_flag()),
        ("delay_ts", (0_u64..=604_800).prop_map(Value::from).boxed()),
        ("answer_id", prop_oneof![any_text(), any::<i64>().prop_map(Value::from)].boxed()),
        ("extra", any_text()),
    ];
    let fields = [
        ("is_send", any_flag()),
        ("bot", object([], [("task", any_value())])),
        ("source", any_word()),
        ("score", quarters().prop_map(|score| score.min(1.0).into()).boxed()),
        ("quick_reply", some_of(any_text())),
        ("response", some_of(object([], message))),
        ("detail", any_value()),
    ];
    object([], fields)
}

pub(crate) fn any_route() -> BoxedStrategy<Value> {
    let suggestions = prop::collection::vec(any_suggestion(), 0..3);
    let required = [
        ("user_id", some_text()),
        ("msg_id", some_text()),
        ("msg_ts", any_time()),
        ("msg_body", any_msg_body()),
        ("nickname", some_text()),
        ("is_dispatch", any_flag()),
        ("suggested_response", suggestions.prop_map(Value::from).boxed()),
    ];
    object(required, [("extra", any_text())])
}

pub(crate) fn any_error() -> BoxedStrategy<Value> {
    let fields =
        [("user_id", any_text()), ("error_msg", any_text()), ("source_msg_id", any_text())];
    object([], fields)
}
