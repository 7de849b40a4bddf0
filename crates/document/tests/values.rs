//! How values are looked at, found, compared and told apart.

use std::{
    cmp::Ordering,
    hash::{DefaultHasher, Hash, Hasher},
};

use proptest::prelude::*;
use serde_json::{Value, json};
use tower_callback_document::{Document, Pointer, PointerError, Spelling, ValueRef};

fn snake(name: &str) -> &str {
    match name {
        "msgId" | "msgID" => "msg_id",
        other => other,
    }
}

const SNAKE: Spelling = Spelling::new(snake).with_free_fields(|name| name == "extra");

fn read(body: &str) -> Document {
    Document::read(body.to_owned(), SNAKE).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn values() -> Value {
    json!({
        "null": null, "flag": true, "number": -1.5, "text": "ä", "none": [], "nothing": {},
        "list": [1, [2, {"a": [3]}], "x"], "a~/b": {"c": {"d": 7}}, "last": 0, "esc\n": "\t"
    })
}

#[test]
fn a_document_says_what_its_value_says() {
    for value in [values(), json!([]), json!({}), json!(7), json!("x"), json!(null)] {
        let document = Document::from(&value);
        assert_eq!(document.root().to_value(), value);
        assert_eq!(json!(document.root()), value);
        assert_eq!(
            serde_json::from_value::<Document>(value.clone()).unwrap().root().to_value(),
            value
        );
        assert_eq!(document.body(), value.to_string().as_bytes());
    }
}

#[test]
fn it_is_looked_at_as_a_value_is() {
    let (value, document) = (values(), Document::from(&values()));
    let root = document.root();
    assert_eq!(root.as_object().unwrap().len(), 10);
    for (name, field) in root.as_object().unwrap() {
        let same = &value[name];
        assert_eq!(field.is_null(), same.is_null());
        assert_eq!(field.as_bool(), same.as_bool());
        assert_eq!(field.as_number().as_ref(), same.as_number());
        assert_eq!(field.as_u64(), same.as_u64());
        assert_eq!(field.as_i64(), same.as_i64());
        assert_eq!(field.as_f64(), same.as_f64());
        assert_eq!(field.as_str(), same.as_str());
        assert_eq!(field.raw(), same.to_string());
        let items = field.as_array().map(|items| items.map(ValueRef::to_value).collect());
        assert_eq!(items, same.as_array().cloned());
        assert_eq!(field.get("c").is_some(), same.get("c").is_some());
        assert_eq!(root.get(name).map(ValueRef::address), Some(field.address()));
    }
}

#[test]
fn a_deep_value_is_a_document() {
    let deep = (0..500).fold(Value::Null, |inner, _| json!([inner]));
    assert_eq!(Document::from_value(&deep).nodes(), 501);
}

#[test]
fn debug_shows_nothing_of_it() {
    let document = Document::from(&json!({"secret": ["secret"]}));
    let root = document.root();
    let fields = root.as_object().unwrap();
    let items = root.get("secret").unwrap().as_array().unwrap();
    assert!(!format!("{document:?} {root:?} {fields:?} {items:?}").contains("secret\""));
    assert_eq!(format!("{root:?}"), "ValueRef { .. }");
}

#[test]
fn k02_an_integer_is_one_however_it_is_written() {
    for (text, integer) in [
        ("17", Some(17)),
        ("17.0", Some(17)),
        ("1.7e1", Some(17)),
        ("1700E-2", Some(17)),
        ("0.17e+2", Some(17)),
        ("-0", Some(0)),
        ("0.000e99999999999999999999", Some(0)),
        ("-1.000", Some(-1)),
        ("9007199254740993.0", Some(9_007_199_254_740_993)),
        ("18446744073709551615", Some(u64::MAX.into())),
        ("1.8446744073709551615e19", Some(u64::MAX.into())),
        ("18446744073709551616", None),
        ("-9223372036854775808", Some(i64::MIN.into())),
        ("-9223372036854775809", None),
        ("99999999999999999999", None),
        ("1e20", None),
        ("1e300", None),
        ("1.5", None),
        ("17.00000000000000000001", None),
        ("1e-1", None),
        ("1e-999999999999999999999", None),
        ("\"17\"", None),
    ] {
        let document = read(text);
        assert_eq!(document.root().as_integer(), integer, "{text}");
        let is_too_large = text.len() > 18 && !text.contains('.') && !text.contains("e-")
            || text.starts_with("1e") && !text.contains("e-");
        assert_eq!(document.root().is_integer(), integer.is_some() || is_too_large, "{text}");
    }
}

#[test]
fn a_pointer_leads_where_it_leads_in_a_value() {
    let (value, document) = (values(), Document::from(&values()));
    let pointers = [
        "",
        "/",
        "/text",
        "/list/1/1/a/0",
        "/list/3",
        "/list/01",
        "/list/+1",
        "/list/-",
        "/list/00",
        "/list/0",
        "/a~0~1b/c/d",
        "/a~0~1b/d",
        "/number/0",
        "text",
        "/list/99999999999999999999",
        "/esc\n",
    ];
    for pointer in pointers {
        let ours = document.root().pointer(pointer).map(ValueRef::to_value);
        assert_eq!(ours.as_ref(), value.pointer(pointer), "{pointer}");
        let parsed = Pointer::parse(pointer);
        assert_eq!(parsed.is_some(), pointer != "text");
        let found: Vec<_> = parsed.iter().flat_map(|it| document.root().at(it)).collect();
        assert_eq!(found.first().map(|it| it.to_value()).as_ref(), value.pointer(pointer));
        assert!(found.len() <= 1);
        assert_eq!(parsed.map(|parsed| parsed.to_string()).as_deref().unwrap_or("text"), pointer);
    }
    assert_eq!("text".parse::<Pointer>(), "x/y".parse());
    let error: PointerError = "text".parse::<Pointer>().unwrap_err();
    assert_eq!(error.to_string(), "a JSON pointer is empty or starts with `/`");
}

#[test]
fn a_star_leads_to_each_item() {
    let document =
        read(r#"{"a":[{"msgId":1},{"msg_id":2},{"x":3},4],"*":{"*":[5]},"extra":{"msgId":6}}"#);
    let at = |pointer: &str| -> Vec<Value> {
        document.root().at(&pointer.parse().unwrap()).map(ValueRef::to_value).collect()
    };
    assert_eq!(at("/a/*/msg_id"), [1, 2]);
    assert_eq!(at("/a/*/msgID"), [1, 2]);
    assert_eq!(at("/a/1/msgID"), [2]);
    assert_eq!(at("/a/*/x"), [3]);
    assert_eq!(at("/*/*"), [json!([5])]);
    assert_eq!(at("/*/*/*"), [5]);
    assert_eq!(at("/extra/msgId"), [6]);
    assert!(at("/extra/msg_id").is_empty());
    let mut built = Pointer::default();
    built.push("a");
    built.push(1);
    assert_eq!(built.under("x/y").to_string(), "/x~1y/a/1");
}

#[test]
fn numbers_are_equal_by_what_they_are_worth() {
    let groups: [&[&str]; 9] = [
        &["1", "1.0", "1e0", "10e-1", "0.1E1", "1.000"],
        &["0", "-0", "0.0", "-0.0e5", "0e-7"],
        &["100", "1e2", "1E+2", "100.0", "0.001e5"],
        &["-1", "-1.0"],
        &["0.5", "5e-1", "0.50"],
        &["9007199254740992", "9007199254740992.0"],
        &["9007199254740993", "9007199254740993.0"],
        &["98765432109876543210987", "98765432109876543210987.0"],
        &["98765432109876543210988"],
    ];
    for (index, group) in groups.iter().enumerate() {
        for (other_index, other_group) in groups.iter().enumerate() {
            for (one, other) in
                group.iter().flat_map(|one| other_group.iter().map(move |other| (one, other)))
            {
                let (one_read, other_read) = (read(one), read(other));
                let is_same = index == other_index;
                assert_eq!(one_read.root() == other_read.root(), is_same, "{one} {other}");
                let digests = (one_read.root().digest(&[]), other_read.root().digest(&[]));
                assert_eq!(digests.0 == digests.1, is_same, "{one} {other}");
                let text = read(&format!("\"{one}\""));
                assert!(text.root() != one_read.root());
            }
        }
    }
    // A float of a value has lost its last digits.
    let value: Value = serde_json::from_str("9007199254740993.0").unwrap();
    assert!(read("9007199254740993.0").root() == value);
    assert!(read("9007199254740993").root() == json!(9_007_199_254_740_993_u64));
    assert!(read("9007199254740993").root() != json!(9_007_199_254_740_992.0));
    assert!(read("9007199254740992").root() == json!(9_007_199_254_740_992.0));
    assert!(read("1.0").root() == json!(1) && read("1").root() == json!(1.0));
}

fn hash(value: ValueRef<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Equality as a schema has it, written down without care for time.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            match (one.as_i64(), other.as_i64(), one.as_u64(), other.as_u64()) {
                (Some(one), Some(other), ..) => one == other,
                (.., Some(one), Some(other)) => one == other,
                _ if one.is_f64() || other.is_f64() => {
                    one.as_f64().partial_cmp(&other.as_f64()) == Some(Ordering::Equal)
                }
                _ => false,
            }
        }
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(ones), Value::Object(others)) => {
            ones.len() == others.len()
                && ones
                    .iter()
                    .all(|(name, one)| others.get(name).is_some_and(|other| is_same(one, other)))
        }
        _ => one == other,
    }
}

/// Values of which many are the same, written in many ways.
fn some_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "null|true|1|1\\.0|1e0|0|-0|-1|10|1e1|1\\.5|15e-1|\"1\"|\"a\"|\"\\\\u0061\"|\"\"|\\[\\]|\\{\\}",
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        let names = ["\"a\"", "\"b\"", "\"\\u0061\"", "\"c\""].map(str::to_owned).to_vec();
        let field = (prop::sample::select(names), inner.clone());
        let field = field.prop_map(|(name, value)| format!("{name} : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(field, 0..3)
                .prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn equality_is_that_of_the_model(one in some_json(), other in some_json()) {
        let (one_read, other_read) = (read(&one), read(&other));
        let (one_value, other_value) = (one_read.root().to_value(), other_read.root().to_value());
        let expected = is_same(&one_value, &other_value);
        prop_assert_eq!(one_read.root() == other_read.root(), expected, "{} {}", one, other);
        prop_assert_eq!(one_read.root() == other_value, expected, "{} {}", one, other);
        if expected {
            prop_assert_eq!(hash(one_read.root()), hash(other_read.root()));
            prop_assert_eq!(one_read.root().digest(&[]), other_read.root().digest(&[]));
        }
    }

    #[test]
    fn pointers_lead_where_they_lead_in_a_value(
        body in some_json(),
        pointer in "(/([a-c0-3]|01|\\+1|-|~0|~1|))*|[a-c/]{0,4}",
    ) {
        let document = read(&body);
        let value = document.root().to_value();
        let ours = document.root().pointer(&pointer).map(ValueRef::to_value);
        prop_assert_eq!(ours.as_ref(), value.pointer(&pointer));
    }

    /// To cut a field out of a value and to ignore it is the same.
    #[test]
    fn what_is_ignored_makes_no_difference(body in some_json(), name in "[a-c]|[0-2]", below in "[a-c]") {
        let pointer = format!("/{name}/{below}");
        let document = read(&body);
        let mut value = document.root().to_value();
        if let Some(ignored) = value.pointer_mut(&pointer) {
            *ignored = Value::Null;
        }
        let ignoring = document.root().digest(&[pointer.parse().unwrap()]);
        prop_assert_eq!(ignoring, Document::from(&value).root().digest(&[]));
    }
}

/// Or a set of them would be searched one by one.
#[test]
fn lists_of_nothing_have_hashes_of_their_own() {
    let mut lists = vec!["[]".to_owned()];
    for at in 0..12 {
        for other in 0..=at {
            lists.push(format!("[{},{}]", lists[at], lists[other]));
        }
        lists.push(format!("[{}]", lists[at]));
    }
    let distinct: std::collections::BTreeSet<_> = lists.iter().collect();
    let hashes: std::collections::BTreeSet<_> =
        lists.iter().map(|list| hash(read(list).root())).collect();
    assert_eq!(hashes.len(), distinct.len());
}

#[test]
fn large_objects_are_equal_in_any_order() {
    let fields: Vec<_> = (0..5_000).map(|n| format!("\"{n}\":[{n}]")).collect();
    let one = read(&format!("{{{}}}", fields.join(",")));
    let reversed: Vec<_> = fields.iter().rev().cloned().collect();
    let other = read(&format!("{{{}}}", reversed.join(",")));
    assert!(one.root() == other.root() && one.root() == other.root().to_value());
    assert_eq!(hash(one.root()), hash(other.root()));
    let third = read(&format!("{{{}}}", fields.join(",").replace("[4999]", "[5000]")));
    assert!(one.root() != third.root());
}

fn digest(body: &str, ignored: &[&str]) -> u64 {
    let ignored: Vec<_> =
        ignored.iter().map(|pointer| pointer.parse().expect("a pointer")).collect();
    read(body).root().digest(&ignored)
}

#[test]
fn d08_bodies_that_say_the_same_are_the_same() {
    let one = digest(r#"{"msg_id":"1","a":[{"b":"ä","n":100}],"extra":{"msg_id":1}}"#, &[]);
    for same in [
        r#"{ "a": [{"n":1e2,"b":"\u00e4"}],"extra":{"msg_id":1}, "msgId": 1 }"#,
        r#"{"msg_id":"1","msgId":"1","a":[{"b":"ä","n":"100"}],"extra":{"msg_id":1.0}}"#,
        r#"{"msg_id":"1","a":[{"b":"ä","n":100.0,"c":null}],"extra":{"msg_id":1},"b":null}"#,
        r#"{"msg_id":"2","msg_id":"1","a":[{"b":"ä","n":0.1e3}],"extra":{"msg_id":1}}"#,
    ] {
        assert_eq!(digest(same, &[]), one, "{same}");
    }
    // A tenant's own names are not respelled.
    assert_ne!(digest(r#"{"msg_id":"1","a":[{"b":"ä","n":100}],"extra":{"msgId":1}}"#, &[]), one);
    // Nor is an id of many digits another one than its text.
    let long = "123456789012345678901234567890";
    assert_eq!(digest(long, &[]), digest(&format!("\"{long}\""), &[]));
    assert_ne!(digest(long, &[]), digest(&format!("{long}1"), &[]));
}

#[test]
fn d08_bodies_that_say_something_else_differ() {
    let bodies = [
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1",
        "10",
        "\"\"",
        "\"01\"",
        "\"-0\"",
        "\"00\"",
        "[[]]",
        "[{}]",
        "[null]",
        "[1,2]",
        "[2,1]",
        "[12]",
        "1.5",
        "\"1.5\"",
        "0.15",
        "-1.5",
        "15",
        "\"1e1\"",
        r#"{"a":1}"#,
        r#"{"a":2}"#,
        r#"{"b":1}"#,
        r#"{"a":{"b":1}}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"a":2,"b":1}"#,
        r#"{"a":[1]}"#,
        r#"{"a":1,"b":1}"#,
        r#"{"a":{}}"#,
        r#"{"a":[]}"#,
        "18446744073709551615",
    ];
    for (at, one) in bodies.iter().enumerate() {
        for other in &bodies[at + 1..] {
            assert_ne!(digest(one, &[]), digest(other, &[]), "{one} {other}");
        }
    }
}

#[test]
fn a_digest_is_the_same_in_every_process() {
    let body = r#"{"msg_id":17,"list":[1.5,-2,"ä",true,null,{}]}"#;
    assert_eq!(digest(body, &[]), 16_749_807_578_176_541_102);
}

#[test]
fn volatile_fields_make_no_difference() {
    let volatile = ["/seen", "/a/0/t", "/b/1", "/x~1y", "/none/of/these"];
    let one = digest(r#"{"seen":1,"a":[{"t":1,"u":1}],"b":[1,2],"x/y":1}"#, &volatile);
    assert_eq!(digest(r#"{"a":[{"t":2,"u":1}],"b":[1,3]}"#, &volatile), one);
    assert_ne!(digest(r#"{"a":[{"t":2,"u":2}],"b":[1,3]}"#, &volatile), one);
    assert_ne!(digest(r#"{"a":[{"u":1},{"t":1}],"b":[1,3]}"#, &volatile), one);
    assert_ne!(digest(r#"{"a":[{"t":2,"u":1}],"b":[1]}"#, &volatile), one);
}

#[test]
fn k03_what_only_says_that_this_is_a_retry_is_ignored_in_each_item() {
    let retry = ["/events/*/redelivery", "/sent"];
    let one = digest(r#"{"events":[{"id":1,"redelivery":false},{"id":2}],"sent":1}"#, &retry);
    assert_eq!(digest(r#"{"events":[{"id":1},{"id":2,"redelivery":true}],"sent":2}"#, &retry), one);
    assert_ne!(digest(r#"{"events":[{"id":1},{"id":3,"redelivery":true}],"sent":2}"#, &retry), one);
    let items = ["/list/*"];
    assert_eq!(digest(r#"{"list":[1,2]}"#, &items), digest(r#"{"list":[3,{}]}"#, &items));
    assert_ne!(digest(r#"{"list":[1,2]}"#, &items), digest(r#"{"list":[3]}"#, &items));
}

#[test]
fn a_volatile_field_is_meant_in_every_spelling() {
    let one = digest(r#"{"msgId":"1"}"#, &["/msg_id"]);
    assert_eq!(digest(r#"{"msg_id":"2"}"#, &["/msgId"]), one);
    assert_eq!(digest(r#"{"msg_id":"2","msgID":"2"}"#, &["/msgId"]), one);
    assert_ne!(digest(r#"{"msg_id":"2"}"#, &[]), one);
    // But not among a tenant's own.
    let one = digest(r#"{"extra":{"msgId":1}}"#, &["/extra/msg_id"]);
    assert_eq!(one, digest(r#"{"extra":{"msgId":1}}"#, &[]));
    assert_ne!(one, digest(r#"{"extra":{"msgId":1}}"#, &["/extra/msgId"]));
}

#[test]
fn the_values_of_a_document_are_send_and_sync() {
    fn is_send_and_sync<T: Send + Sync + Clone>() {}
    is_send_and_sync::<Document>();
    is_send_and_sync::<ValueRef<'_>>();
    is_send_and_sync::<Pointer>();
}
