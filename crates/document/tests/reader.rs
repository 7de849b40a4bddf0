//! What is read, and what is refused where.

#[path = "support/property.rs"]
mod property;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower_callback_document::{Document, ReadError, ReadErrorKind, Spelling};

fn snake(name: &str) -> &str {
    match name {
        "msgId" | "msgID" => "msg_id",
        other => other,
    }
}

const SNAKE: Spelling = Spelling::new(snake);

fn read(body: impl AsRef<[u8]>) -> Result<Document, ReadError> {
    Document::read(Bytes::copy_from_slice(body.as_ref()), SNAKE)
}

fn refused(body: impl AsRef<[u8]>) -> ReadError {
    read(body).expect_err("it is refused")
}

fn value(body: impl AsRef<[u8]>) -> Value {
    read(body).expect("it is read").root().to_value()
}

#[test]
fn r03_what_is_not_json_is_refused_with_its_position() {
    let bomb = "[".repeat(10_000);
    let deep_field = format!("{{\"msg_id\":\"1\",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let bodies: [&[u8]; 12] = [
        b"",
        b"hello",
        b"{\"a\":1",
        b"{\"a\":1}x",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\xff\"}",
        b"\xEF\xBB\xBF{}",
        b"\xFF\xFE{\0}\0",
        b"{\0}\0",
        b"{\"a\":\"tab\there\"}",
        bomb.as_bytes(),
        deep_field.as_bytes(),
    ];
    for body in bodies {
        assert_eq!(refused(body).kind(), ReadErrorKind::Malformed, "{body:?}");
    }
    let error = refused("{\n \"a\": x}");
    assert_eq!((error.line(), error.column()), (2, 7));
}

#[test]
fn r03_a_number_out_of_range_is_refused() {
    for number in ["1e999", "-1e999", "1e400", &"9".repeat(400), "1e99999999999999999999"] {
        let error = refused(format!("{{\"a\":{number}}}"));
        assert_eq!(error.to_string(), "the body is not JSON: number out of range");
    }
    for number in ["0e999", "1e-999", "1e308", "0e99999999999999999999", &"9".repeat(308)] {
        assert!(read(format!("{{\"a\":{number}}}")).is_ok(), "{number}");
    }
}

#[test]
fn r03_nesting_is_read_as_deep_as_serde_json_reads_it() {
    for (open, close) in [("[", "]"), ("{\"a\":[", "]}")] {
        for levels in [63, 64, 126, 127, 128, 129] {
            let body = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            assert_eq!(read(&body).is_ok(), serde_json::from_str::<Value>(&body).is_ok());
        }
    }
}

#[test]
fn numbers_are_kept_as_they_came() {
    let mut numbers = vec!["0.9073038322028689", "18446744073709551615", "-9223372036854775808"];
    // With serde_json's feature `arbitrary_precision`.
    if serde_json::from_str::<Value>("1e400").is_ok() {
        numbers.extend(["98765432109876543210987", "0.10000000000000000000000001"]);
    }
    for number in numbers {
        let body = format!("[{number}]");
        let document = read(&body).unwrap();
        assert_eq!(serde_json::to_string(&document.root()).unwrap(), body);
        assert_eq!(document.root().to_value().to_string(), body);
    }
}

#[test]
fn r03_a_fault_is_named_without_a_word_of_the_body() {
    let deep = "[".repeat(129);
    let bodies: [(&[u8], &str, (usize, usize)); 14] = [
        (b" \n", "the body is empty", (2, 0)),
        (b"\xEF\xBB\xBF{}", "JSON must not start with a byte order mark", (1, 1)),
        (b"\xFF\xFE{\0}\0", "JSON must be UTF-8, this looks like UTF-16 or UTF-32", (1, 1)),
        (b"{\0}\0", "JSON must be UTF-8, this looks like UTF-16 or UTF-32", (1, 2)),
        (b"{\"a\":\"\xc4\xe3\"}", "JSON must be UTF-8", (1, 7)),
        (deep.as_bytes(), "the body is nested more than 127 deep", (1, 128)),
        (b"secret", "the body is not JSON: expected a value", (1, 1)),
        (b"nosecret", "the body is not JSON: expected a value", (1, 2)),
        (b"{\"secret\":", "the body ends before its JSON does", (1, 10)),
        (b"{\"secret\" 1}", "the body is not JSON: expected `:`", (1, 11)),
        (b"{secret: 1}", "the body is not JSON: key must be a string", (1, 2)),
        (b"{\"secret\": 1,}", "the body is not JSON: trailing comma", (1, 14)),
        (b"{} secret", "the body is not JSON: trailing characters", (1, 4)),
        (b"[\"\\uD800secret\"]", "the body is not JSON: unexpected end of hex escape", (1, 9)),
    ];
    for (body, said, place) in bodies {
        let error = refused(body);
        assert_eq!(error.to_string(), said);
        assert_eq!((error.line(), error.column()), place, "{said}");
    }
}

#[test]
fn r04_of_a_key_that_stands_twice_the_last_counts() {
    for (body, last) in [
        (r#"{"msg_id":"1","msg_id":"2"}"#, json!({"msg_id": "2"})),
        (r#"{"a":{"b":[{"c":[1,{}],"c":2}]}}"#, json!({"a": {"b": [{"c": 2}]}})),
        (r#"{"a":1,"\u0061":{"x":1}}"#, json!({"a": {"x": 1}})),
        (r#"{"\u0061":{"y":[]},"a":1,"b":2,"b":3,"a":4}"#, json!({"a": 4, "b": 3})),
        (r#"{"a":1,"a":{"a":2,"a":3},"b":0}"#, json!({"a": {"a": 3}, "b": 0})),
    ] {
        let document = read(body).unwrap();
        let root = document.root();
        assert_eq!(root.to_value(), last);
        assert_eq!(json!(root), last);
        assert_eq!(root.read::<Value>(), Ok(last.clone()));
        assert!(root == last);
        assert_eq!(root.digest(&[]), Document::from_value(&last).root().digest(&[]));
        assert_eq!(root.as_object().unwrap().len(), last.as_object().unwrap().len());
    }
}

#[test]
fn r04_what_identifies_must_not_stand_twice() {
    let body =
        "{\"a\":1,\n\"msgId\":\"1\",\"msgId\":\"2\", \"msg_id\":\"2\", \"\\u0061b\":1,\"ab\":2}";
    let document = read(body).unwrap();
    let root = document.root();
    assert!(document.twice().is_some() && read("{}").unwrap().twice().is_none());
    for name in ["msg_id", "msgId", "msgID"] {
        let error = root.field(name).expect_err("it stands twice");
        assert_eq!(error.to_string(), "field `msgId` stands twice");
        assert_eq!((error.line(), error.column(), error.field()), (2, 13, "msgId"));
        let error = ReadError::from(error);
        assert_eq!(error.kind(), ReadErrorKind::Ambiguous);
        assert_eq!(error.to_string(), "field `msgId` stands twice");
    }
    assert!(root.field("ab").is_err());
    assert_eq!(root.field("a").unwrap().unwrap().as_u64(), Some(1));
    assert!(root.field("b").unwrap().is_none());
    assert!(root.get("a").unwrap().field("b").unwrap().is_none());
}

#[test]
fn r04_two_spellings_of_one_field_must_agree() {
    for body in [
        r#"{"msg_id":"1","msgId":"2"}"#,
        r#"{"msgId":"1","msgID":"2"}"#,
        r#"{"x":[{"msgId":"1","msg_id":1}]}"#,
        r#"{"msgId":1,"msg_id":1.0}"#,
        r#"{"msgId":null,"msg_id":1.0}"#,
        r#"{"msgId":[1,{"a":{}}],"msg_id":[1,{"a":[]}]}"#,
        // Two values of one hash of old.
        r#"{"msg_id":"evil-id-number-one","msgId":402649456608920388}"#,
    ] {
        let error = refused(body);
        assert_eq!(error.kind(), ReadErrorKind::Ambiguous, "{body}");
        assert_eq!(error.to_string(), "field `msg_id` has two spellings with different values");
    }
    let error = refused("{\"msgId\":1,\n  \"msg_id\":2}");
    assert_eq!((error.line(), error.column()), (2, 3));
    for body in [
        r#"{"msg_id":"1","msgId":"1"}"#,
        r#"{"msg_id":[1,{"a":1,"b":2}],"msgId":[1,{"b":2,"a":1}]}"#,
        r#"{"msg_id":"1","msgId":"\u0031","msgID":"1"}"#,
    ] {
        assert_eq!(value(body), serde_json::from_str::<Value>(body).unwrap());
    }
    // What is hidden is not compared.
    assert_eq!(value(r#"{"msgId":1,"msgId":2,"msg_id":2}"#), json!({"msgId": 2, "msg_id": 2}));
}

#[test]
fn l04_a_tenants_own_objects_are_not_respelled() {
    let spelling = SNAKE.with_free_fields(|name| name == "extra" || name == "msg_id");
    let free = r#"{"extra":{"a":[{"msgId":1,"msg_id":2}],"msgId":1,"msg_id":2},"x":1}"#;
    let document = Document::read(free, spelling).unwrap();
    let extra = document.root().field("extra").unwrap().unwrap();
    assert_eq!(extra.field("msg_id").unwrap().unwrap().as_u64(), Some(2));
    assert_eq!(extra.field("msgId").unwrap().unwrap().as_u64(), Some(1));
    assert!(extra.field("msgID").unwrap().is_none());
    // A free field is meant in every spelling, and is one itself.
    assert!(Document::read(r#"{"msgId":{"msgId":1,"msg_id":2}}"#, spelling).is_ok());
    assert!(Document::read(r#"{"msgId":[[{"msgId":1,"msg_id":2}]]}"#, spelling).is_ok());
    assert!(Document::read(r#"{"extra":{},"x":{"msgId":1,"msg_id":2}}"#, spelling).is_err());
    assert!(Document::read(r#"{"extra":1,"msgId":1,"msg_id":2}"#, spelling).is_err());
    assert!(Document::read(free, SNAKE).is_err());
}

#[test]
fn an_overlong_ambiguous_key_is_cut() {
    let key = "é".repeat(1_000);
    let document = read(format!("{{\"{key}\":1,\"{key}\":2}}")).unwrap();
    let error = document.root().field(&key).unwrap_err();
    assert_eq!(error.to_string(), format!("field `{}` stands twice", "é".repeat(64)));
}

#[test]
fn a_body_may_hold_only_so_many_values() {
    let body = r#"{"a":[1,2],"b":{}}"#;
    let document = Document::read_within(body, SNAKE, 7).unwrap();
    assert_eq!(document.nodes(), 7);
    let error = Document::read_within(body, SNAKE, 6).unwrap_err();
    assert_eq!(error.kind(), ReadErrorKind::TooManyValues);
    assert_eq!(error.to_string(), "the body holds too many values");
    assert_eq!((error.line(), error.column()), (1, 16));
}

#[test]
fn many_fields_are_told_apart_in_a_time_that_their_number_bounds() {
    let fields = |name: &dyn Fn(usize) -> String| {
        let fields: Vec<_> = (0..60_000).map(|n| format!("\"{}\":{n}", name(n))).collect();
        format!("{{{}}}", fields.join(","))
    };
    for body in [
        fields(&|n| format!("{n:020}")),
        fields(&|n| format!("{}{n:09}{}", "a".repeat(20), "z".repeat(20))),
        fields(&|_| "a".to_owned()),
        fields(&|n| (n % 7).to_string()),
        format!("{{\"x\":{}}}", fields(&|n| (n / 2).to_string())),
    ] {
        let theirs: Value = serde_json::from_str(&body).unwrap();
        assert!(read(&body).unwrap().root() == theirs);
    }
}

/// JSON-like text that is often valid, with keys that clash often.
fn almost_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "null|true|false|0|-0|1|-1|1e5|1e999|[0-9]{1,22}|-[0-9]{1,20}|0\\.5|1\\.0|tru|-|1\\.|1e|01",
        "-?[0-9]{1,3}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        "\"[a-c0-9]{0,3}\"",
        Just("\"\\u00e4\"".to_owned()),
        Just("\"\\ud83d\\ude00\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("\"\\ud800\\u0041\"".to_owned()),
        Just("\"\\n\\x\"".to_owned()),
        "\\PC{0,2}",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = vec!["msgId", "msg_id", "A", "f", "\\u0061", "$serde_json::private::Number"];
        let key = prop_oneof!["[ab]", prop::sample::select(names).prop_map(str::to_owned)];
        let field = (key, inner.clone()).prop_map(|(key, value)| format!("\"{key}\": {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(field, 0..4)
                .prop_map(|items| format!("{{\n{}}}", items.join(","))),
        ]
    })
}

/// Almost JSON with one byte changed.
fn spoilt_json() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![any::<u8>(), prop::sample::select(b"{}[]:,\"\\ \n0e.-t".to_vec())];
    (almost_json(), any::<prop::sample::Index>(), bytes).prop_map(|(text, at, byte)| {
        let mut text = text.into_bytes();
        if !text.is_empty() {
            let at = at.index(text.len());
            text[at] = byte;
        }
        text
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..8)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Two readers of one body must never see two things.
    #[test]
    fn almost_json_is_read_as_serde_json_reads_it(body in almost_json()) {
        property::holds(body.as_bytes());
    }

    #[test]
    fn so_is_spoilt_json(body in spoilt_json()) {
        property::holds(&body);
    }

    /// A fault stands where `serde_json` finds it.
    #[test]
    fn a_fault_stands_where_serde_json_finds_it(body in spoilt_json()) {
        // With the feature `arbitrary_precision`, it finds some elsewhere.
        if serde_json::from_str::<Value>("1e400").is_ok() {
            return Ok(());
        }
        let theirs = serde_json::from_slice::<Value>(&body);
        let ours = Document::read(body.clone(), Spelling::VERBATIM);
        prop_assert_eq!(theirs.is_ok(), ours.is_ok());
        let (Err(theirs), Err(ours)) = (theirs, ours) else { return Ok(()) };
        // A number that is out of range it does not read to the end.
        if std::str::from_utf8(&body).is_ok() && !theirs.to_string().contains("range") {
            prop_assert_eq!((theirs.line(), theirs.column()), (ours.line(), ours.column()), "{} {}", theirs, ours);
        }
    }

    #[test]
    fn reads_what_serde_json_reads(document in any_json()) {
        let body = document.to_string();
        let theirs: Value = serde_json::from_str(&body).unwrap();
        let ours = Document::read(body, Spelling::VERBATIM).unwrap();
        prop_assert_eq!(ours.root().to_value(), theirs.clone());
        prop_assert!(Document::from_value(&document).root() == document);
    }

    #[test]
    fn bytes_of_any_kind_never_panic(body: Vec<u8>) {
        property::holds(&body);
    }
}
