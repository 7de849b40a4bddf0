use std::{borrow::Cow, cell::Cell, collections::BTreeMap, fmt, sync::LazyLock};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

use crate::{Reason, Refusal, Spelling};

/// Reads a JSON document so that nobody who looks at it later can read it in another way:
/// no key twice, no two spellings of one field that differ, nothing skipped unread.
///
/// Depth is bounded by `serde_json`'s own limit of 128.
pub(crate) fn parse(body: &[u8], spelling: Spelling) -> Result<Value, Refusal> {
    let clash = Cell::new(None);
    let mut json = serde_json::Deserializer::from_slice(body);
    Document { spelling, clash: &clash }
        .deserialize(&mut json)
        .and_then(|document| json.end().map(|()| document))
        .map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let at = format!("at line {line}, column {column}");
            if let Some(field) = clash.take() {
                Refusal::new(Reason::Ambiguous { line, column }).detail(format!("{field} {at}"))
            } else {
                let detail = format!("{} {at}", fault(body, &error));
                Refusal::new(Reason::Malformed { line, column }).detail(detail)
            }
        })
}

/// Keeps what is strict about reading; the seed of every value in the document.
#[derive(Clone, Copy)]
struct Document<'a> {
    spelling: Spelling,
    clash: &'a Cell<Option<String>>,
}

impl Document<'_> {
    fn refuse_clash<E: serde::de::Error>(&self, what: &str, name: &str) -> E {
        let name: String = name.chars().take(64).collect();
        self.clash.set(Some(format!("field `{name}` {what}")));
        E::custom("ambiguous")
    }

    /// The canonical name of a field that stands in two spellings with different values.
    fn two_spellings<'o>(&self, object: &'o Map<String, Value>) -> Option<&'o str> {
        let mut seen = BTreeMap::new();
        object.iter().find_map(|(key, value)| {
            let name = (self.spelling)(key);
            let first = *seen.entry(name).or_insert(value);
            (first != value).then_some(name)
        })
    }
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        float(value).map(Value::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut respelled = false;
        while let Some(key) = fields.next_key::<String>()? {
            if object.is_empty() && is_number_key(&key) {
                return number(&fields.next_value::<String>()?).map(Value::Number);
            }
            respelled |= (self.spelling)(&key) != key;
            match object.entry(key) {
                Entry::Vacant(field) => field.insert(fields.next_value_seed(self)?),
                Entry::Occupied(field) => {
                    return Err(self.refuse_clash("stands twice", field.key()));
                }
            };
        }
        // The rare case pays for itself: most senders keep to one spelling.
        match respelled.then(|| self.two_spellings(&object)).flatten() {
            Some(name) => Err(self.refuse_clash("has two spellings with different values", name)),
            None => Ok(Value::Object(object)),
        }
    }
}

/// Whether a map with this first key is a number in disguise: so they come if some crate of the build switches on
/// the feature `arbitrary_precision` of `serde_json`.
pub(crate) fn is_number_key(key: &str) -> bool {
    key == "$serde_json::private::Number" && numbers_are_disguised()
}

/// Whether that feature is on.
pub(crate) fn numbers_are_disguised() -> bool {
    static DISGUISED: LazyLock<bool> =
        LazyLock::new(|| serde_json::from_str::<Value>("1e400").is_ok());
    *DISGUISED
}

pub(crate) fn float<E: serde::de::Error>(value: f64) -> Result<Number, E> {
    Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))
}

pub(crate) fn number<E: serde::de::Error>(text: &str) -> Result<Number, E> {
    text.parse().map_err(E::custom)
}

/// What is wrong with a body that is not JSON in UTF-8, for who sends it and never heard of serde.
fn fault(body: &[u8], error: &serde_json::Error) -> Cow<'static, str> {
    let said = error.to_string();
    let syntax = said.rsplit_once(" at line ").map_or(&*said, |(syntax, _)| syntax);
    let known = match (body, syntax) {
        (body, _) if body.trim_ascii().is_empty() => "the body is empty",
        ([0xEF, 0xBB, 0xBF, ..], _) => "JSON must not start with a byte order mark",
        ([0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, _, ..] | [_, 0, ..], _) => {
            "JSON must be UTF-8, this looks like UTF-16 or UTF-32"
        }
        (body, _) if std::str::from_utf8(body).is_err() => "JSON must be UTF-8",
        (_, "recursion limit exceeded") => "the body is nested more than 128 deep",
        (_, "expected ident" | "expected value") => "the body is not JSON: expected a value",
        _ if error.is_eof() => "the body ends before its JSON does",
        // Their words quote nothing of the body.
        _ => return format!("the body is not JSON: {syntax}").into(),
    };
    known.into()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::as_written;

    pub(crate) fn snake(name: &str) -> &str {
        match name {
            "msgId" | "msgID" => "msg_id",
            other => other,
        }
    }

    fn reason(body: impl AsRef<[u8]>) -> Reason {
        parse(body.as_ref(), snake).unwrap_err().reason().clone()
    }

    #[test]
    fn r03_what_is_not_json_is_refused_with_its_position() {
        let bomb = "[".repeat(10_000);
        let deep_field =
            format!("{{\"msg_id\":\"1\",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
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
            let refused = reason(body);
            assert!(matches!(refused, Reason::Malformed { .. }), "{refused:?} of {body:?}");
        }
        assert_eq!(reason("{\n \"a\": x}"), Reason::Malformed { line: 2, column: 7 });
    }

    #[test]
    fn r03_a_number_out_of_range_is_refused_if_numbers_have_a_range() {
        let has_range = serde_json::from_str::<Value>("1e400").is_err();
        assert_eq!(parse(b"{\"a\":1e999}", snake).is_err(), has_range);
    }

    #[test]
    fn numbers_are_kept_as_they_came() {
        let mut numbers =
            vec!["0.9073038322028689", "18446744073709551615", "-9223372036854775808"];
        // With serde_json's feature `arbitrary_precision`.
        if serde_json::from_str::<Value>("1e400").is_ok() {
            numbers.extend(["98765432109876543210987", "0.10000000000000000000000001"]);
        }
        for number in numbers {
            let document = parse(format!("[{number}]").as_bytes(), snake).unwrap();
            assert_eq!(document.to_string(), format!("[{number}]"));
        }
    }

    #[test]
    fn r03_a_fault_is_named_without_a_word_of_the_body() {
        let deep = "[".repeat(129);
        let bodies: [(&[u8], &str); 13] = [
            (b" \n", "the body is empty at line 2, column 0"),
            (b"\xEF\xBB\xBF{}", "JSON must not start with a byte order mark at line 1, column 1"),
            (b"\xFF\xFE{\0}\0", "JSON must be UTF-8, this looks like UTF-16"),
            (b"{\0}\0", "JSON must be UTF-8, this looks like UTF-16"),
            (b"{\"a\":\"\xc4\xe3\"}", "JSON must be UTF-8 at line 1, column"),
            (deep.as_bytes(), "the body is nested more than 128 deep at line 1, column 128"),
            (b"secret", "the body is not JSON: expected a value at line 1, column 1"),
            (b"nosecret", "the body is not JSON: expected a value at line 1, column 2"),
            (b"{\"secret\":", "the body ends before its JSON does at line 1, column 10"),
            (b"{\"secret\" 1}", "the body is not JSON: expected `:` at line 1, column 11"),
            (b"{secret: 1}", "the body is not JSON: key must be a string at line 1, column 2"),
            (b"{\"secret\": 1,}", "the body is not JSON: trailing comma at line 1, column 14"),
            (b"{} secret", "the body is not JSON: trailing characters at line 1, column 4"),
        ];
        for (body, said) in bodies {
            let problem = parse(body, snake).unwrap_err().to_problem();
            let problem: Value = serde_json::from_slice(problem.body()).unwrap();
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.starts_with(said) && !detail.contains("secret"), "{detail}");
        }
    }

    #[test]
    fn r04_a_key_that_stands_twice_is_ambiguous() {
        for body in [
            r#"{"msg_id":"1","msg_id":"1"}"#,
            r#"{"a":{"b":[{"c":1,"c":2}]}}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert!(matches!(reason(body), Reason::Ambiguous { .. }), "{body}");
        }
    }

    #[test]
    fn r04_two_spellings_of_one_field_must_agree() {
        for body in [
            r#"{"msg_id":"1","msgId":"2"}"#,
            r#"{"msgId":"1","msgID":"2"}"#,
            r#"{"x":[{"msgId":"1","msg_id":1}]}"#,
        ] {
            assert!(matches!(reason(body), Reason::Ambiguous { .. }), "{body}");
        }
        // Two values of one hash: found by inverting it, which is why values are compared.
        let twins = br#"{"msg_id":"evil-id-number-one","msgId":402649456608920388}"#;
        assert!(matches!(reason(twins), Reason::Ambiguous { .. }));
        let agreeing = br#"{"msg_id":"1","msgId":"1"}"#;
        assert_eq!(parse(agreeing, snake), Ok(json!({"msg_id": "1", "msgId": "1"})));
    }

    #[test]
    fn an_overlong_ambiguous_key_is_cut_in_the_reply() {
        let key = "é".repeat(1_000);
        let refusal = parse(format!("{{\"{key}\":1,\"{key}\":2}}").as_bytes(), snake).unwrap_err();
        assert!(refusal.to_problem().body().len() < 400);
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
        #[test]
        fn reads_what_serde_json_reads(document in any_json()) {
            let body = document.to_string();
            let read: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(parse(body.as_bytes(), as_written), Ok(read));
        }

        #[test]
        fn bytes_of_any_kind_never_panic(body: Vec<u8>) {
            let ours = parse(&body, snake).is_ok();
            let theirs = serde_json::from_slice::<Value>(&body).is_ok();
            prop_assert!(theirs || !ours);
        }
    }
}
