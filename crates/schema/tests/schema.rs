//! Schemas without a layer: which are wrong, what they say, and how much.

use std::thread;

use serde_json::{Value, json};
use tower_callback_schema::{Schema, Violations};

#[test]
fn v05_a_wrong_schema_is_an_error_that_names_the_place() {
    for (schema, pointer) in [
        (json!({"type": "strin"}), "/type"),
        (json!({"properties": {"a": {"minLength": -1}}}), "/properties/a/minLength"),
        (json!({"properties": {"a": {"required": ["b", "b"]}}}), "/properties/a/required"),
        (json!({"properties": {"a/b": {"pattern": "("}}}), "/properties/a~1b/pattern"),
        (json!({"items": {"pattern": "(?=x)"}}), "/items/pattern"),
        (json!({"items": {"pattern": r"(a)\1"}}), "/items/pattern"),
        (json!({"allOf": [{}, {"$ref": "#/$defs/no"}]}), "/allOf/1/$ref"),
        (json!({"properties": {"a": {"$ref": "https://example.com/x"}}}), "/properties/a/$ref"),
        (json!({"properties": {"a": {"$ref": "file:///etc/hosts"}}}), "/properties/a/$ref"),
        (json!({"$schema": "urn:example:unknown"}), "/$schema"),
        (json!([]), ""),
        (json!("object"), ""),
    ] {
        let error = Schema::new(&schema).expect_err("it is wrong");
        assert_eq!(error.pointer(), pointer, "{error} in {schema}");
        assert!(error.to_string().len() < 512, "{error}");
    }
}

#[test]
fn v05_a_text_that_is_no_json_is_an_error_that_names_the_line() {
    for (text, said) in [
        ("{\n\"type\": }", "malformed at line 2, column 9"),
        ("{\"type\": \"object\", \"type\": \"string\"}", "ambiguous at line 1"),
        ("", "malformed"),
    ] {
        let error = Schema::from_text(text).expect_err("it is wrong").to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(Schema::from_text("{\"type\": \"object\"}").is_ok());
}

#[test]
fn the_draft_is_the_latest_unless_the_schema_says_otherwise() {
    // Before draft 2020-12, `items` could be a list.
    let tuple = json!({"items": [{"type": "string"}]});
    assert!(Schema::new(&tuple).is_err());
    let mut draft_7 = tuple;
    draft_7["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    let schema = Schema::new(&draft_7).expect("right in draft 7");
    assert!(schema.check(&json!(["a", 1])).is_ok() && schema.check(&json!([1])).is_err());
}

#[test]
fn a_violation_says_where_which_keyword_and_what() {
    let schema = schema(&json!({
        "properties": {
            "a": {"items": {"maxLength": 2}},
            "b~/": {"type": ["string", "null"]},
            "c": {"propertyNames": {"maxLength": 1}},
            "d": {"properties": {"x": false}, "additionalProperties": false},
            "e": {"enum": [1, 2]},
            "f": {"$ref": "#/$defs/even"},
        },
        "required": ["g"],
        "$defs": {"even": {"multipleOf": 2}},
    }));
    let document = json!({
        "a": ["ok", "secret"], "b~/": 4711, "c": {"secret": 1}, "d": {"secret": 1, "secret2": 2, "x": 3},
        "e": "secret", "f": 4711,
    });
    let violations = violations(&schema, &document);
    let mut said: Vec<_> = violations
        .iter()
        .map(|one| [&*one.pointer, &*one.keyword, &*one.message, &*one.schema_pointer])
        .collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [
            ["", "required", "\"g\" is a required property", "/required"],
            [
                "/a/1",
                "maxLength",
                "the value is longer than 2 characters",
                "/properties/a/items/maxLength"
            ],
            [
                "/b~0~1",
                "type",
                "the value is not of types \"null\", \"string\"",
                "/properties/b~0~1/type"
            ],
            [
                "/c",
                "propertyNames",
                "the name of a field: it is longer than 1 character",
                "/properties/c/propertyNames/maxLength"
            ],
            [
                "/d",
                "additionalProperties",
                "2 fields are not allowed",
                "/properties/d/additionalProperties"
            ],
            ["/d/x", "falseSchema", "no value is allowed here", "/properties/d/properties/x"],
            ["/e", "enum", "the value is not one of 1 or 2", "/properties/e/enum"],
            ["/f", "multipleOf", "the value is not a multiple of 2", "/$defs/even/multipleOf"],
        ]
    );
    assert!(!format!("{violations:?} {violations}").contains("secret"));
}

#[test]
fn items_beyond_a_tuple_are_counted_by_what_is_allowed() {
    let schema = schema(&json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [true], "additionalItems": false,
    }));
    let violations = violations(&schema, &json!(["secret", "secret"]));
    assert_eq!(violations.to_string(), "no more than 1 items are allowed");
}

#[test]
fn a_report_of_a_hundred_thousand_violations_stays_small() {
    let schema = schema(&json!({"items": {"type": "string"}}));
    let violations = violations(&schema, &Value::from(vec![0; 500_000]));
    assert_eq!((violations.iter().count(), violations.more()), (32, 224));
    assert_eq!(violations.iter().last().map(|one| &*one.pointer), Some("/31"));
}

#[test]
fn names_and_texts_of_a_document_are_cut() {
    let long = "é".repeat(500_000);
    let schema = schema(&json!({
        "additionalProperties": {"additionalProperties": {"items": {"pattern": "^a*$"}}},
    }));
    let document = json!({ &long: {"b": vec![&*long; 20]} });
    let violations = violations(&schema, &document);
    let sizes = violations.iter().map(|one| one.pointer.len() + one.message.len());
    assert!(sizes.max().is_some_and(|size| size < 600), "{}", violations.to_string().len());
    assert_eq!(violations.count(), 20);
}

/// Collected without a bound, the violations of eighteen levels fill two gigabytes.
#[test]
fn branches_that_lead_to_one_child_end_all_the_same() {
    let node = |kind| {
        json!({
            "properties": {"kind": {"const": kind}, "list": {"items": {"$ref": "#/$defs/node"}}},
            "required": ["kind"],
        })
    };
    let two = [node("a"), node("b")];
    let deep = (0..60).fold(json!({"kind": "c"}), |leaf, _| json!({"kind": "a", "list": [leaf]}));
    for node in [
        json!({"anyOf": two}),
        json!({"oneOf": two}),
        json!({"allOf": two}),
        json!({"if": two[0], "then": two[1], "else": two[0]}),
        json!({"anyOf": two, "unevaluatedProperties": false}),
        json!({"allOf": [{"not": two[0]}, {"not": two[1]}]}),
    ] {
        let schema = schema(&json!({"$defs": {"node": node}, "$ref": "#/$defs/node"}));
        if let Err(violations) = schema.check(&deep) {
            assert!(violations.iter().count() > 0, "{node}");
            assert!(violations.iter().all(|one| one.message.len() < 512));
        }
    }
}

/// Each rule fails once, and each time costs a sixtieth of what a document may cost, or twice that.
#[test]
fn every_look_at_a_document_is_paid_for() {
    const LOOKS: usize = 1 << 14;
    let text = "x".repeat(64 * LOOKS);
    // Each of them is searched for among the others, 64 at a look.
    let names: Vec<_> = (0..1024).map(|name| name.to_string()).collect();
    let but_one = names[1..].iter().map(|name| (name.clone(), Value::Null)).collect();
    for (rule, document) in [
        (json!({"maxLength": 1}), json!(text)),
        (json!({"propertyNames": {"maxLength": 1}}), json!({ text: 0 })),
        (json!({"uniqueItems": true}), (1..LOOKS).chain([1]).collect()),
        (json!({"contains": {"const": 1}}), Value::from(vec![0; LOOKS])),
        (json!({"required": names}), Value::Object(but_one)),
    ] {
        let rules = vec![json!({"$ref": "#/$defs/rule"}); 100];
        let schema = schema(&json!({"$defs": {"rule": &rule}, "allOf": rules}));
        let count = violations(&schema, &document).count();
        assert!((25..70).contains(&count), "{count} of {}", rule.to_string().split_at(12).0);
    }
}

#[test]
fn a_document_as_deep_as_may_be_needs_no_more_stack_than_a_thread_has() {
    let schema = schema(&json!({
        "$defs": {"node": {"anyOf": [
            {"type": "array", "items": {"allOf": [{"$ref": "#/$defs/node"}]}},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/node"}},
        ]}},
        "$ref": "#/$defs/node",
    }));
    for leaf in [json!([]), json!(1)] {
        let deep = (0..127).fold(leaf.clone(), |inner, level| match level % 2 {
            0 => json!([inner]),
            _ => json!({"x": inner}),
        });
        let schema = schema.clone();
        let small = thread::Builder::new().stack_size(1024 * 1024);
        let checked = small.spawn(move || schema.check(&deep)).expect("a thread");
        assert_eq!(checked.join().expect("enough stack").is_ok(), leaf.is_array());
    }
}

#[test]
fn lengths_count_characters() {
    let schema = schema(&json!({"maxLength": 2}));
    for (text, fits) in [("ab", true), ("您好", true), ("📦📦", true), ("您好吗", false)] {
        assert_eq!(schema.check(&text.into()).is_ok(), fits, "{text}");
    }
}

#[cfg(feature = "schemars")]
#[test]
fn a_type_gives_its_schema() {
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Order {
        number: u8,
        #[schemars(length(max = 3))]
        note: Option<String>,
    }
    let schema = Schema::of::<Order>().expect("a schema");
    assert!(schema.check(&json!({"number": 1, "other": true})).is_ok());
    let violations = violations(&schema, &json!({"number": 256, "note": "long"}));
    let keywords: Vec<_> = violations.iter().map(|one| &*one.keyword).collect();
    assert_eq!(keywords, ["maxLength", "maximum"]);
}

fn schema(document: &Value) -> Schema {
    Schema::new(document).expect("a schema")
}

fn violations(schema: &Schema, document: &Value) -> Violations {
    schema.check(document).expect_err("it does not match")
}
