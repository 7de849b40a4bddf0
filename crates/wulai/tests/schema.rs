//! The schemas from outside: at their limits, and against the models.

#![expect(clippy::unwrap_used, reason = "a test: its helpers may panic")]

mod documents;

use std::fs;

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};
use tower_callback_contract::{Body, Callback, Contract};
use tower_callback_schema::{Schema, Violations};
use tower_callback_wulai::{
    Delivery, ErrorReport, MessageRoute, RouteReply, RouteRequest, SPELLING, schema,
};

use self::documents::{SPELLINGS, any_choices, any_delivery, any_error, any_route, respelled};

/// Reads a document as a model.
type Model = fn(&Body) -> bool;

fn kinds() -> [(Schema, Model, Value); 3] {
    [
        (schema::delivery(), |body| Delivery::try_from(body).is_ok(), delivery()),
        (schema::route(), |body| RouteRequest::try_from(body).is_ok(), route()),
        (
            schema::error(),
            |body| ErrorReport::try_from(body).is_ok(),
            json!({"userId": "anna", "error_msg": "失败", "source_msg_id": "17"}),
        ),
    ]
}

#[test]
fn the_files_are_schemas_that_can_be_used_on_their_own() {
    let mut shared = serde_json::Map::new();
    for text in [schema::DELIVERY, schema::ROUTE, schema::ROUTE_RESPONSE, schema::ERROR] {
        Schema::from_text(text).unwrap();
        let file: Value = serde_json::from_str(text).unwrap();
        assert_eq!(file["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(file["$id"].as_str().unwrap().starts_with("urn:tower-callback:wulai:"));
        assert!(file["title"].is_string() && file["description"].is_string());
        // A definition in two files is the same in both.
        for (name, definition) in file["$defs"].as_object().unwrap() {
            assert_eq!(shared.entry(name).or_insert_with(|| definition.clone()), definition);
        }
    }
}

#[test]
fn the_payloads_of_the_documents_match() {
    for (name, schema) in [
        ("delivery_snake", schema::delivery()),
        ("delivery_camel", schema::delivery()),
        ("image", schema::delivery()),
        ("voice", schema::delivery()),
        ("video", schema::delivery()),
        ("file", schema::delivery()),
        ("share_link", schema::delivery()),
        ("rich_text", schema::delivery()),
        ("custom", schema::delivery()),
        ("event", schema::delivery()),
        ("new_kind", schema::delivery()),
        ("route", schema::route()),
        ("route_camel", schema::route()),
        ("error", schema::error()),
    ] {
        let file = format!("{}/tests/payloads/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let document = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        assert_eq!(schema.check(&document), Ok(()), "{name}");
    }
}

/// Every limit of the contract page: where, the least and the most characters.
const LENGTHS: [(&str, usize, usize); 21] = [
    ("/user_id", 1, 128),
    ("/msg_id", 1, 18),
    ("/extra", 0, 1024),
    ("/sender_info/avatar_url", 0, 128),
    ("/sender_info/nickname", 0, 32),
    ("/sender_info/real_name", 0, 32),
    ("/msg_body/text/content", 1, 2048),
    ("/msg_body/image/resource_url", 1, 512),
    ("/msg_body/voice/recognition", 0, 1024),
    ("/msg_body/video/thumb", 0, 512),
    ("/msg_body/video/description", 0, 512),
    ("/msg_body/video/title", 0, 128),
    ("/msg_body/file/file_name", 0, 128),
    ("/msg_body/share_link/title", 1, 128),
    ("/msg_body/share_link/destination_url", 1, 512),
    ("/msg_body/share_link/description", 0, 512),
    ("/nickname", 1, 128),
    // Without a limit.
    ("/msg_body/voice/resource_url", 0, usize::MAX),
    ("/msg_body/share_link/cover_url", 0, usize::MAX),
    ("/msg_body/event/event_type", 0, usize::MAX),
    ("/similar_response/0/url", 0, usize::MAX),
];

#[test]
fn every_length_is_counted_in_characters_up_to_its_edge() {
    for (pointer, least, most) in LENGTHS {
        let (schema, model, document) = match pointer {
            "/nickname" => kinds().into_iter().nth(1).unwrap(),
            _ => kinds().into_iter().next().unwrap(),
        };
        for character in ["a", "好", "📦"] {
            for length in [0, 1, 18, 19, 32, 33, 128, 129, 512, 513, 1024, 1025, 2048, 2049] {
                let text = character.repeat(length);
                let document = with(&document, pointer, text.into());
                let fits = (least..=most).contains(&length);
                let told = schema.check(&document);
                assert_eq!(told.is_ok(), fits, "{length} of {character} at {pointer}: {told:?}");
                assert_eq!(model(&body(&document)), fits, "{length} at {pointer}");
                if let Err(violations) = told {
                    let keyword = if length < least { "minLength" } else { "maxLength" };
                    assert_eq!(said(&violations), [(pointer, keyword)]);
                }
            }
        }
    }
}

#[test]
fn every_number_is_taken_up_to_its_edge() {
    let item = |name: &str, value: Value| json!([{ name: value }]);
    let message = |name: &str, value: Value| json!([{"response": [{ name: value }]}]);
    for (document, fits) in [
        (item("score", json!(1)), true),
        (item("score", json!(1.000_001)), false),
        (item("score", json!(-4.5)), true),
        (item("score", json!(u64::MAX)), false),
        (message("delay_ts", json!(0)), true),
        (message("delay_ts", json!(604_800)), true),
        (message("delay_ts", json!(604_800.0)), true),
        (message("delay_ts", json!(604_801)), false),
        (message("delay_ts", json!(1.5)), false),
        (message("delay_ts", json!(-1)), false),
        (message("delay_ts", json!("2")), false),
        (message("answer_id", json!(1.5)), true),
        (message("answer_id", json!("a-2")), true),
        (message("answer_id", json!(true)), false),
        (message("similar_response", json!(vec![json!({}); 11])), true),
    ] {
        let document = with(&route(), "/suggested_response", document);
        assert_eq!(schema::route().check(&document).is_ok(), fits, "{document}");
        assert_eq!(RouteRequest::try_from(&body(&document)).is_ok(), fits, "{document}");
    }
    for (similar, fits) in [(0, true), (10, true), (11, false)] {
        for name in ["similar_response", "similarResponses"] {
            let items = json!(vec![json!({}); similar]);
            let document = without(&delivery(), "similar_response");
            let document = with(&document, &format!("/{name}"), items);
            assert_eq!(schema::delivery().check(&document).is_ok(), fits, "{similar}");
            assert_eq!(Delivery::try_from(&body(&document)).is_ok(), fits, "{similar}");
        }
    }
}

#[test]
fn every_time_and_id_of_another_form_is_taken_by_both_or_by_none() {
    for (name, value, fits) in [
        ("msg_ts", json!(1_700_000_000_000_u64), true),
        ("msg_ts", json!(u64::MAX), true),
        ("msg_ts", json!("9".repeat(19)), true),
        ("msg_ts", json!("9".repeat(20)), false),
        ("msg_ts", json!(""), false),
        ("msg_ts", json!("+1"), false),
        ("msg_ts", json!("１２"), false),
        ("msg_ts", json!("1\n"), false),
        ("msg_ts", json!(-1), false),
        ("msg_ts", json!(1e20), false),
        ("msg_ts", json!(1.5), false),
        ("msg_id", json!(17), true),
        ("msg_id", json!(17.0), true),
        ("msg_id", json!(999_999_999_999_999_999_u64), true),
        ("msg_id", json!(1_000_000_000_000_000_000_u64), false),
        ("msg_id", json!(-99_999_999_999_999_999_i64), true),
        ("msg_id", json!(-100_000_000_000_000_000_i64), false),
        ("msg_id", json!(1e18), false),
        ("msg_id", json!(1.5), false),
        ("user_id", json!(u64::MAX), true),
        ("user_id", json!(1.844_674_407_370_955_2e19), false),
        ("user_id", json!(1e300), false),
    ] {
        let document = with(&delivery(), &format!("/{name}"), value);
        assert_eq!(schema::delivery().check(&document).is_ok(), fits, "{document}");
        assert_eq!(Delivery::try_from(&body(&document)).is_ok(), fits, "{document}");
    }
}

#[test]
fn a_missing_field_is_named_in_its_canonical_spelling() {
    for (schema, document, required) in [
        (schema::delivery(), delivery(), &["user_id", "msg_id", "msg_ts", "msg_body"][..]),
        (
            schema::route(),
            route(),
            &[
                "user_id",
                "msg_id",
                "msg_ts",
                "msg_body",
                "suggested_response",
                "is_dispatch",
                "nickname",
            ],
        ),
        (schema::route_response(), answer(), &["is_dispatch", "suggested_response"]),
    ] {
        for name in required {
            let missing = without(&document, name);
            let violations = schema.check(&missing).unwrap_err();
            assert_eq!(said(&violations), [("", "required")]);
            let message = &violations.iter().next().unwrap().message;
            assert_eq!(message, &format!("\"{name}\" is a required property"));
            for (other, _) in SPELLINGS.iter().filter(|(_, canonical)| canonical == name) {
                let respelled = with(&missing, &format!("/{other}"), document[*name].clone());
                assert_eq!(schema.check(&respelled), Ok(()), "{other}");
                let both = with(&respelled, &format!("/{name}"), document[*name].clone());
                assert_eq!(schema.check(&both), Ok(()), "{other}");
            }
        }
        let violations = schema.check(&json!({})).unwrap_err();
        assert_eq!(violations.count(), required.len());
    }
    for (kind, fields) in [
        ("text", &["content"][..]),
        ("image", &["resource_url"]),
        ("voice", &["resource_url"]),
        ("video", &["resource_url"]),
        ("file", &["resource_url"]),
        ("share_link", &["title", "destination_url"]),
        ("rich_text", &["resource_url"]),
    ] {
        let document = with(&delivery(), "/msg_body", json!({ kind: {} }));
        let violations = schema::delivery().check(&document).unwrap_err();
        let pointer = format!("/msg_body/{kind}");
        assert_eq!(said(&violations), vec![(&*pointer, "required"); fields.len()]);
    }
}

#[test]
fn every_wrong_type_is_named_in_the_spelling_that_was_sent() {
    for (schema, model, document) in kinds() {
        let names: Vec<String> = document.as_object().unwrap().keys().cloned().collect();
        let spelled = |name: &String| {
            let others = SPELLINGS.iter().filter(|(_, canonical)| canonical == name);
            let others: Vec<_> = others.map(|(other, _)| (*other).to_owned()).collect();
            [vec![name.clone()], others].concat()
        };
        for name in names.iter().flat_map(spelled) {
            for wrong in [json!(1.5), json!([1.5]), json!({"text": 1.5}), json!(true)] {
                let right = without(&document, SPELLING.canonical(&name));
                let document = with(&right, &format!("/{name}"), wrong.clone());
                let is_right = match SPELLING.canonical(&name) {
                    "is_dispatch" | "enable_evaluate" => wrong.is_boolean(),
                    "sender_info" | "bot" => wrong.is_object(),
                    _ => false,
                };
                let told = schema.check(&document);
                assert_eq!(told.is_ok(), is_right, "{document}");
                assert_eq!(model(&body(&document)), is_right, "{document}");
                if let Err(violations) = told {
                    let (pointer, keyword) = said(&violations)[0];
                    assert!(pointer.starts_with(&format!("/{name}")), "{pointer} {keyword}");
                    assert_eq!(keyword, "type");
                }
            }
        }
    }
}

#[test]
fn a_message_holds_one_kind_and_a_bot_is_one_of_four() {
    for (pointer, value, wrong) in [
        ("/msg_body", json!({"text": {"content": "a"}, "image": null}), None),
        ("/msg_body", json!({"text": null, "event": {}}), None),
        ("/msg_body", json!({"mini_program": {}}), None),
        ("/msg_body", json!({"text": {"content": "a"}, "new": 1}), None),
        ("/msg_body", json!({"text": {"content": "a"}, "event": {}}), Some("/msg_body/event")),
        ("/msg_body", json!({"custom": {}, "event": {}}), Some("/msg_body/event")),
        ("/bot", json!({"qa": 1, "task": null, "new": 1}), None),
        ("/bot", json!({"qa": 1, "keyword": 1}), Some("/bot/keyword")),
        ("/bot", json!({"task": 1, "chitchat": false}), Some("/bot/task")),
    ] {
        let document = with(&delivery(), pointer, value);
        let told = schema::delivery().check(&document);
        let places = told.as_ref().err().map(said).unwrap_or_default();
        assert_eq!(places, wrong.map(|place| (place, "type")).into_iter().collect::<Vec<_>>());
        assert_eq!(Delivery::try_from(&body(&document)).is_ok(), wrong.is_none());
    }
}

#[test]
fn the_fallback_of_a_route_is_a_response_that_matches() {
    let (head, ()) = http::Request::new(()).into_parts();
    let request = Callback::receive(&MessageRoute::new(), &head, route().to_string()).unwrap();
    let reply = MessageRoute::new().fallback(&request).unwrap();
    let reply: Value = serde_json::from_slice(reply.body()).unwrap();
    assert_eq!(schema::route_response().check(&reply), Ok(()));
    let wrong = json!({"is_dispatch": "no", "suggested_response": [{"response": {}}], "extra": 1});
    let violations = schema::route_response().check(&wrong).unwrap_err();
    assert_eq!(violations.count(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_generated_matches_in_any_spelling(
        delivery in any_delivery(),
        route in any_route(),
        error in any_error(),
        choices in any_choices(),
    ) {
        for ((schema, model, _), document) in kinds().into_iter().zip([delivery, route, error]) {
            let document = respelled(&document, &mut choices.iter().copied().cycle());
            prop_assert_eq!(schema.check(&document), Ok(()), "{}", document);
            prop_assert!(model(&body(&document)), "{}", document);
        }
    }

    #[test]
    fn models_and_schemas_accept_the_same(
        delivery in any_delivery(),
        route in any_route(),
        error in any_error(),
        choices in any_choices(),
        changes in prop::collection::vec((any::<Index>(), any_change()), 1..4),
    ) {
        for ((schema, model, _), mut document) in kinds().into_iter().zip([delivery, route, error]) {
            for (at, change) in &changes {
                change.make(&mut document, *at);
            }
            let document = respelled(&document, &mut choices.iter().copied().cycle());
            let told = schema.check(&document);
            prop_assert_eq!(told.is_ok(), model(&body(&document)), "{} {:?}", document, told);
        }
    }

    #[test]
    fn an_unchanged_reply_to_a_route_matches(route in any_route(), choices in any_choices()) {
        let request = body(&respelled(&route, &mut choices.iter().copied().cycle()));
        let mut reply = RouteReply::try_from(&request).unwrap();
        reply.hand_over();
        let reply: Value = serde_json::from_slice(&reply.to_bytes()).unwrap();
        prop_assert_eq!(schema::route_response().check(&reply), Ok(()));
    }
}

/// A change that may make a document wrong.
#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Remove,
    Add(&'static str, Value),
}

impl Change {
    /// Changes one of the document's values, whichever.
    fn make(&self, document: &mut Value, at: Index) {
        let mut pointers = vec![String::new()];
        collect(document, "", &mut pointers);
        let pointer = at.get(&pointers);
        match self {
            Self::Replace(value) => *document.pointer_mut(pointer).unwrap() = value.clone(),
            Self::Remove => {
                let (parent, last) = pointer.rsplit_once('/').unwrap_or_default();
                match document.pointer_mut(parent).unwrap() {
                    Value::Object(fields) => drop(fields.remove(&unescaped(last))),
                    Value::Array(items) => drop(items.pop()),
                    _ => {}
                }
            }
            Self::Add(name, value) => {
                if let Value::Object(fields) = document.pointer_mut(pointer).unwrap() {
                    fields.insert((*name).to_owned(), value.clone());
                }
            }
        }
    }
}

fn collect(value: &Value, pointer: &str, pointers: &mut Vec<String>) {
    let mut below = |step: &str, value| {
        let pointer = format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"));
        collect(value, &pointer, pointers);
        pointers.push(pointer);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| below(&at.to_string(), item));
        }
        _ => {}
    }
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

fn any_change() -> impl Strategy<Value = Change> {
    let names = vec![
        "text",
        "image",
        "event",
        "content",
        "resource_url",
        "type",
        "qa",
        "task",
        "bot",
        "score",
        "delay_ts",
        "answer_id",
        "extra",
        "is_send",
        "response",
        "msg_body",
        "quick_reply",
        "source",
        "similar_response",
        "sender_info",
        "nickname",
        "real_name",
        "avatar_url",
        "enable_evaluate",
        "title",
        "description",
        "thumb",
        "recognition",
        "file_name",
        "msg_type",
        "detail",
        "url",
    ];
    prop_oneof![
        3 => odd_value().prop_map(Change::Replace),
        1 => Just(Change::Remove),
        2 => (prop::sample::select(names), odd_value()).prop_map(|(name, value)| Change::Add(name, value)),
    ]
}

fn odd_value() -> impl Strategy<Value = Value> {
    let edges = [18_usize, 32, 128, 512, 1024, 2048].map(|edge| [edge, edge + 1]).concat();
    let numbers = vec![
        json!(0),
        json!(-0.0),
        json!(1),
        json!(1.5),
        json!(17.0),
        json!(-1),
        json!(604_801),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e18),
        json!(1e19),
        json!(1e300),
        json!(-1e300),
        json!(999_999_999_999_999_999_u64),
        json!(1_000_000_000_000_000_000_u64),
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(numbers),
        prop::sample::select(vec![
            "",
            "17",
            "00",
            "9999999999999999999",
            "99999999999999999999",
            "x"
        ])
        .prop_map(Value::from),
        (prop::sample::select(vec!["a", "好", "📦"]), prop::sample::select(edges))
            .prop_map(|(character, length)| character.repeat(length).into()),
        Just(json!([])),
        Just(json!(["a"])),
        Just(json!([null])),
        Just(json!([{}])),
        Just(json!(vec![json!({}); 11])),
        Just(json!({})),
        Just(json!({"text": {"content": "a"}})),
        Just(json!({"text": {"content": "a"}, "event": {}})),
        Just(json!({"qa": 1, "task": {}})),
    ]
}

/// Pointers and keywords.
fn said(violations: &Violations) -> Vec<(&str, &str)> {
    violations.iter().map(|one| (&*one.pointer, &*one.keyword)).collect()
}

fn delivery() -> Value {
    json!({
        "user_id": "anna", "msg_id": "17", "msg_ts": "1700000000000", "msg_type": "TEXT",
        "msg_body": {"text": {"content": "您好"}}, "sender_info": {}, "extra": "", "source": "QA_BOT",
        "bot": {}, "similar_response": [{}], "enable_evaluate": false, "quick_reply": ["好"],
    })
}

fn route() -> Value {
    json!({
        "user_id": "anna", "msg_id": "17", "msg_ts": "1700000000000", "nickname": "安娜",
        "msg_body": {"text": {"content": "您好"}}, "is_dispatch": false, "extra": "",
        "suggested_response": [{"is_send": true, "response": [{"msg_body": {"text": {"content": "a"}}}]}],
    })
}

fn answer() -> Value {
    json!({"is_dispatch": false, "suggested_response": [], "extra": ""})
}

/// The document with this value there; other kinds in the message are removed.
fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut document = document.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    if let Some(kind) = parent.strip_prefix("/msg_body/") {
        let rest =
            json!({"title": "a", "destination_url": "a", "resource_url": "a", "content": "a"});
        document["msg_body"] = json!({ kind: rest });
    }
    document.pointer_mut(parent).unwrap()[name] = value;
    document
}

fn without(document: &Value, name: &str) -> Value {
    let mut document = document.clone();
    document.as_object_mut().unwrap().retain(|key, _| SPELLING.canonical(key) != name);
    document
}

fn body(document: &Value) -> Body {
    Body::new(document.to_string(), SPELLING)
}
