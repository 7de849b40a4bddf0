//! Validation reads documents where they lie; its verdicts are those on values.

use std::{sync::mpsc, thread, time::Duration};

use jsonschema::PatternOptions;
use proptest::{
    collection::{btree_map, btree_set, vec},
    prelude::*,
    sample::{select, subsequence},
};
use serde_json::{Map, Value, json};
use tower_callback_schema::{Schema, Violations};

#[test]
fn numbers_are_the_same_by_their_worth_and_objects_in_any_order() {
    let large = 9_007_199_254_740_993_u64;
    let same = [
        (json!(1), json!(1.0)),
        (json!(0), json!(-0.0)),
        (json!([{"a": 1}]), json!([{"a": 1.0}])),
        (json!({"a": 1, "b": [2]}), json!({"b": [2.0], "a": 1})),
    ];
    let different = [
        (json!(1), json!("1")),
        (json!(0), json!(false)),
        (json!(null), json!(false)),
        (json!([]), json!({})),
        (json!([]), json!([[]])),
        (json!([[], []]), json!([[[]]])),
        (json!(large), json!(large - 1)),
        (json!({"a": 1}), json!({"b": 1})),
        (json!({"a": 1}), json!({"a": 1, "b": 1})),
    ];
    let same = same.map(|pair| (pair, true));
    for ((one, other), are_same) in same.into_iter().chain(different.map(|pair| (pair, false))) {
        let expected = schema(&json!({"enum": [7, one]}));
        assert_eq!(expected.check(&other).is_ok(), are_same, "{one} {other}");
        // Few items are compared with each other, many are hashed.
        for more in [0, 100] {
            let mut items: Vec<_> = (100..100 + more).map(Value::from).collect();
            items.extend([one.clone(), other.clone()]);
            let unique = schema(&json!({"uniqueItems": true})).check(&items.into());
            assert_eq!(unique.is_err(), are_same, "{one} {other}");
        }
    }
}

/// To copy a value, or to compare it with all of its siblings, would take minutes.
#[test]
fn a_large_value_may_be_compared_at_every_level() {
    let zeros = || Value::from(vec![0; 400_000]);
    let objects: Vec<_> = (0..20).map(|number| json!({"a": number})).collect();
    let lists: Vec<_> = (0..20).map(|number| json!([number])).collect();
    for (schema, document) in [
        (
            json!({"not": {"enum": objects}, "properties": {"a": {"$ref": "#"}}}),
            (0..100).fold(zeros(), |inner, _| [("a", inner)].into_iter().collect()),
        ),
        (
            json!({"not": {"enum": lists}, "items": {"$ref": "#"}}),
            (0..100).fold(zeros(), |inner, _| Value::from(vec![inner])),
        ),
        (json!({"uniqueItems": true}), Value::from(nested_lists(40_000))),
    ] {
        let schema = self::schema(&schema);
        let (done, ends) = mpsc::channel();
        thread::spawn(move || done.send(schema.check(&document).is_ok()));
        assert_eq!(ends.recv_timeout(Duration::from_secs(30)), Ok(true));
    }
}

/// This many lists of lists of nothing, each of another form.
fn nested_lists(number: usize) -> Vec<Value> {
    let mut lists = vec![json!([])];
    for at in 0.. {
        let inner = lists[at].clone();
        for other in 0..=at {
            lists.push(json!([inner, lists[other]]));
            if lists.len() == number {
                return lists;
            }
        }
    }
    lists
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_document_matches_where_its_value_does(schema in root(), values in vec(value(), 12)) {
        let theirs = jsonschema::options().with_pattern_options(PatternOptions::regex());
        let (theirs, ours) = (theirs.offline().build(&schema), Schema::new(&schema));
        prop_assert_eq!(theirs.is_ok(), ours.is_ok(), "{}", schema);
        let Some((theirs, ours)) = theirs.ok().zip(ours.ok()) else { return Ok(()) };
        for value in values {
            let result = ours.check(&value);
            prop_assert_eq!(result.is_ok(), theirs.is_valid(&value), "{} {}", schema, value);
            let ours = result.as_ref().err().into_iter().flat_map(Violations::iter);
            let ours: Vec<_> = ours.map(|it| (&*it.pointer, &*it.keyword)).collect();
            if ours.first().is_some_and(|&(_, keyword)| keyword != "schema") {
                let theirs: Vec<_> = theirs.iter_errors(&value).collect();
                let theirs = theirs.iter();
                let theirs = theirs.map(|it| (it.instance_path().as_str(), it.kind().keyword()));
                // There may be more than are counted.
                let theirs: Vec<_> = theirs.take(ours.len()).collect();
                prop_assert_eq!(ours, theirs, "{} {}", schema, value);
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "ab", "é", "a/b", "~"]).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = Value> {
    let large = [u64::MAX, 9_007_199_254_740_993].map(Value::from);
    let floats = [-0.0, 1.0, 1.5, 2.0, 18_446_744_073_709_551_616.0, 1e300].map(Value::from);
    let small = [0, 1, -1, 2, 3, 100, i64::MIN].map(Value::from);
    select([&large[..], &floats, &small].concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        name().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec(inner.clone(), 17..20).prop_map(Value::from),
            btree_map(name(), inner, 0..5).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// In an old draft and in the latest, which differ in some keywords.
fn root() -> impl Strategy<Value = Value> {
    let drafts =
        ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"];
    (select(drafts.to_vec()), any_schema(), any_schema()).prop_map(|(draft, all, other)| {
        json!({"$schema": draft, "allOf": [all, {"$ref": "#/$defs/other"}], "$defs": {"other": other}})
    })
}

fn any_schema() -> impl Strategy<Value = Value> {
    let types = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let keyword = |names: &[&'static str]| select(names.to_vec());
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        keyword(&["#", "#/$defs/other"]).prop_map(|to| json!({"$ref": to})),
        subsequence(types.to_vec(), 1..4).prop_map(|types| json!({"type": types})),
        value().prop_map(|value| json!({"const": value})),
        vec(value(), 1..4).prop_map(|values| json!({"enum": values})),
        (keyword(&["minimum", "maximum", "exclusiveMinimum"]), number())
            .prop_map(|(keyword, number)| json!({keyword: number})),
        (keyword(&["minLength", "maxLength", "maxItems", "minProperties", "multipleOf"]), 1..4)
            .prop_map(|(keyword, number)| json!({keyword: number})),
        Just(json!({"uniqueItems": true})),
        Just(json!({"pattern": "^a"})),
        btree_set(name(), 0..4).prop_map(|names| json!({"required": names})),
        (name(), btree_set(name(), 0..3))
            .prop_map(|(name, names)| json!({"dependentRequired": {name: names}})),
    ];
    leaf.prop_recursive(4, 48, 4, move |inner| {
        let (one, some) = (inner.clone().boxed(), vec(inner.clone(), 1..4));
        let below = ["items", "contains", "propertyNames", "not", "unevaluatedItems"];
        let beside = ["unevaluatedProperties", "additionalProperties", "if", "then", "else"];
        let below = prop_oneof![
            btree_map(name(), inner.clone(), 0..6).prop_map(|below| json!({"properties": below})),
            (keyword(&["allOf", "anyOf", "oneOf", "prefixItems"]), some)
                .prop_map(|(keyword, below)| json!({keyword: below})),
            (keyword(&[below, beside].concat()), one.clone())
                .prop_map(|(keyword, below)| json!({keyword: below})),
            (name(), one.clone())
                .prop_map(|(name, below)| json!({"dependentSchemas": {name: below}})),
            one.prop_map(|below| json!({"patternProperties": {"^a": below}})),
        ];
        vec(prop_oneof![below, inner], 1..5).prop_map(|keywords| {
            let keywords = keywords.into_iter().filter_map(|one| one.as_object().cloned());
            Value::Object(keywords.flatten().collect::<Map<_, _>>())
        })
    })
}

fn schema(document: &Value) -> Schema {
    Schema::new(document).expect("a schema")
}
