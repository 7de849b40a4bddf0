//! What `serde_json` reads into a type, a document reads into it.

#![expect(clippy::option_option, reason = "types have them")]

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt::{self, Debug},
    marker::PhantomData,
    num::NonZeroU8,
};

use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, json, value::RawValue};
use tower_callback_document::{Document, Spelling};

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
struct Newtype<T>(T);

#[derive(Debug, PartialEq, Deserialize)]
struct Pair(i8, String);

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Letter {
    A,
    #[serde(alias = "x")]
    B,
}

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
enum OrOther {
    A,
    #[serde(other)]
    Other,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum External {
    A,
    B(i64),
    C(u8, f64),
    D { a: Option<i64>, b: Option<Box<External>> },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "a", rename_all = "lowercase")]
enum Internal {
    A,
    B { b: Value },
    C(BTreeMap<String, Value>),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "a", content = "b", rename_all = "lowercase")]
enum Adjacent {
    A,
    B(i64),
    C(u8, f64),
    D { a: i64 },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Null,
    Number(u64),
    Signed(i64),
    Text(String),
    List(Vec<Untagged>),
    A { a: Box<Untagged> },
    Other(Value),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    a: i64,
    #[serde(default)]
    b: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Loose {
    #[serde(alias = "b")]
    a: Value,
    #[serde(default)]
    c: Vec<u8>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Flat {
    a: Option<u64>,
    #[serde(flatten)]
    inner: Option<Strict>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Generic<'a, T> {
    b: Cow<'a, str>,
    a: Option<Option<T>>,
}

/// A map of which only how long it is matters.
#[derive(Debug, PartialEq, Deserialize)]
struct Skips {
    a: IgnoredAnyEq,
    b: bool,
}

#[derive(Debug, Deserialize)]
struct IgnoredAnyEq(IgnoredAny);

impl PartialEq for IgnoredAnyEq {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Tells `None` from null.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Patch {
    #[serde(deserialize_with = "some")]
    a: Option<Option<i64>>,
}

fn some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Bytes as `serde_bytes` reads them.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Buffer;
        impl<'de> Visitor<'de> for Buffer {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element()? {
                    bytes.push(byte);
                }
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Buffer)
    }
}

/// Says which of its methods a visitor is called by.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Shown<const HINT: u8>(String);

impl<'de, const HINT: u8> Deserialize<'de> for Shown<HINT> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let shown = match HINT {
            0 => from.deserialize_any(Show),
            1 => from.deserialize_str(Show),
            2 => from.deserialize_u64(Show),
            3 => from.deserialize_bool(Show),
            4 => from.deserialize_seq(Show),
            5 => from.deserialize_map(Show),
            6 => from.deserialize_unit(Show),
            7 => from.deserialize_option(Show),
            8 => from.deserialize_bytes(Show),
            9 => from.deserialize_f32(Show),
            10 => from.deserialize_i128(Show),
            11 => from.deserialize_tuple(2, Show),
            _ => from.deserialize_ignored_any(Show),
        };
        shown.map(Shown)
    }
}

struct Show;

impl<'de> Visitor<'de> for Show {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<String, E> {
        Ok(format!("bool {value}"))
    }

    fn visit_i64<E>(self, value: i64) -> Result<String, E> {
        Ok(format!("i64 {value}"))
    }

    fn visit_i128<E>(self, value: i128) -> Result<String, E> {
        Ok(format!("i128 {value}"))
    }

    fn visit_u64<E>(self, value: u64) -> Result<String, E> {
        Ok(format!("u64 {value}"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<String, E> {
        Ok(format!("f64 {value:?}"))
    }

    fn visit_str<E>(self, value: &str) -> Result<String, E> {
        Ok(format!("str {value}"))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<String, E> {
        Ok(format!("bytes {value:?}"))
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok("unit".to_owned())
    }

    fn visit_none<E>(self) -> Result<String, E> {
        Ok("none".to_owned())
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<String, D::Error> {
        Shown::<0>::deserialize(value).map(|Shown(shown)| format!("some {shown}"))
    }

    /// Reads at most two.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<String, A::Error> {
        let one: Option<Shown<0>> = items.next_element()?;
        let other: Option<Shown<0>> = items.next_element()?;
        Ok(format!("{one:?} {other:?}"))
    }

    /// Reads at most one.
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut fields: A) -> Result<String, A::Error> {
        let one: Option<(Shown<0>, Shown<0>)> = fields.next_entry()?;
        Ok(format!("{one:?}"))
    }
}

/// Adds up what it finds into what it has.
struct Sum<'s>(&'s mut i64);

impl<'de> DeserializeSeed<'de> for Sum<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Sum<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(number) = items.next_element::<i64>()? {
            *self.0 += number;
        }
        Ok(())
    }
}

/// Whether a struct is somewhere in a type: those are not read from arrays.
#[derive(Clone, Copy, PartialEq)]
enum Structs {
    None,
    Some,
}

fn same<T: DeserializeOwned + PartialEq + Debug>(
    body: &str,
    structs: Structs,
) -> Result<(), TestCaseError> {
    // Not from a text: of a key that is to be a boolean, that would show half a character.
    let theirs = serde_json::from_slice::<T>(body.as_bytes());
    // What is out of every float's range, for one.
    let Ok(document) = Document::read(body.to_owned(), Spelling::VERBATIM) else { return Ok(()) };
    let ours = document.root().read::<T>();
    let may_differ = structs == Structs::Some && body.contains('[');
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs, "{}", body),
        (Err(_), Err(_)) => {}
        (Err(_), Ok(_)) if may_differ => {}
        // Not even it reads floats everywhere then.
        (Ok(_), Err(_)) if numbers_are_texts() => {}
        (ours, theirs) => prop_assert!(false, "{body}: {ours:?} {theirs:?}"),
    }
    Ok(())
}

fn all_keys(body: &str) -> Result<(), TestCaseError> {
    fn key<K: DeserializeOwned + Ord + Debug>(body: &str) -> Result<(), TestCaseError> {
        same::<BTreeMap<K, Shown<0>>>(body, Structs::None)
    }
    key::<String>(body)?;
    key::<char>(body)?;
    key::<bool>(body)?;
    key::<u8>(body)?;
    key::<u16>(body)?;
    key::<u32>(body)?;
    key::<u64>(body)?;
    key::<u128>(body)?;
    key::<i8>(body)?;
    key::<i16>(body)?;
    key::<i32>(body)?;
    key::<i64>(body)?;
    key::<i128>(body)?;
    key::<NonZeroU8>(body)?;
    key::<Float<f32>>(body)?;
    key::<Float<f64>>(body)?;
    key::<Option<u8>>(body)?;
    key::<Option<String>>(body)?;
    key::<Letter>(body)?;
    key::<OrOther>(body)?;
    key::<Newtype<u8>>(body)?;
    key::<Newtype<Newtype<String>>>(body)?;
    key::<Unit>(body)?;
    key::<()>(body)?;
    key::<Bytes>(body)?;
    key::<Cow<'static, str>>(body)?;
    key::<Shown<1>>(body)?;
    key::<Shown<2>>(body)?;
    key::<Shown<3>>(body)?;
    key::<Shown<4>>(body)?;
    key::<Shown<8>>(body)?;
    key::<Shown<9>>(body)?;
    key::<Shown<10>>(body)?;
    key::<Shown<12>>(body)?;
    same::<HashMap<String, Value>>(body, Structs::None)?;
    same::<Map<String, Value>>(body, Structs::None)
}

/// Floats that have an order.
#[derive(Debug, PartialEq, Deserialize)]
struct Float<T>(T);

impl<T: PartialEq> Eq for Float<T> {}

impl<T: PartialOrd> PartialOrd for Float<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: PartialOrd> Ord for Float<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.partial_cmp(&other.0).expect("no key is NaN")
    }
}

fn all_scalars(body: &str) -> Result<(), TestCaseError> {
    fn plain<T: DeserializeOwned + PartialEq + Debug>(body: &str) -> Result<(), TestCaseError> {
        same::<T>(body, Structs::None)?;
        same::<Vec<T>>(body, Structs::None)?;
        same::<Option<T>>(body, Structs::None)?;
        same::<Option<Option<T>>>(body, Structs::None)?;
        same::<Newtype<T>>(body, Structs::None)?;
        same::<[T; 2]>(body, Structs::None)?;
        same::<(T, String)>(body, Structs::None)?;
        same::<BTreeMap<String, T>>(body, Structs::None)
    }
    plain::<bool>(body)?;
    plain::<char>(body)?;
    plain::<u8>(body)?;
    plain::<u16>(body)?;
    plain::<u32>(body)?;
    plain::<u64>(body)?;
    plain::<u128>(body)?;
    plain::<i8>(body)?;
    plain::<i16>(body)?;
    plain::<i32>(body)?;
    plain::<i64>(body)?;
    plain::<i128>(body)?;
    plain::<f32>(body)?;
    plain::<f64>(body)?;
    plain::<NonZeroU8>(body)?;
    plain::<Number>(body)?;
    plain::<String>(body)?;
    plain::<Cow<'static, str>>(body)?;
    plain::<Bytes>(body)?;
    plain::<()>(body)?;
    plain::<Unit>(body)?;
    plain::<PhantomData<u8>>(body)?;
    plain::<Value>(body)?;
    plain::<Letter>(body)?;
    plain::<OrOther>(body)?;
    plain::<std::net::IpAddr>(body)
}

fn all_structs(body: &str) -> Result<(), TestCaseError> {
    fn plain<T: DeserializeOwned + PartialEq + Debug>(body: &str) -> Result<(), TestCaseError> {
        same::<T>(body, Structs::Some)?;
        same::<Vec<T>>(body, Structs::Some)?;
        same::<Option<T>>(body, Structs::Some)?;
        same::<BTreeMap<String, T>>(body, Structs::Some)
    }
    plain::<External>(body)?;
    plain::<Internal>(body)?;
    plain::<Adjacent>(body)?;
    plain::<Untagged>(body)?;
    plain::<Strict>(body)?;
    plain::<Loose>(body)?;
    plain::<Flat>(body)?;
    plain::<Generic<'static, u8>>(body)?;
    plain::<Skips>(body)?;
    plain::<Patch>(body)?;
    plain::<Pair>(body)?;
    plain::<std::time::Duration>(body)?;
    plain::<Result<u8, String>>(body)
}

fn all_hints(body: &str) -> Result<(), TestCaseError> {
    same::<Shown<0>>(body, Structs::None)?;
    same::<Shown<1>>(body, Structs::None)?;
    same::<Shown<2>>(body, Structs::None)?;
    same::<Shown<3>>(body, Structs::None)?;
    same::<Shown<4>>(body, Structs::None)?;
    same::<Shown<5>>(body, Structs::None)?;
    same::<Shown<6>>(body, Structs::None)?;
    same::<Shown<7>>(body, Structs::None)?;
    same::<Shown<8>>(body, Structs::None)?;
    same::<Shown<9>>(body, Structs::None)?;
    same::<Shown<10>>(body, Structs::None)?;
    same::<Shown<11>>(body, Structs::None)?;
    same::<Shown<12>>(body, Structs::None)
}

fn all(body: &str) -> Result<(), TestCaseError> {
    all_scalars(body)?;
    all_structs(body)?;
    // Which method a number calls differs.
    if numbers_are_texts() {
        return Ok(());
    }
    all_keys(body)?;
    all_hints(body)
}

/// Whether the feature `arbitrary_precision` of `serde_json` is on.
fn numbers_are_texts() -> bool {
    serde_json::from_str::<Value>("1e400").is_ok()
}

const NUMBERS: [&str; 34] = [
    "0",
    "-0",
    "1",
    "-1",
    "127",
    "128",
    "255",
    "256",
    "-128",
    "-129",
    "65535",
    "65536",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455",
    "340282366920938463463374607431768211456",
    "0.0",
    "-0.0",
    "0.1",
    "1.0",
    "1e2",
    "1E-3",
    "16777217.0",
    "3.4028235e38",
    "3.5e38",
    "1e300",
    "1e-400",
];

#[test]
fn every_number_is_read_into_every_type() {
    for number in NUMBERS {
        for body in [
            number.to_owned(),
            format!("[{number},\"x\"]"),
            format!("{{\"a\":{number}}}"),
            format!("{{\"b\":{number}}}"),
            format!("{{\"{number}\":{number}}}"),
            format!("\"{number}\""),
        ] {
            all(&body).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

const BODIES: [&str; 61] = [
    "null",
    "true",
    "false",
    r#""""#,
    r#""a""#,
    r#""é""#,
    r#""\u0061""#,
    r#""\ud83d\ude00""#,
    r#""127.0.0.1""#,
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "[1,2]",
    "[1,2,3]",
    r#"["a","b"]"#,
    r#"[1,"b"]"#,
    r#"[-1,"b"]"#,
    r#"{"a":null}"#,
    r#"{"b":null}"#,
    r#"{"A":null}"#,
    r#"{"a":{}}"#,
    r#"{"a":[]}"#,
    r#"{"a":"a"}"#,
    r#"{"a":"b","b":1}"#,
    r#"{"b":1,"a":"b"}"#,
    r#"{"a":"c","b":[1,2.5]}"#,
    r#"{"a":"d","b":{"a":1}}"#,
    r#"{"b":{"a":1},"a":"d"}"#,
    r#"{"a":"a","b":{"x":[1,{}]}}"#,
    r#"{"a":1,"b":"x"}"#,
    r#"{"a":1,"b":"x","c":[1]}"#,
    r#"{"a":1,"b":null,"c":null}"#,
    r#"{"a":{"a":{"a":1}}}"#,
    r#"{"b":{"b":{"b":1}}}"#,
    r#"{"c":[1,2]}"#,
    r#"{"c":[1]}"#,
    r#"{"c":[1,2,3]}"#,
    r#"{"d":{"a":1,"b":{"d":{"b":"a"}}}}"#,
    r#"{"d":[1,null]}"#,
    r#"{"d":{}}"#,
    r#"{"x":1,"y":{"z":[true,null]}}"#,
    r#"{"secs":1,"nanos":2}"#,
    r#"{"Ok":1}"#,
    r#"{"Err":"a"}"#,
    r#"{"true":1,"false":2}"#,
    r#"{"":1}"#,
    r#"{"é":1,"x":2}"#,
    r#"{"\u0061":1}"#,
    r#"{"\u0031":1}"#,
    r#"{"tru\u0065":1}"#,
    r#"{" 1":1}"#,
    r#"{"1 ":1}"#,
    r#"{"01":1}"#,
    r#"{"+1":1}"#,
    r#"{"1.":1}"#,
    r#"{"1e999":1}"#,
    r#"{"-":1}"#,
    r#"{"1.5":1,"-2.5e-3":2}"#,
    r#"{"a":true,"b":true}"#,
    r#"{"a":[{"x":null}],"b":true}"#,
];

#[test]
fn every_kind_of_value_is_read_into_every_type() {
    for body in BODIES {
        for body in [body.to_owned(), format!("[{body}]"), format!("{{\"a\":{body}}}")] {
            all(&body).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// Values with the names and the shapes that the types have.
fn fitting_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(NUMBERS.to_vec()).prop_map(str::to_owned),
        "null|true|false|\"[abcdx]\"|\"[0-9]{1,4}\"",
        any::<f64>().prop_filter("JSON", |float| float.is_finite()).prop_map(|f| f.to_string()),
        any::<f32>().prop_filter("JSON", |float| float.is_finite()).prop_map(|f| f.to_string()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let names = ["a", "b", "c", "d", "x", "1", "-7", "300", "1.5", "true", "é"];
        let names = prop::sample::subsequence(names.to_vec(), 0..4);
        let fields =
            (names, prop::collection::vec(inner.clone(), 4)).prop_map(|(names, values)| {
                let fields = names.iter().zip(values);
                let fields: Vec<_> =
                    fields.map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            });
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            fields,
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_value_is_read_into_every_type(body in fitting_json()) {
        all(&body)?;
    }
}

fn document(body: &str) -> Document {
    Document::read(body.to_owned(), Spelling::VERBATIM).expect("it is read")
}

#[test]
fn texts_are_borrowed_from_the_document() {
    let document = document(r#"{"plain":"a","esc\u0061ped":"\u00e4"}"#);
    let fields: BTreeMap<&str, &str> = document.root().read().unwrap();
    assert_eq!(fields, BTreeMap::from([("plain", "a"), ("escaped", "ä")]));
    let bytes: BTreeMap<&str, &[u8]> = document.root().read().unwrap();
    assert_eq!(bytes["escaped"], "ä".as_bytes());
    let cow: BTreeMap<&str, Text<'_>> = document.root().read().unwrap();
    assert_eq!(cow["escaped"], Text(Cow::Borrowed("ä")));
    assert!(matches!(cow["escaped"].0, Cow::Borrowed(_)));
}

#[derive(Debug, PartialEq, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[test]
fn a_raw_value_is_the_text_as_it_stands() {
    let body = r#"{"a": {"b" : [1.50, "\u0061"]} , "c": "x" }"#;
    let document = document(body);
    let fields: HashMap<String, &RawValue> = document.root().read().unwrap();
    assert_eq!(fields["a"].get(), r#"{"b" : [1.50, "\u0061"]}"#);
    assert_eq!(fields["c"].get(), r#""x""#);
    let boxed: Box<RawValue> = document.root().read().unwrap();
    assert_eq!(boxed.get(), body);
    let theirs: Box<RawValue> = serde_json::from_str(body).unwrap();
    assert_eq!(boxed.get(), theirs.get());
    let some: Option<Box<RawValue>> = document.root().get("c").unwrap().read().unwrap();
    assert_eq!(some.unwrap().get(), r#""x""#);
}

#[test]
fn a_seed_of_ones_own_is_read() {
    let document = document("[1,2,3]");
    let mut sum = 4;
    Sum(&mut sum).deserialize(document.root()).unwrap();
    assert_eq!(sum, 10);
}

#[test]
fn of_a_key_that_stands_twice_the_last_is_read() {
    let document = document(r#"{"a":"x","a":1}"#);
    assert_eq!(document.root().read(), Ok(Strict { a: 1, b: None }));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    number: u32,
    lines: Vec<Line>,
    state: State,
    #[serde(default)]
    note: Option<String>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    price: f64,
    size: (u8, u8),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Open,
    Sent(String),
    Lost { by: char },
}

fn order() -> Value {
    json!({
        "number": 7, "state": {"lost": {"by": "é"}}, "note": null, "new": [1.5, -1],
        "lines": [{"price": 1, "size": [1, 2]}, {"price": 0.1, "size": [3, 4]}],
    })
}

fn said<T: DeserializeOwned + Debug>(document: &Value) -> String {
    Document::from(document).root().read::<T>().expect_err("it does not fit").to_string()
}

#[test]
fn reads_what_serde_json_reads() {
    for state in [json!("open"), json!({"sent": "yes"}), json!({"lost": {"by": "é"}})] {
        let mut order = order();
        order["state"] = state;
        let ours: Order = Document::from(&order).root().read().unwrap();
        assert_eq!(ours, serde_json::from_value(order).unwrap());
    }
    let numbers = json!([u64::MAX, i64::MIN, 0.1, -0.0, 1e300]);
    assert_eq!(Document::from(&numbers).root().read(), Ok(numbers));
}

#[test]
fn d08_a_mismatch_is_named_by_its_place_and_never_by_its_value() {
    let secret = "secret";
    for (pointer, value, expected) in [
        ("/number", json!(secret), "field `/number` must be u32"),
        ("/number", json!(-4711), "field `/number` must be u32"),
        ("/lines", json!({secret: 1}), "field `/lines` must be a sequence"),
        ("/lines/1/price", json!(secret), "field `/lines/1/price` must be f64"),
        ("/lines/0", json!([1, [1, 2]]), "field `/lines/0` must be a JSON object"),
        ("/lines/0", json!({"price": 1}), "field `/lines/0/size` is missing"),
        ("/lines/0/size", json!([1, 2, 3]), "field `/lines/0/size` must be 2 elements in sequence"),
        ("/lines/0/size", json!([1]), "field `/lines/0/size` must be a tuple of size 2"),
        ("/lines/0/size/1", json!(4711), "field `/lines/0/size/1` must be u8"),
        ("/state", json!(secret), "field `/state` must be one of `open`, `sent`, `lost`"),
        ("/state", json!(4711), "field `/state` must be one of `open`, `sent`, `lost`"),
        ("/state", json!({"lost": {"by": secret}}), "field `/state/lost/by` must be a character"),
        ("/note", json!([secret]), "field `/note` must be a string"),
    ] {
        let mut order = order();
        *order.pointer_mut(pointer).unwrap() = value;
        assert_eq!(said::<Order>(&order), expected);
    }
    assert_eq!(said::<Line>(&json!([1, 2])), "the document must be a JSON object");
    let unknown = json!({"price": 1, "size": [1, 2], "x": secret});
    assert_eq!(said::<Line>(&unknown), "field `/x` is not known");
    let secret_key = json!({"4711": 1});
    assert_eq!(said::<BTreeMap<u8, u8>>(&secret_key), "field `/4711` must be u8");
}

#[test]
fn a_mismatch_has_the_keyword_of_a_schema() {
    for (line, pointer, keyword, what) in [
        (json!({"price": 1}), "/size", "required", "is missing"),
        (json!({"x": 1}), "/x", "additionalProperties", "is not known"),
        (json!({"price": "x"}), "/price", "type", "must be f64"),
    ] {
        let document = Document::from(&line);
        let mismatch = document.root().read::<Line>().unwrap_err();
        assert_eq!(mismatch.pointer(), pointer);
        assert_eq!(mismatch.keyword(), keyword);
        assert_eq!(mismatch.what(), what);
    }
}

#[test]
fn a_type_that_reads_itself_says_so_itself() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "u8")]
    struct Even;

    impl TryFrom<u8> for Even {
        type Error = &'static str;

        fn try_from(number: u8) -> Result<Self, Self::Error> {
            if number % 2 == 0 { Ok(Self) } else { Err("an odd number") }
        }
    }

    assert_eq!(said::<Even>(&json!(1)), "an odd number");
    assert_eq!(said::<Vec<Even>>(&json!([2, 1])), "field `/1`: an odd number");
}

#[test]
fn a_long_pointer_is_cut() {
    let deep = json!({"a~/b".repeat(1_000): [{"é".repeat(200): "x"}]});
    let said = said::<BTreeMap<String, Vec<BTreeMap<String, u8>>>>(&deep);
    assert!(said.starts_with("field `/a~0~1b") && said.len() < 300, "{said}");
    assert!(said.ends_with("…` must be u8"), "{said}");
}

/// Found by chance: to `serde_json`, an integer below those of 64 bits is a float before it is a small one.
#[test]
fn an_integer_just_beyond_64_bits_is_rounded_as_serde_json_does() {
    for body in ["-9678559000000000000", "-18446744073709551615", "-18446744073709551616"] {
        let document = Document::read(body, Spelling::VERBATIM).unwrap();
        assert_eq!(
            document.root().read::<f32>().unwrap().to_bits(),
            serde_json::from_str::<f32>(body).unwrap().to_bits()
        );
    }
}
