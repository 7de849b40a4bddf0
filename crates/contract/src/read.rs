//! Reads a body once, for all that anybody asks of it.

use std::{fmt, str};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};

use crate::{
    Refusal, Spelling, as_written,
    digest::{self, digest},
    document::Document,
    json,
};

/// What a body says.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) document: Document,
    pub(crate) digest: u64,
}

/// Reads a body; refuses what [`json::parse`] does.
pub(crate) fn read(body: &[u8], spelling: Spelling) -> Result<Read, Refusal> {
    let mut read = match read_plain(body, spelling) {
        Some(read) => read,
        None => look_closely(body, spelling)?,
    };
    read.document.shrink();
    Ok(read)
}

/// Says what is wrong, and whether two spellings of a field agree.
fn look_closely(body: &[u8], spelling: Spelling) -> Result<Read, Refusal> {
    let value = json::parse(body, spelling)?;
    Ok(Read { digest: digest(&value, spelling), document: Document::from(&value) })
}

/// Goes over a body once. `None` if [`json::parse`] would refuse it, or has to look more closely.
fn read_plain(body: &[u8], spelling: Spelling) -> Option<Read> {
    // Looked at once here, its strings need not be looked at one by one.
    let mut json = serde_json::Deserializer::from_str(str::from_utf8(body).ok()?);
    let document = Document::with_room_for(body.len());
    let mut pass = Pass { spelling, document, open: Vec::with_capacity(32) };
    let digest = Reader::<true>(&mut pass).deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(Read { document: pass.document, digest })
}

impl<'de> Deserialize<'de> for Document {
    /// Refuses a key that stands twice.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::with_room_for(512);
        let mut pass = Pass { spelling: as_written, document, open: Vec::with_capacity(32) };
        Reader::<false>(&mut pass).deserialize(deserializer)?;
        Ok(pass.document)
    }
}

struct Pass {
    spelling: Spelling,
    document: Document,
    /// The fields of the objects that are open, the innermost last.
    open: Vec<digest::Field>,
}

/// Writes a value down as it goes by, and hashes it if that is asked for.
struct Reader<'a, const HASHES: bool>(&'a mut Pass);

/// Reads a field's name.
struct Name<'a> {
    pass: &'a mut Pass,
    is_first: bool,
}

impl<'de, const HASHES: bool> DeserializeSeed<'de> for Reader<'_, HASHES> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, const HASHES: bool> Visitor<'de> for Reader<'_, HASHES> {
    /// Its digest; zero if that was not asked for.
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        self.0.document.null();
        Ok(digest::NULL)
    }

    fn visit_bool<E>(self, value: bool) -> Result<u64, E> {
        self.0.document.bool(value);
        Ok(if HASHES { digest::boolean(value) } else { 0 })
    }

    fn visit_u64<E>(self, value: u64) -> Result<u64, E> {
        self.0.document.number(value);
        Ok(if HASHES { digest::unsigned(value) } else { 0 })
    }

    fn visit_i64<E>(self, value: i64) -> Result<u64, E> {
        self.0.document.number(value);
        Ok(if HASHES { digest::signed(value) } else { 0 })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<u64, E> {
        self.0.document.number(json::float(value)?);
        Ok(if HASHES { digest::float(value) } else { 0 })
    }

    fn visit_str<E>(self, value: &str) -> Result<u64, E> {
        self.0.document.string(value);
        Ok(if HASHES { digest::text(value) } else { 0 })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        let Self(pass) = self;
        let array = pass.document.open();
        let (mut hash, mut len) = (digest::ARRAY, 0);
        while let Some(item) = items.next_element_seed(Reader::<HASHES>(&mut *pass))? {
            if HASHES {
                hash = digest::mix(hash, item);
            }
            len += 1;
        }
        pass.document.close_array(array, len);
        Ok(hash)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<u64, A::Error> {
        let Self(pass) = self;
        let object = pass.document.open();
        let (first, mut len) = (pass.open.len(), 0);
        while let Some(name) =
            fields.next_key_seed(Name { pass: &mut *pass, is_first: len == 0 })?
        {
            let Some(name) = name else {
                let number = json::number(&fields.next_value::<String>()?)?;
                let hash = digest::number(&number);
                pass.document.close_number(object, number);
                return Ok(hash);
            };
            let value = fields.next_value_seed(Reader::<HASHES>(&mut *pass))?;
            pass.open.push(digest::Field { name, value });
            len += 1;
        }
        let open = &mut pass.open[first..];
        open.sort_unstable();
        if open.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return Err(A::Error::custom("a field stands twice"));
        }
        let hash = if HASHES { digest::object(open) } else { 0 };
        pass.open.truncate(first);
        pass.document.close_object(object, len);
        Ok(hash)
    }
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    /// The hash of its canonical form; `None` if it is none, and the map is a number in disguise.
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let Self { pass, is_first } = self;
        if is_first && json::is_number_key(name) {
            return Ok(None);
        }
        pass.document.string(name);
        Ok(Some(digest::opaque((pass.spelling)(name).as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::tests::snake;

    fn of(body: &str) -> u64 {
        let document = digest(&json::parse(body.as_bytes(), snake).unwrap(), snake);
        assert_eq!(read(body.as_bytes(), snake).unwrap().digest, document, "{body}");
        document
    }

    #[test]
    fn bodies_that_say_the_same_are_the_same() {
        let one = of(r#"{"msg_id":"1","a":[{"b":"ä"}]}"#);
        for same in [
            r#"{ "a": [{"b":"\u00e4"}], "msgId": 1 }"#,
            r#"{"msg_id":"1","msgId":"1","a":[{"b":"ä"}]}"#,
        ] {
            assert_eq!(of(same), one, "{same}");
        }
    }

    #[test]
    fn bodies_that_say_something_else_differ() {
        let bodies = [
            "{}",
            "[]",
            "null",
            "true",
            "false",
            "0",
            "-1",
            "1",
            "\"\"",
            "\"01\"",
            "\"-0\"",
            "[[]]",
            "[{}]",
            "[null]",
            "[1,2]",
            "[2,1]",
            "[12]",
            "1.5",
            "\"1.5\"",
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":[1]}"#,
            r#"{"a":null}"#,
            r#"{"a":1,"b":1}"#,
            "18446744073709551615",
        ];
        for (at, one) in bodies.iter().enumerate() {
            for other in &bodies[at + 1..] {
                assert_ne!(of(one), of(other), "{one} {other}");
            }
        }
    }

    /// JSON-like text that is often valid, with keys that clash often.
    fn almost_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "null|true|false|0|-0|1|-1|1e5|1e999|[0-9]{1,22}|-[0-9]{1,20}|0\\.5",
            "\"[a-c0-9]{0,3}\"",
            Just("\"\\u00e4\"".to_owned()),
            Just("\"\\ud800\"".to_owned()),
            "\\PC{0,2}",
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let names = vec!["msgId", "msg_id", "$serde_json::private::Number"];
            let key = prop_oneof!["[ab]", prop::sample::select(names).prop_map(str::to_owned)];
            let field = (key, inner.clone()).prop_map(|(key, value)| format!("\"{key}\": {value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..4)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec(field, 0..4)
                    .prop_map(|items| format!("{{{}}}", items.join(","))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        /// Two readers of one body must never see two things.
        #[test]
        fn one_pass_sees_what_a_closer_look_sees(body in almost_json()) {
            let value = json::parse(body.as_bytes(), snake).ok();
            let plain = read_plain(body.as_bytes(), snake);
            // What stands in two spellings is left to the closer look.
            prop_assert!(value.is_some() || plain.is_none());
            prop_assert!(plain.is_some() || value.is_none() || body.contains("msgId"));
            if let Some((read, value)) = plain.zip(value) {
                prop_assert_eq!(read.digest, digest(&value, snake));
                prop_assert_eq!(read.document.root().to_value(), value);
            }
        }
    }
}
